package io.weir.ratelimit.servlet;

import io.weir.ratelimit.Answer;
import io.weir.ratelimit.Limit;
import java.util.Map;

/** What a caller is told who is refused; the body is JSON. */
record Refusal(int status, Map<String, String> headers, String body) {
    /** 429 when a limit refused; 503 when the failure policy did, since then nobody knows of a limit. */
    static Refusal of(Answer answer) {
        if (answer.decidedBy() == Answer.DecidedBy.FAILURE_POLICY) {
            return new Refusal(
                    503,
                    Map.of("Retry-After", "1"),
                    """
                    {"error":"rate_limit_unavailable","message":"The rate limit cannot be checked.",\
                    "retry_after_seconds":1}""");
        }
        long seconds = answer.resetSeconds() == null ? 1 : answer.resetSeconds();
        Limit limit = answer.limit();
        // Numbers and null are JSON as Java writes them.
        String body = """
                {"error":"rate_limited","message":"Too many requests. Try again in %d %s.","limit":%s,\
                "window_seconds":%s,"remaining":%s,"retry_after_seconds":%d}"""
                .formatted(
                        seconds,
                        seconds == 1 ? "second" : "seconds",
                        limit == null ? null : limit.requests(),
                        limit == null ? null : limit.windowSeconds(),
                        answer.remaining(),
                        seconds);
        return new Refusal(429, answer.headers(), body);
    }
}
