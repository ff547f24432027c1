package weirhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	weir "github.com/weir-ratelimit/weir/clients/go"
	"github.com/weir-ratelimit/weir/clients/go/internal/weirtest"
	"github.com/weir-ratelimit/weir/clients/go/weirhttp"
)

const patient = 20 * time.Second

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

// shopOptions limit by a header, and leave /free alone.
var shopOptions = weirhttp.Options{
	Domain: "shop",
	Descriptors: func(r *http.Request) []weir.Descriptor {
		if r.URL.Path == "/free" {
			return nil
		}
		return []weir.Descriptor{weir.By("user", r.Header.Get("X-User"))}
	},
}

func connect(t *testing.T, address string) *weir.Client {
	t.Helper()
	client, err := weir.Connect(address, weir.WithTimeout(patient), weir.WithFailurePolicy(weir.Raise))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// serve answers hello, limited.
func serve(t *testing.T, checker weirhttp.Checker, options weirhttp.Options) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(weirhttp.Limit(checker, options)(hello))
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, url, user string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-User", user)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, and not %v", what, got, want)
	}
}

func TestLimitOnAWeir(t *testing.T) {
	shop := weirtest.Start(t)
	client := connect(t, shop.Address)

	t.Run("lets 3 requests pass with headers and answers the 4th with 429", func(t *testing.T) {
		url := serve(t, client, shopOptions).URL
		for _, left := range []string{"2", "1", "0"} {
			passed, body := get(t, url, "ann")
			equal(t, "status", passed.StatusCode, 200)
			equal(t, "body", body, "hello")
			equal(t, "left", passed.Header.Get("RateLimit-Remaining"), left)
			equal(t, "policy", passed.Header.Get("RateLimit-Policy"), `"per-user";q=3;w=31536000`)
			equal(t, "wait", passed.Header.Get("Retry-After"), "")
		}
		refused, body := get(t, url, "ann")
		equal(t, "status", refused.StatusCode, 429)
		wait := refused.Header.Get("Retry-After")
		if seconds, err := strconv.Atoi(wait); err != nil || seconds < 1 || seconds > 31_536_000 {
			t.Errorf("to be tried again in %q s", wait)
		}
		for name, want := range map[string]string{
			"RateLimit-Policy":    `"per-user";q=3;w=31536000`,
			"RateLimit":           `"per-user";r=0;t=` + wait,
			"RateLimit-Limit":     "3",
			"RateLimit-Remaining": "0",
			"RateLimit-Reset":     wait,
			"Content-Type":        "application/json",
		} {
			equal(t, name, refused.Header.Get(name), want)
		}
		equal(t, "body", body, fmt.Sprintf(
			`{"error":"rate_limited","message":"Too many requests. Try again in %s seconds.","limit":3,`+
				`"window_seconds":31536000,"remaining":0,"retry_after_seconds":%s}`, wait, wait))
	})

	t.Run("lets a request without descriptors pass without headers", func(t *testing.T) {
		passed, _ := get(t, serve(t, client, shopOptions).URL+"/free", "ann")
		equal(t, "status", passed.StatusCode, 200)
		equal(t, "headers", len(passed.Header.Values("RateLimit")), 0)
	})

	t.Run("charges the hits of a request and tells of the answer", func(t *testing.T) {
		options := shopOptions
		options.Hits = func(*http.Request) int64 { return 2 }
		told := make(chan weir.Answer, 1)
		options.OnAnswer = func(answer weir.Answer, _ *http.Request) { told <- answer }
		passed, _ := get(t, serve(t, client, options).URL, "bob")
		equal(t, "left", passed.Header.Get("RateLimit-Remaining"), "1")
		equal(t, "told", (<-told).Remaining, 1)
	})

	t.Run("refuses the caller behind a proxy and not his neighbour", func(t *testing.T) {
		options := shopOptions
		options.Descriptors = func(r *http.Request) []weir.Descriptor {
			return []weir.Descriptor{weir.By("user", weirhttp.ClientIP(r, 1))}
		}
		limited := weirhttp.Limit(client, options)(hello)
		status := func(forwarded string) int {
			request, answer := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			request.Header.Set("X-Forwarded-For", forwarded)
			limited.ServeHTTP(answer, request)
			return answer.Code
		}
		for number := range 3 {
			equal(t, "status", status(fmt.Sprintf("10.9.9.%d, 198.51.100.7", number)), 200)
		}
		equal(t, "the same with another lie", status("10.1.1.1, 198.51.100.7"), 429)
		equal(t, "the neighbour", status("198.51.100.8"), 200)
	})
}

func TestNobodyToAskIs200Or503Or500(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	client := connect(t, weirtest.FreeAddress(t))
	unavailable := `{"error":"rate_limit_unavailable","message":"The rate limit cannot be checked.","retry_after_seconds":1}`
	for policy, want := range map[weir.FailurePolicy]struct {
		status     int
		wait, body string
	}{
		weir.Allow: {200, "", "hello"},
		weir.Deny:  {503, "1", unavailable},
		weir.Raise: {500, "", "Internal Server Error\n"},
	} {
		options := shopOptions
		options.Check = []weir.CheckOption{weir.WithFailurePolicy(policy)}
		limited, answer := weirhttp.Limit(client, options)(hello), httptest.NewRecorder()
		limited.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
		equal(t, "status", answer.Code, want.status)
		equal(t, "wait", answer.Header().Get("Retry-After"), want.wait)
		equal(t, "body", answer.Body.String(), want.body)
	}
	equal(t, "lines of the log", bytes.Count(log.Bytes(), []byte("\n")), 1)
}

func TestOnErrorAnswersWhatCouldNotBeChecked(t *testing.T) {
	options := shopOptions
	options.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		if errors.Is(err, weir.ErrRequest) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	answer, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("X-User", "\xff")
	weirhttp.Limit(connect(t, weirtest.FreeAddress(t)), options)(hello).ServeHTTP(answer, request)
	equal(t, "status", answer.Code, 400)
}

// checker puts a function in the place of a client.
type checker func(context.Context) (weir.Answer, error)

func (c checker) Check(
	ctx context.Context, _ string, _ []weir.Descriptor, _ int64, _ ...weir.CheckOption,
) (weir.Answer, error) {
	return c(ctx)
}

func TestACallerWhoHangsUpCancelsHisCheck(t *testing.T) {
	asked, canceled := make(chan struct{}), make(chan struct{})
	waits := checker(func(ctx context.Context) (weir.Answer, error) {
		close(asked)
		<-ctx.Done()
		close(canceled)
		return weir.Answer{}, &weir.Error{Kind: weir.ErrCanceled}
	})
	options := shopOptions
	options.OnError = func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) }
	server := serve(t, waits, options)
	ctx, hangUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		hangUp()
	}()
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Error("he was answered")
	}
	<-canceled
}

func TestARefusalThatNobodyExplainsIsAnsweredAll(t *testing.T) {
	bare := checker(func(context.Context) (weir.Answer, error) {
		return weir.Answer{DecidedBy: weir.ByService, Header: http.Header{"Retry-After": {"1"}}}, nil
	})
	_, body := get(t, serve(t, bare, shopOptions).URL, "x")
	equal(t, "body", body, `{"error":"rate_limited","message":"Too many requests. Try again in 1 second.","limit":null,`+
		`"window_seconds":null,"remaining":null,"retry_after_seconds":1}`)
}

func TestLimitWithoutADomainPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it does not")
		}
	}()
	weirhttp.Limit(checker(nil), weirhttp.Options{Descriptors: shopOptions.Descriptors})
}

func TestAHandlerBehindALimitMayTakeTheConnection(t *testing.T) {
	allow := checker(func(context.Context) (weir.Answer, error) { return weir.Answer{Allowed: true}, nil })
	taken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		out := bufio.NewWriter(connection)
		_, _ = out.WriteString("HTTP/1.1 204 No Content\r\n\r\n")
		_ = out.Flush()
	})
	server := httptest.NewServer(weirhttp.Limit(allow, shopOptions)(taken))
	defer server.Close()
	response, _ := get(t, server.URL, "x")
	equal(t, "status", response.StatusCode, 204)
}
