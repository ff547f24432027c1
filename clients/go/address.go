package weir

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
)

// target reads an address, or several with commas between them.
func target(addresses string) (string, []grpc.DialOption, error) {
	all := strings.Split(addresses, ",")
	for i, each := range all {
		all[i] = strings.TrimSpace(each)
		if all[i] == "" {
			return "", nil, errors.New("an address must not be empty")
		}
	}
	if len(all) == 1 {
		return all[0], nil, nil
	}
	list := &addressList{}
	for _, each := range all {
		// What a server's certificate must be for, and what it is called in requests.
		name := each
		if strings.HasPrefix(each, "unix:") {
			name = "localhost"
		} else if _, _, err := net.SplitHostPort(each); err != nil {
			return "", nil, fmt.Errorf("one of several addresses must be host:port or unix:/path: %w", err)
		}
		list.addresses = append(list.addresses, resolver.Address{Addr: each, ServerName: name})
	}
	return list.Scheme() + ":///", []grpc.DialOption{grpc.WithResolvers(list)}, nil
}

// addressList gives gRPC addresses that are known already.
type addressList struct{ addresses []resolver.Address }

func (l *addressList) Scheme() string                           { return "weir-addresses" }
func (l *addressList) OverrideAuthority(resolver.Target) string { return l.addresses[0].ServerName }
func (l *addressList) ResolveNow(resolver.ResolveNowOptions)    {}
func (l *addressList) Close()                                   {}

func (l *addressList) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	return l, conn.UpdateState(resolver.State{Addresses: l.addresses})
}
