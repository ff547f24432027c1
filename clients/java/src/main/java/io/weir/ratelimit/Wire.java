package io.weir.ratelimit;

import com.google.protobuf.UInt64Value;
import envoy.extensions.common.ratelimit.v3.Ratelimit.RateLimitDescriptor;
import envoy.extensions.common.ratelimit.v3.Ratelimit.RateLimitDescriptor.RateLimitOverride;
import envoy.service.ratelimit.v3.Rls.RateLimitRequest;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoUtils;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What is asked, as the message that travels. */
final class Wire {
    static final MethodDescriptor<RateLimitRequest, RateLimitResponse> SHOULD_RATE_LIMIT =
            MethodDescriptor.<RateLimitRequest, RateLimitResponse>newBuilder()
                    .setType(MethodDescriptor.MethodType.UNARY)
                    .setFullMethodName("envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit")
                    .setRequestMarshaller(ProtoUtils.marshaller(RateLimitRequest.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(RateLimitResponse.getDefaultInstance()))
                    .build();

    private static final long MOST_32_BITS = 0xffff_ffffL;
    /** What gRPC takes. Beyond, it would look like a service that has too much to do. */
    private static final int MOST_BYTES = 4 << 20;

    private Wire() {}

    /** Throws RequestException for what no service could decide. */
    static RateLimitRequest request(String domain, List<Descriptor> descriptors, long hits) {
        if (domain == null || domain.isEmpty()) throw wrong("the domain must not be empty");
        if (descriptors == null || descriptors.isEmpty()) throw wrong("there must be at least one descriptor");
        // The number of the whole request has no 0 and no sign, but services that are older know no other.
        boolean forAll = hits >= 1 && hits <= MOST_32_BITS;
        RateLimitRequest.Builder request = RateLimitRequest.newBuilder().setDomain(text("the domain", domain));
        if (forAll) request.setHitsAddend((int) hits);
        for (Descriptor each : descriptors) request.addDescriptors(descriptor(each, forAll ? null : hits));
        RateLimitRequest built = request.build();
        if (built.getSerializedSize() > MOST_BYTES) {
            throw wrong("the request has more than " + MOST_BYTES + " bytes");
        }
        return built;
    }

    /** It charges nothing, so that asking twice is as good as asking once. */
    static boolean onlyLooks(RateLimitRequest request) {
        return request.getDescriptorsList().stream()
                .allMatch(each -> each.hasHitsAddend() && each.getHitsAddend().getValue() == 0);
    }

    private static RateLimitDescriptor descriptor(Descriptor descriptor, Long hitsOfAll) {
        if (descriptor == null) throw wrong("a descriptor must not be null");
        if (descriptor.entries().isEmpty()) throw wrong("a descriptor must have at least one entry");
        RateLimitDescriptor.Builder message = RateLimitDescriptor.newBuilder();
        for (Descriptor.Entry entry : descriptor.entries()) {
            message.addEntriesBuilder()
                    .setKey(text("the key of an entry", entry.key()))
                    .setValue(text("the value of entry " + entry.key(), entry.value()));
        }
        Long hits = descriptor.hits() == null ? hitsOfAll : descriptor.hits();
        if (hits != null) {
            // Of the least of all numbers this is its amount too, since the field has no sign.
            message.setHitsAddend(UInt64Value.of(Math.abs(hits))).setIsNegativeHits(hits < 0);
        }
        if (descriptor.limit() != null) message.setLimit(override(descriptor.limit()));
        return message.build();
    }

    private static RateLimitOverride override(Descriptor.Override limit) {
        if (limit.unit() == null) throw wrong("a limit must have a unit");
        long requests = limit.requests();
        if (requests < 0 || requests > MOST_32_BITS) {
            throw wrong("a limit must be a whole number from 0 to 2^32-1, and is " + requests);
        }
        return RateLimitOverride.newBuilder()
                .setRequestsPerUnit((int) requests)
                .setUnitValue(limit.unit().number)
                .build();
    }

    /** Half a character would travel as a question mark, so that two texts could share a counter. */
    private static String text(String what, String text) {
        if (text == null) throw wrong(what + " must be a text");
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) throw wrong(what + " must be Unicode");
        return text;
    }

    private static RequestException wrong(String message) {
        return new RequestException(message, null, null);
    }
}
