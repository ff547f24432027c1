package io.weir.ratelimit;

import java.time.Duration;

/**
 * What one check does otherwise than the client it is made with.
 *
 * @param timeout for the whole check; null: that of the client
 * @param onFailure null: that of the client
 */
public record CheckOptions(Duration timeout, FailurePolicy onFailure) {
    /** All as the client has it. */
    public static final CheckOptions DEFAULT = new CheckOptions(null, null);

    /**
     * Throws IllegalArgumentException for what is no time to wait.
     */
    public CheckOptions {
        if (timeout != null) Timeouts.check(timeout);
    }

    /**
     * Within another time.
     *
     * @param timeout for the whole check
     * @return the same but for that
     */
    public CheckOptions withTimeout(Duration timeout) {
        return new CheckOptions(timeout, onFailure);
    }

    /**
     * With another policy.
     *
     * @param onFailure what the check comes to when the service gives no answer
     * @return the same but for that
     */
    public CheckOptions withOnFailure(FailurePolicy onFailure) {
        return new CheckOptions(timeout, onFailure);
    }
}
