package io.weir.ratelimit;

import com.google.protobuf.Duration;
import com.google.protobuf.Empty;
import envoy.service.ratelimit.v3.Rls.RateLimitRequest;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.Code;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.DescriptorStatus;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.RateLimit;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * All that a check does, without a check. Java loads a class when it first comes to it, and a first check comes to some
 * hundred: that alone can take the 50 ms that it has.
 */
final class Rehearsal {
    private static final MethodDescriptor<Empty, Empty> HEALTH = MethodDescriptor.<Empty, Empty>newBuilder()
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("grpc.health.v1.Health/Check")
            .setRequestMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
            .setResponseMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
            .build();

    private Rehearsal() {}

    /** What the server says, and whether it can say anything within a second, is all the same. */
    static void on(Channel channel) {
        Descriptor descriptor = Descriptor.of("key", "value").withHits(0).withLimit(1, Unit.HOUR);
        RateLimitRequest request = Wire.request("rehearsal", List.of(descriptor), 1);
        Wire.onlyLooks(Wire.SHOULD_RATE_LIMIT.parseRequest(Wire.SHOULD_RATE_LIMIT.streamRequest(request)));
        RateLimitResponse response = RateLimitResponse.newBuilder()
                .setOverallCode(Code.OVER_LIMIT)
                .addStatuses(DescriptorStatus.newBuilder()
                        .setCode(Code.OVER_LIMIT)
                        .setCurrentLimit(RateLimit.newBuilder().setRequestsPerUnit(1).setUnit(RateLimit.Unit.HOUR))
                        .setDurationUntilReset(Duration.newBuilder().setSeconds(1)))
                .build();
        Answer.of(Wire.SHOULD_RATE_LIMIT.parseResponse(Wire.SHOULD_RATE_LIMIT.streamResponse(response)), 1);
        try {
            CallOptions briefly = CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.SECONDS);
            ClientCalls.blockingUnaryCall(channel, HEALTH, briefly, Empty.getDefaultInstance());
        } catch (StatusRuntimeException error) {
            // The way there is what mattered.
        }
    }
}
