import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.client.ClientHttpResponse;
import org.springframework.web.client.DefaultResponseErrorHandler;
import org.springframework.web.client.RestTemplate;

/** {@code java SpringDriver BASE}: see Lines. Kinds: value, call, follow, query (the body's text), text. */
final class SpringDriver {
    private static final Map<KeyschemeCredentials, RestTemplate> TEMPLATES = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Lines.answer((kind, credentials, method, target, body) -> {
            RestTemplate spring = TEMPLATES.computeIfAbsent(credentials, SpringDriver::template);
            HttpMethod name = HttpMethod.valueOf(method);
            String text = new String(body, UTF_8);
            switch (kind) {
                case "query":
                    return spring.exchange(args[0] + target + "?q={q}", name, null, byte[].class, text)
                            .getStatusCodeValue();
                case "text":
                    HttpHeaders headers = new HttpHeaders();
                    headers.setContentType(new MediaType("text", "plain", UTF_8));
                    return spring.exchange(args[0] + target, name, new HttpEntity<>(text, headers), byte[].class)
                            .getStatusCodeValue();
                case "follow":
                    spring = withInterceptor(new RestTemplate(), credentials);
                    break;
                default:
                    break;
            }
            HttpEntity<byte[]> entity = body.length == 0 ? null : new HttpEntity<>(body);
            return spring.exchange(URI.create(args[0] + target), name, entity, byte[].class).getStatusCodeValue();
        });
    }

    private static RestTemplate template(KeyschemeCredentials credentials) {
        return withInterceptor(new RestTemplate(KeyschemeInterceptor.withoutRedirects()), credentials);
    }

    private static RestTemplate withInterceptor(RestTemplate template, KeyschemeCredentials credentials) {
        template.getInterceptors().add(new KeyschemeInterceptor("X-API-KEY", credentials));
        template.setErrorHandler(new DefaultResponseErrorHandler() {
            @Override
            public boolean hasError(ClientHttpResponse response) throws IOException {
                return false;
            }
        });
        return template;
    }
}
