"""Credentials for requests. Needs requests 2.28 or later and keyscheme_credentials.py."""

import requests

from keyscheme_credentials import Credential


class KeyschemeAdapter(requests.adapters.HTTPAdapter):
    """Gives everything that a session sends below a URL a credential: mount it there, with the final slash.

    A redirect that is followed takes a new one, and none where it leads elsewhere. Nothing is sent again
    by itself.
    """

    def __init__(self, header: str, credential: Credential):
        super().__init__(max_retries=0)
        self.header = header
        self.credential = credential

    def send(self, request: requests.PreparedRequest, *args, **kwargs) -> requests.Response:
        request = request.copy()  # The session makes the next redirect of its own, which has no credential.
        request.prepare_url(request.url, None)  # As urllib3 would spell it.
        if isinstance(request.body, str):
            request.body = request.body.encode()
            request.prepare_content_length(request.body)
        target = self.request_url(request, None)
        request.headers[self.header] = self.credential(request.method, target, request.body or b"")
        return super().send(request, *args, **kwargs)
