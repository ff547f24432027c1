package weirhttp_test

import (
	"log"
	"net/http"

	weir "github.com/weir-ratelimit/weir/clients/go"
	"github.com/weir-ratelimit/weir/clients/go/weirhttp"
)

func ExampleLimit() {
	client, err := weir.Connect("127.0.0.1:8081")
	if err != nil {
		log.Fatal(err)
	}
	limit := weirhttp.Limit(client, weirhttp.Options{
		Domain: "shop",
		Descriptors: func(r *http.Request) []weir.Descriptor {
			return []weir.Descriptor{weir.By("remote_address", weirhttp.ClientIP(r, 1))}
		},
	})
	log.Fatal(http.ListenAndServe(":8080", limit(http.DefaultServeMux)))
}
