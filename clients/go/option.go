package weir

import (
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
)

// FailurePolicy is what a check comes to when the service gives no answer.
type FailurePolicy string

// A yes, a no, or the error.
const (
	Allow FailurePolicy = "allow"
	Deny  FailurePolicy = "deny"
	Raise FailurePolicy = "raise"
)

// ConnectOption is for Connect.
type ConnectOption interface{ connect(*settings) }

// CheckOption is for one check, or given to Connect for all of them.
type CheckOption interface {
	ConnectOption
	check(*asking)
}

// WithTimeout is for a whole check, its retries included. Without it 50 ms; a deadline of the context that is earlier holds.
func WithTimeout(timeout time.Duration) CheckOption {
	return checkOption(func(a *asking) { a.timeout = timeout })
}

// WithFailurePolicy is what a check comes to when nobody answers. Without it Allow.
func WithFailurePolicy(policy FailurePolicy) CheckOption {
	return checkOption(func(a *asking) { a.onFailure = policy })
}

// WithTLS asks over TLS, as the configuration has it; nil trusts the authorities of the system. Without it plain text.
func WithTLS(config *tls.Config) ConnectOption {
	if config == nil {
		config = &tls.Config{}
	}
	return connectOption(func(s *settings) { s.tls = config })
}

// WithRetries is how often a check that charges nothing is asked again when the service is unavailable. Without it 2.
func WithRetries(retries int) ConnectOption {
	return connectOption(func(s *settings) { s.retries = retries })
}

// WithoutHealthWatch does not watch the health of each address. Else one that says it does not serve is left alone.
func WithoutHealthWatch() ConnectOption {
	return connectOption(func(s *settings) { s.watchHealth = false })
}

// WithDialOptions adds options of gRPC's, such as a stats handler or an interceptor. Where they say the same thing as this
// package, this package wins.
func WithDialOptions(options ...grpc.DialOption) ConnectOption {
	return connectOption(func(s *settings) { s.dial = append(s.dial, options...) })
}

type settings struct {
	asking
	tls         *tls.Config
	retries     int
	watchHealth bool
	dial        []grpc.DialOption
}

type asking struct {
	timeout   time.Duration
	onFailure FailurePolicy
}

type connectOption func(*settings)

func (o connectOption) connect(s *settings) { o(s) }

type checkOption func(*asking)

func (o checkOption) connect(s *settings) { o(&s.asking) }
func (o checkOption) check(a *asking)     { o(a) }

// problem is "" when there is none.
func (a asking) problem() string {
	if a.timeout <= 0 {
		return fmt.Sprintf("a timeout must be more than 0, and is %v", a.timeout)
	}
	switch a.onFailure {
	case Allow, Deny, Raise:
		return ""
	}
	return fmt.Sprintf("a failure policy is allow, deny or raise, and not %q", a.onFailure)
}
