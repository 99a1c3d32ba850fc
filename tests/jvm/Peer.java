import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.spec.AlgorithmParameterSpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Issues and verifies tagged credentials, written from docs/spec.md alone.
 *
 * <p>Reads lines from stdin and answers each with one line. Fields are parted by TAB; none can hold a TAB,
 * CR or LF.
 *
 * <pre>
 * seal SCHEME SERVICE KEYID KEYHEX APIKEYHEX TS METHOD TARGET BODYHEX           the credential
 * open SCHEME SERVICE KEYID KEYHEX APIKEYHEX METHOD TARGET BODYHEX CREDENTIAL   accepted, or a reason
 * </pre>
 *
 * METHOD, TARGET and BODYHEX count for {@code hmac1} alone, TS for {@code gcm1} and {@code hmac1}. To seal
 * with BODYHEX {@code -} leaves the body uncovered. The reasons are {@code malformed},
 * {@code bad-credential} and {@code body-mismatch}; another scheme or key id than the one given, and any
 * bare value, is {@code bad-credential}. Header rules 1 and 2, freshness, cover and replay are not judged. A
 * line that cannot be used is answered with {@code error: ...}.
 */
final class Peer {
    private static final Pattern VALUE = Pattern.compile("[A-Za-z0-9._~+/=-]{1,1024}");
    private static final Pattern TAGGED =
            Pattern.compile("([a-z][a-z0-9]{1,15})\\.([a-z0-9][a-z0-9-]{0,31})\\.(.+)");

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        PrintWriter out = new PrintWriter(System.out, true, UTF_8);
        for (String line; (line = in.readLine()) != null; ) {
            out.println(answer(line.split("\t", -1)));
        }
    }

    private static String answer(String[] f) {
        try {
            Wire.require(f.length == 10, "ten fields, not " + f.length);
            Scheme scheme = scheme(f[1], f[2], f[3], Wire.hex(f[4]), Wire.hex(f[5]));
            return switch (f[0]) {
                case "seal" -> f[1] + "." + f[3] + "." + scheme.seal(f[6], new Request(f[7], f[8], f[9]));
                case "open" -> open(scheme, f[1], f[3], new Request(f[6], f[7], f[8]), f[9]);
                default -> throw new IllegalArgumentException("neither seal nor open");
            };
        } catch (IllegalArgumentException | GeneralSecurityException e) {
            return "error: " + e.getMessage();
        }
    }

    /** "Names and material". */
    private static Scheme scheme(String scheme, String service, String id, byte[] key, byte[] apiKey) {
        Wire.require(service.matches("[a-z0-9][a-z0-9.-]{0,62}"), "service name");
        Wire.require(id.matches("[a-z0-9][a-z0-9-]{0,31}"), "key id");
        boolean keyed = scheme.equals("hmac1") ? apiKey.length == 0 : apiKey.length >= 1 && apiKey.length <= 256;
        Wire.require(keyed, "length of the API key");
        boolean aes256 = scheme.equals("gcm1") || scheme.equals("hmac1");
        boolean fits = key.length == 32 || !aes256 && (key.length == 16 || key.length == 24);
        Wire.require(fits, "length of the cipher key or secret");
        return switch (scheme) {
            case "ecb0" -> new Ecb0(key, apiKey);
            case "cbc1" -> new Cbc1(key, apiKey);
            case "gcm1" -> new Gcm1(service, id, key, apiKey);
            case "hmac1" -> new Hmac1(service, id, key);
            default -> throw new IllegalArgumentException("unknown scheme");
        };
    }

    /** "Header" from rule 3 on, "Credential", and the key of "Decision". */
    private static String open(Scheme scheme, String name, String id, Request request, String credential)
            throws GeneralSecurityException {
        try {
            Rejected.unless(VALUE.matcher(credential).matches(), "malformed");
            if (!credential.contains(".")) {
                Wire.decode(credential, Base64.getDecoder(), Base64.getEncoder());
                throw new Rejected("bad-credential");
            }
            Matcher tagged = TAGGED.matcher(credential);
            Rejected.unless(tagged.matches(), "malformed");
            Rejected.unless(tagged.group(1).equals(name) && tagged.group(2).equals(id), "bad-credential");
            scheme.open(tagged.group(3), request);
            return "accepted";
        } catch (Rejected e) {
            return e.getMessage();
        }
    }
}

/** A scheme with the material of one key. */
sealed interface Scheme {
    /** The payload of a new credential. */
    String seal(String ts, Request request) throws GeneralSecurityException;

    /** Returns if the payload is genuine. Never decrypts: what is expected is computed and compared. */
    void open(String payload, Request request) throws GeneralSecurityException, Rejected;
}

/** "ecb0", tagged. */
record Ecb0(byte[] key, byte[] apiKey) implements Scheme {
    public String seal(String ts, Request request) throws GeneralSecurityException {
        return Wire.base64url(expected());
    }

    public void open(String payload, Request request) throws GeneralSecurityException, Rejected {
        byte[] ciphertext = Wire.decode(payload);
        Rejected.unless(Wire.isBlocks(ciphertext.length), "malformed");
        Rejected.unless(MessageDigest.isEqual(expected(), ciphertext), "bad-credential");
    }

    private byte[] expected() throws GeneralSecurityException {
        return Crypto.aes("AES/ECB/PKCS5Padding", key, null, null, apiKey);
    }
}

/** "cbc1". */
record Cbc1(byte[] key, byte[] apiKey) implements Scheme {
    private static final int IV = 16;

    public String seal(String ts, Request request) throws GeneralSecurityException {
        return Wire.base64url(expected(Crypto.random(IV)));
    }

    public void open(String payload, Request request) throws GeneralSecurityException, Rejected {
        byte[] presented = Wire.decode(payload);
        Rejected.unless(Wire.isBlocks(presented.length - IV), "malformed");
        byte[] iv = Arrays.copyOf(presented, IV);
        Rejected.unless(MessageDigest.isEqual(expected(iv), presented), "bad-credential");
    }

    /** iv || ciphertext */
    private byte[] expected(byte[] iv) throws GeneralSecurityException {
        return Wire.join(iv, Crypto.aes("AES/CBC/PKCS5Padding", key, new IvParameterSpec(iv), null, apiKey));
    }
}

/** "gcm1". */
record Gcm1(String service, String id, byte[] key, byte[] apiKey) implements Scheme {
    private static final Pattern PAYLOAD = Pattern.compile("(" + Wire.TS + ")\\.([^.]+)");
    private static final int NONCE = 12;
    private static final int TAG = 16;

    public String seal(String ts, Request request) throws GeneralSecurityException {
        Wire.require(ts.matches(Wire.TS), "ts");
        return ts + "." + Wire.base64url(expected(ts, Crypto.random(NONCE)));
    }

    public void open(String payload, Request request) throws GeneralSecurityException, Rejected {
        Matcher fields = PAYLOAD.matcher(payload);
        Rejected.unless(fields.matches(), "malformed");
        byte[] presented = Wire.decode(fields.group(2));
        int length = presented.length - NONCE - TAG;
        Rejected.unless(length >= 1 && length <= 256, "malformed");
        byte[] nonce = Arrays.copyOf(presented, NONCE);
        Rejected.unless(MessageDigest.isEqual(expected(fields.group(1), nonce), presented), "bad-credential");
    }

    /** nonce || ciphertext || tag */
    private byte[] expected(String ts, byte[] nonce) throws GeneralSecurityException {
        byte[] additionalData = String.join("\n", "keyscheme/gcm1", service, id, ts).getBytes(UTF_8);
        GCMParameterSpec spec = new GCMParameterSpec(8 * TAG, nonce);
        return Wire.join(nonce, Crypto.aes("AES/GCM/NoPadding", key, spec, additionalData, apiKey));
    }
}

/** "hmac1". */
record Hmac1(String service, String id, byte[] secret) implements Scheme {
    private static final Pattern PAYLOAD =
            Pattern.compile("(" + Wire.TS + ")\\.([^.]{22})\\.([^.]{43}|-)\\.([^.]{43})");

    public String seal(String ts, Request request) throws GeneralSecurityException {
        Wire.require(ts.matches(Wire.TS), "ts");
        Wire.require(request.isSignable(), "method or target that hmac1 cannot cover");
        String nonce = Wire.base64url(Crypto.random(16));
        String digest = request.digest();
        return String.join(".", ts, nonce, digest, Wire.base64url(mac(ts, nonce, digest, request)));
    }

    public void open(String payload, Request request) throws GeneralSecurityException, Rejected {
        Matcher fields = PAYLOAD.matcher(payload);
        Rejected.unless(fields.matches(), "malformed");
        String nonce = fields.group(2);
        String digest = fields.group(3);
        boolean covered = !digest.equals(Request.UNCOVERED);
        Wire.decode(nonce);
        if (covered) {
            Wire.decode(digest);
        }
        byte[] presented = Wire.decode(fields.group(4));
        Rejected.unless(request.isSignable(), "bad-credential");
        byte[] expected = mac(fields.group(1), nonce, digest, request);
        Rejected.unless(MessageDigest.isEqual(expected, presented), "bad-credential");
        if (covered) {
            boolean same = MessageDigest.isEqual(digest.getBytes(UTF_8), request.digest().getBytes(UTF_8));
            Rejected.unless(same, "body-mismatch");
        }
    }

    private byte[] mac(String ts, String nonce, String digest, Request request) throws GeneralSecurityException {
        String joined = String.join(
                "\n", "keyscheme/hmac1", service, id, ts, nonce, request.method(), request.target(), digest);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        return mac.doFinal(joined.getBytes(UTF_8));
    }
}

/** What {@code hmac1} covers of a request: "Method", "Target" and "Digest" there. */
record Request(String method, String target, String bodyHex) {
    static final String UNCOVERED = "-";

    boolean isSignable() {
        return method.matches("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
                && !method.equals("CONNECT")
                && target.matches("/[\\x21\\x22\\x24-\\x7E]*");
    }

    String digest() throws GeneralSecurityException {
        return bodyHex.equals(UNCOVERED)
                ? UNCOVERED
                : Wire.base64url(MessageDigest.getInstance("SHA-256").digest(Wire.hex(bodyHex)));
    }
}

/** The primitives. */
final class Crypto {
    private static final SecureRandom RANDOM = new SecureRandom();

    /** "Randomness". */
    static byte[] random(int length) {
        byte[] bytes = new byte[length];
        RANDOM.nextBytes(bytes);
        return bytes;
    }

    /** Encrypts with a new Cipher each time: one that is kept refuses to see the same GCM nonce again. */
    static byte[] aes(String mode, byte[] key, AlgorithmParameterSpec spec, byte[] additionalData, byte[] text)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance(mode);
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), spec);
        if (additionalData != null) {
            cipher.updateAAD(additionalData);
        }
        return cipher.doFinal(text);
    }
}

/** Bytes and their spellings: "Conventions" and "Credential". */
final class Wire {
    static final String TS = "[1-9][0-9]{0,10}";

    static String base64url(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** Canonical base64url. */
    static byte[] decode(String text) throws Rejected {
        return decode(text, Base64.getUrlDecoder(), Base64.getUrlEncoder().withoutPadding());
    }

    /** The decoder alone is not strict, so what it returns must encode to the text received. */
    static byte[] decode(String text, Base64.Decoder decoder, Base64.Encoder encoder) throws Rejected {
        try {
            byte[] bytes = decoder.decode(text);
            Rejected.unless(encoder.encodeToString(bytes).equals(text), "malformed");
            return bytes;
        } catch (IllegalArgumentException e) {
            throw new Rejected("malformed");
        }
    }

    /** An API key of 1 to 256 bytes with PKCS7 has 1 to 17 blocks. */
    static boolean isBlocks(int length) {
        return length >= 16 && length <= 272 && length % 16 == 0;
    }

    static byte[] join(byte[] head, byte[] tail) {
        byte[] joined = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, joined, head.length, tail.length);
        return joined;
    }

    static byte[] hex(String text) {
        return HexFormat.of().parseHex(text);
    }

    static void require(boolean condition, String what) {
        if (!condition) {
            throw new IllegalArgumentException("unusable: " + what);
        }
    }
}

/** A credential that is not accepted; the message is one of "Rejection reasons". */
final class Rejected extends Exception {
    private static final long serialVersionUID = 1;

    Rejected(String reason) {
        super(reason);
    }

    static void unless(boolean condition, String reason) throws Rejected {
        if (!condition) {
            throw new Rejected(reason);
        }
    }
}
