package io.weir.ratelimit;

import envoy.service.ratelimit.v3.Rls.RateLimitRequest;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** One request under way, with its retries. Fails with a WeirException alone. */
final class Asking extends CompletableFuture<RateLimitResponse> {
    private static final long RETRY_WAIT_MS = 5;
    private static final Executor AFTER_THE_WAIT =
            CompletableFuture.delayedExecutor(RETRY_WAIT_MS, TimeUnit.MILLISECONDS);

    private final Channel channel;
    private final RateLimitRequest request;
    private final Deadline deadline;
    private final Context context = Context.current();
    private int retriesLeft;
    private ClientCall<RateLimitRequest, RateLimitResponse> call;

    Asking(Channel channel, RateLimitRequest request, Deadline deadline, int retries) {
        this.channel = channel;
        this.request = request;
        this.deadline = deadline;
        this.retriesLeft = retries;
    }

    /** Does nothing to one that is done. */
    void hangUp() {
        if (!completeExceptionally(new CancelledException("the check was cancelled", null, null))) return;
        synchronized (this) {
            if (call != null) call.cancel("hung up", null);
        }
    }

    synchronized void start() {
        if (isDone()) return;
        call = channel.newCall(Wire.SHOULD_RATE_LIMIT, CallOptions.DEFAULT.withDeadline(deadline));
        ClientCalls.asyncUnaryCall(call, request, new StreamObserver<>() {
            private RateLimitResponse answer;

            @Override
            public void onNext(RateLimitResponse response) {
                answer = response;
            }

            @Override
            public void onError(Throwable error) {
                failed((StatusRuntimeException) error);
            }

            @Override
            public void onCompleted() {
                if (answer != null) complete(answer);
                else completeExceptionally(new ServiceException("the service answered nothing", null, null));
            }
        });
    }

    private void failed(StatusRuntimeException error) {
        WeirException failure = WeirException.of(error, context.isCancelled());
        boolean late = deadline.timeRemaining(TimeUnit.MILLISECONDS) <= RETRY_WAIT_MS;
        if (retriesLeft-- <= 0 || late || !(failure instanceof UnavailableException)) {
            completeExceptionally(failure);
        } else {
            AFTER_THE_WAIT.execute(context.wrap(this::start));
        }
    }
}
