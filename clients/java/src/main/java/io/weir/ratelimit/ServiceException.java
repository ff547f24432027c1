package io.weir.ratelimit;

import io.grpc.Status.Code;

/** Any other failure, or an answer that means nothing: perhaps the address is not a rate limit service's. */
public final class ServiceException extends WeirException {
    private static final long serialVersionUID = 1L;

    ServiceException(String message, Code code, Throwable cause) {
        super(message, code, cause);
    }
}
