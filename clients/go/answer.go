package weir

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
)

// Answer says whether a request may go on, and why.
type Answer struct {
	Allowed bool
	// DecidedBy is ByFailurePolicy when the service gave no answer; Failure then says why.
	DecidedBy Decider
	// Limit is the one that binds: of a refused request the one over its limit that resets last, else the one with the
	// fewest left. nil when nothing limits the request.
	Limit *Limit
	// Remaining is that of Limit.
	Remaining uint32
	// ResetAfter is that of Limit: whole seconds, at least one; when refused, how long to wait. 0 when it is not told.
	ResetAfter time.Duration
	// ResetAt is the same as a moment on the clock of this machine.
	ResetAt time.Time
	// Header is to be sent to whoever asked: RateLimit, RateLimit-Policy, the older three, Retry-After on refusals, the
	// service's own.
	Header http.Header
	// Statuses are one for each descriptor, in their order; none when a failure policy answered.
	Statuses []Status
	// Failure is an *Error when a failure policy answered, else nil.
	Failure error
}

// Decider is who made an answer.
type Decider string

// Who makes answers.
const (
	ByService       Decider = "service"
	ByFailurePolicy Decider = "failure_policy"
)

// Limit is as the rules have it.
type Limit struct {
	Requests uint32
	// Unit is "" when it is one that this version does not know.
	Unit Unit
	// Window is 0 when the unit is unknown.
	Window time.Duration
	// Name is "" when the rules give it none.
	Name string
}

// Status is the answer for one descriptor.
type Status struct {
	// Over: the descriptor is over its limit.
	Over bool
	// Limit is nil when nothing limits the descriptor.
	Limit     *Limit
	Remaining uint32
	// ResetAfter is in whole seconds, at least one; 0 when the service does not tell.
	ResetAfter time.Duration
}

// answerOf gives ErrService when the answer does not say yes or no, or not one thing for each descriptor.
func answerOf(response *rls.RateLimitResponse, descriptors int) (Answer, *Error) {
	code := response.OverallCode
	if code != rls.RateLimitResponse_OK && code != rls.RateLimitResponse_OVER_LIMIT {
		return Answer{}, meaningless("the service answered with the code %d, which is no yes and no no", code)
	}
	if len(response.Statuses) != descriptors {
		return Answer{}, meaningless("the service answered %d statuses to %d descriptors", len(response.Statuses), descriptors)
	}
	answer := Answer{Allowed: code == rls.RateLimitResponse_OK, DecidedBy: ByService}
	for _, each := range response.Statuses {
		answer.Statuses = append(answer.Statuses, statusOf(each))
	}
	binding := fewestLeft(answer.Statuses)
	if !answer.Allowed {
		binding = lastToReset(answer.Statuses)
	}
	if binding != nil {
		answer.Limit, answer.Remaining, answer.ResetAfter = binding.Limit, binding.Remaining, binding.ResetAfter
	}
	if answer.ResetAfter > 0 {
		answer.ResetAt = time.Now().Add(answer.ResetAfter)
	}
	answer.Header = headerOf(answer, response.ResponseHeadersToAdd)
	return answer, nil
}

func statusOf(message *rls.RateLimitResponse_DescriptorStatus) Status {
	status := Status{
		Over:      message.Code == rls.RateLimitResponse_OVER_LIMIT,
		Limit:     limitOf(message.CurrentLimit),
		Remaining: message.LimitRemaining,
	}
	if reset := message.DurationUntilReset; reset != nil {
		whole := reset.Seconds
		if reset.Nanos > 0 && whole < math.MaxInt64 {
			whole++
		}
		status.ResetAfter = seconds(max(1, whole))
	}
	return status
}

// windowed: weir tells a window of several units by its seconds, behind the name.
var windowed = regexp.MustCompile(`(?s)^(.*);w=([0-9]{1,10})$`)

func limitOf(message *rls.RateLimitResponse_RateLimit) *Limit {
	if message == nil {
		return nil
	}
	limit := &Limit{Requests: message.RequestsPerUnit, Name: message.Name}
	limit.Unit, limit.Window = unitOf(int32(message.Unit))
	if found := windowed.FindStringSubmatch(message.Name); found != nil {
		several, _ := strconv.ParseInt(found[2], 10, 64)
		limit.Name, limit.Window = found[1], seconds(several)
	}
	return limit
}

// seconds is at most what a Duration holds, 292 years.
func seconds(whole int64) time.Duration {
	return time.Duration(min(whole, int64(math.MaxInt64/time.Second))) * time.Second
}

func lastToReset(statuses []Status) *Status {
	var last *Status
	for i := range statuses {
		each := &statuses[i]
		if each.Over && each.Limit != nil && (last == nil || each.ResetAfter > last.ResetAfter) {
			last = each
		}
	}
	return last
}

func fewestLeft(statuses []Status) *Status {
	var least *Status
	for i := range statuses {
		each := &statuses[i]
		if !each.Over && each.Limit != nil && (least == nil || each.Remaining < least.Remaining) {
			least = each
		}
	}
	return least
}

func meaningless(format string, args ...any) *Error {
	return &Error{Kind: ErrService, Message: fmt.Sprintf(format, args...)}
}
