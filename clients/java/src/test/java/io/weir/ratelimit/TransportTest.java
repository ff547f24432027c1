package io.weir.ratelimit;

import static io.weir.ratelimit.CheckTest.PATIENT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("a client over")
class TransportTest {
    private static final Descriptor USER = Descriptor.of("user", "x");

    @TempDir
    Path folder;

    private static Weir.Builder patient(Service service) {
        return Weir.builder(service.address()).timeout(PATIENT).onFailure(FailurePolicy.RAISE);
    }

    @Test
    @DisplayName("TLS is answered, and by whom it does not trust is not")
    void tls() throws Exception {
        Certificates made = Certificates.in(folder);
        Map<String, String> settings = Map.of(
                "GRPC_SERVER_USE_TLS", "true",
                "GRPC_SERVER_TLS_CERT", made.cert().toString(),
                "GRPC_SERVER_TLS_KEY", made.key().toString());
        try (Service shop = Service.start(settings);
                Weir trusting = patient(shop).tls(made.tls()).connect();
                Weir twice = Weir.builder(shop.address(), shop.address()).timeout(PATIENT).tls(made.tls()).connect();
                Weir elsewhere = patient(shop).tls(made.tls().withServerName("other.test")).connect();
                Weir distrustful = patient(shop).tls(Tls.DEFAULT.withServerName("weir.test")).connect()) {
            assertTrue(trusting.check("shop", USER).allowed());
            assertEquals(1, twice.check("shop", USER).remaining());
            assertThrows(UnavailableException.class, () -> elsewhere.check("shop", USER));
            assertThrows(UnavailableException.class, () -> distrustful.check("shop", USER));
        }
    }

    @Test
    @DisplayName("mTLS is answered, and without its certificate is not")
    void mutualTls() throws Exception {
        Certificates made = Certificates.in(folder);
        Map<String, String> settings = Map.of(
                "GRPC_SERVER_USE_TLS", "true",
                "GRPC_SERVER_TLS_CERT", made.cert().toString(),
                "GRPC_SERVER_TLS_KEY", made.key().toString(),
                "GRPC_CLIENT_TLS_CACERT", made.ca().toString());
        String cert = Files.readString(made.cert());
        String key = Files.readString(made.key());
        try (Service shop = Service.start(settings);
                Weir known = patient(shop).tls(made.tls().withCertificate(cert, key)).connect();
                Weir unknown = patient(shop).tls(made.tls()).connect()) {
            known.ready(PATIENT);
            assertTrue(known.check("shop", USER).allowed());
            assertThrows(UnavailableException.class, () -> unknown.check("shop", USER));
        }
    }

    @Test
    @DisplayName("a unix socket is answered")
    void unixSocket() throws Exception {
        String socket = folder.resolve("weir.sock").toString();
        try (Service shop = Service.start(Map.of("GRPC_UDS", socket));
                Weir weir = patient(shop).connect()) {
            assertTrue(weir.check("shop", USER).allowed());
        }
    }
}
