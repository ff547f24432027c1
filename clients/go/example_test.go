package weir_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	weir "github.com/weir-ratelimit/weir/clients/go"
)

func Example() {
	client, err := weir.Connect("127.0.0.1:8081")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Check(context.Background(), "shop", []weir.Descriptor{weir.By("user", "ann")}, 1)
	if err != nil {
		log.Fatal(err)
	}
	if !answer.Allowed {
		fmt.Println("try again in", answer.ResetAfter)
	}
}

// A service whose callers must show a certificate.
func ExampleConnect_mTLS() {
	ca, err := os.ReadFile("ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair("shop.crt", "shop.key")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
	client, err := weir.Connect("weir.example:8081", weir.WithTLS(config))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
}

// Where nobody listens the failure policy answers.
func ExampleClient_Check_failurePolicy() {
	client, err := weir.Connect("127.0.0.1:1", weir.WithTimeout(5*time.Second), weir.WithFailurePolicy(weir.Deny))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	user := []weir.Descriptor{weir.By("user", "ann")}

	answer, err := client.Check(context.Background(), "shop", user, 1)
	fmt.Println(answer.Allowed, answer.DecidedBy, errors.Is(answer.Failure, weir.ErrUnavailable), err)

	_, err = client.Check(context.Background(), "shop", user, 1, weir.WithFailurePolicy(weir.Raise))
	var failure *weir.Error
	fmt.Println(errors.As(err, &failure) && failure.Kind == weir.ErrUnavailable, failure.Code)
	// Output:
	// false failure_policy true <nil>
	// true Unavailable
}

func ExampleBy() {
	login := weir.By("user", "ann").And("path", "/login").WithHits(5)
	fmt.Println(login.Entries, *login.Hits)
	// Output: [{user ann} {path /login}] 5
}
