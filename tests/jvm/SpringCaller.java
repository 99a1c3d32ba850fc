import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

/**
 * The legacy client: what existing Spring services send, the bare form of {@code ecb0}
 * (docs/spec.md, "ecb0").
 *
 * <pre>
 * java SpringCaller call URL   SALT and API_KEY from the environment; prints the status code
 * java SpringCaller seal       lines base64(salt) TAB base64(API key); prints a header value for each
 * </pre>
 *
 * Before Java 18 the environment is decoded by the locale of the process: with a key outside ASCII,
 * {@code call} needs a UTF-8 locale such as {@code LC_ALL=C.UTF-8}. {@code seal} does not.
 */
final class SpringCaller {
    private static final String HEADER = "X-API-KEY";
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final String salt;

    SpringCaller(String salt) {
        this.salt = salt;
    }

    /** The component itself. {@code "AES"} is AES/ECB/PKCS5Padding ("Names and material", Padding). */
    String encrypt(String apiKey) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(salt.getBytes(StandardCharsets.UTF_8), "AES"));
        return Base64.getEncoder().encodeToString(cipher.doFinal(apiKey.getBytes(StandardCharsets.UTF_8)));
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("call")) {
            System.out.println(call(URI.create(args[1])));
        } else if (args.length == 1 && args[0].equals("seal")) {
            seal();
        } else {
            System.err.println("usage: SpringCaller call URL | seal");
            System.exit(2);
        }
    }

    /** One GET; without API_KEY in the environment it carries no header. */
    private static int call(URI uri) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).timeout(TIMEOUT);
        String apiKey = System.getenv("API_KEY");
        if (apiKey != null) {
            request.header(HEADER, new SpringCaller(System.getenv("SALT")).encrypt(apiKey));
        }
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(TIMEOUT)
                .build()
                .send(request.build(), HttpResponse.BodyHandlers.discarding())
                .statusCode();
    }

    private static void seal() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
        for (String line; (line = in.readLine()) != null; ) {
            String[] fields = line.split("\t", -1);
            out.println(new SpringCaller(text(fields[0])).encrypt(text(fields[1])));
        }
        out.flush();
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }
}
