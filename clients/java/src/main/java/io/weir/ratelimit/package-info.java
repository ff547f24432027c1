/**
 * Asks weir, or any Envoy rate limit service v3, whether a request may go on. {@link io.weir.ratelimit.Weir} is where to
 * begin.
 */
package io.weir.ratelimit;
