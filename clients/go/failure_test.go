package weir_test

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	weir "github.com/weir-ratelimit/weir/clients/go"
	"github.com/weir-ratelimit/weir/clients/go/internal/weirtest"
)

var x = []weir.Descriptor{weir.By("user", "x")}

func TestAFailureIsAllowedDeniedOrRaised(t *testing.T) {
	client, err := weir.Connect(weirtest.FreeAddress(t), weir.WithTimeout(patient))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	allowed := check(t, client, 1, x...)
	equal(t, "allowed", allowed.Allowed, true)
	equal(t, "decided by", allowed.DecidedBy, weir.ByFailurePolicy)
	equal(t, "headers", len(allowed.Header), 0)
	fails(t, allowed.Failure, weir.ErrUnavailable)
	denied, err := client.Check(t.Context(), "shop", x, 1, weir.WithFailurePolicy(weir.Deny))
	if err != nil || denied.Allowed || denied.Failure == nil {
		t.Errorf("%+v, %v", denied, err)
	}
	_, err = client.Check(t.Context(), "shop", x, 1, weir.WithFailurePolicy(weir.Raise))
	fails(t, err, weir.ErrUnavailable)
	equal(t, "code", status.Code(err), codes.Unavailable)
}

func TestNobodyWaitsForOneThatSaysNothing(t *testing.T) {
	client := connect(t, silence(t), weir.WithTimeout(100*time.Millisecond))
	_, err := client.Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrDeadline)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no passed deadline", err)
	}
	short, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	_, err = client.Check(short, "shop", x, 1, weir.WithTimeout(time.Hour))
	fails(t, err, weir.ErrDeadline)
	fails(t, client.Ready(short), weir.ErrUnavailable)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	fails(t, client.Ready(gone), weir.ErrCanceled)
}

func TestNobodyWaitsForOneThatIsConnectedAndSaysNothing(t *testing.T) {
	slow := newFake(t, true)
	slow.isSilent()
	client := connect(t, slow.address)
	ready(t, client)
	_, err := client.Check(t.Context(), "shop", x, 0, weir.WithTimeout(50*time.Millisecond))
	fails(t, err, weir.ErrDeadline)
	<-slow.gone
	equal(t, "times asked", slow.times(), 1)
}

func TestACheckThatIsCancelledHangsUp(t *testing.T) {
	slow := newFake(t, true)
	slow.isSilent()
	client := connect(t, slow.address, weir.WithTimeout(time.Hour), weir.WithFailurePolicy(weir.Allow))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := client.Check(ctx, "shop", x, 1)
		failed <- err
	}()
	weirtest.Eventually(t, "the service to be asked", func() bool { return slow.times() == 1 })
	cancel()
	fails(t, <-failed, weir.ErrCanceled)
	<-slow.gone
}

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	slow := newFake(t, true)
	slow.isSilent()
	client := connect(t, slow.address, weir.WithTimeout(time.Hour))
	failed := make(chan error, 1)
	go func() {
		_, err := client.Check(t.Context(), "shop", x, 1)
		failed <- err
	}()
	weirtest.Eventually(t, "the service to be asked", func() bool { return slow.times() == 1 })
	_ = client.Close()
	fails(t, <-failed, weir.ErrUnavailable)
	<-slow.gone
}

func TestAWeirThatIsKilledLeavesThePolicy(t *testing.T) {
	shop := weirtest.Start(t)
	client := connect(t, shop.Address)
	ready(t, client)
	equal(t, "allowed", check(t, client, 1, weir.By("user", "kim")).Allowed, true)
	shop.Kill()
	for policy, allowed := range map[weir.FailurePolicy]bool{weir.Allow: true, weir.Deny: false} {
		answer, err := client.Check(t.Context(), "shop", x, 1, weir.WithFailurePolicy(policy))
		if err != nil || answer.Allowed != allowed || answer.DecidedBy != weir.ByFailurePolicy {
			t.Errorf("%s: %+v, %v", policy, answer, err)
		}
	}
	_, err := client.Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)
}

func TestAServerThatWasAwayIsFoundAgain(t *testing.T) {
	address := weirtest.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	client := connect(t, address)
	_, err := client.Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)
	weirtest.Start(t, "GRPC_PORT="+port)
	ready(t, client)
	equal(t, "allowed", check(t, client, 1, x...).Allowed, true)
}

func TestAServerThatDoesNotServeIsLeftAloneUntilItDoes(t *testing.T) {
	drained := newFake(t, true)
	drained.setServing(false)
	client := connect(t, drained.address)
	_, err := client.Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)
	equal(t, "times asked", drained.times(), 0)
	drained.setServing(true)
	ready(t, client)
	equal(t, "allowed", check(t, client, 1, x...).Allowed, true)
}

func TestAServerThatDoesNotServeIsAskedWhereHealthIsNotWatched(t *testing.T) {
	drained := newFake(t, true)
	drained.setServing(false)
	client := connect(t, drained.address, weir.WithoutHealthWatch())
	equal(t, "allowed", check(t, client, 1, x...).Allowed, true)
}

func TestAServerWithoutAHealthCheckIsAsked(t *testing.T) {
	plain := newFake(t, false)
	client := connect(t, plain.address)
	ready(t, client)
	equal(t, "allowed", check(t, client, 1, x...).Allowed, true)
}

func TestALookIsAsked3TimesAndAChargeOnce(t *testing.T) {
	away := newFake(t, true)
	away.fails(codes.Unavailable, "the store is away")
	client, never := connect(t, away.address), connect(t, away.address, weir.WithRetries(0))
	both := []weir.Descriptor{weir.By("user", "x").WithHits(0), weir.By("path", "/")}
	asked := 0
	for _, each := range []struct {
		client      *weir.Client
		descriptors []weir.Descriptor
		hits        int64
		times       int
	}{{client, x, 0, 3}, {client, x, 1, 1}, {client, x, -1, 1}, {client, both, 1, 1}, {never, x, 0, 1}} {
		_, err := each.client.Check(t.Context(), "shop", each.descriptors, each.hits)
		fails(t, err, weir.ErrUnavailable)
		asked += each.times
		equal(t, "times asked", away.times(), asked)
	}
}

func TestOptionsOfGRPCAreAddedAndMakeNoChargeTwice(t *testing.T) {
	away := newFake(t, true)
	away.fails(codes.Unavailable, "the store is away")
	var seen atomic.Int32
	watch := func(
		ctx context.Context, method string, request, reply any, to *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		seen.Add(1)
		return call(ctx, method, request, reply, to, options...)
	}
	retry := `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.001s",
		"maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
	dial := weir.WithDialOptions(grpc.WithUnaryInterceptor(watch), grpc.WithDefaultServiceConfig(retry))
	_, err := connect(t, away.address, dial).Check(t.Context(), "shop", x, 1)
	fails(t, err, weir.ErrUnavailable)
	equal(t, "times asked", away.times(), 1)
	equal(t, "times seen", seen.Load(), 1)
}

func TestEachCodeHasItsError(t *testing.T) {
	odd := newFake(t, true)
	client := connect(t, odd.address)
	for code, kind := range map[codes.Code]error{
		codes.InvalidArgument:    weir.ErrRequest,
		codes.DeadlineExceeded:   weir.ErrDeadline,
		codes.ResourceExhausted:  weir.ErrOverloaded,
		codes.FailedPrecondition: weir.ErrNotReady,
		codes.Unavailable:        weir.ErrUnavailable,
		codes.Canceled:           weir.ErrService,
		codes.Internal:           weir.ErrService,
	} {
		odd.fails(code, "so it is")
		_, err := client.Check(t.Context(), "shop", x, 1)
		fails(t, err, kind)
		var typed *weir.Error
		if errors.As(err, &typed) && (typed.Code != code || typed.Message != "so it is") {
			t.Errorf("%v has code %v", err, typed.Code)
		}
	}
}

func TestAnAnswerThatMeansNothingIsNone(t *testing.T) {
	odd := newFake(t, true)
	client := connect(t, odd.address)
	for _, answer := range []*rls.RateLimitResponse{
		{Statuses: []*rls.RateLimitResponse_DescriptorStatus{{}}},
		{OverallCode: rls.RateLimitResponse_OK},
		{OverallCode: 9, Statuses: []*rls.RateLimitResponse_DescriptorStatus{{}}},
	} {
		odd.answers(answer)
		_, err := client.Check(t.Context(), "shop", x, 1)
		fails(t, err, weir.ErrService)
		assumed, err := client.Check(t.Context(), "shop", x, 1, weir.WithFailurePolicy(weir.Allow))
		if err != nil || assumed.Failure == nil {
			t.Errorf("%+v, %v", assumed, err)
		}
	}
}

func TestHeadersOfTheServiceWin(t *testing.T) {
	own := newFake(t, true)
	limited := &rls.RateLimitResponse_DescriptorStatus{
		Code: rls.RateLimitResponse_OVER_LIMIT,
		CurrentLimit: &rls.RateLimitResponse_RateLimit{
			RequestsPerUnit: 5, Unit: rls.RateLimitResponse_RateLimit_SECOND, Name: `a "b" é`,
		},
	}
	own.answers(&rls.RateLimitResponse{
		OverallCode:          rls.RateLimitResponse_OVER_LIMIT,
		Statuses:             []*rls.RateLimitResponse_DescriptorStatus{limited, limited},
		ResponseHeadersToAdd: []*core.HeaderValue{{Key: "retry-after", Value: "9"}, {Key: "x-plan", Value: "free"}},
	})
	answer := check(t, connect(t, own.address), 1, weir.By("user", "x"), weir.By("user", "y"))
	sameHeader(t, answer.Header, map[string]string{
		"RateLimit-Policy":    `"a \"b\" _";q=5;w=1, "a \"b\" _-2";q=5;w=1`,
		"RateLimit":           `"a \"b\" _";r=0, "a \"b\" _-2";r=0`,
		"RateLimit-Limit":     "5",
		"RateLimit-Remaining": "0",
		"Retry-After":         "9",
		"X-Plan":              "free",
	})
}

func TestHitsTravelAsOlderServicesKnowThem(t *testing.T) {
	service := newFake(t, true)
	client := connect(t, service.address)
	for _, each := range []struct {
		hits     int64
		forAll   uint32
		own      uint64
		negative bool
	}{
		{1, 1, 0, false},
		{math.MaxUint32, math.MaxUint32, 0, false},
		{math.MaxUint32 + 1, 0, math.MaxUint32 + 1, false},
		{-2, 0, 2, true},
		{math.MinInt64, 0, 1 << 63, true},
	} {
		check(t, client, each.hits, x...)
		asked := service.last()
		equal(t, "hits of all", asked.HitsAddend, each.forAll)
		equal(t, "hits of its own", asked.Descriptors[0].GetHitsAddend().GetValue(), each.own)
		equal(t, "gives back", asked.Descriptors[0].IsNegativeHits, each.negative)
	}
}

// storm checks by 8 goroutines at once until it is ended, and gives how many were answered.
func storm(t *testing.T, client *weir.Client, value string) (answered *atomic.Int64, end func()) {
	t.Helper()
	answered = &atomic.Int64{}
	var ended atomic.Bool
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for !ended.Load() {
				if _, err := client.Check(t.Context(), "shop", []weir.Descriptor{weir.By("many", value)}, 1); err != nil {
					t.Errorf("after %d answers: %v", answered.Load(), err)
					return
				}
				answered.Add(1)
			}
		})
	}
	return answered, func() {
		ended.Store(true)
		group.Wait()
	}
}

func TestConnectionsThatAreAskedToLeaveLoseNoCheck(t *testing.T) {
	shop := weirtest.Start(t, "GRPC_MAX_CONNECTION_AGE=300ms")
	between := newRelay(t, shop.Address)
	client := connect(t, between.address)
	ready(t, client)
	answered, end := storm(t, client, "age")
	weirtest.Eventually(t, "the 5th connection", func() bool { return between.taken.Load() >= 5 || t.Failed() })
	end()
	// Not one more and not one less.
	left := check(t, connect(t, shop.Address), 0, weir.By("many", "age")).Remaining
	equal(t, "counted", int64(1_000_000-left), answered.Load())
}

func TestOneOf2WeirsThatIsToldToStopLosesNoCheck(t *testing.T) {
	first, second := weirtest.Start(t), weirtest.Start(t)
	client := connect(t, first.Address+","+second.Address)
	ready(t, client)
	answered, end := storm(t, client, "stop")
	defer end()
	weirtest.Eventually(t, "both to be asked", func() bool {
		return t.Failed() || first.Decisions() > 0 && second.Decisions() > 0
	})
	first.Stop()
	before := answered.Load()
	weirtest.Eventually(t, "1000 answers more", func() bool { return t.Failed() || answered.Load() > before+1_000 })
}
