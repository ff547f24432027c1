"""The client for asyncio. A check whose task is cancelled hangs up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

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
from .client import assumed
from .errors import UnavailableError, WeirError, error_of
from .request import Descriptor, Entries, only_looks, wire_request
from .wire import SHOULD_RATE_LIMIT, RateLimitRequest, RateLimitResponse


class AsyncWeir:
    """Keeps its connections until ``close``; for the event loop in which it is used first."""

    def __init__(
        self,
        addresses: str | Sequence[str],
        tls: Tls | None,
        timeout: float,
        on_failure: FailurePolicy,
        retries: int,
        watch_health: bool,
    ) -> None:
        self._open: Callable[[], Any] = lambda: open_channel(grpc.aio, addresses, tls, watch_health)
        self._timeout, self._on_failure, self._retries = timeout, on_failure, retries
        self._channel: Any = None
        self._method: Any = None
        self._closed = False

    async def check(
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
        seconds = self._timeout if timeout is None else timeout
        check_timeout(seconds)
        policy = self._on_failure if on_failure is None else on_failure
        check_policy(policy)
        try:
            return answer_of(await self._ask(request, time.monotonic() + seconds), len(request.descriptors))
        except WeirError as error:
            return assumed(error, policy)

    async def ready(self, timeout: float = READY_TIMEOUT_SECONDS) -> None:
        """Returns when a server is connected and serves, so that no first check pays for it; or UnavailableError."""
        check_timeout(timeout)
        self._connect()
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout)
        except asyncio.TimeoutError:
            raise UnavailableError(f"no server was ready within {timeout} s") from None

    async def close(self) -> None:
        """Ends the connections, and what is under way on them."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> AsyncWeir:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def _connect(self) -> None:
        """At the first use: a channel belongs to the loop that runs when it is made, and at import there is none."""
        if self._closed:
            raise UnavailableError("the client is closed")
        if self._channel is None:
            self._channel = self._open()
            self._method = self._channel.unary_unary(
                SHOULD_RATE_LIMIT,
                request_serializer=RateLimitRequest.SerializeToString,
                response_deserializer=RateLimitResponse.FromString,
            )

    async def _call(self, request: Any, deadline: float) -> Any:
        self._connect()
        call = self._method(request, timeout=max(0, deadline - time.monotonic()))
        try:
            # Unlike the call itself it tells one that the closing channel cancelled from a task that is cancelled.
            code = await call.code()
        except asyncio.CancelledError:
            call.cancel()
            raise
        if self._closed and code is grpc.StatusCode.CANCELLED:
            raise UnavailableError("the client is closed")
        return await call

    async def _ask(self, request: Any, deadline: float) -> Any:
        left = self._retries if only_looks(request) else 0
        while True:
            try:
                return await self._call(request, deadline)
            except grpc.RpcError as call:
                failure = error_of(call)
                late = time.monotonic() + RETRY_WAIT_SECONDS >= deadline
                if left <= 0 or late or not isinstance(failure, UnavailableError):
                    raise failure from call
            left -= 1
            await asyncio.sleep(RETRY_WAIT_SECONDS)


def connect(
    addresses: str | Sequence[str],
    *,
    tls: Tls | None = None,
    timeout: float = TIMEOUT_SECONDS,
    on_failure: FailurePolicy = "allow",
    retries: int = RETRIES,
    watch_health: bool = True,
) -> AsyncWeir:
    """As ``weir_client.connect``. May be called before there is an event loop."""
    check_timeout(timeout)
    check_policy(on_failure)
    return AsyncWeir(addresses, tls, timeout, on_failure, retries, watch_health)
