package io.weir.ratelimit;

import envoy.config.core.v3.Base.HeaderValue;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The two fields of draft-ietf-httpapi-ratelimit-headers-10, which tell of every limit, the three of its older versions
 * (-06), which tell of the one that binds, and Retry-After on refusals. Headers that the service sends win.
 */
final class Headers {
    private Headers() {}

    static Map<String, String> of(boolean allowed, Status binding, List<Status> statuses, List<HeaderValue> own) {
        Map<String, String> headers = new LinkedHashMap<>();
        List<String> policies = new ArrayList<>();
        List<String> levels = new ArrayList<>();
        Set<String> taken = new HashSet<>();
        for (Status each : statuses) {
            Limit limit = each.limit();
            if (limit == null) continue;
            String name = nameOf(limit, taken);
            policies.add(name + ";q=" + limit.requests() + parameter("w", limit.windowSeconds()));
            levels.add(name + ";r=" + each.remaining() + parameter("t", each.resetSeconds()));
        }
        if (!policies.isEmpty()) {
            headers.put("RateLimit-Policy", String.join(", ", policies));
            headers.put("RateLimit", String.join(", ", levels));
        }
        Long reset = binding == null ? null : binding.resetSeconds();
        if (binding != null) {
            headers.put("RateLimit-Limit", Long.toString(binding.limit().requests()));
            headers.put("RateLimit-Remaining", Long.toString(binding.remaining()));
            if (reset != null) headers.put("RateLimit-Reset", reset.toString());
        }
        if (!allowed) headers.put("Retry-After", reset == null ? "1" : reset.toString());
        for (HeaderValue each : own) {
            String name = each.getKey();
            headers.put(headers.keySet().stream().filter(name::equalsIgnoreCase).findFirst().orElse(name), each.getValue());
        }
        return Collections.unmodifiableMap(headers);
    }

    /** A name of its own, as a structured field has it: a text in quotes. */
    private static String nameOf(Limit limit, Set<String> taken) {
        String own = limit.name();
        if (own.isEmpty()) own = limit.unit() == null ? "limit" : limit.unit().name().toLowerCase(Locale.ROOT);
        String wanted = own.replaceAll("[^ -~]", "_").replaceAll("[\"\\\\]", "\\\\$0");
        String name = wanted;
        for (int n = 2; !taken.add(name); n++) name = wanted + "-" + n;
        return '"' + name + '"';
    }

    private static String parameter(String name, Long value) {
        return value == null ? "" : ";" + name + "=" + value;
    }
}
