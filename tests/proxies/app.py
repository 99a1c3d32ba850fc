"""The service behind the proxy: it knows nothing of keyscheme, and answers what it saw."""

import hashlib
from typing import Annotated

from fastapi import FastAPI, Header, Request

app = FastAPI()
calls = 0


@app.get("/calls")
def count():
    """How many requests came through to a handler; the tests ask behind the proxy's back."""
    return {"calls": calls}


@app.api_route("/{path:path}", methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def echo(
    request: Request,
    x_auth_client: Annotated[str | None, Header()] = None,
    x_auth_body: Annotated[str | None, Header()] = None,
):
    global calls
    calls += 1
    target = request.scope["raw_path"]
    if request.scope["query_string"]:
        target += b"?" + request.scope["query_string"]
    return {
        "method": request.method,
        "target": target.decode("latin-1"),
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in request.headers.raw],
        "client": x_auth_client,
        "body": x_auth_body,
        "sha256": hashlib.sha256(await request.body()).hexdigest(),
    }
