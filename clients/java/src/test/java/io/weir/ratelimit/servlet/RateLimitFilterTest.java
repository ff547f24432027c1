package io.weir.ratelimit.servlet;

import static io.weir.ratelimit.Eventually.freePort;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.weir.ratelimit.Descriptor;
import io.weir.ratelimit.FailurePolicy;
import io.weir.ratelimit.Fake;
import io.weir.ratelimit.Service;
import io.weir.ratelimit.Weir;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@DisplayName("the filter")
class RateLimitFilterTest {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final Duration PATIENT = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();

    private <T extends AutoCloseable> T open(T what) {
        open.add(0, what);
        return what;
    }

    private Weir weir(String address) {
        return open(Weir.builder(address).timeout(PATIENT).onFailure(FailurePolicy.RAISE).connect());
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) each.close();
    }

    @Test
    @DisplayName("lets 3 requests pass with headers, and answers the 4th with 429")
    void refused() throws Exception {
        Weir weir = weir(open(Service.start(Map.of())).address());
        refusesThe4th(serve(limit(weir).build()));
    }

    @Test
    @DisplayName("does so as a bean of Spring")
    void spring() throws Exception {
        Application.weir = weir(open(Service.start(Map.of())).address());
        SpringApplication application = new SpringApplication(Application.class);
        var context = (ServletWebServerApplicationContext) open(
                application.run("--server.port=0", "--server.address=127.0.0.1", "--spring.main.banner-mode=off"));
        refusesThe4th("http://127.0.0.1:" + context.getWebServer().getPort());
    }

    private static void refusesThe4th(String url) throws Exception {
        for (int left = 2; left >= 0; left--) {
            HttpResponse<String> passed = ask(url + "/", "ann");
            assertEquals("hello", passed.body());
            assertEquals(Integer.toString(left), header(passed, "RateLimit-Remaining"));
            assertEquals("\"per-user\";q=3;w=31536000", header(passed, "RateLimit-Policy"));
            assertEquals("", header(passed, "Retry-After"));
        }
        HttpResponse<String> refused = ask(url + "/", "ann");
        assertEquals(429, refused.statusCode());
        String told = header(refused, "Retry-After");
        int seconds = Integer.parseInt(told);
        assertTrue(seconds >= 1 && seconds <= 31_536_000, told);
        assertEquals("\"per-user\";r=0;t=" + told, header(refused, "RateLimit"));
        assertTrue(header(refused, "Content-Type").startsWith("application/json"));
        assertEquals(
                "{\"error\":\"rate_limited\",\"message\":\"Too many requests. Try again in " + told
                        + " seconds.\",\"limit\":3,\"window_seconds\":31536000,\"remaining\":0,\"retry_after_seconds\":"
                        + told + "}",
                refused.body());
    }

    @Test
    @DisplayName("lets a request without descriptors pass without headers")
    void free() throws Exception {
        HttpResponse<String> passed = ask(serve(limit(weir("127.0.0.1:" + freePort())).build()) + "/free", "ann");
        assertEquals(200, passed.statusCode());
        assertEquals("", header(passed, "RateLimit"));
    }

    @Test
    @DisplayName("answers 200, 503 or the container's 500 when nobody can be asked")
    void nobody() throws Exception {
        Weir nobody = weir("127.0.0.1:" + freePort());
        String allowing = serve(limit(nobody).onFailure(FailurePolicy.ALLOW).build());
        assertEquals("hello", ask(allowing + "/", "x").body());
        HttpResponse<String> denied = ask(serve(limit(nobody).onFailure(FailurePolicy.DENY).build()) + "/", "x");
        assertEquals(503, denied.statusCode());
        assertEquals("1", header(denied, "Retry-After"));
        assertEquals(
                "{\"error\":\"rate_limit_unavailable\",\"message\":\"The rate limit cannot be checked.\","
                        + "\"retry_after_seconds\":1}",
                denied.body());
        assertEquals(500, ask(serve(limit(nobody).build()) + "/", "x").statusCode());
    }

    @Test
    @DisplayName("charges a request once that is forwarded, 2 hits where it is told so, and tells of the answer")
    void forwarded() throws Exception {
        Fake fake = open(new Fake(true));
        List<String> told = new CopyOnWriteArrayList<>();
        String url = serve(limit(weir(fake.address()))
                .hits(request -> 2)
                .timeout(PATIENT)
                .onAnswer((answer, request) -> told.add(request.getRequestURI() + " " + answer.allowed()))
                .build());
        assertEquals("hello", ask(url + "/forward", "x").body());
        assertEquals(1, fake.asked.size());
        assertEquals(2, fake.asked.get(0).getHitsAddend());
        assertEquals(List.of("/forward true"), told);
    }

    @Test
    @DisplayName("takes for the caller whom the outermost of 0, 1 or 2 trusted proxies names")
    void trustedHops() throws Exception {
        List<String> seen = new CopyOnWriteArrayList<>();
        Fake fake = open(new Fake(true));
        String url = serve(RateLimitFilter.builder(weir(fake.address()), "shop", request -> {
                    for (int hops : List.of(0, 1, 2, 9)) seen.add(ClientAddress.of(request, hops));
                    return List.of();
                })
                .build());
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .header("X-Forwarded-For", "1.1.1.1, [2001:db8::2]:5000")
                .header("X-Forwarded-For", "3.3.3.3:80, ")
                .build();
        HTTP.send(request, BodyHandlers.ofString());
        assertEquals(List.of("127.0.0.1", "3.3.3.3", "2001:db8::2", "1.1.1.1"), seen);
    }

    private static RateLimitFilter.Builder limit(Weir weir) {
        return RateLimitFilter.builder(
                weir,
                "shop",
                request -> request.getRequestURI().equals("/free")
                        ? List.of()
                        : List.of(Descriptor.of("user", request.getHeader("X-User"))));
    }

    private static HttpResponse<String> ask(String url, String user) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("X-User", user).build();
        return HTTP.send(request, BodyHandlers.ofString());
    }

    private static String header(HttpResponse<?> response, String name) {
        return response.headers().firstValue(name).orElse("");
    }

    /** A Tomcat with the filter before a page; its address. */
    private String serve(Filter filter) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.toString());
        tomcat.setPort(0);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "hello", new Hello());
        context.addServletMappingDecoded("/", "hello");
        FilterDef definition = new FilterDef();
        definition.setFilterName("limit");
        definition.setFilter(filter);
        context.addFilterDef(definition);
        FilterMap places = new FilterMap();
        places.setFilterName("limit");
        places.addURLPattern("/*");
        places.setDispatcher(DispatcherType.REQUEST.name());
        places.setDispatcher(DispatcherType.FORWARD.name());
        context.addFilterMap(places);
        tomcat.start();
        open(() -> {
            tomcat.stop();
            tomcat.destroy();
        });
        return "http://127.0.0.1:" + tomcat.getConnector().getLocalPort();
    }

    @SuppressWarnings("serial")
    static class Hello extends HttpServlet {
        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
            try {
                if (request.getRequestURI().equals("/forward") && request.getDispatcherType() == DispatcherType.REQUEST) {
                    request.getRequestDispatcher("/elsewhere").forward(request, response);
                } else {
                    response.getWriter().write("hello");
                }
            } catch (jakarta.servlet.ServletException error) {
                throw new IOException(error);
            }
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @RestController
    static class Application {
        static Weir weir;

        @Bean
        RateLimitFilter limit() {
            return RateLimitFilterTest.limit(weir).build();
        }

        @GetMapping("/")
        String hello() {
            return "hello";
        }
    }
}
