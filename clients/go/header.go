package weir

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// headerOf gives the two fields of draft-ietf-httpapi-ratelimit-headers-10, which tell of every limit, the three of its
// older versions (-06), which tell of the one that binds, and Retry-After on refusals. Headers that the service sends win.
func headerOf(answer Answer, own []*core.HeaderValue) http.Header {
	header := http.Header{}
	var policies, levels []string
	taken := map[string]bool{}
	for _, each := range answer.Statuses {
		if each.Limit == nil {
			continue
		}
		name := nameOf(each.Limit, taken)
		policies = append(policies, fmt.Sprintf("%s;q=%d%s", name, each.Limit.Requests, parameter("w", each.Limit.Window)))
		levels = append(levels, fmt.Sprintf("%s;r=%d%s", name, each.Remaining, parameter("t", each.ResetAfter)))
	}
	if len(policies) > 0 {
		header.Set("RateLimit-Policy", strings.Join(policies, ", "))
		header.Set("RateLimit", strings.Join(levels, ", "))
	}
	if answer.Limit != nil {
		header.Set("RateLimit-Limit", strconv.FormatUint(uint64(answer.Limit.Requests), 10))
		header.Set("RateLimit-Remaining", strconv.FormatUint(uint64(answer.Remaining), 10))
		if answer.ResetAfter > 0 {
			header.Set("RateLimit-Reset", text(answer.ResetAfter))
		}
	}
	if !answer.Allowed {
		header.Set("Retry-After", text(max(answer.ResetAfter, time.Second)))
	}
	for _, each := range own {
		header.Set(each.Key, each.Value)
	}
	return header
}

var quotes = strings.NewReplacer(`"`, `\"`, `\`, `\\`)

// nameOf is one that no other limit of the answer has, as a structured field has it: a text in quotes.
func nameOf(limit *Limit, taken map[string]bool) string {
	wanted := limit.Name
	if wanted == "" {
		wanted = string(limit.Unit)
	}
	if wanted == "" {
		wanted = "limit"
	}
	wanted = quotes.Replace(strings.Map(printable, wanted))
	name := wanted
	for number := 2; taken[name]; number++ {
		name = fmt.Sprintf("%s-%d", wanted, number)
	}
	taken[name] = true
	return `"` + name + `"`
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '_'
	}
	return r
}

func parameter(name string, value time.Duration) string {
	if value == 0 {
		return ""
	}
	return ";" + name + "=" + text(value)
}

func text(value time.Duration) string {
	return strconv.FormatInt(int64(value/time.Second), 10)
}
