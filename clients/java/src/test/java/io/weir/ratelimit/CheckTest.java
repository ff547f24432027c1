package io.weir.ratelimit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("a client")
class CheckTest {
    /** Generous, since the machine may be busy; what deadlines do has a test of its own. */
    static final Duration PATIENT = Duration.ofSeconds(20);

    static Service shop;
    static Weir weir;

    @BeforeAll
    static void start() throws Exception {
        shop = Service.start(Map.of());
        weir = Weir.builder(shop.address()).timeout(PATIENT).onFailure(FailurePolicy.RAISE).connect();
        weir.ready(PATIENT);
    }

    @AfterAll
    static void stop() throws Exception {
        if (weir != null) weir.close();
        if (shop != null) shop.close();
    }

    @Test
    @DisplayName("is told of 3 allowed requests and of the 4th refused")
    void refused() {
        Descriptor ann = Descriptor.of("user", "ann");
        for (long left = 2; left >= 0; left--) {
            Answer answer = weir.check("shop", ann);
            assertTrue(answer.allowed());
            assertEquals(left, answer.remaining());
        }
        Answer refused = weir.check("shop", ann);
        assertFalse(refused.allowed());
        assertEquals(Answer.DecidedBy.SERVICE, refused.decidedBy());
        assertEquals(new Limit(3, Unit.YEAR, 31_536_000L, "per-user"), refused.limit());
        long seconds = refused.resetSeconds();
        assertTrue(seconds >= 1 && seconds <= 31_536_000, "resets in " + seconds + " s");
        Duration off = Duration.between(Instant.now().plusSeconds(seconds), refused.resetAt()).abs();
        assertTrue(off.toMinutes() < 1, "resets " + off + " elsewhere");
        String told = Long.toString(seconds);
        assertEquals(
                Map.of(
                        "RateLimit-Policy", "\"per-user\";q=3;w=31536000",
                        "RateLimit", "\"per-user\";r=0;t=" + told,
                        "RateLimit-Limit", "3",
                        "RateLimit-Remaining", "0",
                        "RateLimit-Reset", told,
                        "Retry-After", told),
                refused.headers());
    }

    @Test
    @DisplayName("charges nothing for 0 hits, 2 for 2, and takes 1 of them back")
    void hits() {
        List<Descriptor> bob = List.of(Descriptor.of("user", "bob"));
        List<Long> left = LongStream.of(0, 2, 0, -1, 0)
                .mapToObj(hits -> weir.check("shop", bob, hits).remaining())
                .toList();
        assertEquals(List.of(3L, 1L, 1L, 2L, 2L), left);
    }

    @Test
    @DisplayName("charges each descriptor its own hits, and tells of the limit with the fewest left")
    void descriptors() {
        Answer answer = weir.check(
                "shop",
                Descriptor.of("user", "cid").withHits(0),
                Descriptor.of("path", "/cid").withHits(98),
                Descriptor.of("slow", "cid"),
                Descriptor.of("free", "cid"),
                Descriptor.of("nobody", "limits"));
        assertEquals(
                List.of(3L, 2L, 4L, 0xffff_ffffL, 0L),
                answer.statuses().stream().map(Status::remaining).toList());
        assertEquals(
                Arrays.asList(31_536_000L, 31_536_000L, 63_072_000L, null, null),
                answer.statuses().stream()
                        .map(each -> each.limit() == null ? null : each.limit().windowSeconds())
                        .toList());
        assertEquals(Unit.YEAR, answer.limit().unit());
        assertEquals(
                "\"per-user\";q=3;w=31536000, \"year\";q=100;w=31536000, \"slow\";q=5;w=63072000",
                answer.headers().get("RateLimit-Policy"));
    }

    @Test
    @DisplayName("brings a limit of 7 a minute along")
    void override() {
        Limit limit = weir.check("shop", Descriptor.of("user", "eve").withLimit(7, Unit.MINUTE)).limit();
        assertEquals(7, limit.requests());
        assertEquals(Unit.MINUTE, limit.unit());
    }

    @Test
    @DisplayName("keeps the order of 2 entries, and charges the least of all numbers as what it is")
    void wire() {
        Descriptor both = Descriptor.of("b", "1").and("a", "2").withHits(Long.MIN_VALUE).withLimit(0xffff_ffffL, Unit.WEEK);
        var message = Wire.request("shop", List.of(both), 0xffff_ffffL);
        assertEquals("b", message.getDescriptors(0).getEntries(0).getKey());
        assertEquals("9223372036854775808", Long.toUnsignedString(message.getDescriptors(0).getHitsAddend().getValue()));
        assertTrue(message.getDescriptors(0).getIsNegativeHits());
        assertEquals(7, message.getDescriptors(0).getLimit().getUnitValue());
        assertEquals(0xffff_ffffL, Integer.toUnsignedLong(message.getHitsAddend()));
    }

    @Test
    @DisplayName("refuses to ask what nobody could decide")
    void wrong() {
        CheckOptions allow = CheckOptions.DEFAULT.withOnFailure(FailurePolicy.ALLOW);
        Descriptor user = Descriptor.of("user", "x");
        wrong("", List.of(user));
        wrong(null, List.of(user));
        wrong("shop", List.of());
        wrong("shop", null);
        wrong("shop", List.of(new Descriptor(List.of(), null, null)));
        wrong("shop", List.of(Descriptor.of("user", null)));
        wrong("shop", List.of(Descriptor.of("user", "\ud800")));
        wrong("shop", List.of(user.withLimit(-1, Unit.DAY)));
        wrong("shop", List.of(user.withLimit(1L << 32, Unit.DAY)));
        wrong("shop", List.of(user.withLimit(1, null)));
        wrong("shop", List.of(Descriptor.of("user", "x".repeat(5_000_000))));
        // weir itself says no to this one: it is longer than a value may be there.
        wrong("shop", List.of(Descriptor.of("user", "x".repeat(3_000_000))));
        assertEquals(3, weir.check("shop", List.of(user), 0, allow).remaining());
    }

    private static void wrong(String domain, List<Descriptor> descriptors) {
        CheckOptions allow = CheckOptions.DEFAULT.withOnFailure(FailurePolicy.ALLOW);
        assertThrows(RequestException.class, () -> weir.check(domain, descriptors, 1, allow));
        CompletableFuture<Answer> asked = weir.checkAsync(domain, descriptors, 1, allow);
        assertTrue(assertThrows(Exception.class, asked::get).getCause() instanceof RequestException);
    }

    @Test
    @DisplayName("answers 100 checks at once, and 100 more")
    void atOnce() throws Exception {
        for (String half : List.of("/1", "/2")) {
            List<CompletableFuture<Answer>> asked = IntStream.range(0, 100)
                    .mapToObj(each -> weir.checkAsync("shop", Descriptor.of("path", half)))
                    .toList();
            List<Long> left = new ArrayList<>();
            for (CompletableFuture<Answer> each : asked) left.add(each.get().remaining());
            assertEquals(LongStream.range(0, 100).boxed().toList(), left.stream().sorted().toList());
        }
    }

    @Test
    @DisplayName("that is closed asks nothing")
    void closed() {
        Weir closed = Weir.builder(shop.address()).timeout(PATIENT).onFailure(FailurePolicy.RAISE).connect();
        closed.close();
        assertThrows(UnavailableException.class, () -> closed.check("shop", Descriptor.of("user", "x")));
        assertThrows(UnavailableException.class, () -> closed.ready(PATIENT));
    }

    @Test
    @DisplayName("is not made to wait for nothing or for ever, nor of half a certificate")
    void settings() {
        for (Duration none : List.of(Duration.ZERO, Duration.ofMillis(-1), Duration.ofDays(400))) {
            assertThrows(IllegalArgumentException.class, () -> Weir.builder("127.0.0.1:1").timeout(none));
            assertThrows(IllegalArgumentException.class, () -> CheckOptions.DEFAULT.withTimeout(none));
        }
        assertThrows(IllegalArgumentException.class, Weir::builder);
        assertThrows(IllegalArgumentException.class, () -> Tls.DEFAULT.withCertificate("x", null));
        for (String address : List.of("127.0.0.1", "unix:/run/weir.sock", "dns:///x:1", "a:1,b:2", "")) {
            assertThrows(IllegalArgumentException.class, () -> Weir.connect("127.0.0.1:1", address));
        }
        Weir.connect("[::1]:1", "localhost:1").close();
        Tls nonsense = Tls.DEFAULT.withCa("x");
        assertThrows(IllegalArgumentException.class, () -> Weir.builder("127.0.0.1:1").tls(nonsense).connect());
        assertFalse(Tls.DEFAULT.withCertificate("cert", "secret").toString().contains("secret"));
    }
}
