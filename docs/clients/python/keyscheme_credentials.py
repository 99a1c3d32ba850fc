"""The header values of a key. Needs Python 3.8, and pycryptodome for all schemes but hmac1.

Each function gives a credential: called with a request, it returns a new value for one transmission.
Only hmac1 looks at the request; no content is an empty body.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from typing import Callable

Credential = Callable[[str, str, bytes], str]  # of a method, a target and a body

METHOD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Without an empty query, of which some libraries drop the question mark.
TARGET = r'/[!"$->@-~]*(\?[!"$-~]+)?'


def ecb0(cipher_key: bytes, api_key: bytes) -> Credential:
    value = base64.b64encode(_aes(cipher_key, "ECB").encrypt(_padded(api_key))).decode()
    return lambda method, target, body: value


def cbc1(key_id: str, cipher_key: bytes, api_key: bytes) -> Credential:
    def value(method: str, target: str, body: bytes) -> str:
        iv = secrets.token_bytes(16)
        sealed = _aes(cipher_key, "CBC", iv=iv).encrypt(_padded(api_key))
        return f"cbc1.{key_id}.{_base64url(iv + sealed)}"

    return value


def gcm1(service: str, key_id: str, cipher_key: bytes, api_key: bytes) -> Credential:
    _require(len(cipher_key) == 32, "the cipher key of gcm1 has 32 bytes")

    def value(method: str, target: str, body: bytes) -> str:
        ts, nonce = int(time.time()), secrets.token_bytes(12)
        aes = _aes(cipher_key, "GCM", nonce=nonce)
        aes.update(f"keyscheme/gcm1\n{service}\n{key_id}\n{ts}".encode())
        return f"gcm1.{key_id}.{ts}.{_base64url(nonce + b''.join(aes.encrypt_and_digest(api_key)))}"

    return value


def hmac1(service: str, key_id: str, secret: bytes) -> Credential:
    _require(len(secret) == 32, "the secret of hmac1 has 32 bytes")

    def value(method: str, target: str, body: bytes) -> str:
        covered = re.fullmatch(METHOD, method) and method != "CONNECT"
        _require(covered, f"hmac1 cannot cover the method {method!r}")
        _require(re.fullmatch(TARGET, target), f"hmac1 cannot cover the target {target!r}: write the / of an "
                 "empty path, percent-encode what is not ASCII, send no empty query")
        _require(isinstance(body, bytes), "hmac1 covers the body, which must be bytes and no stream")
        ts, nonce = int(time.time()), _base64url(secrets.token_bytes(16))
        digest = _base64url(hashlib.sha256(body).digest())
        joined = f"keyscheme/hmac1\n{service}\n{key_id}\n{ts}\n{nonce}\n{method}\n{target}\n{digest}"
        mac = _base64url(hmac.digest(secret, joined.encode(), "sha256"))
        return f"hmac1.{key_id}.{ts}.{nonce}.{digest}.{mac}"

    return value


def _aes(key: bytes, mode: str, **parameters):
    from Crypto.Cipher import AES

    return AES.new(key, getattr(AES, f"MODE_{mode}"), **parameters)


def _padded(api_key: bytes) -> bytes:
    missing = 16 - len(api_key) % 16
    return api_key + bytes([missing]) * missing


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)
