// A control plane on go-control-plane's server and cache. It serves the sets of rules that PUT /set gives it, and tells
// at GET /requests what its clients asked and answered.
//
//	control-plane GRPC_ADDRESS HTTP_ADDRESS NODE [CERT KEY CLIENT_CA]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// What is kept of the requests; a client in a loop must not fill the memory.
const maxRequests = 10_000

// request is what a client sent on a stream, and headers what it opened the stream with.
type request struct {
	Stream   int64             `json:"stream"`
	Version  string            `json:"version"`
	Nonce    string            `json:"nonce"`
	Error    string            `json:"error"`
	NodeID   string            `json:"nodeId"`
	Metadata map[string]any    `json:"metadata"`
	Headers  map[string]string `json:"headers"`
}

type book struct {
	mutex    sync.Mutex
	requests []request
	headers  map[int64]map[string]string
	reset    chan struct{}
}

func (b *book) opened(ctx context.Context, stream int64, _ string) error {
	headers := map[string]string{}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		headers[name] = values[0]
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.headers[stream] = headers
	return nil
}

func (b *book) asked(stream int64, r *discovery.DiscoveryRequest) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.requests) < maxRequests {
		b.requests = append(b.requests, request{
			stream, r.GetVersionInfo(), r.GetResponseNonce(), r.GetErrorDetail().GetMessage(),
			r.GetNode().GetId(), r.GetNode().GetMetadata().AsMap(), b.headers[stream],
		})
	}
	return nil
}

// intercept ends every stream that is open when somebody asks for a reset.
func (b *book) intercept(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	b.mutex.Lock()
	reset := b.reset
	b.mutex.Unlock()
	done := make(chan error, 1)
	go func() { done <- handler(srv, stream) }()
	select {
	case err := <-done:
		return err
	case <-reset:
		return status.Error(codes.Unavailable, "reset")
	}
}

func (b *book) resetStreams() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	close(b.reset)
	b.reset = make(chan struct{})
}

func (b *book) told() []request {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return append([]request{}, b.requests...)
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 7 {
		log.Fatal("control-plane GRPC_ADDRESS HTTP_ADDRESS NODE [CERT KEY CLIENT_CA]")
	}
	node := os.Args[3]
	snapshots := cache.NewSnapshotCache(true, cache.IDHash{}, nil)
	b := &book{headers: map[int64]map[string]string{}, reset: make(chan struct{})}
	xds := server.NewServer(context.Background(), snapshots, server.CallbackFuncs{
		StreamOpenFunc:    b.opened,
		StreamRequestFunc: b.asked,
	})
	rpc := grpc.NewServer(grpc.Creds(transport(os.Args[4:])), grpc.StreamInterceptor(b.intercept))
	discovery.RegisterAggregatedDiscoveryServiceServer(rpc, xds)
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(rpc.Serve(listener)) }()

	http.HandleFunc("PUT /set", func(w http.ResponseWriter, r *http.Request) {
		var set set
		if err := json.NewDecoder(r.Body).Decode(&set); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		resources, err := set.resources()
		if err == nil {
			var snapshot *cache.Snapshot
			snapshot, err = cache.NewSnapshot(set.Version, map[resource.Type][]types.Resource{
				resource.RateLimitConfigType: resources,
			})
			if err == nil {
				err = snapshots.SetSnapshot(r.Context(), node, snapshot)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	http.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(b.told())
	})
	http.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { b.resetStreams() })
	log.Fatal(http.ListenAndServe(os.Args[2], nil))
}

// transport is plain text, or TLS that asks for a certificate of the given authority.
func transport(files []string) credentials.TransportCredentials {
	if len(files) == 0 {
		return insecure.NewCredentials()
	}
	pair, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(files[2])
	if err != nil {
		log.Fatal(err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(pem) {
		log.Fatal(fmt.Errorf("%s holds no certificate", files[2]))
	}
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authority,
	})
}
