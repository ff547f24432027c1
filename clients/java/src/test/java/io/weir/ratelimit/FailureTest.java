package io.weir.ratelimit;

import static io.weir.ratelimit.CheckTest.PATIENT;
import static io.weir.ratelimit.Eventually.eventually;
import static io.weir.ratelimit.Eventually.freePort;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import envoy.config.core.v3.Base.HeaderValue;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.Code;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.DescriptorStatus;
import envoy.service.ratelimit.v3.Rls.RateLimitResponse.RateLimit;
import io.grpc.Context;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("a client of a service that fails")
class FailureTest {
    private static final Descriptor USER = Descriptor.of("user", "x");
    private static final Descriptor PATH = Descriptor.of("path", "/");
    private static final CheckOptions DENY = CheckOptions.DEFAULT.withOnFailure(FailurePolicy.DENY);
    private static final CheckOptions RAISE = CheckOptions.DEFAULT.withOnFailure(FailurePolicy.RAISE);

    private final List<Weir> clients = new ArrayList<>();

    private Weir open(Weir.Builder builder) {
        Weir weir = builder.connect();
        clients.add(weir);
        return weir;
    }

    /** One that waits long and raises. */
    private Weir patient(String... addresses) {
        return open(Weir.builder(addresses).timeout(PATIENT).onFailure(FailurePolicy.RAISE));
    }

    @AfterEach
    void close() {
        clients.forEach(Weir::close);
    }

    @Test
    @DisplayName("allows, denies or raises as it is told")
    void policies() throws Exception {
        Weir weir = open(Weir.builder("127.0.0.1:" + freePort()).timeout(PATIENT));
        Answer allowed = weir.check("shop", USER);
        assertTrue(allowed.allowed());
        assertEquals(Answer.DecidedBy.FAILURE_POLICY, allowed.decidedBy());
        assertEquals(Map.of(), allowed.headers());
        assertInstanceOf(UnavailableException.class, allowed.failure());
        assertFalse(weir.check("shop", List.of(USER), 1, DENY).allowed());
        assertFalse(weir.checkAsync("shop", List.of(USER), 1, DENY).get().allowed());
        UnavailableException raised =
                assertThrows(UnavailableException.class, () -> weir.check("shop", List.of(USER), 1, RAISE));
        assertEquals(Client.class.getName(), raised.getStackTrace()[0].getClassName());
        CompletableFuture<Answer> failed = weir.checkAsync("shop", List.of(USER), 1, RAISE);
        assertInstanceOf(UnavailableException.class, assertThrows(ExecutionException.class, failed::get).getCause());
    }

    @Test
    @DisplayName("is not kept waiting by one that takes connections and says nothing")
    void silence() throws Exception {
        try (ServerSocket mute = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            String address = "127.0.0.1:" + mute.getLocalPort();
            Weir weir = open(Weir.builder(address).timeout(Duration.ofMillis(100)).onFailure(FailurePolicy.RAISE));
            assertThrows(DeadlineException.class, () -> weir.check("shop", USER));
            assertThrows(UnavailableException.class, () -> weir.ready(Duration.ofMillis(50)));
        }
    }

    @Test
    @DisplayName("does as its policy says when weir is killed, and comes back to it")
    void killed() throws Exception {
        String port = Integer.toString(freePort());
        Weir weir = patient("127.0.0.1:" + port);
        assertThrows(UnavailableException.class, () -> weir.check("shop", USER));
        try (Service first = Service.start(Map.of("GRPC_PORT", port))) {
            weir.ready(PATIENT);
            assertTrue(weir.check("shop", USER).allowed());
            first.kill();
            assertFalse(weir.check("shop", List.of(USER), 1, DENY).allowed());
        }
        try (Service second = Service.start(Map.of("GRPC_PORT", port))) {
            weir.ready(PATIENT);
            assertEquals(2, weir.check("shop", USER).remaining());
            assertEquals(1, second.checks());
        }
    }

    @Test
    @DisplayName("takes the other of 2 servers when one drains, and loses no check")
    void drain() throws Exception {
        try (Service first = Service.start(Map.of());
                Service second = Service.start(Map.of())) {
            Weir weir = patient(first.address(), second.address());
            weir.ready(PATIENT);
            eventually("both to be asked", () -> {
                weir.check("shop", List.of(PATH), 0);
                return first.checks() > 0 && second.checks() > 0;
            });
            List<CompletableFuture<Answer>> asked = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                if (i == 20) first.drain();
                CompletableFuture<Answer> each = weir.checkAsync("shop", List.of(PATH), 1);
                asked.add(each);
                if (i % 5 == 0) each.get();
            }
            for (CompletableFuture<Answer> each : asked) each.get();
        }
    }

    @Test
    @DisplayName("leaves a server alone that does not serve, and asks it again when it does")
    void health() throws Exception {
        try (Fake drained = new Fake(true)) {
            drained.setServing(false);
            Weir weir = patient(drained.address());
            UnavailableException refused = assertThrows(UnavailableException.class, () -> weir.check("shop", USER));
            assertTrue(refused.getMessage().contains("NOT_SERVING"), refused.getMessage());
            assertEquals(0, drained.asked.size());
            drained.setServing(true);
            weir.ready(PATIENT);
            assertTrue(weir.check("shop", USER).allowed());
        }
    }

    @Test
    @DisplayName("asks one that knows no health check, and one whose health it is told not to watch")
    void noHealth() throws Exception {
        try (Fake plain = new Fake(false);
                Fake drained = new Fake(true)) {
            Weir weir = patient(plain.address());
            weir.ready(PATIENT);
            assertTrue(weir.check("shop", USER).allowed());
            drained.setServing(false);
            Weir blind = open(Weir.builder(drained.address()).timeout(PATIENT).watchHealth(false));
            assertEquals(Answer.DecidedBy.SERVICE, blind.check("shop", USER).decidedBy());
        }
    }

    @Test
    @DisplayName("asks 3 times when it only looks, and once when it charges")
    void retries() throws Exception {
        try (Fake away = new Fake(true)) {
            away.answer = Fake.UNAVAILABLE;
            Weir weir = patient(away.address());
            assertThrows(UnavailableException.class, () -> weir.check("shop", List.of(USER), 0));
            assertEquals(3, away.asked.size());
            for (long hits : List.of(1, -1)) {
                assertThrows(UnavailableException.class, () -> weir.check("shop", List.of(USER), hits));
            }
            assertThrows(UnavailableException.class, () -> weir.check("shop", USER.withHits(0), PATH));
            assertEquals(6, away.asked.size());
            Weir once = open(Weir.builder(away.address()).timeout(PATIENT).retries(0));
            assertInstanceOf(UnavailableException.class, once.check("shop", List.of(USER), 0).failure());
            assertEquals(7, away.asked.size());
        }
    }

    @Test
    @DisplayName("hangs up when its future or context is cancelled or its thread interrupted, and no policy hides that")
    void cancel() throws Exception {
        try (Fake slow = new Fake(true)) {
            slow.answer = Fake.SILENCE;
            Weir weir = open(Weir.builder(slow.address()).timeout(PATIENT));
            CompletableFuture<Answer> pending = weir.checkAsync("shop", USER);
            eventually("it to be asked", () -> slow.asked.size() == 1);
            pending.cancel(true);
            eventually("the service to know", () -> slow.gone.get() == 1);
            assertThrows(CancellationException.class, pending::get);

            Context.CancellableContext context = Context.current().withCancellation();
            FutureTask<Answer> within = new FutureTask<>(context.wrap(() -> weir.check("shop", USER)));
            new Thread(within).start();
            eventually("it to be asked", () -> slow.asked.size() == 2);
            context.close();
            assertInstanceOf(
                    CancelledException.class, assertThrows(ExecutionException.class, within::get).getCause());

            FutureTask<Answer> waiting = new FutureTask<>(() -> weir.check("shop", USER));
            Thread thread = new Thread(waiting);
            thread.start();
            eventually("it to be asked", () -> slow.asked.size() == 3);
            thread.interrupt();
            assertInstanceOf(
                    CancelledException.class, assertThrows(ExecutionException.class, waiting::get).getCause());
            eventually("the service to know", () -> slow.gone.get() == 3);
        }
    }

    @Test
    @DisplayName("ends what is under way when it is closed, twice")
    void closed() throws Exception {
        try (Fake slow = new Fake(true)) {
            slow.answer = Fake.SILENCE;
            Weir weir = patient(slow.address());
            CompletableFuture<Answer> pending = weir.checkAsync("shop", USER);
            eventually("it to be asked", () -> slow.asked.size() == 1);
            weir.close();
            weir.close();
            assertInstanceOf(
                    UnavailableException.class, assertThrows(ExecutionException.class, pending::get).getCause());
        }
    }

    @Test
    @DisplayName("tells of a reset in 10,000 years or later as one in 292 years")
    void late() throws Exception {
        try (Fake late = new Fake(true)) {
            Weir weir = patient(late.address());
            for (long seconds : List.of(315_576_000_000L, Long.MAX_VALUE)) {
                late.answer = RateLimitResponse.newBuilder()
                        .setOverallCode(Code.OK)
                        .addStatuses(DescriptorStatus.newBuilder()
                                .setCode(Code.OK)
                                .setCurrentLimit(RateLimit.newBuilder()
                                        .setRequestsPerUnit(5)
                                        .setUnit(RateLimit.Unit.SECOND))
                                .setDurationUntilReset(com.google.protobuf.Duration.newBuilder()
                                        .setSeconds(seconds)
                                        .setNanos(1)))
                        .build();
                Answer answer = weir.checkAsync("shop", USER).get();
                assertEquals("\"second\";r=0;t=9223372036", answer.headers().get("RateLimit"));
                assertEquals(9_223_372_036L, answer.resetSeconds());
            }
        }
    }

    @Test
    @DisplayName("takes no answer for one that says neither yes nor no, or that lacks a status")
    void odd() throws Exception {
        try (Fake odd = new Fake(true)) {
            Weir weir = patient(odd.address());
            for (RateLimitResponse answer : List.of(
                    Fake.YES.toBuilder().setOverallCodeValue(0).build(),
                    Fake.YES.toBuilder().clearStatuses().build())) {
                odd.answer = answer;
                assertThrows(ServiceException.class, () -> weir.check("shop", USER));
                assertInstanceOf(
                        ServiceException.class, weir.check("shop", List.of(USER), 1, DENY).failure());
            }
        }
    }

    @Test
    @DisplayName("sends the headers that the service names in place of its own")
    void headers() throws Exception {
        try (Fake own = new Fake(true)) {
            own.answer = RateLimitResponse.newBuilder()
                    .setOverallCode(Code.OVER_LIMIT)
                    .addStatuses(DescriptorStatus.newBuilder()
                            .setCode(Code.OVER_LIMIT)
                            .setCurrentLimit(RateLimit.newBuilder()
                                    .setRequestsPerUnit(5)
                                    .setUnit(RateLimit.Unit.SECOND)
                                    .setName("a \"b\" \u00e9")))
                    .addResponseHeadersToAdd(HeaderValue.newBuilder().setKey("retry-after").setValue("9"))
                    .addResponseHeadersToAdd(HeaderValue.newBuilder().setKey("x-plan").setValue("free"))
                    .build();
            assertEquals(
                    Map.of(
                            "RateLimit-Policy", "\"a \\\"b\\\" _\";q=5;w=1",
                            "RateLimit", "\"a \\\"b\\\" _\";r=0",
                            "RateLimit-Limit", "5",
                            "RateLimit-Remaining", "0",
                            "Retry-After", "9",
                            "x-plan", "free"),
                    patient(own.address()).check("shop", USER).headers());
        }
    }
}
