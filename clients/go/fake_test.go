package weir_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const patient = 20 * time.Second

// fake is a rate limit service that does what it is told, for what a real one does too seldom.
type fake struct {
	rls.UnimplementedRateLimitServiceServer
	address string
	health  *health.Server
	// gone is sent to for each caller of a silent one who has hung up.
	gone chan struct{}

	mutex sync.Mutex
	// answer: nil is silence.
	answer func() (*rls.RateLimitResponse, error)
	asked  []*rls.RateLimitRequest
}

func newFake(t *testing.T, healthCheck bool) *fake {
	t.Helper()
	f := &fake{gone: make(chan struct{}, 1)}
	f.answers(&rls.RateLimitResponse{
		OverallCode: rls.RateLimitResponse_OK,
		Statuses:    []*rls.RateLimitResponse_DescriptorStatus{{Code: rls.RateLimitResponse_OK}},
	})
	server := grpc.NewServer()
	rls.RegisterRateLimitServiceServer(server, f)
	if healthCheck {
		f.health = health.NewServer()
		grpc_health_v1.RegisterHealthServer(server, f.health)
		f.setServing(true)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.address = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return f
}

func (f *fake) answers(response *rls.RateLimitResponse) {
	f.does(func() (*rls.RateLimitResponse, error) { return response, nil })
}

func (f *fake) fails(code codes.Code, message string) {
	f.does(func() (*rls.RateLimitResponse, error) { return nil, status.Error(code, message) })
}

func (f *fake) isSilent() { f.does(nil) }

func (f *fake) does(answer func() (*rls.RateLimitResponse, error)) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.answer = answer
}

func (f *fake) setServing(serving bool) {
	state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if serving {
		state = grpc_health_v1.HealthCheckResponse_SERVING
	}
	f.health.SetServingStatus("ratelimit", state)
}

func (f *fake) times() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return len(f.asked)
}

func (f *fake) last() *rls.RateLimitRequest {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.asked[len(f.asked)-1]
}

func (f *fake) ShouldRateLimit(ctx context.Context, request *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	f.mutex.Lock()
	f.asked = append(f.asked, request)
	answer := f.answer
	f.mutex.Unlock()
	if answer != nil {
		return answer()
	}
	<-ctx.Done()
	f.gone <- struct{}{}
	return nil, ctx.Err()
}

// silence is the address of something that takes connections and never says a word.
func silence(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}
