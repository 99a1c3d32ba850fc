"""httpx_driver.py BASE: see Lines.java.

Kinds: value, example, call, follow, query (the body's text), text, json, stream, async.
"""

import asyncio
import sys

import httpx

import lines
from keyscheme_httpx import KeyschemeAuth

BASE = sys.argv[1]
CLIENTS = {
    scheme: httpx.Client(auth=KeyschemeAuth("X-API-KEY", credential), trust_env=False)
    for scheme, credential in lines.CREDENTIALS.items()
}


async def send_async(scheme, method, target, body):
    auth = KeyschemeAuth("X-API-KEY", lines.CREDENTIALS[scheme])
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        return (await client.request(method, BASE + target, content=body)).status_code


def send(kind, scheme, method, target, body):
    if kind == "async":
        return asyncio.run(send_async(scheme, method, target, body))
    options = {
        "call": lambda: {"content": body},
        "follow": lambda: {"content": body, "follow_redirects": True},
        "query": lambda: {"params": {"q": body.decode()}},
        "text": lambda: {"content": body.decode()},
        "json": lambda: {"json": body.decode()},
        "stream": lambda: {"content": iter([body])},
    }[kind]()
    return CLIENTS[scheme].request(method, BASE + target, **options).status_code


lines.answer(send)
for client in CLIENTS.values():
    client.close()
