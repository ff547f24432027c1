package io.weir.ratelimit;

import io.grpc.Status.Code;

/** The service has more to do than it can, and has counted nothing. */
public final class OverloadedException extends WeirException {
    private static final long serialVersionUID = 1L;

    OverloadedException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
