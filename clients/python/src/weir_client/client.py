"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import grpc

from .answer import Answer, answer_of
from .channel import (
    READY_TIMEOUT_SECONDS,
    RETRIES,
    RETRY_WAIT_SECONDS,
    TIMEOUT_SECONDS,
    FailurePolicy,
    Tls,
    check_policy,
    check_timeout,
    open_channel,
)
from .errors import CancelledError, RequestError, UnavailableError, WeirError, error_of
from .request import Descriptor, Entries, only_looks, wire_request
from .wire import SHOULD_RATE_LIMIT, RateLimitRequest, RateLimitResponse


class Pending:
    """A check under way."""

    def __init__(self, weir: Weir, call: Any, descriptors: int, policy: FailurePolicy) -> None:
        self._weir, self._call, self._descriptors, self._policy = weir, call, descriptors, policy

    def cancel(self) -> None:
        """Hangs up; ``result`` raises CancelledError then. The hits may have been counted."""
        self._call.cancel()

    def result(self) -> Answer:
        """Waits for the answer, up to the deadline of the check."""
        try:
            return answer_of(self._weir._result(self._call), self._descriptors)
        except WeirError as error:
            return assumed(error, self._policy)


class Weir:
    """Keeps its connections until ``close``; safe to share by all threads of a process, and not across a fork."""

    def __init__(self, channel: Any, timeout: float, on_failure: FailurePolicy, retries: int) -> None:
        self._channel, self._timeout, self._on_failure, self._retries = channel, timeout, on_failure, retries
        self._closed = False
        self._method = channel.unary_unary(
            SHOULD_RATE_LIMIT,
            request_serializer=RateLimitRequest.SerializeToString,
            response_deserializer=RateLimitResponse.FromString,
        )

    def check(
        self,
        domain: str,
        descriptors: Sequence[Descriptor | Entries],
        hits: int = 1,
        *,
        timeout: float | None = None,
        on_failure: FailurePolicy | None = None,
    ) -> Answer:
        """Asks whether a request may go on, and charges ``hits`` on each descriptor without hits of its own.

        0 hits only look, a negative number gives back. ``timeout`` is in seconds, for the whole check. Raises
        RequestError, and any other WeirError where the failure policy is ``raise``.
        """
        request = wire_request(domain, descriptors, hits)
        deadline, policy = self._deadline(timeout), self._policy(on_failure)
        try:
            return answer_of(self._ask(request, deadline), len(request.descriptors))
        except WeirError as error:
            return assumed(error, policy)

    def start(
        self,
        domain: str,
        descriptors: Sequence[Descriptor | Entries],
        hits: int = 1,
        *,
        timeout: float | None = None,
        on_failure: FailurePolicy | None = None,
    ) -> Pending:
        """Like ``check``, for whoever does something else meanwhile or may cancel it. It is not asked again."""
        request = wire_request(domain, descriptors, hits)
        deadline, policy = self._deadline(timeout), self._policy(on_failure)
        return Pending(self, self._call(request, deadline), len(request.descriptors), policy)

    def ready(self, timeout: float = READY_TIMEOUT_SECONDS) -> None:
        """Returns when a server is connected and serves, so that no first check pays for it; or UnavailableError."""
        check_timeout(timeout)
        if self._closed:
            raise UnavailableError("the client is closed")
        future = grpc.channel_ready_future(self._channel)
        try:
            future.result(timeout=timeout)
        except grpc.FutureTimeoutError:
            future.cancel()
            raise UnavailableError(f"no server was ready within {timeout} s") from None

    def close(self) -> None:
        """Ends the connections, and what is under way on them."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Weir:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _deadline(self, timeout: float | None) -> float:
        seconds = self._timeout if timeout is None else timeout
        check_timeout(seconds)
        return time.monotonic() + seconds

    def _policy(self, on_failure: FailurePolicy | None) -> FailurePolicy:
        policy = self._on_failure if on_failure is None else on_failure
        check_policy(policy)
        return policy

    def _ask(self, request: Any, deadline: float) -> Any:
        left = self._retries if only_looks(request) else 0
        while True:
            try:
                return self._result(self._call(request, deadline))
            except UnavailableError:
                if left <= 0 or self._closed or time.monotonic() + RETRY_WAIT_SECONDS >= deadline:
                    raise
            left -= 1
            time.sleep(RETRY_WAIT_SECONDS)

    def _call(self, request: Any, deadline: float) -> Any:
        try:
            return self._method.future(request, timeout=max(0, deadline - time.monotonic()))
        except ValueError:
            # What gRPC says of a closed channel, which another thread may have closed a moment ago.
            closed: Future[Any] = Future()
            closed.set_exception(UnavailableError("the client is closed"))
            return closed

    def _result(self, call: Any) -> Any:
        try:
            return call.result()
        except grpc.FutureCancelledError as error:
            raise CancelledError("the check was cancelled") from error
        except grpc.RpcError as error:
            if self._closed and error.code() is grpc.StatusCode.CANCELLED:
                raise UnavailableError("the client is closed") from error
            raise error_of(error) from error


def connect(
    addresses: str | Sequence[str],
    *,
    tls: Tls | None = None,
    timeout: float = TIMEOUT_SECONDS,
    on_failure: FailurePolicy = "allow",
    retries: int = RETRIES,
    watch_health: bool = True,
) -> Weir:
    """Connects to weir at ``host:port``, ``unix:/path`` or any target of gRPC, or to a list of IPv4 ``address:port``.

    The addresses that a name has take turns. Connecting goes on in the background: checks meanwhile wait for it up to
    their deadline. ``timeout`` is in seconds, for a whole check. ``retries`` is how often a check that charges nothing is
    asked again when the service is unavailable. With ``watch_health`` a server is left alone that says it does not serve.
    """
    check_timeout(timeout)
    check_policy(on_failure)
    return Weir(open_channel(grpc, addresses, tls, watch_health), timeout, on_failure, retries)


def assumed(error: WeirError, policy: FailurePolicy) -> Answer:
    """What is told when the service was asked in vain."""
    if policy == "raise" or isinstance(error, (RequestError, CancelledError)):
        raise error
    return Answer(allowed=policy == "allow", decided_by="failure_policy", failure=error)
