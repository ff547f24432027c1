"""Ann has 3 calls a minute, Bob is a free customer and Carol a pro."""

import os
import re
import urllib.request

import weir_client
from rate_limiter import RateLimiter, TieredRateLimiter


def main() -> None:
    # Without these options: 50 ms, and "allow" when nobody answers.
    with weir_client.connect(os.environ["WEIR"], timeout=1, on_failure="allow") as weir:
        weir.ready()
        limiter = RateLimiter(limit=3, window=60, weir=weir)
        for _ in range(4):
            print("ann:  ", limiter.check("ann").why)

        tiers = TieredRateLimiter(weir=weir)
        for user, kind in (("bob", "free"), ("carol", "pro")):
            for _ in range(6):
                print(f"{user:6}", tiers.check(user, kind).why)

        print("this process counted", dict(tiers.counts))
        print("all processes together, from weir's metrics:")
        for line in weirs_metrics():
            print("  ", line)


def weirs_metrics() -> list[str]:
    """What Prometheus would see of the kinds of customers. There is no user in it."""
    with urllib.request.urlopen(os.environ["WEIR_METRICS"]) as page:
        text = page.read().decode()
    return re.findall(r'^ratelimit_service_rate_limit_(?:over|within)_limit\{.*key1="kind_.*$', text, re.MULTILINE)


if __name__ == "__main__":
    main()
