package io.weir.ratelimit;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ManagedChannelRegistry.ProviderNotFoundException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** How weir is reached: a channel that keeps a connection to each address, and gives calls to those that serve, in turn. */
final class Connection {
    private static final Executor SOON = CompletableFuture.delayedExecutor(5, TimeUnit.SECONDS);
    private static final Map<String, ?> TURNS = Map.of("loadBalancingConfig", List.of(Map.of("round_robin", Map.of())));
    private static final Map<String, ?> TURNS_OF_THE_HEALTHY = Map.of(
            "loadBalancingConfig", List.of(Map.of("round_robin", Map.of())),
            "healthCheckConfig", Map.of("serviceName", "ratelimit"));

    private Connection() {}

    /** Throws IllegalArgumentException when an address, or what is in the PEM files, cannot be read. */
    static ManagedChannel open(List<String> addresses, Tls tls, boolean watchHealth) {
        ChannelCredentials credentials = tls == null ? InsecureChannelCredentials.create() : tls.credentials();
        String target = addresses.size() == 1 ? addresses.get(0) : Addresses.target(addresses);
        ManagedChannelBuilder<?> builder;
        try {
            builder = Grpc.newChannelBuilder(target, credentials);
        } catch (ProviderNotFoundException error) {
            throw new IllegalArgumentException("there is no way to " + target + ": " + error.getMessage(), error);
        }
        if (tls != null && tls.serverName() != null) builder.overrideAuthority(tls.serverName());
        // Else it would be the path, which HTTP/2 servers refuse.
        else if (target.startsWith("unix:")) builder.overrideAuthority("localhost");
        ManagedChannel channel = builder
                // From DNS it could order retries, and a hit that is sent twice may be counted twice.
                .disableServiceConfigLookUp()
                .defaultServiceConfig(watchHealth ? TURNS_OF_THE_HEALTHY : TURNS)
                .keepAliveTime(30, TimeUnit.SECONDS)
                .keepAliveTimeout(5, TimeUnit.SECONDS)
                // So long that connections are kept for ever.
                .idleTimeout(365, TimeUnit.DAYS)
                .build();
        channel.getState(true);
        keepTrying(channel);
        return channel;
    }

    /** gRPC for Java comes to wait two minutes between its tries to connect, and has no setting for it. */
    private static void keepTrying(ManagedChannel channel) {
        SOON.execute(() -> {
            if (channel.isShutdown()) return;
            channel.resetConnectBackoff();
            keepTrying(channel);
        });
    }
}
