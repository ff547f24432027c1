package io.weir.ratelimit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;

/** Waiting for what will be so. */
public final class Eventually {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final long PAUSE_MS = 15;

    private Eventually() {}

    /** What is looked at again and again. */
    @FunctionalInterface
    public interface Probe {
        boolean look() throws Exception;
    }

    /** Polls until the probe is true, and fails after half a minute. */
    public static void eventually(String what, Probe probe) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        Object last = "not yet";
        while (System.nanoTime() - end < 0) {
            try {
                if (probe.look()) return;
            } catch (Exception error) {
                last = error;
            }
            Thread.sleep(PAUSE_MS);
        }
        throw new AssertionError("waited in vain for " + what + ": " + last);
    }

    public static int freePort() throws IOException {
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return listener.getLocalPort();
        }
    }
}
