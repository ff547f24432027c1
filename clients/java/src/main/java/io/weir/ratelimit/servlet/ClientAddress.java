package io.weir.ratelimit.servlet;

import jakarta.servlet.http.HttpServletRequest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Who calls, behind proxies. */
public final class ClientAddress {
    private ClientAddress() {}

    /**
     * The address of the caller, by X-Forwarded-For. Each trusted proxy has written down who called it, behind what it was
     * told; what the caller wrote himself stands before that and is not looked at. Without proxies it is where the
     * connection comes from.
     *
     * @param request of the caller
     * @param trustedHops how many proxies stand before this server that can be trusted
     * @return an address, without a port; where fewer proxies were passed than are trusted, the first that is known
     */
    public static String of(HttpServletRequest request, int trustedHops) {
        List<String> callers = new ArrayList<>();
        for (String line : Collections.list(request.getHeaders("X-Forwarded-For"))) {
            for (String each : line.split(",")) {
                if (!each.isBlank()) callers.add(withoutPort(each.strip()));
            }
        }
        callers.add(request.getRemoteAddr());
        return callers.get(Math.max(0, callers.size() - 1 - trustedHops));
    }

    /** Some proxies write {@code 10.0.0.1:5000} or {@code [::1]:5000}. */
    private static String withoutPort(String address) {
        if (address.startsWith("[")) return address.replaceFirst("^\\[([^]]*)].*$", "$1");
        int colon = address.indexOf(':');
        return colon >= 0 && colon == address.lastIndexOf(':') ? address.substring(0, colon) : address;
    }
}
