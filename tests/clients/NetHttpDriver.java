import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** {@code java NetHttpDriver BASE}: see Lines. Kinds: value, call, again, follow. */
final class NetHttpDriver {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpClient following = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        Lines.answer((kind, credentials, method, target, body) -> {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0] + target));
            JavaNetHttp signer = new JavaNetHttp("X-API-KEY", credentials);
            HttpRequest signed = signer.sign(request, method, body);
            if (kind.equals("again")) {
                client.send(signed, HttpResponse.BodyHandlers.discarding());
                signed = signer.sign(request, method, body);
            }
            HttpClient chosen = kind.equals("follow") ? following : client;
            return chosen.send(signed, HttpResponse.BodyHandlers.discarding()).statusCode();
        });
    }
}
