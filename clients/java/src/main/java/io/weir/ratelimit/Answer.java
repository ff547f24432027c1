package io.weir.ratelimit;

import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.Code;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.DescriptorStatus;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.RateLimit;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether a request may go on, and why.
 *
 * @param allowed whether it may
 * @param decidedBy who says so
 * @param limit the limit that binds: of a refused request the one over its limit that resets last, else the one with the
 *     fewest left; null when nothing limits the request
 * @param remaining of {@code limit}; null without one
 * @param resetSeconds of {@code limit}: whole seconds until it resets, at least 1; when refused, how long to wait; null
 *     without one
 * @param resetAt the same as a moment on the clock of this machine
 * @param headers to send to whoever asked: RateLimit, RateLimit-Policy, the older three, Retry-After on refusals, the
 *     service's own
 * @param statuses one for each descriptor, in their order; empty when a failure policy answered
 * @param failure why the service gave no answer; null when it did
 */
public record Answer(
        boolean allowed,
        DecidedBy decidedBy,
        Limit limit,
        Long remaining,
        Long resetSeconds,
        Instant resetAt,
        Map<String, String> headers,
        List<Status> statuses,
        WeirException failure) {

    /** Who decided. */
    public enum DecidedBy {
        /** The service. */
        SERVICE,
        /** The service gave no answer, and {@link Answer#failure} says why. */
        FAILURE_POLICY
    }

    /** 292 years: more than any limit has, and few enough for dates and headers. */
    private static final long MOST_SECONDS = 9_223_372_036L;
    /** weir tells a window of several units by its seconds, behind the name. */
    private static final Pattern NAME_AND_WINDOW = Pattern.compile("(.*);w=([0-9]{1,10})", Pattern.DOTALL);

    /** Throws ServiceException when it does not say yes or no, or not one thing for each descriptor. */
    static Answer of(RateLimitResponse response, int descriptors) {
        Code code = response.getOverallCode();
        if (code != Code.OK && code != Code.OVER_LIMIT) {
            String told = "the service answered with the code " + response.getOverallCodeValue();
            throw new ServiceException(told + ", which is no yes and no no", null, null);
        }
        List<Status> statuses = response.getStatusesList().stream().map(Answer::statusOf).toList();
        if (statuses.size() != descriptors) {
            String told = "the service answered " + statuses.size() + " statuses to " + descriptors + " descriptors";
            throw new ServiceException(told, null, null);
        }
        boolean allowed = code == Code.OK;
        Status binding = allowed ? fewestLeft(statuses) : lastToReset(statuses);
        Long seconds = binding == null ? null : binding.resetSeconds();
        return new Answer(
                allowed,
                DecidedBy.SERVICE,
                binding == null ? null : binding.limit(),
                binding == null ? null : binding.remaining(),
                seconds,
                seconds == null ? null : Instant.now().plusSeconds(seconds),
                Headers.of(allowed, binding, statuses, response.getResponseHeadersToAddList()),
                statuses,
                null);
    }

    /** What is told when the service was asked in vain. */
    static Answer assumed(boolean allowed, WeirException failure) {
        return new Answer(allowed, DecidedBy.FAILURE_POLICY, null, null, null, null, Map.of(), List.of(), failure);
    }

    private static Status statusOf(DescriptorStatus message) {
        Long seconds = null;
        if (message.hasDurationUntilReset()) {
            var reset = message.getDurationUntilReset();
            long whole = Math.min(MOST_SECONDS, reset.getSeconds());
            seconds = Math.max(1, whole < MOST_SECONDS && reset.getNanos() > 0 ? whole + 1 : whole);
        }
        return new Status(
                message.getCode() == Code.OVER_LIMIT,
                message.hasCurrentLimit() ? limitOf(message.getCurrentLimit()) : null,
                Integer.toUnsignedLong(message.getLimitRemaining()),
                seconds);
    }

    private static Limit limitOf(RateLimit message) {
        long requests = Integer.toUnsignedLong(message.getRequestsPerUnit());
        Unit unit = Unit.ofNumber(message.getUnitValue());
        Matcher several = NAME_AND_WINDOW.matcher(message.getName());
        if (several.matches()) return new Limit(requests, unit, Long.valueOf(several.group(2)), several.group(1));
        return new Limit(requests, unit, unit == null ? null : unit.seconds, message.getName());
    }

    private static Status lastToReset(List<Status> statuses) {
        Status last = null;
        for (Status each : statuses) {
            if (each.over() && each.limit() != null && (last == null || reset(each) > reset(last))) last = each;
        }
        return last;
    }

    private static long reset(Status status) {
        return status.resetSeconds() == null ? 0 : status.resetSeconds();
    }

    private static Status fewestLeft(List<Status> statuses) {
        Status least = null;
        for (Status each : statuses) {
            if (each.over() || each.limit() == null) continue;
            if (least == null || each.remaining() < least.remaining()) least = each;
        }
        return least;
    }
}
