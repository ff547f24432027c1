package io.weir.ratelimit;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** An authority, and one certificate of it for weir.test that serves on both sides; PEM files. */
record Certificates(Path ca, Path cert, Path key) {
    static Certificates in(Path folder) throws Exception {
        String key = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for (String line : List.of(
                key + " -x509 -keyout ca.key -out ca.crt -subj /CN=tests -days 2",
                key + " -keyout own.key -out own.csr -subj /CN=weir.test -addext subjectAltName=DNS:weir.test",
                "x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out own.crt -days 2"
                        + " -copy_extensions copy")) {
            Process made = new ProcessBuilder(("openssl " + line).split(" "))
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(made.getInputStream().readAllBytes());
            if (made.waitFor() != 0) throw new AssertionError(output);
        }
        return new Certificates(folder.resolve("ca.crt"), folder.resolve("own.crt"), folder.resolve("own.key"));
    }

    Tls tls() throws Exception {
        return Tls.DEFAULT.withCa(Files.readString(ca)).withServerName("weir.test");
    }
}
