import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.spec.AlgorithmParameterSpec;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** The header values of one key, for any number of threads. Needs Java 8, and nothing else. */
public final class KeyschemeCredentials {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String METHOD = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
    /** Without an empty query, of which some libraries drop the question mark. */
    private static final String TARGET = "/[!\"$->@-~]*(\\?[!\"$-~]+)?";

    private interface Scheme {
        String value(String method, String target, byte[] body) throws GeneralSecurityException;
    }

    private final Scheme scheme;

    private KeyschemeCredentials(Scheme scheme) {
        this.scheme = scheme;
    }

    /** A new value, for one transmission. Only {@code hmac1} looks at the request; no content is an empty body. */
    public String value(String method, URI uri, byte[] body) {
        String query = uri.getRawQuery();
        return value(method, query == null ? uri.getRawPath() : uri.getRawPath() + "?" + query, body);
    }

    /** The same, with the path and query as they are sent. */
    public String value(String method, String target, byte[] body) {
        try {
            return scheme.value(method, target, body);
        } catch (GeneralSecurityException e) {
            throw new IllegalArgumentException("an unusable key", e);
        }
    }

    public static KeyschemeCredentials ecb0(byte[] cipherKey, byte[] apiKey) {
        Scheme fixed = (method, target, body) ->
                Base64.getEncoder().encodeToString(aes("AES/ECB/PKCS5Padding", cipherKey, null, null, apiKey));
        String value = new KeyschemeCredentials(fixed).value("GET", "/", new byte[0]);
        return new KeyschemeCredentials((method, target, body) -> value);
    }

    public static KeyschemeCredentials cbc1(String keyId, byte[] cipherKey, byte[] apiKey) {
        return new KeyschemeCredentials((method, target, body) -> {
            byte[] iv = random(16);
            byte[] sealed = aes("AES/CBC/PKCS5Padding", cipherKey, new IvParameterSpec(iv), null, apiKey);
            return String.join(".", "cbc1", keyId, base64url(iv, sealed));
        });
    }

    public static KeyschemeCredentials gcm1(String service, String keyId, byte[] cipherKey, byte[] apiKey) {
        require(cipherKey.length == 32, "the cipher key of gcm1 has 32 bytes");
        return new KeyschemeCredentials((method, target, body) -> {
            String ts = now();
            byte[] nonce = random(12);
            String additionalData = String.join("\n", "keyscheme/gcm1", service, keyId, ts);
            GCMParameterSpec spec = new GCMParameterSpec(128, nonce);
            byte[] sealed = aes("AES/GCM/NoPadding", cipherKey, spec, additionalData, apiKey);
            return String.join(".", "gcm1", keyId, ts, base64url(nonce, sealed));
        });
    }

    public static KeyschemeCredentials hmac1(String service, String keyId, byte[] secret) {
        require(secret.length == 32, "the secret of hmac1 has 32 bytes");
        return new KeyschemeCredentials((method, target, body) -> {
            require(method.matches(METHOD) && !method.equals("CONNECT"), "hmac1 cannot cover the method " + method);
            require(target.matches(TARGET), "hmac1 cannot cover the target '" + target
                    + "': write the / of an empty path, percent-encode what is not ASCII, send no empty query");
            String ts = now();
            String nonce = base64url(random(16));
            String digest = base64url(MessageDigest.getInstance("SHA-256").digest(body));
            String joined = String.join("\n", "keyscheme/hmac1", service, keyId, ts, nonce, method, target, digest);
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return String.join(".", "hmac1", keyId, ts, nonce, digest, base64url(mac.doFinal(joined.getBytes(UTF_8))));
        });
    }

    private static byte[] aes(
            String mode, byte[] key, AlgorithmParameterSpec spec, String additionalData, byte[] apiKey)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(mode);
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), spec);
        if (additionalData != null) {
            cipher.updateAAD(additionalData.getBytes(UTF_8));
        }
        return cipher.doFinal(apiKey);
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        RANDOM.nextBytes(bytes);
        return bytes;
    }

    private static String now() {
        return Long.toString(Instant.now().getEpochSecond());
    }

    private static String base64url(byte[] head, byte[] tail) {
        return base64url(ByteBuffer.allocate(head.length + tail.length).put(head).put(tail).array());
    }

    private static String base64url(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
