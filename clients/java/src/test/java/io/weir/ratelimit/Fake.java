package io.weir.ratelimit;

import envoy.service.ratelimit.v3.Rls.RateLimitRequest;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.Code;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.DescriptorStatus;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A rate limit service that does what it is told, for what a real one does too seldom. */
public final class Fake implements AutoCloseable {
    /** Does not answer. */
    public static final RateLimitResponse SILENCE = RateLimitResponse.newBuilder().setOverallCodeValue(-1).build();
    /** Has no way to count. */
    public static final RateLimitResponse UNAVAILABLE = RateLimitResponse.newBuilder().setOverallCodeValue(-2).build();
    /** Yes, to one descriptor. */
    public static final RateLimitResponse YES = RateLimitResponse.newBuilder()
            .setOverallCode(Code.OK)
            .addStatuses(DescriptorStatus.newBuilder().setCode(Code.OK))
            .build();

    public final List<RateLimitRequest> asked = new CopyOnWriteArrayList<>();
    /** How many of its callers have hung up. */
    public final AtomicInteger gone = new AtomicInteger();

    public volatile RateLimitResponse answer = YES;
    private final HealthStatusManager health = new HealthStatusManager();
    private final Server server;

    public Fake(boolean healthCheck) throws IOException {
        ServerBuilder<?> builder = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create());
        builder.addService(ServerServiceDefinition.builder("envoy.service.ratelimit.v3.RateLimitService")
                .addMethod(Wire.SHOULD_RATE_LIMIT, ServerCalls.asyncUnaryCall(this::shouldRateLimit))
                .build());
        if (healthCheck) builder.addService(health.getHealthService());
        setServing(true);
        server = builder.build().start();
    }

    public String address() {
        return "127.0.0.1:" + server.getPort();
    }

    public void setServing(boolean serving) {
        health.setStatus("ratelimit", serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
    }

    @Override
    public void close() {
        server.shutdownNow();
    }

    private void shouldRateLimit(RateLimitRequest request, StreamObserver<RateLimitResponse> caller) {
        ((ServerCallStreamObserver<?>) caller).setOnCancelHandler(gone::incrementAndGet);
        asked.add(request);
        if (answer == UNAVAILABLE) {
            caller.onError(io.grpc.Status.UNAVAILABLE.withDescription("the store is away").asRuntimeException());
        } else if (answer != SILENCE) {
            caller.onNext(answer);
            caller.onCompleted();
        }
    }
}
