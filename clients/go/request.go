package weir

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// mostBytes is what gRPC takes. Beyond, it would look like a service that has too much to do.
const mostBytes = 4 << 20

// Descriptor is something that a request is limited by.
type Descriptor struct {
	// Entries are in the order of the rules.
	Entries []Entry
	// Hits is how many hits this descriptor is charged; nil: those of the check. 0 only looks, a negative number gives back.
	Hits *int64
	// Limit travels with the request and beats the rules; nil: none.
	Limit *Override
}

// Entry is a key of the rules and the value that this request has for it. Both must be UTF-8.
type Entry struct{ Key, Value string }

// Override is a limit that travels with a request.
type Override struct {
	Requests uint32
	Unit     Unit
}

// By makes a descriptor of one entry.
func By(key, value string) Descriptor {
	return Descriptor{Entries: []Entry{{key, value}}}
}

// And gives the descriptor with one entry more.
func (d Descriptor) And(key, value string) Descriptor {
	// Two that begin alike must not write into one array.
	d.Entries = append(slices.Clip(d.Entries), Entry{key, value})
	return d
}

// WithHits gives the descriptor with hits of its own. 0 only looks, a negative number gives back.
func (d Descriptor) WithHits(hits int64) Descriptor {
	d.Hits = &hits
	return d
}

// WithLimit gives the descriptor with a limit that beats the rules.
func (d Descriptor) WithLimit(requests uint32, unit Unit) Descriptor {
	d.Limit = &Override{requests, unit}
	return d
}

// wireRequest makes the message; ErrRequest for what no service could decide.
func wireRequest(domain string, descriptors []Descriptor, hits int64) (*rls.RateLimitRequest, *Error) {
	if domain == "" {
		return nil, wrong("the domain must not be empty")
	}
	if !utf8.ValidString(domain) {
		return nil, wrong("the domain %q is not UTF-8", domain)
	}
	if len(descriptors) == 0 {
		return nil, wrong("there must be at least one descriptor")
	}
	request := &rls.RateLimitRequest{Domain: domain}
	// The number of the whole request has no 0 and no sign, but services that are older know no other.
	var each *int64
	if hits >= 1 && hits <= math.MaxUint32 {
		request.HitsAddend = uint32(hits)
	} else {
		each = &hits
	}
	for _, descriptor := range descriptors {
		message, err := wireDescriptor(descriptor, each)
		if err != nil {
			return nil, err
		}
		request.Descriptors = append(request.Descriptors, message)
	}
	if size := proto.Size(request); size > mostBytes {
		return nil, wrong("the request has %d bytes, and more than %d do not travel", size, mostBytes)
	}
	return request, nil
}

func wireDescriptor(descriptor Descriptor, hitsOfAll *int64) (*ratelimit.RateLimitDescriptor, *Error) {
	if len(descriptor.Entries) == 0 {
		return nil, wrong("a descriptor must have at least one entry")
	}
	message := &ratelimit.RateLimitDescriptor{}
	for _, entry := range descriptor.Entries {
		if !utf8.ValidString(entry.Key) || !utf8.ValidString(entry.Value) {
			return nil, wrong("the entry %q is not UTF-8", entry.Key)
		}
		message.Entries = append(message.Entries, &ratelimit.RateLimitDescriptor_Entry{Key: entry.Key, Value: entry.Value})
	}
	hits := descriptor.Hits
	if hits == nil {
		hits = hitsOfAll
	}
	if hits != nil {
		message.IsNegativeHits = *hits < 0
		message.HitsAddend = wrapperspb.UInt64(magnitude(*hits))
	}
	if limit := descriptor.Limit; limit != nil {
		number := numberOf(limit.Unit)
		if number == 0 {
			return nil, wrong("unknown unit of a limit: %q", limit.Unit)
		}
		message.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{
			RequestsPerUnit: limit.Requests,
			Unit:            envoytype.RateLimitUnit(number),
		}
	}
	return message, nil
}

// magnitude is right for the least int64 too, whose negative is itself.
func magnitude(hits int64) uint64 {
	if hits < 0 {
		return uint64(-hits)
	}
	return uint64(hits)
}

// onlyLooks: it charges nothing, so that asking twice is as good as asking once.
func onlyLooks(request *rls.RateLimitRequest) bool {
	return !slices.ContainsFunc(request.Descriptors, func(each *ratelimit.RateLimitDescriptor) bool {
		return each.HitsAddend == nil || each.HitsAddend.Value != 0
	})
}

func wrong(format string, args ...any) *Error {
	return &Error{Kind: ErrRequest, Message: fmt.Sprintf(format, args...)}
}
