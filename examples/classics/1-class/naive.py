"""What most tutorials show. Don't copy it: see README.md."""

from redis import Redis


class RateLimiter:
    def __init__(self, limit: int, window: int, redis: Redis) -> None:
        self.limit, self.window, self.redis = limit, window, redis

    def is_allowed(self, user: str) -> bool:
        key = f"rate_limit:{user}"
        count = self.redis.incr(key)
        if count == 1:
            # A process that dies before this line leaves a counter that never ends.
            self.redis.expire(key, self.window)
        return count <= self.limit
