package io.weir.ratelimit;

/**
 * The answer for one descriptor.
 *
 * @param over whether it is over its limit
 * @param limit null when nothing limits the descriptor
 * @param remaining how many are left
 * @param resetSeconds whole seconds until the limit resets; null when the service does not tell
 */
public record Status(boolean over, Limit limit, long remaining, Long resetSeconds) {}
