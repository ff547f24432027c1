// The cases of the interop tests by grpc-go: prints one line of JSON for each.
//
//	client ADDRESS CA CASE...
//
// CA is a file of PEM, or - for plain text.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// What a case has to say beside its name.
type answer map[string]any

type client struct {
	connection *grpc.ClientConn
	test       testpb.TestServiceClient
}

var cases = map[string]func(context.Context, client) (answer, error){
	"unary":      unary,
	"many":       many,
	"concurrent": concurrent,
	"deadline":   deadline,
	"cancel":     cancelled,
	"large":      large,
	"empty":      empty,
	"gzip":       compressed,
	"metadata":   metadataBack,
	"error":      failing,
	"health":     health,
	"reflection": reflected,
	"goaway":     goaway,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: client ADDRESS CA CASE...")
	}
	for _, name := range os.Args[3:] {
		if err := run(os.Args[1], os.Args[2], name); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

func run(address, ca, name string) error {
	of, ok := cases[name]
	if !ok {
		return fmt.Errorf("there is no such case")
	}
	security := insecure.NewCredentials()
	if ca != "-" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return err
		}
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(security))
	if err != nil {
		return err
	}
	defer connection.Close()
	said, err := of(context.Background(), client{connection, testpb.NewTestServiceClient(connection)})
	if err != nil {
		return err
	}
	said["case"] = name
	return json.NewEncoder(os.Stdout).Encode(said)
}
