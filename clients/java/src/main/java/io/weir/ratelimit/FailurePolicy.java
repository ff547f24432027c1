package io.weir.ratelimit;

/** What a check comes to when the service gives no answer. */
public enum FailurePolicy {
    /** The request may go on. */
    ALLOW,
    /** The request may not go on. */
    DENY,
    /** The check throws. */
    RAISE
}
