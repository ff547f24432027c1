package io.weir.ratelimit;

import io.grpc.Status.Code;

/** Nobody is there, or the service cannot count at the moment. */
public final class UnavailableException extends WeirException {
    private static final long serialVersionUID = 1L;

    UnavailableException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
