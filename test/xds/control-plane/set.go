package main

import (
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	config "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// set is what PUT /set takes.
type set struct {
	Version string   `json:"version"`
	Domains []domain `json:"domains"`
}

type domain struct {
	Name        string `json:"name"`
	Domain      string `json:"domain"`
	Descriptors []rule `json:"descriptors"`
}

type rule struct {
	Key            string         `json:"key"`
	Value          string         `json:"value"`
	RateLimit      *limit         `json:"rate_limit"`
	Descriptors    []rule         `json:"descriptors"`
	ShadowMode     bool           `json:"shadow_mode"`
	DetailedMetric bool           `json:"detailed_metric"`
	QuotaMode      bool           `json:"quota_mode"`
	Metadata       map[string]any `json:"metadata"`
}

type limit struct {
	// The number of the enum: the types here have no name for WEEK, which is 7.
	Unit            int32    `json:"unit"`
	RequestsPerUnit uint32   `json:"requests_per_unit"`
	Unlimited       bool     `json:"unlimited"`
	Name            string   `json:"name"`
	Replaces        []string `json:"replaces"`
}

func (s set) resources() ([]types.Resource, error) {
	resources := []types.Resource{}
	for _, d := range s.Domains {
		descriptors, err := messages(d.Descriptors)
		if err != nil {
			return nil, err
		}
		resources = append(resources, &config.RateLimitConfig{Name: d.Name, Domain: d.Domain, Descriptors: descriptors})
	}
	return resources, nil
}

func messages(rules []rule) ([]*config.RateLimitDescriptor, error) {
	var all []*config.RateLimitDescriptor
	for _, r := range rules {
		below, err := messages(r.Descriptors)
		if err != nil {
			return nil, err
		}
		message := &config.RateLimitDescriptor{
			Key: r.Key, Value: r.Value, RateLimit: policy(r.RateLimit), Descriptors: below,
			ShadowMode: r.ShadowMode, DetailedMetric: r.DetailedMetric,
		}
		newer, err := newerFields(r)
		if err != nil {
			return nil, err
		}
		message.ProtoReflect().SetUnknown(newer)
		all = append(all, message)
	}
	return all, nil
}

// newerFields are those that the published types do not have yet: quota_mode is 7, metadata 8.
func newerFields(r rule) ([]byte, error) {
	var raw []byte
	if r.QuotaMode {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, 7, protowire.VarintType), 1)
	}
	if r.Metadata == nil {
		return raw, nil
	}
	metadata, err := structpb.NewStruct(r.Metadata)
	if err != nil {
		return nil, err
	}
	bytes, err := proto.Marshal(metadata)
	return protowire.AppendBytes(protowire.AppendTag(raw, 8, protowire.BytesType), bytes), err
}

func policy(l *limit) *config.RateLimitPolicy {
	if l == nil {
		return nil
	}
	var replaces []*config.RateLimitReplace
	for _, name := range l.Replaces {
		replaces = append(replaces, &config.RateLimitReplace{Name: name})
	}
	return &config.RateLimitPolicy{
		Unit: config.RateLimitUnit(l.Unit), RequestsPerUnit: l.RequestsPerUnit, Unlimited: l.Unlimited,
		Name: l.Name, Replaces: replaces,
	}
}
