"""What a caller is told who is refused, in any framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .answer import Answer


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer; the body is to be sent as JSON."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def refusal_of(answer: Answer) -> Refusal:
    """429 when a limit refused; 503 when the failure policy did, since then nobody knows of a limit."""
    if answer.decided_by == "failure_policy":
        message = "The rate limit cannot be checked."
        body = {"error": "rate_limit_unavailable", "message": message, "retry_after_seconds": 1}
        return Refusal(503, {"Retry-After": "1"}, body)
    seconds = answer.reset_seconds or 1
    return Refusal(
        429,
        answer.headers,
        {
            "error": "rate_limited",
            "message": f"Too many requests. Try again in {seconds} {'second' if seconds == 1 else 'seconds'}.",
            "limit": answer.limit.requests if answer.limit else None,
            "window_seconds": answer.limit.window_seconds if answer.limit else None,
            "remaining": answer.remaining,
            "retry_after_seconds": seconds,
        },
    )
