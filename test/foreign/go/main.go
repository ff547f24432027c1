// Sends the requests of a case file to a limiter through go-control-plane's stubs and prints one JSON line for each
// answer.
//
//	client ADDRESS CASES DOMAIN
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

const callTimeout = 10 * time.Second

type caseFile struct {
	Cases []struct {
		Name    string          `json:"name"`
		Request json.RawMessage `json:"request"`
	} `json:"cases"`
}

type line struct {
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response,omitempty"`
	Error    *callError      `json:"error,omitempty"`
}

type callError struct {
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: client ADDRESS CASES DOMAIN")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(address, casesPath, domain string) error {
	text, err := os.ReadFile(casesPath)
	if err != nil {
		return err
	}
	var file caseFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := rls.NewRateLimitServiceClient(connection)
	for _, c := range file.Cases {
		request := &rls.RateLimitRequest{}
		if err := protojson.Unmarshal(c.Request, request); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		request.Domain = strings.Replace(request.Domain, "DOMAIN", domain, 1)
		answer, err := ask(client, request)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		answer.Name = c.Name
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

func ask(client rls.RateLimitServiceClient, request *rls.RateLimitRequest) (line, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	response, err := client.ShouldRateLimit(ctx, request, grpc.WaitForReady(true))
	if err != nil {
		failure := status.Convert(err)
		return line{Error: &callError{failure.Code(), failure.Message()}}, nil
	}
	text, err := protojson.Marshal(response)
	return line{Response: text}, err
}
