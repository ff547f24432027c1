package weirhttp

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ClientIP is the address of whoever made a request, as so many trusted proxies tell of it: each adds the address that it
// saw to the right of X-Forwarded-For, and what stands further left is whatever the caller wrote. With 0 it is whoever
// connected.
//
// A request that did not come through all of them, or with something else than an address in that place, counts as that of
// whoever connected.
func ClientIP(r *http.Request, trustedHops int) string {
	if trustedHops > 0 {
		if address, ok := forwarded(r.Header.Values("X-Forwarded-For"), trustedHops); ok {
			return address.String()
		}
	}
	if address, ok := addressOf(r.RemoteAddr); ok {
		return address.String()
	}
	// On a unix socket it is no address.
	return r.RemoteAddr
}

func forwarded(lines []string, fromRight int) (netip.Addr, bool) {
	hops := strings.Split(strings.Join(lines, ","), ",")
	if fromRight > len(hops) {
		return netip.Addr{}, false
	}
	return addressOf(strings.TrimSpace(hops[len(hops)-fromRight]))
}

// addressOf reads an address with or without a port: one written in several ways has one counter.
func addressOf(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address.Unmap().WithZone(""), err == nil
}
