package io.weir.ratelimit;

import io.grpc.Status.Code;

/** No answer within the deadline. The hits may have been counted. */
public final class DeadlineException extends WeirException {
    private static final long serialVersionUID = 1L;

    DeadlineException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
