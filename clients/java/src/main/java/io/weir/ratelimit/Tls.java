package io.weir.ratelimit;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/**
 * How TLS is spoken; texts are those of PEM files. Immutable.
 *
 * @param ca authorities to trust; null: those of Java
 * @param cert who calls (mTLS); both or neither
 * @param key of {@code cert}, in PKCS#8
 * @param serverName what the service's certificate must be for, where that is not the host of the address
 */
public record Tls(String ca, String cert, String key, String serverName) {
    /** Trusts whom Java trusts. */
    public static final Tls DEFAULT = new Tls(null, null, null, null);

    /** Throws IllegalArgumentException when there is a certificate without a key, or a key without a certificate. */
    public Tls {
        if ((cert == null) != (key == null)) throw new IllegalArgumentException("mTLS needs a certificate and its key");
    }

    /**
     * Trusts these authorities alone.
     *
     * @param ca text of a PEM file
     * @return the same but for that
     */
    public Tls withCa(String ca) {
        return new Tls(ca, cert, key, serverName);
    }

    /**
     * Tells the service who calls.
     *
     * @param cert text of a PEM file
     * @param key text of a PEM file, in PKCS#8
     * @return the same but for that
     */
    public Tls withCertificate(String cert, String key) {
        return new Tls(ca, cert, key, serverName);
    }

    /**
     * Expects the service's certificate to be for another name than the host of the address.
     *
     * @param serverName a host name
     * @return the same but for that
     */
    public Tls withServerName(String serverName) {
        return new Tls(ca, cert, key, serverName);
    }

    /** Without the key. */
    @Override
    public String toString() {
        return "Tls[mutual=" + (cert != null) + ", serverName=" + serverName + "]";
    }

    ChannelCredentials credentials() {
        TlsChannelCredentials.Builder made = TlsChannelCredentials.newBuilder();
        try {
            if (ca != null) made.trustManager(bytes(ca));
            if (cert != null) made.keyManager(bytes(cert), bytes(key));
        } catch (IOException error) {
            throw new IllegalArgumentException("the PEM texts of TLS cannot be read", error);
        }
        return made.build();
    }

    private static InputStream bytes(String pem) {
        return new ByteArrayInputStream(pem.getBytes(StandardCharsets.UTF_8));
    }
}
