package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	manyCalls      = 10_000
	manyAtOnce     = 64
	concurrentOnes = 200
	megabyte       = 1 << 20
	specialMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001F608\t\n"
	goawayRounds   = 5
	goawayHeld     = 50
	goawayWorkers  = 4
	goawayEach     = 50
)

func with(ctx context.Context, pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func request(payload int, response int32) *testpb.SimpleRequest {
	return &testpb.SimpleRequest{ResponseSize: response, Payload: &testpb.Payload{Body: make([]byte, payload)}}
}

// The size of the payload that came back.
func sizeOf(ctx context.Context, c client, of *testpb.SimpleRequest, options ...grpc.CallOption) (answer, error) {
	response, err := c.test.UnaryCall(ctx, of, options...)
	return answer{"bytes": len(response.GetPayload().GetBody())}, err
}

func unary(ctx context.Context, c client) (answer, error) {
	return sizeOf(ctx, c, request(10, 32))
}

func large(ctx context.Context, c client) (answer, error) {
	return sizeOf(ctx, c, request(megabyte, megabyte))
}

func compressed(ctx context.Context, c client) (answer, error) {
	return sizeOf(ctx, c, request(100_000, 32), grpc.UseCompressor("gzip"))
}

func empty(ctx context.Context, c client) (answer, error) {
	if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}); err != nil {
		return nil, err
	}
	said, err := sizeOf(ctx, c, &testpb.SimpleRequest{})
	said["ok"] = 2
	return said, err
}

func many(ctx context.Context, c client) (answer, error) {
	var left, ok atomic.Int64
	left.Store(manyCalls)
	err := together(manyAtOnce, func(int) error {
		for left.Add(-1) >= 0 {
			if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}); err != nil {
				return err
			}
			ok.Add(1)
		}
		return nil
	})
	return answer{"ok": ok.Load()}, err
}

func concurrent(ctx context.Context, c client) (answer, error) {
	var ok atomic.Int64
	ctx = with(ctx, "x-weir-hold", fmt.Sprint(concurrentOnes))
	err := together(concurrentOnes, func(int) error {
		_, err := c.test.UnaryCall(ctx, request(0, 0))
		if err == nil {
			ok.Add(1)
		}
		return err
	})
	return answer{"ok": ok.Load()}, err
}

func deadline(ctx context.Context, c client) (answer, error) {
	if _, err := c.test.EmptyCall(ctx, &testpb.Empty{}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.test.UnaryCall(with(ctx, "x-weir-call", "deadline", "x-weir-hold", "gone"), request(0, 0))
	return answer{"code": status.Code(err)}, nil
}

func cancelled(ctx context.Context, c client) (answer, error) {
	held, cancel := context.WithCancel(with(ctx, "x-weir-call", "cancel", "x-weir-hold", "gone"))
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := c.test.UnaryCall(held, request(0, 0))
		ended <- err
	}()
	if _, err := c.test.EmptyCall(with(ctx, "x-weir-await", "cancel"), &testpb.Empty{}); err != nil {
		return nil, err
	}
	cancel()
	return answer{"code": status.Code(<-ended)}, nil
}

func metadataBack(ctx context.Context, c client) (answer, error) {
	const initial, trailing = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
	ctx = with(ctx, initial, "test_initial_metadata_value", trailing, "\xab\xab\xab", trailing, "\x00\xff")
	var header, trailer metadata.MD
	_, err := c.test.UnaryCall(ctx, request(0, 0), grpc.Header(&header), grpc.Trailer(&trailer))
	var values []string
	for _, value := range trailer.Get(trailing) {
		values = append(values, hex.EncodeToString([]byte(value)))
	}
	return answer{"initial": header.Get(initial), "trailing": values}, err
}

func failing(ctx context.Context, c client) (answer, error) {
	asked := &testpb.EchoStatus{Code: int32(codes.FailedPrecondition), Message: specialMessage}
	_, err := c.test.UnaryCall(ctx, &testpb.SimpleRequest{ResponseStatus: asked})
	got := status.Convert(err)
	details := []answer{}
	for _, detail := range got.Proto().GetDetails() {
		echo, err := echoStatusOf(detail)
		if err != nil {
			return nil, err
		}
		details = append(details, answer{"type": detail.GetTypeUrl(), "code": echo.Code, "message": echo.Message})
	}
	return answer{"code": got.Code(), "message": got.Message(), "details": details}, nil
}

func echoStatusOf(detail *anypb.Any) (*testpb.EchoStatus, error) {
	echo := &testpb.EchoStatus{}
	return echo, detail.UnmarshalTo(echo)
}

func goaway(ctx context.Context, c client) (answer, error) {
	var ok atomic.Int64
	var lock sync.Mutex
	failed := []string{}
	count := func(what string, err error) {
		if err == nil {
			ok.Add(1)
			return
		}
		lock.Lock()
		defer lock.Unlock()
		failed = append(failed, fmt.Sprintf("%s: %v", what, err))
	}
	for range goawayRounds {
		_ = together(goawayHeld+1+goawayWorkers, func(i int) error {
			switch {
			case i < goawayHeld:
				_, err := c.test.UnaryCall(with(ctx, "x-weir-hold", "drain"), request(0, 0))
				count("held", err)
			case i == goawayHeld:
				_, err := c.test.EmptyCall(with(ctx, "x-weir-drain", fmt.Sprint(goawayHeld)), &testpb.Empty{})
				count("drain", err)
			default:
				for range goawayEach {
					_, err := c.test.EmptyCall(ctx, &testpb.Empty{})
					count("beside", err)
				}
			}
			return nil
		})
	}
	return answer{"ok": ok.Load(), "failed": failed}, nil
}

// Runs all at once; the first error that one of them returned.
func together(n int, each func(i int) error) error {
	errors := make(chan error, n)
	for i := range n {
		go func() { errors <- each(i) }()
	}
	var first error
	for range n {
		if err := <-errors; first == nil {
			first = err
		}
	}
	return first
}
