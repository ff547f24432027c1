package io.weir.ratelimit;

import io.grpc.Attributes;
import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.StatusOr;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Several {@code host:port} as one target of gRPC. With a channel for each, a call that one server refused as it stopped
 * could not go to another.
 */
final class Addresses extends NameResolver {
    private static final String SCHEME = "weir-addresses";

    static {
        NameResolverRegistry.getDefaultRegistry().register(new Provider());
    }

    private final List<URI> addresses;
    private final Args args;
    private Listener2 listener;
    private boolean resolving;

    private Addresses(List<URI> addresses, Args args) {
        this.addresses = addresses;
        this.args = args;
    }

    /** Throws IllegalArgumentException when one of them is no {@code host:port}. */
    static String target(List<String> addresses) {
        addresses.forEach(Addresses::parsed);
        try {
            // Quotes the brackets of IPv6.
            return new URI(SCHEME, "", "/" + String.join(",", addresses), null).toString();
        } catch (URISyntaxException error) {
            throw new IllegalArgumentException("the addresses cannot be read: " + addresses, error);
        }
    }

    @Override
    public String getServiceAuthority() {
        return addresses.get(0).getAuthority();
    }

    @Override
    public void start(Listener2 listener) {
        this.listener = listener;
        refresh();
    }

    @Override
    public void refresh() {
        if (resolving) return;
        resolving = true;
        // Looking a name up blocks, and this thread is the channel's.
        Executor elsewhere = args.getOffloadExecutor();
        elsewhere.execute(() -> {
            StatusOr<List<EquivalentAddressGroup>> found = resolved();
            args.getSynchronizationContext().execute(() -> {
                resolving = false;
                listener.onResult2(ResolutionResult.newBuilder().setAddressesOrError(found).build());
            });
        });
    }

    @Override
    public void shutdown() {}

    /** All that can be found; an error when that is nothing. */
    private StatusOr<List<EquivalentAddressGroup>> resolved() {
        List<EquivalentAddressGroup> found = new ArrayList<>();
        UnknownHostException unknown = null;
        for (URI each : addresses) {
            Attributes named = Attributes.newBuilder()
                    .set(EquivalentAddressGroup.ATTR_AUTHORITY_OVERRIDE, authorityOf(each))
                    .build();
            try {
                for (InetAddress ip : InetAddress.getAllByName(each.getHost())) {
                    found.add(new EquivalentAddressGroup(new InetSocketAddress(ip, each.getPort()), named));
                }
            } catch (UnknownHostException error) {
                unknown = error;
            }
        }
        if (!found.isEmpty()) return StatusOr.fromValue(found);
        return StatusOr.fromStatus(io.grpc.Status.UNAVAILABLE
                .withDescription("no address is known of " + addresses)
                .withCause(unknown));
    }

    /** What a certificate must be for: the host of the address, unless the caller says otherwise. */
    private String authorityOf(URI address) {
        return args.getOverrideAuthority() == null ? address.getAuthority() : args.getOverrideAuthority();
    }

    private static URI parsed(String address) {
        URI uri = URI.create("//" + address);
        boolean plain = uri.getHost() != null && uri.getPort() > 0 && uri.getAuthority().equals(address);
        if (!plain) throw new IllegalArgumentException("one of several addresses must be host:port, and is " + address);
        return uri;
    }

    private static final class Provider extends NameResolverProvider {
        @Override
        public NameResolver newNameResolver(URI target, Args args) {
            if (!SCHEME.equals(target.getScheme())) return null;
            List<URI> addresses = new ArrayList<>();
            for (String each : target.getPath().substring(1).split(",")) addresses.add(parsed(each));
            return new Addresses(addresses, args);
        }

        @Override
        public String getDefaultScheme() {
            return SCHEME;
        }

        @Override
        protected boolean isAvailable() {
            return true;
        }

        /** Below that of DNS, so that a name without a scheme is looked up there. */
        @Override
        protected int priority() {
            return 4;
        }
    }
}
