"""Limits for FastAPI, Starlette and whatever else speaks ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from .aio import AsyncWeir
from .answer import Answer
from .channel import FailurePolicy
from .refusal import refusal_of
from .request import Descriptor, Entries

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RateLimitMiddleware:
    """``app.add_middleware(RateLimitMiddleware, weir=weir, domain=..., descriptors=...)``

    ``descriptors`` says what a request is limited by, from its scope; none, and it passes without a check. A refused
    request is answered 429 with headers and a JSON body; 503 where ``on_failure`` is ``deny`` and nobody can be asked.
    ``on_answer`` is told of every answer, for logs and metrics. Only HTTP is limited, no web sockets.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        weir: AsyncWeir,
        domain: str,
        descriptors: Callable[[Scope], Sequence[Descriptor | Entries]],
        *,
        hits: Callable[[Scope], int] | None = None,
        on_failure: FailurePolicy | None = None,
        timeout: float | None = None,
        on_answer: Callable[[Answer, Scope], object] | None = None,
    ) -> None:
        self._app, self._weir, self._domain, self._descriptors = app, weir, domain, descriptors
        self._hits, self._on_failure, self._timeout, self._on_answer = hits, on_failure, timeout, on_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._descriptors(scope) if scope["type"] == "http" else ()
        if not asked:
            return await self._app(scope, receive, send)
        hits = 1 if self._hits is None else self._hits(scope)
        answer = await self._weir.check(self._domain, asked, hits, timeout=self._timeout, on_failure=self._on_failure)
        if self._on_answer is not None:
            self._on_answer(answer, scope)
        if not answer.allowed:
            return await _refuse(answer, send)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_encoded(answer.headers)]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _refuse(answer: Answer, send: Send) -> None:
    refusal = refusal_of(answer)
    headers = {**refusal.headers, "Content-Type": "application/json", "Content-Length": str(len(refusal.body))}
    await send({"type": "http.response.start", "status": refusal.status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": refusal.body})


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
