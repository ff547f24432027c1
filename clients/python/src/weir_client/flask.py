"""Limits for Flask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from flask import Request, Response, after_this_request, current_app, request

from .answer import Answer
from .channel import FailurePolicy
from .client import Weir
from .refusal import refusal_of
from .request import Descriptor, Entries

View = TypeVar("View", bound=Callable[..., Any])


class RateLimit:
    """``app.before_request(limit)`` limits all that an application or blueprint serves, ``@limit.view`` one view.

    ``descriptors`` says what a request is limited by; none, and it passes without a check. A refused request is answered
    429 with headers and a JSON body; 503 where ``on_failure`` is ``deny`` and nobody can be asked. ``on_answer`` is told
    of every answer, for logs and metrics.
    """

    def __init__(
        self,
        weir: Weir | Callable[[], Weir],
        domain: str,
        descriptors: Callable[[Request], Sequence[Descriptor | Entries]],
        *,
        hits: Callable[[Request], int] | None = None,
        on_failure: FailurePolicy | None = None,
        timeout: float | None = None,
        on_answer: Callable[[Answer, Request], object] | None = None,
    ) -> None:
        self._weir, self._domain, self._descriptors = weir, domain, descriptors
        self._hits, self._on_failure, self._timeout, self._on_answer = hits, on_failure, timeout, on_answer

    def __call__(self) -> Response | None:
        """The answer of a refused request; None lets it pass, and its answer will have the headers."""
        asked = self._descriptors(request)
        if not asked:
            return None
        weir = self._weir if isinstance(self._weir, Weir) else self._weir()
        hits = 1 if self._hits is None else self._hits(request)
        answer = weir.check(self._domain, asked, hits, timeout=self._timeout, on_failure=self._on_failure)
        if self._on_answer is not None:
            self._on_answer(answer, request)
        if answer.allowed:
            after_this_request(lambda response: _with_headers(response, answer.headers))
            return None
        refusal = refusal_of(answer)
        response = Response(refusal.body, refusal.status, content_type="application/json")
        return _with_headers(response, refusal.headers)

    def view(self, view: View) -> View:
        """Limits one view."""

        @wraps(view)
        def limited(*args: Any, **kwargs: Any) -> Any:
            refused = self()
            return current_app.ensure_sync(view)(*args, **kwargs) if refused is None else refused

        return limited  # type: ignore[return-value]


def _with_headers(response: Response, headers: dict[str, str]) -> Response:
    response.headers.update(headers)
    return response
