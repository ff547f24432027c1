package io.weir.ratelimit;

import io.grpc.Status.Code;

/** The request cannot be decided, now or later. No failure policy hides it: it is a mistake of the caller. */
public final class RequestException extends WeirException {
    private static final long serialVersionUID = 1L;

    RequestException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
