package io.weir.ratelimit;

import static io.weir.ratelimit.Eventually.eventually;
import static io.weir.ratelimit.Eventually.freePort;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A weir of the tests' own that counts in memory. */
public final class Service implements AutoCloseable {
    private static final String RULES = """
            domain: shop
            descriptors:
              - key: user
                rate_limit: { unit: year, requests_per_unit: 3, name: per-user }
              - key: path
                rate_limit: { unit: year, requests_per_unit: 100 }
              - key: slow
                rate_limit: { unit: year, unit_multiplier: 2, requests_per_unit: 5 }
              - key: free
                rate_limit: { unlimited: true }
            """;
    private static final Pattern DECISIONS = Pattern.compile("(?m)^ratelimit_decisions_total\\{.*} (\\d+)$");
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final String address;
    private final int httpPort;
    private final Path rules;
    private final Process process;

    /** Starts that of `npm run build`, or of WEIR_COMMAND, and waits until it is ready. */
    public static Service start(Map<String, String> settings) throws Exception {
        Service started = new Service(settings);
        try {
            eventually("weir to be ready", () -> {
                // No Exception, which would be waited for.
                if (!started.process.isAlive()) throw new AssertionError("weir ended with " + started.process.exitValue());
                return started.ask("/readyz").length() >= 0;
            });
        } catch (Throwable failure) {
            started.close();
            throw failure;
        }
        return started;
    }

    private Service(Map<String, String> settings) throws IOException {
        int port = freePort();
        httpPort = freePort();
        rules = Files.createTempFile("weir-client-", ".yaml");
        Files.writeString(rules, RULES);
        String command = System.getenv().getOrDefault("WEIR_COMMAND", "node ../../dist/main.js");
        List<String> words = new ArrayList<>(List.of(command.split(" ")));
        words.addAll(List.of("serve", "--rules", rules.toString()));
        ProcessBuilder builder = new ProcessBuilder(words).inheritIO();
        String path = System.getenv("PATH");
        builder.environment().clear();
        builder.environment().putAll(Map.of(
                "PATH", path,
                "BACKEND_TYPE", "memory",
                "LOG_LEVEL", "error",
                "HOST", "127.0.0.1",
                "GRPC_HOST", "127.0.0.1",
                "DEBUG_HOST", "127.0.0.1",
                "PORT", Integer.toString(httpPort),
                "GRPC_PORT", Integer.toString(port),
                "DEBUG_PORT", Integer.toString(freePort())));
        builder.environment().putAll(settings);
        process = builder.start();
        address = settings.containsKey("GRPC_UDS")
                ? "unix:" + settings.get("GRPC_UDS")
                : "127.0.0.1:" + builder.environment().get("GRPC_PORT");
    }

    public String address() {
        return address;
    }

    /** How many checks it has answered. */
    public long checks() throws Exception {
        return DECISIONS.matcher(ask("/metrics")).results().mapToLong(found -> Long.parseLong(found.group(1))).sum();
    }

    /** Tells it to end, and does not wait. */
    public void drain() {
        process.destroy();
    }

    /** Ends it as a machine that fails would. */
    public void kill() {
        process.destroyForcibly().onExit().join();
    }

    @Override
    public void close() throws IOException {
        process.destroy();
        process.onExit().completeOnTimeout(null, 10, TimeUnit.SECONDS).join();
        if (process.isAlive()) kill();
        Files.deleteIfExists(rules);
    }

    private String ask(String path) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + httpPort + path);
        var answer = HTTP.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) throw new IOException(path + " is answered " + answer.statusCode());
        return answer.body();
    }
}
