"""What can go wrong with a check: each kind has a class of its own."""

from __future__ import annotations

import grpc


class WeirError(Exception):
    """The root of all errors of a check. ``code`` is gRPC's, None when gRPC was not asked."""

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code


class RequestError(WeirError):
    """The request cannot be decided, now or later. No failure policy hides it: it is a mistake of the caller."""


class CancelledError(WeirError):
    """The caller cancelled the check. The hits may have been counted. No failure policy hides it."""


class DeadlineError(WeirError):
    """No answer within the deadline. The hits may have been counted."""


class UnavailableError(WeirError):
    """Nobody is there, or the service cannot count at the moment."""


class OverloadedError(WeirError):
    """The service has more to do than it can, and has counted nothing."""


class NotReadyError(WeirError):
    """The service has no rules yet."""


class ServiceError(WeirError):
    """Any other failure, or an answer that means nothing: perhaps the address is not a rate limit service's."""


_KINDS: dict[grpc.StatusCode, type[WeirError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.FAILED_PRECONDITION: NotReadyError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}


def error_of(call: grpc.RpcError) -> WeirError:
    """The typed error of a failed call."""
    code = call.code()
    error = _KINDS.get(code, ServiceError)(call.details() or str(code), code)
    error.__cause__ = call
    return error
