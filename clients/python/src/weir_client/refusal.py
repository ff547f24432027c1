"""What a caller is told who is refused, in any framework."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .answer import Answer


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer; the body is JSON, to the byte as other languages have it."""

    status: int
    headers: dict[str, str]
    body: bytes


def refusal_of(answer: Answer) -> Refusal:
    """429 when a limit refused; 503 when the failure policy did, since then nobody knows of a limit."""
    if answer.decided_by == "failure_policy":
        message = "The rate limit cannot be checked."
        body = {"error": "rate_limit_unavailable", "message": message, "retry_after_seconds": 1}
        return Refusal(503, {"Retry-After": "1"}, _json(body))
    seconds = answer.reset_seconds or 1
    body = {
        "error": "rate_limited",
        "message": f"Too many requests. Try again in {seconds} {'second' if seconds == 1 else 'seconds'}.",
        "limit": answer.limit.requests if answer.limit else None,
        "window_seconds": answer.limit.window_seconds if answer.limit else None,
        "remaining": answer.remaining,
        "retry_after_seconds": seconds,
    }
    return Refusal(429, answer.headers, _json(body))


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
