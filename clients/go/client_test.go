package weir_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	weir "github.com/weir-ratelimit/weir/clients/go"
	"github.com/weir-ratelimit/weir/clients/go/internal/weirtest"
)

// connect makes a client that is patient, since the machine may be busy; what deadlines do has a test of its own.
func connect(t *testing.T, address string, options ...weir.ConnectOption) *weir.Client {
	t.Helper()
	calm := []weir.ConnectOption{weir.WithTimeout(patient), weir.WithFailurePolicy(weir.Raise)}
	client, err := weir.Connect(address, append(calm, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func ready(t *testing.T, client *weir.Client) {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), patient)
	defer end()
	if err := client.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// check is answered, or the test has failed.
func check(t *testing.T, client *weir.Client, hits int64, descriptors ...weir.Descriptor) weir.Answer {
	t.Helper()
	answer, err := client.Check(t.Context(), "shop", descriptors, hits)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, and not %v", what, got, want)
	}
}

const year = 365 * 24 * time.Hour

func TestClient(t *testing.T) {
	shop := weirtest.Start(t)
	client := connect(t, shop.Address)
	ready(t, client)

	t.Run("is told of 3 allowed requests and of the 4th refused", func(t *testing.T) {
		for left := range 3 {
			answer := check(t, client, 1, weir.By("user", "ann"))
			equal(t, "allowed", answer.Allowed, true)
			equal(t, "left", answer.Remaining, uint32(2-left))
		}
		refused := check(t, client, 1, weir.By("user", "ann"))
		equal(t, "allowed", refused.Allowed, false)
		equal(t, "decided by", refused.DecidedBy, weir.ByService)
		equal(t, "limit", *refused.Limit, weir.Limit{Requests: 3, Unit: weir.Year, Window: year, Name: "per-user"})
		if refused.ResetAfter < time.Second || refused.ResetAfter > year || refused.ResetAfter%time.Second != 0 {
			t.Errorf("it resets after %v", refused.ResetAfter)
		}
		if off := time.Until(refused.ResetAt) - refused.ResetAfter; off.Abs() > time.Minute {
			t.Errorf("it resets %v off", off)
		}
		seconds := refused.Header.Get("Retry-After")
		equal(t, "seconds", seconds, strconv.Itoa(int(refused.ResetAfter.Seconds())))
		sameHeader(t, refused.Header, map[string]string{
			"RateLimit-Policy":    `"per-user";q=3;w=31536000`,
			"RateLimit":           `"per-user";r=0;t=` + seconds,
			"RateLimit-Limit":     "3",
			"RateLimit-Remaining": "0",
			"RateLimit-Reset":     seconds,
			"Retry-After":         seconds,
		})
	})

	t.Run("charges nothing for 0 hits, 2 for 2, and takes 1 of them back", func(t *testing.T) {
		var left []uint32
		for _, hits := range []int64{0, 2, 0, -1, 0} {
			left = append(left, check(t, client, hits, weir.By("user", "bob")).Remaining)
		}
		if want := []uint32{3, 1, 1, 2, 2}; !slices.Equal(left, want) {
			t.Errorf("%v are left, and not %v", left, want)
		}
	})

	t.Run("charges each descriptor its own hits, and tells of the limit with the fewest left", func(t *testing.T) {
		answer := check(t, client, 1,
			weir.By("user", "cid").WithHits(0),
			weir.By("path", "/cid").WithHits(98),
			weir.By("slow", "cid"),
			weir.By("free", "cid"),
			weir.By("nobody", "limits"),
		)
		type seen struct {
			left   uint32
			window time.Duration
		}
		var all []seen
		for _, status := range answer.Statuses {
			each := seen{left: status.Remaining}
			if status.Limit != nil {
				each.window = status.Limit.Window
			}
			all = append(all, each)
		}
		want := []seen{{3, year}, {2, year}, {4, 2 * year}, {math.MaxUint32, 0}, {0, 0}}
		if !slices.Equal(all, want) {
			t.Errorf("%v, and not %v", all, want)
		}
		equal(t, "unit", answer.Limit.Unit, weir.Year)
		policies := `"per-user";q=3;w=31536000, "year";q=100;w=31536000, "slow";q=5;w=63072000`
		equal(t, "policies", answer.Header.Get("RateLimit-Policy"), policies)
	})

	t.Run("brings a limit of 7 a minute along", func(t *testing.T) {
		limit := check(t, client, 1, weir.By("user", "eve").WithLimit(7, weir.Minute)).Limit
		equal(t, "requests", limit.Requests, 7)
		equal(t, "unit", limit.Unit, weir.Minute)
	})

	t.Run("answers 16 goroutines 100 times with 100 different numbers over one connection", func(t *testing.T) {
		between := newRelay(t, shop.Address)
		client := connect(t, between.address)
		var group sync.WaitGroup
		left := make(chan uint32, 100)
		turns := make(chan struct{}, 100)
		for range 100 {
			turns <- struct{}{}
		}
		close(turns)
		for range 16 {
			group.Go(func() {
				for range turns {
					if answer, err := client.Check(t.Context(), "shop", []weir.Descriptor{weir.By("path", "/all")}, 1); err == nil {
						left <- answer.Remaining
					}
				}
			})
		}
		group.Wait()
		close(left)
		different := map[uint32]bool{}
		for each := range left {
			different[each] = true
		}
		equal(t, "numbers", len(different), 100)
		equal(t, "connections", between.taken.Load(), 1)
	})

	t.Run("asks nothing with a context that is cancelled already", func(t *testing.T) {
		because := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(because)
		asked := []weir.Descriptor{weir.By("user", "fay")}
		_, err := client.Check(ctx, "shop", asked, 3, weir.WithFailurePolicy(weir.Allow))
		for _, want := range []error{weir.ErrCanceled, context.Canceled, because} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		}
		equal(t, "left", check(t, client, 0, weir.By("user", "fay")).Remaining, 3)
	})

	t.Run("asks nothing once it is closed", func(t *testing.T) {
		closed := connect(t, shop.Address)
		_ = closed.Close()
		_, err := closed.Check(t.Context(), "shop", []weir.Descriptor{weir.By("user", "x")}, 1)
		fails(t, err, weir.ErrUnavailable)
		fails(t, closed.Ready(t.Context()), weir.ErrUnavailable)
	})
}

func TestWhatNobodyCouldDecideIsAnErrorUnderAnyPolicy(t *testing.T) {
	client := connect(t, weirtest.FreeAddress(t))
	x := weir.By("user", "x")
	long := func(bytes int) weir.Descriptor { return weir.By("user", strings.Repeat("x", bytes)) }
	for what, each := range map[string]struct {
		domain      string
		descriptors []weir.Descriptor
		options     []weir.CheckOption
	}{
		"no domain":             {"", []weir.Descriptor{x}, nil},
		"a domain of bytes":     {"\xff", []weir.Descriptor{x}, nil},
		"no descriptor":         {"shop", nil, nil},
		"no entry":              {"shop", []weir.Descriptor{{}}, nil},
		"a key of bytes":        {"shop", []weir.Descriptor{weir.By("\xff", "x")}, nil},
		"a value of bytes":      {"shop", []weir.Descriptor{weir.By("user", "\xff")}, nil},
		"a limit per eon":       {"shop", []weir.Descriptor{x.WithLimit(1, "eon")}, nil},
		"a limit per nothing":   {"shop", []weir.Descriptor{x.WithLimit(1, "")}, nil},
		"6 million bytes":       {"shop", []weir.Descriptor{long(6_000_000)}, nil},
		"3 of 2 million bytes":  {"shop", []weir.Descriptor{long(2_000_000), long(2_000_000), long(2_000_000)}, nil},
		"a timeout of 0":        {"shop", []weir.Descriptor{x}, []weir.CheckOption{weir.WithTimeout(0)}},
		"a policy of no name":   {"shop", []weir.Descriptor{x}, []weir.CheckOption{weir.WithFailurePolicy("maybe")}},
		"a timeout in the past": {"shop", []weir.Descriptor{x}, []weir.CheckOption{weir.WithTimeout(-time.Second)}},
	} {
		t.Run(what, func(t *testing.T) {
			options := append([]weir.CheckOption{weir.WithFailurePolicy(weir.Allow)}, each.options...)
			_, err := client.Check(t.Context(), each.domain, each.descriptors, 1, options...)
			fails(t, err, weir.ErrRequest)
		})
	}
}

func TestConnectRefusesWhatIsNoAddressAndNoOption(t *testing.T) {
	for what, each := range map[string]struct {
		address string
		option  weir.ConnectOption
	}{
		"no address":        {"", weir.WithRetries(2)},
		"an empty one of 2": {"127.0.0.1:1,", weir.WithRetries(2)},
		"one of 2 portless": {"127.0.0.1:1, weir.example", weir.WithRetries(2)},
		"a timeout of 0":    {"127.0.0.1:1", weir.WithTimeout(0)},
		"a policy unknown":  {"127.0.0.1:1", weir.WithFailurePolicy("maybe")},
	} {
		if client, err := weir.Connect(each.address, each.option); err == nil {
			_ = client.Close()
			t.Errorf("%s: no error", what)
		} else if !strings.HasPrefix(err.Error(), "weir: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestDescriptorsThatBeginAlikeDoNotChangeEachOther(t *testing.T) {
	user := weir.By("user", "ann").And("plan", "free")
	pay, look := user.And("path", "/pay"), user.And("path", "/look")
	equal(t, "entries", len(user.Entries), 2)
	equal(t, "the one", pay.Entries[2].Value, "/pay")
	equal(t, "the other", look.Entries[2].Value, "/look")
}

// fails holds an error against its kind, and against the type of all errors of a check.
func fails(t *testing.T, err, kind error) {
	t.Helper()
	var typed *weir.Error
	if !errors.As(err, &typed) || typed.Kind != kind || !errors.Is(err, kind) {
		t.Errorf("%v is not: %v", err, kind)
	}
}

// sameHeader holds a header against names in any writing.
func sameHeader(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	header := http.Header{}
	for name, value := range want {
		header.Set(name, value)
	}
	if !maps.EqualFunc(got, header, slices.Equal) {
		t.Errorf("%v, and not %v", got, header)
	}
}
