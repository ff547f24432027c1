"""The rate limiter of every tutorial, counted by weir."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from weir_client import Answer, Descriptor, Override, Unit, Weir

DOMAIN = "calls"
UNITS: dict[int, Unit] = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    #: A sentence for people.
    why: str


class RateLimiter:
    """At most ``limit`` calls of each user in a window of ``window`` seconds.

    Limiters of different names count apart. ``counts`` is for monitoring: how often this process was told what.
    """

    def __init__(self, limit: int, window: int, *, weir: Weir, name: str = "calls") -> None:
        if window not in UNITS:
            raise ValueError(f"a window is one of {list(UNITS)} seconds; others can be had by a rule in rules.yaml")
        self._limit = Override(limit, UNITS[window])
        self._weir, self._name = weir, name
        self.counts: Counter[str] = Counter()

    def is_allowed(self, user: str) -> bool:
        return self.check(user).allowed

    def check(self, user: str) -> Verdict:
        descriptor = Descriptor({"limiter": self._name, "user": user}, limit=self._limit)
        return verdict(self._weir.check(DOMAIN, [descriptor]), self.counts)


class TieredRateLimiter:
    """What a user may do depends on the kind of customer he is: ``free`` and ``pro`` have their limits in rules.yaml."""

    def __init__(self, *, weir: Weir) -> None:
        self._weir = weir
        self.counts: Counter[str] = Counter()

    def is_allowed(self, user: str, kind: str) -> bool:
        return self.check(user, kind).allowed

    def check(self, user: str, kind: str) -> Verdict:
        return verdict(self._weir.check(DOMAIN, [{"kind": kind, "user": user}]), self.counts)


def verdict(answer: Answer, counts: Counter[str]) -> Verdict:
    if answer.decided_by == "failure_policy":
        # Redis or weir is away. The client's on_failure has decided, and nobody counts meanwhile.
        counts["allowed_uncounted" if answer.allowed else "denied_uncounted"] += 1
        return Verdict(answer.allowed, f"{'let through' if answer.allowed else 'refused'}: nobody can count right now")
    counts["allowed" if answer.allowed else "denied"] += 1
    if answer.allowed:
        return Verdict(True, f"{answer.remaining} left")
    return Verdict(False, f"over the limit, try again in {answer.reset_seconds} s")
