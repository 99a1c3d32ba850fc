"""requests_driver.py BASE: see Lines.java.

Kinds: value, example, call, query (the body's text), raw-query (as it stands), text, json, stream.
"""

import sys

import requests

import lines
from keyscheme_requests import KeyschemeAdapter

BASE = sys.argv[1]
SESSIONS = {}
for scheme, credential in lines.CREDENTIALS.items():
    SESSIONS[scheme] = session = requests.Session()
    session.trust_env = False
    session.mount(BASE + "/", KeyschemeAdapter("X-API-KEY", credential))


def send(kind, scheme, method, target, body):
    options = {
        "call": lambda: {"data": body},
        "query": lambda: {"params": {"q": body.decode()}},
        "raw-query": lambda: {"params": body.decode()},
        "text": lambda: {"data": body.decode()},
        "json": lambda: {"json": body.decode()},
        "stream": lambda: {"data": iter([body])},
    }[kind]()
    return SESSIONS[scheme].request(method, BASE + target, **options).status_code


lines.answer(send)
for session in SESSIONS.values():
    session.close()
