import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;

/**
 * Requests of java.net.http with a credential. Needs Java 11 and KeyschemeCredentials.java.
 *
 * <p>Send them with a client that follows no redirect, which is its default: it would send the same value
 * again, also to another host.
 */
public final class JavaNetHttp {
    private final String header;
    private final KeyschemeCredentials credentials;

    public JavaNetHttp(String header, KeyschemeCredentials credentials) {
        this.header = header;
        this.credentials = credentials;
    }

    /** The request, for one transmission: to send it again, sign it again. No content is an empty body. */
    public HttpRequest sign(HttpRequest.Builder request, String method, byte[] body) {
        request.method(method, BodyPublishers.ofByteArray(body));
        return request.setHeader(header, credentials.value(method, request.build().uri(), body)).build();
    }
}
