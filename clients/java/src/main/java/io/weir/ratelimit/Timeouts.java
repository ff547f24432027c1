package io.weir.ratelimit;

import java.time.Duration;

/** How long may be waited. */
final class Timeouts {
    private static final Duration MOST = Duration.ofMillis(Integer.MAX_VALUE);

    private Timeouts() {}

    static Duration check(Duration timeout) {
        if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(MOST) > 0) {
            throw new IllegalArgumentException("a timeout must be more than 0 and at most " + MOST + ", and is " + timeout);
        }
        return timeout;
    }
}
