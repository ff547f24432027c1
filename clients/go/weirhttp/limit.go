// Package weirhttp limits net/http handlers.
package weirhttp

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"

	weir "github.com/weir-ratelimit/weir/clients/go"
)

// Checker is what a handler asks: a *weir.Client, or what a test puts in its place.
type Checker interface {
	Check(
		ctx context.Context, domain string, descriptors []weir.Descriptor, hits int64, options ...weir.CheckOption,
	) (weir.Answer, error)
}

// Options say how a handler is limited. Domain and Descriptors are needed.
type Options struct {
	Domain string
	// Descriptors says what a request is limited by. None, and it passes without a check.
	Descriptors func(*http.Request) []weir.Descriptor
	// Hits of a request; nil: 1.
	Hits func(*http.Request) int64
	// Check options go before those of the client: weir.Deny answers 503 when nobody can be asked, weir.Raise calls OnError.
	Check []weir.CheckOption
	// OnAnswer is told of every answer, for logs and metrics.
	OnAnswer func(weir.Answer, *http.Request)
	// OnError answers a request that could not be checked; nil: 500, and a line by slog. It is not called for a caller who
	// has gone.
	OnError func(http.ResponseWriter, *http.Request, error)
}

// Limit wraps handlers. A refused request is answered 429 with headers and a JSON body; an allowed one goes on, with the
// same headers but Retry-After. A caller who hangs up cancels his check. It panics where Domain or Descriptors lack.
func Limit(checker Checker, options Options) func(http.Handler) http.Handler {
	if checker == nil || options.Domain == "" || options.Descriptors == nil {
		panic("weirhttp: Limit needs a checker, a Domain and Descriptors")
	}
	if options.OnError == nil {
		options.OnError = failed
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if options.passes(checker, w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// passes has answered the request when it does not.
func (o *Options) passes(checker Checker, w http.ResponseWriter, r *http.Request) bool {
	descriptors := o.Descriptors(r)
	if len(descriptors) == 0 {
		return true
	}
	hits := int64(1)
	if o.Hits != nil {
		hits = o.Hits(r)
	}
	answer, err := checker.Check(r.Context(), o.Domain, descriptors, hits, o.Check...)
	if err != nil {
		// Of one who has gone nobody waits for an answer.
		if !errors.Is(err, weir.ErrCanceled) || r.Context().Err() == nil {
			o.OnError(w, r, err)
		}
		return false
	}
	if o.OnAnswer != nil {
		o.OnAnswer(answer, r)
	}
	if !answer.Allowed {
		refuse(w, answer)
		return false
	}
	maps.Copy(w.Header(), answer.Header)
	return true
}

func failed(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "the rate limit could not be checked", "error", err)
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
