package weir

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What can go wrong with a check, for [errors.Is].
var (
	// ErrRequest: the request cannot be decided, now or later. No failure policy hides it: it is a mistake of the caller.
	ErrRequest = errors.New("the request is wrong")
	// ErrCanceled: the context was cancelled. The hits may have been counted. No failure policy hides it.
	ErrCanceled = errors.New("the check was cancelled")
	// ErrDeadline: no answer in time. The hits may have been counted.
	ErrDeadline = errors.New("no answer in time")
	// ErrUnavailable: nobody is there or serves, or the service cannot count at the moment.
	ErrUnavailable = errors.New("the service is unavailable")
	// ErrOverloaded: the service has more to do than it can, and has counted nothing.
	ErrOverloaded = errors.New("the service is overloaded")
	// ErrNotReady: the service has no rules yet.
	ErrNotReady = errors.New("the service is not ready")
	// ErrService: any other failure, or an answer that means nothing: perhaps the address is not a rate limit service's.
	ErrService = errors.New("the service failed")
)

// Error is the type of all errors of a check, for [errors.As].
type Error struct {
	// Kind is one of ErrRequest, ErrCanceled, ErrDeadline, ErrUnavailable, ErrOverloaded, ErrNotReady and ErrService.
	Kind error
	// Code is gRPC's; OK when gRPC was not asked.
	Code codes.Code
	// Message says what happened, without the kind.
	Message string
	// Cause is nil where there is none below this error. For ErrCanceled it is that of the context.
	Cause error
}

// Error gives the kind and the message.
func (e *Error) Error() string {
	return "weir: " + e.Kind.Error() + ": " + e.Message
}

// Unwrap lets errors.Is find the kind, what context calls the same thing, and the cause.
func (e *Error) Unwrap() []error {
	found := []error{e.Kind}
	switch e.Kind {
	case ErrCanceled:
		found = append(found, context.Canceled)
	case ErrDeadline:
		found = append(found, context.DeadlineExceeded)
	}
	if e.Cause != nil {
		found = append(found, e.Cause)
	}
	return found
}

// kinds has no Canceled: that is the caller's alone to say.
var kinds = map[codes.Code]error{
	codes.InvalidArgument:    ErrRequest,
	codes.DeadlineExceeded:   ErrDeadline,
	codes.ResourceExhausted:  ErrOverloaded,
	codes.FailedPrecondition: ErrNotReady,
	codes.Unavailable:        ErrUnavailable,
}

// errorOf gives the typed error of a call that failed.
func errorOf(err error) *Error {
	told := status.Convert(err)
	kind, known := kinds[told.Code()]
	if !known {
		kind = ErrService
	}
	message := told.Message()
	if message == "" {
		message = told.Code().String()
	}
	return &Error{Kind: kind, Code: told.Code(), Message: message, Cause: err}
}

func canceled(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	return &Error{Kind: ErrCanceled, Code: codes.Canceled, Message: cause.Error(), Cause: cause}
}
