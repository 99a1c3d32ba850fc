import java.io.IOException;
import java.net.HttpURLConnection;
import org.springframework.http.HttpRequest;
import org.springframework.http.client.ClientHttpRequestExecution;
import org.springframework.http.client.ClientHttpRequestFactory;
import org.springframework.http.client.ClientHttpRequestInterceptor;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.http.client.SimpleClientHttpRequestFactory;

/**
 * Gives every request of a RestTemplate a credential. Needs Spring 4.3 or later and KeyschemeCredentials.java.
 *
 * <p>It stands last of the interceptors: what comes after it must not change the request.
 */
public final class KeyschemeInterceptor implements ClientHttpRequestInterceptor {
    private final String header;
    private final KeyschemeCredentials credentials;

    public KeyschemeInterceptor(String header, KeyschemeCredentials credentials) {
        this.header = header;
        this.credentials = credentials;
    }

    @Override
    public ClientHttpResponse intercept(HttpRequest request, byte[] body, ClientHttpRequestExecution execution)
            throws IOException {
        String value = credentials.value(request.getMethod().name(), request.getURI(), body);
        request.getHeaders().set(header, value);
        return execution.execute(request, body);
    }

    /** For the RestTemplate. By default it follows a GET's redirects with the same value, also to another host. */
    public static ClientHttpRequestFactory withoutRedirects() {
        return new SimpleClientHttpRequestFactory() {
            @Override
            protected void prepareConnection(HttpURLConnection connection, String method) throws IOException {
                super.prepareConnection(connection, method);
                connection.setInstanceFollowRedirects(false);
            }
        };
    }
}
