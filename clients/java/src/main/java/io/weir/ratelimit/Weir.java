package io.weir.ratelimit;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * Asks weir, or any Envoy rate limit service v3. Keeps its connections until {@link #close}; safe to share by all threads
 * of a process, and to be replaced by a fake in tests.
 */
public interface Weir extends AutoCloseable {
    /**
     * Asks whether a request may go on, waits for the answer, and charges {@code hits} on each descriptor without hits of
     * its own. A cancelled gRPC {@link io.grpc.Context} and an interrupted thread hang up.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @param hits 0 only looks, a negative number gives back
     * @param options what is otherwise than this client has it
     * @return the answer, or what the failure policy makes of none
     * @throws RequestException when the request is wrong
     * @throws CancelledException when the caller hung up
     * @throws WeirException any other, where the failure policy is {@link FailurePolicy#RAISE}
     */
    Answer check(String domain, List<Descriptor> descriptors, long hits, CheckOptions options);

    /**
     * {@link #check(String, List, long, CheckOptions)} without waiting. The future fails with what that throws; whoever
     * cancels or completes it hangs up. What depends on it runs on a thread of gRPC, unless it is told where.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @param hits 0 only looks, a negative number gives back
     * @param options what is otherwise than this client has it
     * @return the answer to come
     */
    CompletableFuture<Answer> checkAsync(String domain, List<Descriptor> descriptors, long hits, CheckOptions options);

    /**
     * Returns when a server is connected and serves, and the classes that a check needs are loaded, so that no first check
     * pays for it.
     *
     * @param within how long to wait
     * @throws UnavailableException when none was there in time
     */
    void ready(Duration within);

    /** Ends the connections, and what is under way on them. */
    @Override
    void close();

    /**
     * {@link #check(String, List, long, CheckOptions)} with one hit.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @return the answer, or what the failure policy makes of none
     */
    default Answer check(String domain, Descriptor... descriptors) {
        return check(domain, List.of(descriptors), 1, CheckOptions.DEFAULT);
    }

    /**
     * {@link #check(String, List, long, CheckOptions)} as the client has it.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @param hits 0 only looks, a negative number gives back
     * @return the answer, or what the failure policy makes of none
     */
    default Answer check(String domain, List<Descriptor> descriptors, long hits) {
        return check(domain, descriptors, hits, CheckOptions.DEFAULT);
    }

    /**
     * {@link #checkAsync(String, List, long, CheckOptions)} with one hit.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @return the answer to come
     */
    default CompletableFuture<Answer> checkAsync(String domain, Descriptor... descriptors) {
        return checkAsync(domain, List.of(descriptors), 1, CheckOptions.DEFAULT);
    }

    /**
     * {@link #checkAsync(String, List, long, CheckOptions)} as the client has it.
     *
     * @param domain as the rules have it
     * @param descriptors what the request is limited by
     * @param hits 0 only looks, a negative number gives back
     * @return the answer to come
     */
    default CompletableFuture<Answer> checkAsync(String domain, List<Descriptor> descriptors, long hits) {
        return checkAsync(domain, descriptors, hits, CheckOptions.DEFAULT);
    }

    /** {@link #ready(Duration)} within 5 seconds. */
    default void ready() {
        ready(Duration.ofSeconds(5));
    }

    /**
     * Connects in plain text, with all as it is when nothing is told.
     *
     * @param addresses as for {@link #builder}
     * @return a client that connects in the background
     */
    static Weir connect(String... addresses) {
        return builder(addresses).connect();
    }

    /**
     * A client to be.
     *
     * @param addresses {@code host:port}, {@code unix:/path}, or several of them, which take turns, as do the addresses
     *     that a name has
     * @return what it is told how to be
     */
    static Builder builder(String... addresses) {
        return new Builder(List.of(addresses));
    }

    /** How a client is to be. */
    final class Builder {
        final List<String> addresses;
        Tls tls;
        Duration timeout = Duration.ofMillis(50);
        FailurePolicy onFailure = FailurePolicy.ALLOW;
        int retries = 2;
        boolean watchHealth = true;

        private Builder(List<String> addresses) {
            if (addresses.isEmpty()) throw new IllegalArgumentException("there must be at least one address");
            this.addresses = addresses;
        }

        /**
         * TLS in place of plain text.
         *
         * @param tls how
         * @return this
         */
        public Builder tls(Tls tls) {
            this.tls = tls;
            return this;
        }

        /**
         * For a whole check, its retries included.
         *
         * @param timeout 50 ms unless told otherwise
         * @return this
         */
        public Builder timeout(Duration timeout) {
            this.timeout = Timeouts.check(timeout);
            return this;
        }

        /**
         * What a check comes to when the service gives no answer.
         *
         * @param onFailure {@link FailurePolicy#ALLOW} unless told otherwise
         * @return this
         */
        public Builder onFailure(FailurePolicy onFailure) {
            this.onFailure = Objects.requireNonNull(onFailure);
            return this;
        }

        /**
         * How often a check that charges nothing is asked again when the service is unavailable.
         *
         * @param retries 2 unless told otherwise
         * @return this
         */
        public Builder retries(int retries) {
            this.retries = retries;
            return this;
        }

        /**
         * Watch the service's health, and leave a server alone that says it does not serve.
         *
         * @param watchHealth true unless told otherwise
         * @return this
         */
        public Builder watchHealth(boolean watchHealth) {
            this.watchHealth = watchHealth;
            return this;
        }

        /**
         * Connecting goes on in the background: checks meanwhile wait for it up to their deadline.
         *
         * @return the client
         * @throws IllegalArgumentException when an address or what is in the PEM files cannot be read
         */
        public Weir connect() {
            return new Client(this);
        }
    }
}
