package weirhttp

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	weir "github.com/weir-ratelimit/weir/clients/go"
)

type limited struct {
	Error             string  `json:"error"`
	Message           string  `json:"message"`
	Limit             *uint32 `json:"limit"`
	WindowSeconds     *int64  `json:"window_seconds"`
	Remaining         *uint32 `json:"remaining"`
	RetryAfterSeconds int64   `json:"retry_after_seconds"`
}

type unavailable struct {
	Error             string `json:"error"`
	Message           string `json:"message"`
	RetryAfterSeconds int64  `json:"retry_after_seconds"`
}

// refuse answers 429 when a limit refused; 503 when the failure policy did, since then nobody knows of a limit.
func refuse(w http.ResponseWriter, answer weir.Answer) {
	if answer.DecidedBy == weir.ByFailurePolicy {
		w.Header().Set("Retry-After", "1")
		body := unavailable{"rate_limit_unavailable", "The rate limit cannot be checked.", 1}
		write(w, http.StatusServiceUnavailable, body)
		return
	}
	seconds := max(1, int64(answer.ResetAfter/time.Second))
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	body := limited{
		Error:             "rate_limited",
		Message:           fmt.Sprintf("Too many requests. Try again in %d %s.", seconds, unit),
		RetryAfterSeconds: seconds,
	}
	if limit := answer.Limit; limit != nil {
		body.Limit, body.Remaining = &limit.Requests, &answer.Remaining
		if window := int64(limit.Window / time.Second); window > 0 {
			body.WindowSeconds = &window
		}
	}
	maps.Copy(w.Header(), answer.Header)
	write(w, http.StatusTooManyRequests, body)
}

func write(w http.ResponseWriter, status int, body any) {
	// Of these fields none can fail to become JSON.
	text, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
