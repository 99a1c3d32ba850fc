"""Credentials for httpx. Needs httpx 0.23 or later and keyscheme_credentials.py."""

import httpx

from keyscheme_credentials import Credential


class KeyschemeAuth(httpx.Auth):
    """Gives every request of a client, or of an asynchronous one, a credential.

    Leave follow_redirects off, as it is by default: httpx would send the same value again, also to another host.
    """

    requires_request_body = True

    def __init__(self, header: str, credential: Credential):
        self.header = header
        self.credential = credential

    def auth_flow(self, request: httpx.Request):
        target = request.url.raw_path.decode("ascii")
        request.headers[self.header] = self.credential(request.method, target, request.content)
        yield request
