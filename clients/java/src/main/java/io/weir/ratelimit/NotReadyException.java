package io.weir.ratelimit;

import io.grpc.Status.Code;

/** The service has no rules yet. */
public final class NotReadyException extends WeirException {
    private static final long serialVersionUID = 1L;

    NotReadyException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
