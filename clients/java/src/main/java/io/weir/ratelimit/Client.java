package io.weir.ratelimit;

import envoy.service.ratelimit.v3.Rls.RateLimitRequest;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import io.grpc.ConnectivityState;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** The client that {@link Weir#builder} makes. */
final class Client implements Weir {
    private final List<String> addresses;
    private final ManagedChannel channel;
    private final Duration timeout;
    private final FailurePolicy onFailure;
    private final int retries;

    Client(Builder builder) {
        addresses = builder.addresses;
        timeout = builder.timeout;
        onFailure = builder.onFailure;
        retries = builder.retries;
        channel = Connection.open(addresses, builder.tls, builder.watchHealth);
    }

    @Override
    public Answer check(String domain, List<Descriptor> descriptors, long hits, CheckOptions options) {
        RateLimitRequest request = Wire.request(domain, descriptors, hits);
        Asking asking = asking(request, options);
        asking.start();
        try {
            return answerOf(asking.get(), null, request, options);
        } catch (ExecutionException error) {
            WeirException failure = (WeirException) error.getCause();
            // It was made on a thread of gRPC's, and whoever catches it looks for his own.
            failure.fillInStackTrace();
            return answerOf(null, failure, request, options);
        } catch (InterruptedException error) {
            asking.hangUp();
            Thread.currentThread().interrupt();
            throw new CancelledException("the check was interrupted", null, error);
        }
    }

    @Override
    public CompletableFuture<Answer> checkAsync(
            String domain, List<Descriptor> descriptors, long hits, CheckOptions options) {
        RateLimitRequest request;
        try {
            request = Wire.request(domain, descriptors, hits);
        } catch (RequestException error) {
            return CompletableFuture.failedFuture(error);
        }
        CompletableFuture<Answer> answered = new CompletableFuture<>();
        Asking asking = asking(request, options);
        answered.whenComplete((answer, error) -> asking.hangUp());
        asking.whenComplete((response, error) -> {
            try {
                answered.complete(answerOf(response, (WeirException) error, request, options));
            } catch (RuntimeException raised) {
                answered.completeExceptionally(raised);
            }
        });
        asking.start();
        return answered;
    }

    @Override
    public void ready(Duration within) {
        Timeouts.check(within);
        if (channel.isShutdown()) throw new UnavailableException("the client is closed", null, null);
        CountDownLatch served = new CountDownLatch(1);
        tellWhenReady(served);
        try {
            if (served.await(within.toNanos(), TimeUnit.NANOSECONDS)) {
                Rehearsal.on(channel);
                return;
            }
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new CancelledException("the wait was interrupted", null, error);
        } finally {
            served.countDown();
        }
        throw new UnavailableException(
                "no server was ready within " + within.toMillis() + " ms: " + String.join(", ", addresses), null, null);
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }

    private Asking asking(RateLimitRequest request, CheckOptions options) {
        Duration within = options.timeout() == null ? timeout : options.timeout();
        Deadline deadline = Deadline.after(within.toNanos(), TimeUnit.NANOSECONDS);
        return new Asking(channel, request, deadline, Wire.onlyLooks(request) ? retries : 0);
    }

    private void tellWhenReady(CountDownLatch served) {
        if (served.getCount() == 0) return;
        ConnectivityState now = channel.getState(true);
        if (now == ConnectivityState.READY) served.countDown();
        else channel.notifyWhenStateChanged(now, () -> tellWhenReady(served));
    }

    private Answer answerOf(
            RateLimitResponse response, WeirException error, RateLimitRequest request, CheckOptions options) {
        if (error != null) return assumed(error, options);
        try {
            return Answer.of(response, request.getDescriptorsCount());
        } catch (ServiceException unclear) {
            return assumed(unclear, options);
        }
    }

    private Answer assumed(WeirException failure, CheckOptions options) {
        FailurePolicy policy = options.onFailure() == null ? onFailure : options.onFailure();
        boolean hidden = !(failure instanceof RequestException || failure instanceof CancelledException);
        if (!hidden || policy == FailurePolicy.RAISE) throw failure;
        return Answer.assumed(policy == FailurePolicy.ALLOW, failure);
    }
}
