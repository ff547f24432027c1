"""What is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from .errors import ServiceError, WeirError
from .unit import UNITS, Unit

_OK, _OVER_LIMIT = 1, 2
# 292 years: more than any limit has, and few enough for dates and headers.
_MOST_SECONDS = 9_223_372_036


@dataclass(frozen=True)
class Limit:
    """A limit as the rules have it."""

    requests: int
    #: None when it is one that this version does not know.
    unit: Unit | None
    #: Of its window. None when the unit is unknown.
    window_seconds: int | None
    #: '' when the rules give it none.
    name: str


@dataclass(frozen=True)
class Status:
    """The answer for one descriptor."""

    over: bool
    #: None when nothing limits the descriptor.
    limit: Limit | None
    remaining: int
    #: None when the service does not tell.
    reset_seconds: int | None


@dataclass(frozen=True)
class Answer:
    """Whether the request may go on, and why."""

    allowed: bool
    #: ``failure_policy``: the service gave no answer, and ``failure`` says why.
    decided_by: Literal["service", "failure_policy"]
    #: The limit that binds: of a refused request the one over its limit that resets last, else the one with the fewest
    #: left. None when nothing limits the request.
    limit: Limit | None = None
    #: Of ``limit``.
    remaining: int | None = None
    #: Of ``limit``: whole seconds until it resets, at least 1; when refused, how long to wait.
    reset_seconds: int | None = None
    #: The same as a moment on the clock of this machine.
    reset_at: datetime | None = None
    #: To send to whoever asked: RateLimit, RateLimit-Policy, the older three, Retry-After on refusals, the service's own.
    headers: dict[str, str] = field(default_factory=dict)
    #: One for each descriptor, in their order. Empty when a failure policy answered.
    statuses: Sequence[Status] = ()
    failure: WeirError | None = None


def answer_of(response: Any, descriptors: int) -> Answer:
    """Raises ServiceError when the answer does not say yes or no, or not one thing for each descriptor."""
    code = response.overall_code
    if code not in (_OK, _OVER_LIMIT):
        raise ServiceError(f"the service answered with the code {code}, which is no yes and no no")
    statuses = tuple(_status_of(each) for each in response.statuses)
    if len(statuses) != descriptors:
        raise ServiceError(f"the service answered {len(statuses)} statuses to {descriptors} descriptors")
    allowed = code == _OK
    binding = _fewest_left(statuses) if allowed else _last_to_reset(statuses)
    seconds = binding.reset_seconds if binding else None
    return Answer(
        allowed=allowed,
        decided_by="service",
        limit=binding.limit if binding else None,
        remaining=binding.remaining if binding else None,
        reset_seconds=seconds,
        reset_at=None if seconds is None else datetime.now(timezone.utc) + timedelta(seconds=seconds),
        headers=_headers(allowed, binding, statuses, response.response_headers_to_add),
        statuses=statuses,
    )


def _status_of(message: Any) -> Status:
    reset = message.duration_until_reset
    seconds = min(_MOST_SECONDS, max(1, reset.seconds + (reset.nanos > 0)))
    return Status(
        over=message.code == _OVER_LIMIT,
        limit=_limit_of(message.current_limit) if message.HasField("current_limit") else None,
        remaining=message.limit_remaining,
        reset_seconds=seconds if message.HasField("duration_until_reset") else None,
    )


def _limit_of(message: Any) -> Limit:
    """weir tells a window of several units by its seconds, behind the name."""
    unit, seconds = UNITS.get(message.unit, (None, None))
    several = re.fullmatch(r"(.*);w=([0-9]{1,10})", message.name, re.DOTALL)
    if several is None:
        return Limit(message.requests_per_unit, unit, seconds, message.name)
    return Limit(message.requests_per_unit, unit, int(several[2]), several[1])


def _last_to_reset(statuses: Sequence[Status]) -> Status | None:
    return max(
        (each for each in statuses if each.over and each.limit), key=lambda s: s.reset_seconds or 0, default=None
    )


def _fewest_left(statuses: Sequence[Status]) -> Status | None:
    return min((each for each in statuses if not each.over and each.limit), key=lambda s: s.remaining, default=None)


def _headers(allowed: bool, binding: Status | None, statuses: Sequence[Status], own: Any) -> dict[str, str]:
    """The two fields of draft-ietf-httpapi-ratelimit-headers-10, which tell of every limit, the three of its older
    versions (-06), which tell of the one that binds, and Retry-After on refusals. Headers that the service sends win."""
    headers: dict[str, str] = {}
    policies, levels = [], []
    taken: set[str] = set()
    for each in statuses:
        if each.limit is None:
            continue
        name = _name(each.limit, taken)
        policies.append(f"{name};q={each.limit.requests}{_parameter('w', each.limit.window_seconds)}")
        levels.append(f"{name};r={each.remaining}{_parameter('t', each.reset_seconds)}")
    if policies:
        headers["RateLimit-Policy"] = ", ".join(policies)
        headers["RateLimit"] = ", ".join(levels)
    if binding is not None and binding.limit is not None:
        headers["RateLimit-Limit"] = str(binding.limit.requests)
        headers["RateLimit-Remaining"] = str(binding.remaining)
        if binding.reset_seconds is not None:
            headers["RateLimit-Reset"] = str(binding.reset_seconds)
    if not allowed:
        headers["Retry-After"] = str((binding.reset_seconds if binding else None) or 1)
    for header in own:
        same = next((name for name in headers if name.lower() == header.key.lower()), header.key)
        headers[same] = header.value
    return headers


def _name(limit: Limit, taken: set[str]) -> str:
    """A name of its own, as a structured field has it: a text in quotes."""
    wanted = re.sub(r"[^ -~]", "_", limit.name or limit.unit or "limit")
    wanted = re.sub(r'(["\\])', r"\\\1", wanted)
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return f'"{name}"'


def _parameter(name: str, value: int | None) -> str:
    return "" if value is None else f";{name}={value}"
