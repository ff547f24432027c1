"""A token bucket for each user, kept by weir in Redis; capacity and refill rate stand in rules.yaml."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from weir_client import Weir, WeirError

DOMAIN = "buckets"


@dataclass(frozen=True)
class Taken:
    allowed: bool
    #: 0 when refused.
    tokens_left: int
    #: Until as many tokens are there, when refused.
    wait_seconds: int
    #: ``fallback``: weir could not be asked, and this process alone decided.
    by: str


class TokenBucket:
    def __init__(self, weir: Weir, fallback: LocalBuckets) -> None:
        self._weir, self._fallback = weir, fallback

    def take(self, user: str, tokens: int = 1) -> Taken:
        """All of the tokens, or none of them."""
        try:
            answer = self._weir.check(DOMAIN, [{"user": user}], tokens, on_failure="raise")
        except WeirError:
            return self._fallback.take(user, tokens)
        return Taken(answer.allowed, answer.remaining or 0, 0 if answer.allowed else answer.reset_seconds or 1, "weir")


class LocalBuckets:
    """Buckets of this process alone, for as long as weir cannot be asked.

    With N processes give each the N-th part of capacity and refill rate, so that together they keep the limit.
    """

    def __init__(
        self,
        capacity: float,
        refill_per_second: float,
        max_users: int = 10_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity, self._rate, self._max_users, self._now = capacity, refill_per_second, max_users, now
        self._lock = threading.Lock()
        #: user -> tokens, and when they were counted; who was away longest comes first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user: str, tokens: int = 1) -> Taken:
        with self._lock:
            now = self._now()
            had, since = self._buckets.pop(user, (self._capacity, now))
            there = min(self._capacity, had + (now - since) * self._rate)
            allowed = there >= tokens
            left = there - tokens if allowed else there
            self._buckets[user] = (left, now)
            if len(self._buckets) > self._max_users:
                self._buckets.popitem(last=False)
        wait = 0 if allowed else max(1, -int(-(tokens - there) // self._rate))
        return Taken(allowed, int(left) if allowed else 0, wait, "fallback")
