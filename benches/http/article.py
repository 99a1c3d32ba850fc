"""The middleware that the article shows, on uvicorn with one worker.

    python article.py              # serves, and says where
    python article.py --versions   # what it would serve with; fails where something is missing
"""

import base64
import importlib.util
import os
import socket
import sys

import fastapi
import starlette
import uvicorn
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.middleware.base import BaseHTTPMiddleware

SALT = os.environ.get("SALT", "").encode()
API_KEY = os.environ.get("API_KEY", "")


def decrypt(value: str) -> str:
    cipher = AES.new(SALT, AES.MODE_ECB)
    return unpad(cipher.decrypt(base64.b64decode(value)), AES.block_size).decode("utf-8")


class ApiKeyMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        value = request.headers.get("X-API-KEY")
        if value is None:
            return JSONResponse({"detail": "Missing API Key"}, status_code=401)
        try:
            api_key = decrypt(value)
        except Exception:
            return JSONResponse({"detail": "Invalid API Key"}, status_code=401)
        if api_key != API_KEY:
            return JSONResponse({"detail": "Invalid API Key"}, status_code=401)
        return await call_next(request)


app = FastAPI()
app.add_middleware(ApiKeyMiddleware)


@app.get("/v1/voices")
async def voices():
    return PlainTextResponse("hello, spring-main\n")


def versions() -> str:
    has = lambda name: importlib.util.find_spec(name) is not None
    return ", ".join([
        f"Python {sys.version.split()[0]}",
        f"FastAPI {fastapi.__version__}",
        f"Starlette {starlette.__version__}",
        f"uvicorn {uvicorn.__version__}",
        "uvloop" if has("uvloop") else "no uvloop",
        "httptools" if has("httptools") else "no httptools",
    ])


if __name__ == "__main__":
    if "--versions" in sys.argv:
        print(versions())
        sys.exit()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    # Nothing is logged of a request, which is to its advantage.
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
