package main

import (
	"context"
	"sort"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func health(ctx context.Context, c client) (answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service := healthpb.NewHealthClient(c.connection)
	checked, err := service.Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return nil, err
	}
	watch, err := service.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return nil, err
	}
	var states []string
	for _, next := range []string{"false", "true", ""} {
		state, err := watch.Recv()
		if err != nil {
			return nil, err
		}
		states = append(states, state.Status.String())
		if next == "" {
			break
		}
		if _, err := c.test.EmptyCall(with(ctx, "x-weir-serving", next), &testpb.Empty{}); err != nil {
			return nil, err
		}
	}
	return answer{"check": checked.Status.String(), "watch": states}, nil
}

func reflected(ctx context.Context, c client) (answer, error) {
	stream, err := reflectionpb.NewServerReflectionClient(c.connection).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	ask := func(question *reflectionpb.ServerReflectionRequest) (*reflectionpb.ServerReflectionResponse, error) {
		if err := stream.Send(question); err != nil {
			return nil, err
		}
		return stream.Recv()
	}
	list, err := ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	})
	if err != nil {
		return nil, err
	}
	services := []string{}
	for _, service := range list.GetListServicesResponse().GetService() {
		services = append(services, service.Name)
	}
	sort.Strings(services)
	files, err := ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: "grpc.health.v1.Health",
		},
	})
	if err != nil {
		return nil, err
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(files.GetFileDescriptorResponse().GetFileDescriptorProto()[0], file); err != nil {
		return nil, err
	}
	return answer{"services": services, "package": file.GetPackage()}, nil
}
