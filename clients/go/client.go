package weir

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // Makes healthCheckConfig work.
	"google.golang.org/grpc/keepalive"
)

const (
	timeout        = 50 * time.Millisecond
	readyTimeout   = 5 * time.Second
	retries        = 2
	retryWait      = 5 * time.Millisecond
	firstReconnect = 100 * time.Millisecond
	lastReconnect  = 5 * time.Second
	leastConnect   = time.Second
	keepaliveAfter = 30 * time.Second
	keepaliveWait  = 5 * time.Second
)

// Client keeps its connections until Close. It may be used by all goroutines of a process.
type Client struct {
	settings
	addresses  string
	connection *grpc.ClientConn
	service    rls.RateLimitServiceClient
	closed     atomic.Bool
}

// Connect makes a client of the weir at host:port, unix:/path or any target of gRPC, or of several host:port or unix:/path
// with commas between them. The addresses, and those that a name has, take turns. Connecting goes on in the background:
// checks meanwhile wait for it up to their deadline. What is no address, and an option without a meaning, is an error.
func Connect(addresses string, options ...ConnectOption) (*Client, error) {
	s := settings{asking: asking{timeout, Allow}, retries: retries, watchHealth: true}
	for _, option := range options {
		option.connect(&s)
	}
	if problem := s.problem(); problem != "" {
		return nil, errors.New("weir: " + problem)
	}
	to, dial, err := target(addresses)
	if err != nil {
		return nil, fmt.Errorf("weir: %w", err)
	}
	connection, err := grpc.NewClient(to, append(append(s.dial, dial...), s.dialOptions()...)...)
	if err != nil {
		return nil, fmt.Errorf("weir: %w", err)
	}
	connection.Connect()
	return &Client{
		settings:   s,
		addresses:  addresses,
		connection: connection,
		service:    rls.NewRateLimitServiceClient(connection),
	}, nil
}

// dialOptions take no service config from DNS: it could order retries, and a hit that is sent twice may be counted twice.
func (s settings) dialOptions() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	health := ""
	if s.watchHealth {
		health = `, "healthCheckConfig": {"serviceName": "ratelimit"}`
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]` + health + `}`),
		grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveAfter, Timeout: keepaliveWait}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstReconnect, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastReconnect},
			MinConnectTimeout: leastConnect,
		}),
	}
}

// Check asks whether a request may go on, and charges hits on each descriptor without hits of its own: 0 only looks, a
// negative number gives back. Its errors are all of type *Error: ErrRequest and ErrCanceled, and where the failure policy
// is Raise any other.
func (c *Client) Check(
	ctx context.Context, domain string, descriptors []Descriptor, hits int64, options ...CheckOption,
) (Answer, error) {
	a := c.asking
	for _, option := range options {
		option.check(&a)
	}
	if problem := a.problem(); problem != "" {
		return Answer{}, wrong("%s", problem)
	}
	request, err := wireRequest(domain, descriptors, hits)
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.ask(ctx, request, a.timeout)
	switch {
	case err == nil:
		return answer, nil
	case a.onFailure == Raise, err.Kind == ErrRequest, err.Kind == ErrCanceled:
		return Answer{}, err
	}
	return Answer{Allowed: a.onFailure == Allow, DecidedBy: ByFailurePolicy, Failure: err}, nil
}

// ask asks again only what charges nothing.
func (c *Client) ask(ctx context.Context, request *rls.RateLimitRequest, within time.Duration) (Answer, *Error) {
	bounded, end := context.WithTimeout(ctx, within)
	defer end()
	left := 0
	if onlyLooks(request) {
		left = c.retries
	}
	for {
		response, failure := c.call(ctx, bounded, request)
		if failure == nil {
			return answerOf(response, len(request.Descriptors))
		}
		deadline, _ := bounded.Deadline()
		if left <= 0 || failure.Kind != ErrUnavailable || time.Until(deadline) <= retryWait {
			return Answer{}, failure
		}
		left--
		select {
		case <-time.After(retryWait):
		case <-bounded.Done():
		}
	}
}

func (c *Client) call(ctx, bounded context.Context, request *rls.RateLimitRequest) (*rls.RateLimitResponse, *Error) {
	if ctx.Err() == context.Canceled {
		return nil, canceled(ctx)
	}
	response, err := c.service.ShouldRateLimit(bounded, request)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() == context.Canceled:
		return nil, canceled(ctx)
	case c.closed.Load():
		return nil, &Error{Kind: ErrUnavailable, Code: codes.Unavailable, Message: "the client is closed", Cause: err}
	}
	return nil, errorOf(err)
}

// Ready returns nil when a server is connected and serves, so that no first check pays for it. It waits as long as the
// context lets it, or 5 seconds where that has no deadline; then ErrUnavailable.
func (c *Client) Ready(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		within, end := context.WithTimeout(ctx, readyTimeout)
		defer end()
		ctx = within
	}
	c.connection.Connect()
	for {
		state := c.connection.GetState()
		switch {
		case state == connectivity.Ready:
			return nil
		case state == connectivity.Shutdown:
			return &Error{Kind: ErrUnavailable, Message: "the client is closed"}
		case c.connection.WaitForStateChange(ctx, state):
			continue
		case ctx.Err() == context.Canceled:
			return canceled(ctx)
		}
		message := "no server was ready in time: " + c.addresses
		return &Error{Kind: ErrUnavailable, Message: message, Cause: ctx.Err()}
	}
}

// Close ends the connections, and what is under way on them.
func (c *Client) Close() error {
	c.closed.Store(true)
	return c.connection.Close()
}
