"""What most tutorials show. Don't copy it: see README.md."""

import time

from redis import Redis


class TokenBucket:
    def __init__(self, capacity: int, refill_per_second: float, redis: Redis) -> None:
        self.capacity, self.rate, self.redis = capacity, refill_per_second, redis

    def allow(self, user: str) -> bool:
        key = f"bucket:{user}"
        now = time.time()
        bucket = self.redis.hgetall(key)
        tokens = float(bucket.get(b"tokens", self.capacity))
        tokens = min(self.capacity, tokens + (now - float(bucket.get(b"time", now))) * self.rate)
        if tokens < 1:
            return False
        # Between reading and this line others have read the same tokens.
        self.redis.hset(key, mapping={"tokens": tokens - 1, "time": now})
        return True
