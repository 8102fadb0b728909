package dev.javisor.block.nbd;

import dev.javisor.block.BlockException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * TLS with certificates from a folder, whose files have the names that QEMU and libnbd use: {@code
 * ca-cert.pem}, {@code server-cert.pem}, {@code server-key.pem}, {@code client-cert.pem}, {@code
 * client-key.pem}.
 *
 * @param verifiesPeer a server: whether clients must have a certificate of the authority
 */
public record NbdTls(SSLContext context, boolean verifiesPeer) {
    private static final Pattern PEM_KEY =
            Pattern.compile(
                    "-----BEGIN (RSA |)PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END",
                    Pattern.DOTALL);

    /** PKCS #8's PrivateKeyInfo up to the key: version 0, rsaEncryption, OCTET STRING. */
    private static final byte[] RSA_ALGORITHM = {
        2,
        1,
        0,
        0x30,
        13,
        6,
        9,
        0x2A,
        (byte) 0x86,
        0x48,
        (byte) 0x86,
        (byte) 0xF7,
        13,
        1,
        1,
        1,
        5,
        0
    };

    /** For a server: with an authority in the folder, clients must show a certificate of it. */
    public static NbdTls server(Path folder) {
        boolean verifies = Files.exists(folder.resolve("ca-cert.pem"));
        return new NbdTls(context(folder, "server", verifies, true), verifies);
    }

    /** For a client; with an authority in the folder, servers must be known to it alone. */
    static NbdTls client(Path folder) {
        boolean verifies = Files.exists(folder.resolve("ca-cert.pem"));
        boolean named = Files.exists(folder.resolve("client-cert.pem"));
        return new NbdTls(context(folder, "client", verifies, named), true);
    }

    /** For a client without files: servers must be known to the platform's authorities. */
    static NbdTls client() {
        try {
            return new NbdTls(SSLContext.getDefault(), true);
        } catch (GeneralSecurityException e) {
            throw new BlockException("TLS: " + e.getMessage(), e);
        }
    }

    private static SSLContext context(Path folder, String role, boolean verifies, boolean named) {
        try {
            KeyManagerFactory keys = null;
            if (named) {
                KeyStore own = KeyStore.getInstance("PKCS12");
                own.load(null, null);
                List<Certificate> chain = certificates(folder.resolve(role + "-cert.pem"));
                own.setKeyEntry(
                        role,
                        key(folder.resolve(role + "-key.pem")),
                        new char[0],
                        chain.toArray(Certificate[]::new));
                keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
                keys.init(own, new char[0]);
            }
            TrustManagerFactory trust = null;
            if (verifies) {
                KeyStore known = KeyStore.getInstance("PKCS12");
                known.load(null, null);
                int i = 0;
                for (Certificate each : certificates(folder.resolve("ca-cert.pem"))) {
                    known.setCertificateEntry("ca" + i++, each);
                }
                trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
                trust.init(known);
            }
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(
                    keys == null ? null : keys.getKeyManagers(),
                    trust == null ? null : trust.getTrustManagers(),
                    null);
            return context;
        } catch (IOException | GeneralSecurityException e) {
            throw new BlockException("TLS with the files in %s: %s".formatted(folder, e), e);
        }
    }

    private static List<Certificate> certificates(Path file)
            throws IOException, GeneralSecurityException {
        try (InputStream in = Files.newInputStream(file)) {
            Collection<? extends Certificate> found =
                    CertificateFactory.getInstance("X.509").generateCertificates(in);
            return List.copyOf(found);
        }
    }

    private static PrivateKey key(Path file) throws IOException, GeneralSecurityException {
        Matcher pem = PEM_KEY.matcher(Files.readString(file, StandardCharsets.US_ASCII));
        if (!pem.find()) {
            throw new InvalidKeySpecException(file + " has no PEM private key");
        }
        byte[] der = Base64.getMimeDecoder().decode(pem.group(2));
        PKCS8EncodedKeySpec spec =
                new PKCS8EncodedKeySpec(pem.group(1).isEmpty() ? der : wrapped(der));
        @Nullable InvalidKeySpecException last = null;
        for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (InvalidKeySpecException e) {
                last = e;
            }
        }
        throw new InvalidKeySpecException(file + " has no RSA, EC or EdDSA key", last);
    }

    /** A PKCS #1 key as PKCS #8 has it (RFC 5958 §2). */
    private static byte[] wrapped(byte[] rsa) {
        byte[] octets = der(4, rsa);
        ByteBuffer body = ByteBuffer.allocate(RSA_ALGORITHM.length + octets.length);
        return der(0x30, body.put(RSA_ALGORITHM).put(octets).array());
    }

    private static byte[] der(int tag, byte[] content) {
        ByteBuffer out = ByteBuffer.allocate(content.length + 4);
        return out.put((byte) tag)
                .put((byte) 0x82)
                .putShort((short) content.length)
                .put(content)
                .array();
    }
}
