package io.weir.ratelimit;

/**
 * A limit as the rules have it.
 *
 * @param requests how many in a window
 * @param unit null when it is one that this version does not know
 * @param windowSeconds of its window; null when the unit is unknown
 * @param name "" when the rules give it none
 */
public record Limit(long requests, Unit unit, Long windowSeconds, String name) {}
