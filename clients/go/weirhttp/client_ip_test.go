package weirhttp_test

import (
	"net/http"
	"testing"

	"github.com/weir-ratelimit/weir/clients/go/weirhttp"
)

func TestClientIPCountsTrustedHopsFromTheRight(t *testing.T) {
	for what, each := range map[string]struct {
		remote    string
		forwarded []string
		hops      int
		want      string
	}{
		"nobody trusted":             {"192.0.2.1:5", []string{"1.1.1.1"}, 0, "192.0.2.1"},
		"a negative number":          {"192.0.2.1:5", []string{"1.1.1.1"}, -1, "192.0.2.1"},
		"1 proxy":                    {"192.0.2.1:5", []string{"9.9.9.9, 1.1.1.1"}, 1, "1.1.1.1"},
		"2 proxies":                  {"192.0.2.1:5", []string{"9.9.9.9, 1.1.1.1, 2.2.2.2"}, 2, "1.1.1.1"},
		"2 proxies, a line each":     {"192.0.2.1:5", []string{"9.9.9.9,1.1.1.1", "2.2.2.2"}, 2, "1.1.1.1"},
		"1 of 2 proxies passed by":   {"192.0.2.1:5", []string{"9.9.9.9"}, 2, "192.0.2.1"},
		"no header":                  {"192.0.2.1:5", nil, 1, "192.0.2.1"},
		"an empty header":            {"192.0.2.1:5", []string{""}, 1, "192.0.2.1"},
		"no address":                 {"192.0.2.1:5", []string{"1.1.1.1, unknown"}, 1, "192.0.2.1"},
		"a port beside it":           {"192.0.2.1:5", []string{"1.1.1.1:443"}, 1, "1.1.1.1"},
		"IPv6":                       {"[2001:db8::1]:5", nil, 0, "2001:db8::1"},
		"IPv6 forwarded":             {"192.0.2.1:5", []string{"2001:DB8:0::1"}, 1, "2001:db8::1"},
		"IPv6 in brackets":           {"192.0.2.1:5", []string{"[2001:db8::1]"}, 1, "2001:db8::1"},
		"IPv6 with a port":           {"192.0.2.1:5", []string{"[2001:db8::1]:443"}, 1, "2001:db8::1"},
		"IPv4 written as IPv6":       {"[::ffff:192.0.2.1]:5", nil, 0, "192.0.2.1"},
		"a zone":                     {"[fe80::1%eth0]:5", nil, 0, "fe80::1"},
		"a unix socket":              {"@", nil, 0, "@"},
		"a unix socket of the proxy": {"@", []string{"1.1.1.1"}, 1, "1.1.1.1"},
	} {
		request := &http.Request{RemoteAddr: each.remote, Header: http.Header{"X-Forwarded-For": each.forwarded}}
		if got := weirhttp.ClientIP(request, each.hops); got != each.want {
			t.Errorf("%s: %q, and not %q", what, got, each.want)
		}
	}
}
