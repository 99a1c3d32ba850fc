import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;

/**
 * What the drivers have in common: lines {@code KIND TAB SCHEME TAB METHOD TAB TARGET TAB BODYHEX}, each
 * answered by a status, {@code refused} where the client code refuses before it sends, or a value.
 */
final class Lines {
    /** The keys of tests/clients.rs. */
    static final Map<String, KeyschemeCredentials> CREDENTIALS = Map.of(
            "ecb0", KeyschemeCredentials.ecb0(HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f"), apiKey()),
            "cbc1", KeyschemeCredentials.cbc1("bridge-1", key(24, 2), apiKey()),
            "gcm1", KeyschemeCredentials.gcm1("stt", "sealed-1", key(32, 3), apiKey()),
            "hmac1", KeyschemeCredentials.hmac1("stt", "signed-1", key(32, 4)));

    /** Sends a request in one of a client's ways. */
    interface Driver {
        int send(String kind, KeyschemeCredentials credentials, String method, String target, byte[] body)
                throws Exception;
    }

    static void answer(Driver driver) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split("\t", -1);
            KeyschemeCredentials credentials = CREDENTIALS.get(f[1]);
            String target = f[3].replace("\\n", "\n");
            byte[] body = HexFormat.of().parseHex(f[4]);
            try {
                Object answer = f[0].equals("value")
                        ? credentials.value(f[2], target, body)
                        : driver.send(f[0], credentials, f[2], target, body);
                System.out.println(answer);
            } catch (IllegalArgumentException e) {
                System.out.println("refused: " + e.getMessage().replace("\n", "\\n"));
            }
        }
    }

    private static byte[] apiKey() {
        return "가나다".getBytes(UTF_8);
    }

    private static byte[] key(int length, int value) {
        byte[] key = new byte[length];
        Arrays.fill(key, (byte) value);
        return key;
    }
}
