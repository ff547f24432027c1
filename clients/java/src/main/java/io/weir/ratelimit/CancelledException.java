package io.weir.ratelimit;

import io.grpc.Status.Code;

/** The caller cancelled the check. The hits may have been counted. No failure policy hides it. */
public final class CancelledException extends WeirException {
    private static final long serialVersionUID = 1L;

    CancelledException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
