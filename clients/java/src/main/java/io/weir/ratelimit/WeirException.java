package io.weir.ratelimit;

import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;

/** What went wrong with a check. Each kind has a class of its own. */
public abstract class WeirException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Code code;

    WeirException(String message, Code code, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    /**
     * gRPC's code.
     *
     * @return null when gRPC was not asked
     */
    public Code code() {
        return code;
    }

    /** By gRPC's code (https://grpc.io/docs/guides/status-codes/). Only this side knows whether the caller cancelled. */
    static WeirException of(StatusRuntimeException error, boolean cancelledHere) {
        Code code = error.getStatus().getCode();
        String details = error.getStatus().getDescription();
        String message = details == null ? code.toString() : details;
        return switch (code) {
            case INVALID_ARGUMENT -> new RequestException(message, code, error);
            case DEADLINE_EXCEEDED -> new DeadlineException(message, code, error);
            case RESOURCE_EXHAUSTED -> new OverloadedException(message, code, error);
            case FAILED_PRECONDITION -> new NotReadyException(message, code, error);
            case UNAVAILABLE -> new UnavailableException(message, code, error);
            case CANCELLED -> cancelledHere
                    ? new CancelledException("the check was cancelled", code, error)
                    : new ServiceException(message, code, error);
            default -> new ServiceException(message, code, error);
        };
    }
}
