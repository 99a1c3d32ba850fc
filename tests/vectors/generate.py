#!/usr/bin/env python3
"""Writes the test vectors of keyscheme: one case per file, `<scheme>/*.json` and `wire/*.json`.

Why it exists: vectors that a library writes for itself prove only that it agrees with itself. This
program shares no code with the library, not even the language; it was written from the wire format
(docs/spec.md) and uses other cryptography. It seals the credentials, damages them, states by hand
what a verifier must answer, and checks every answer against a verifier of its own before it writes
a file.

    pip install pycryptodome     # Python 3.11 or later, nothing else
    python generate.py           # writes the files beside itself, removes those no longer made
    python generate.py --check   # writes nothing; exit 1 where a file would change

Every run gives the same bytes. The file format is described in docs/spec.md, "Test vectors".
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import unicodedata
from pathlib import Path

from Crypto.Cipher import AES

HERE = Path(__file__).resolve().parent
NOW = 1700000000
SERVICE, KEY_ID = "stt", "spring-1"
METHOD, TARGET, BODY = "POST", "/v1/stt?lang=ko&q=%EA%B0%80+%20", "안녕".encode()
API_KEY = "가나다".encode()
K16, K24, K32 = (bytes(range(n)) for n in (16, 24, 32))
R12, R16 = bytes(range(12)), bytes(range(16))
LONG = b"an API key of three blocks: 40 bytes...."  # blocks that can be swapped and dropped

WORKED = {
    "ecb0/worked-example-bare": "1PT1wfcJslWitK2mN3f9PA==",
    "ecb0/worked-example-tagged": "ecb0.spring-1.1PT1wfcJslWitK2mN3f9PA",
    "cbc1/worked-example": "cbc1.spring-1.AAECAwQFBgcICQoLDA0OD60p-5CdPzs6KUGKGOr5Ohk",
    "gcm1/worked-example": "gcm1.spring-1.1700000000."
                           "AAECAwQFBgcICQoLrbJW8Ed9KZAppRZqjUUsLNpF5VM21xbIHg",
    "hmac1/worked-example": "hmac1.spring-1.1700000000.AAECAwQFBgcICQoLDA0ODw."
                            "6PgX80bR1BHMWdW92mT6s3Y4kOHw-PTBWAXPeIdNaL8."
                            "Ikv5cIEY13ecpAQA7nbPcQmU50N_Cw60KbYxqYXQtok",
}

# ---------------------------------------------------------------- primitives


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def canonical(text: str, encode) -> bytes | None:
    """The bytes of `text`, or None unless encoding them again gives `text` exactly."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4),
                                altchars=b"-_" if encode is url else None)
    except ValueError:
        return None
    return data if encode(data) == text else None


def pkcs7(data: bytes) -> bytes:
    n = 16 - len(data) % 16
    return data + bytes([n]) * n


def ecb(key: bytes, padded: bytes) -> bytes:
    return AES.new(key, AES.MODE_ECB).encrypt(padded)


def cbc(key: bytes, iv: bytes, padded: bytes) -> bytes:
    return AES.new(key, AES.MODE_CBC, iv=iv).encrypt(padded)


def gcm(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=16)
    cipher.update(aad)
    return b"".join(cipher.encrypt_and_digest(plaintext))


def mac256(secret: bytes, data: bytes) -> bytes:
    return hmac.new(secret, data, hashlib.sha256).digest()


def lines(*fields) -> bytes:
    return "\n".join(str(f) for f in fields).encode()


# ---------------------------------------------------------------- issuing: (credential, steps)
# The keyword arguments that no honest issuer would set (aad, joined, padded, …) make wrong ones.


def ecb0(key=K16, api_key=API_KEY, form="bare", key_id=KEY_ID, padded=None):
    padded = pkcs7(api_key) if padded is None else padded
    out = ecb(key, padded)
    text = b64(out) if form == "bare" else f"ecb0.{key_id}.{url(out)}"
    return text, {"padded-plaintext": padded, "ciphertext": out, "random": b"", "form": form}


def cbc1(key=K16, api_key=API_KEY, iv=R16, key_id=KEY_ID, padded=None):
    padded = pkcs7(api_key) if padded is None else padded
    out = cbc(key, iv, padded)
    return (f"cbc1.{key_id}.{url(iv + out)}",
            {"padded-plaintext": padded, "ciphertext": out, "random": iv, "form": "tagged"})


def gcm1(key=K32, api_key=API_KEY, ts=NOW, nonce=R12, service=SERVICE, key_id=KEY_ID, aad=None):
    aad = lines("keyscheme/gcm1", service, key_id, ts) if aad is None else aad
    out = gcm(key, nonce, aad, api_key)
    return (f"gcm1.{key_id}.{ts}.{url(nonce + out)}",
            {"additional-data": aad, "ciphertext": out[:-16], "tag": out[-16:], "random": nonce,
             "form": "tagged"})


def hmac1(secret=K32, ts=NOW, nonce=R16, service=SERVICE, key_id=KEY_ID, method=METHOD,
          target=TARGET, body=BODY, n=None, d=None, joined=None):
    """`body=None` leaves the body uncovered; `n` and `d` replace the nonce and digest fields."""
    n = url(nonce) if n is None else n
    digest = None if body is None else hashlib.sha256(body).digest()
    d = d if d is not None else "-" if body is None else url(digest)
    if joined is None:
        joined = lines("keyscheme/hmac1", service, key_id, ts, n, method, target, d)
    mac = mac256(secret, joined)
    steps = {"digest": digest, "joined": joined, "mac": mac, "random": nonce, "form": "tagged"}
    steps = {k: v for k, v in steps.items() if v is not None}
    return f"hmac1.{key_id}.{ts}.{n}.{d}.{url(mac)}", steps


# ---------------------------------------------------------------- verifying: reason or "accepted"


def fields_of(scheme: str, payload: str):
    """The parsed payload, or None where it is malformed."""
    if scheme in ("ecb0", "cbc1"):
        data = canonical(payload, url)
        blocks = None if data is None or len(data) % 16 else len(data) // 16 - (scheme == "cbc1")
        return data if blocks and 1 <= blocks <= 17 else None
    parts = payload.split(".")
    if len(parts) != {"gcm1": 2, "hmac1": 4}[scheme]:
        return None
    if not re.fullmatch("[1-9][0-9]{0,10}", parts[0]):
        return None
    if scheme == "gcm1":
        data = canonical(parts[1], url)
        return (int(parts[0]), data) if data is not None and 29 <= len(data) <= 284 else None
    ts, n, d, mac = parts
    sizes_ok = all(text == "-" and size is None or len(canonical(text, url) or b"") == (size or 32)
                   for text, size in ((n, 16), (d, None), (mac, 32)))
    return (int(ts), n, d, canonical(mac, url)) if sizes_ok else None


def verify(case: dict) -> str:
    key, request = case["key"], case["request"]
    material = {name: bytes.fromhex(value) for name, value in key["material"].items()}
    values = [value.encode() for value in request["credential"]]
    if len(values) > 1 or any(b"," in value for value in values):
        return "ambiguous"
    if not values or values == [b""]:
        return "missing"
    if not re.fullmatch(rb"[A-Za-z0-9._~+/=-]{1,1024}", values[0]):
        return "malformed"
    text = values[0].decode()
    if "." in text:
        m = re.fullmatch(r"([a-z][a-z0-9]{1,15})\.([a-z0-9][a-z0-9-]{0,31})\.(.+)", text)
        if not m:
            return "malformed"
        scheme, key_id, payload = m.groups()
    else:
        data = canonical(text, b64)
        if data is None:
            return "malformed"
        scheme, key_id, payload = "ecb0", key["id"], url(data)
    if scheme not in ("ecb0", "cbc1", "gcm1", "hmac1"):
        return "unknown-scheme"
    if scheme != key["scheme"]:
        return "scheme-refused"
    if key_id != key["id"]:
        return "unknown-key"
    got = fields_of(scheme, payload)
    if got is None:
        return "malformed"
    ts = digest = None
    if scheme == "ecb0":
        genuine = hmac.compare_digest(got, ecb(material["cipher-key"], pkcs7(material["api-key"])))
    elif scheme == "cbc1":
        again = cbc(material["cipher-key"], got[:16], pkcs7(material["api-key"]))
        genuine = hmac.compare_digest(got[16:], again)
    elif scheme == "gcm1":
        ts, data = got
        aad = lines("keyscheme/gcm1", case["service"], key_id, ts)
        again = gcm(material["cipher-key"], data[:12], aad, material["api-key"])
        genuine = hmac.compare_digest(data[12:], again)
    else:
        ts, n, digest, mac = got
        method, target = request["method"], request["target"]
        joined = lines("keyscheme/hmac1", case["service"], key_id, ts, n, method, target, digest)
        genuine = hmac.compare_digest(mac, mac256(material["secret"], joined))
        genuine &= method != "CONNECT"
        genuine &= bool(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", method))
        genuine &= bool(re.fullmatch(r"/[\x21\x22\x24-\x7e]*", target))
    if not genuine:
        return "bad-credential"
    if ts is not None and ts < case["now"] - case["accept"]["max-age"]:
        return "stale"
    if ts is not None and ts > case["now"] + 30:
        return "early"
    if digest == "-":
        return "accepted" if case["accept"]["uncovered-body"] else "body-not-covered"
    content = bytes.fromhex(request["body"])
    if digest is not None and digest != url(hashlib.sha256(content).digest()):
        return "body-mismatch"
    return "accepted"


# ---------------------------------------------------------------- writing

FILES: dict[str, str] = {}


def put(name, expect, description, credential, steps=None, *, scheme=None, key_id=KEY_ID, key=None,
        api_key=API_KEY, service=SERVICE, max_age=300, uncovered=False, now=NOW, method=METHOD,
        target=TARGET, body=BODY):
    scheme = scheme or name.split("/")[0]
    key = key or (K16 if scheme in ("ecb0", "cbc1") else K32)
    material = {"secret": key} if scheme == "hmac1" else {"cipher-key": key, "api-key": api_key}
    case = {
        "description": description,
        "service": service,
        "key": {"id": key_id, "scheme": scheme,
                "material": {k: v.hex() for k, v in material.items()}},
        "accept": {"max-age": max_age, "uncovered-body": uncovered},
        "now": now,
        "request": {"credential": [credential] if isinstance(credential, str) else credential,
                    "method": method, "target": target, "body": body.hex()},
        "expect": expect,
    }
    if steps is not None:
        case["steps"] = {k: v.hex() if isinstance(v, bytes) else v for k, v in steps.items()}
    assert name + ".json" not in FILES, f"{name}: twice"
    assert (steps is None) == (expect != "accepted"), f"{name}: steps belong to accepted cases"
    assert WORKED.get(name) in (None, credential), f"{name}: not the published example"
    assert (answer := verify(case)) == expect, f"{name}: {answer}, not {expect}"
    FILES[name + ".json"] = json.dumps(case, indent=2, ensure_ascii=True) + "\n"


def good(name, description, issued, **kw):
    put(name, "accepted", description, *issued, **kw)


def flip(data: bytes, bit: int) -> bytes:
    """Bit 0 is the lowest bit of the first byte; -1 is the highest of the last."""
    bit %= len(data) * 8
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def trailing(text: str) -> str:
    """The same bytes, spelled with one unused bit of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = len(text.rstrip("=")) - 1
    return text[:at] + alphabet[alphabet.index(text[at]) + 1] + text[at + 1:]


def with_plus_and_slash(issue):
    """The first API key `key-<n>` whose credential has both characters that the alphabets spell
    differently."""
    keys = (b"key-%d" % n for n in range(10000))
    return next(k for k in keys if all(c in b64(issue(k)) for c in "+/"))


SIZES = (1, 15, 16, 17, 255, 256)
KOREAN = "한국어 음성 인식 열쇠".encode()
BINARY = b"\x00\xff\n,\r\x80\xfe\x02\x02"  # NUL, LF, comma, CR, ends like padding


def sized(n: int) -> bytes:
    return bytes((i * 7 + n) % 256 for i in range(n))


def wrong_texts():
    """Texts that a client mistakes for the bytes of the API key 가나다."""
    nfd = unicodedata.normalize("NFD", "가나다").encode()
    yield ("line-feed", "the API key with the line feed of the file it was read from",
           API_KEY + b"\n")
    yield ("byte-order-mark", "the API key with a byte order mark in front",
           b"\xef\xbb\xbf" + API_KEY)
    yield "decomposed", "the API key in Unicode form NFD", nfd
    yield ("locale-c",
           "the API key as Java before 18 encodes it under LC_ALL=C, three question marks", b"???")


def make_ecb0():
    good("ecb0/worked-example-bare", "The worked example, bare.", ecb0())
    good("ecb0/worked-example-tagged", "The worked example, tagged.", ecb0(form="tagged"))
    good("ecb0/valid-aes-192-bare", "A cipher key of 24 bytes.", ecb0(K24), key=K24)
    good("ecb0/valid-aes-256-tagged", "A cipher key of 32 bytes.", ecb0(K32, form="tagged"),
         key=K32)
    for n in SIZES:
        for form in ("bare", "tagged")[:1 + (n == 256)]:
            good(f"ecb0/valid-api-key-{n}-byte{'s' * (n > 1)}-{form}",
                 f"An API key of {n} byte{'s' * (n > 1)}.",
                 ecb0(api_key=sized(n), form=form), api_key=sized(n))
    good("ecb0/valid-api-key-korean", "A Korean API key of more than one block.",
         ecb0(api_key=KOREAN), api_key=KOREAN)
    good("ecb0/valid-api-key-binary", "An API key that is not text.", ecb0(api_key=BINARY),
         api_key=BINARY)
    like = bytes([16]) * 16
    good("ecb0/valid-api-key-like-padding", "An API key that equals a whole block of padding.",
         ecb0(api_key=like), api_key=like)
    good("ecb0/valid-nothing-is-bound",
         "Another service, time, method, target and body: ecb0 covers none of them.",
         ecb0(), service="tts", now=1, method="GET", target="*", body=b"")

    bare, tagged = ecb0()[0], ecb0(form="tagged")[0]
    out = ecb(K16, pkcs7(API_KEY))
    bad = [
        ("bare-missing-padding", "The bare form without its padding characters.", bare.rstrip("=")),
        ("bare-extra-padding", "The bare form with a third padding character.", bare + "="),
        ("bare-trailing-bits", "The bare form with an unused bit of its last character set.",
         trailing(bare)),
        ("bare-line-break", "A line break within the bare form, as MIME encoders put it.",
         bare[:12] + "\r\n" + bare[12:]),
        ("bare-line-feed-at-the-end", "A line feed after the bare form.", bare + "\n"),
        ("bare-api-key-in-clear", "The API key itself in Base64, not encrypted.", b64(API_KEY)),
        ("ciphertext-3-bytes-bare", "Canonical Base64 of 3 bytes.", "AAAA"),
        ("ciphertext-15-bytes-bare", "A ciphertext without its last byte.", b64(out[:15])),
        ("ciphertext-17-bytes-bare", "A ciphertext with one byte more.", b64(out + b"\0")),
        ("ciphertext-288-bytes-bare", "One block more than the longest API key gives.",
         b64(bytes(288))),
        ("ciphertext-288-bytes-tagged", "One block more than the longest API key gives, tagged.",
         f"ecb0.{KEY_ID}.{url(bytes(288))}"),
        ("tagged-with-padding", "The tagged form with padding characters.", tagged + "=="),
        ("tagged-trailing-bits", "The tagged form with an unused bit of its last character set.",
         trailing(tagged)),
        ("tagged-impossible-length", "A payload of 4n + 1 characters.", tagged[:-1]),
        ("tagged-extra-field", "A second field after the ciphertext.", tagged + ".AAAA"),
        ("tagged-dot-at-the-end", "An empty second field after the ciphertext.", tagged + "."),
    ]
    for name, text, value in bad:
        put(f"ecb0/{name}", "malformed", text, value)
    k = with_plus_and_slash(lambda k: ecb(K16, pkcs7(k)))
    swap = str.maketrans("+/-_", "-_+/")
    put("ecb0/bare-url-alphabet", "malformed", "The bare form in the base64url alphabet.",
        ecb0(api_key=k)[0].translate(swap), api_key=k)
    put("ecb0/tagged-standard-alphabet", "malformed",
        "The tagged form in the standard Base64 alphabet.",
        f"ecb0.{KEY_ID}." + ecb0(api_key=k)[0].rstrip("="), api_key=k)

    a, b, c = (ecb(K16, pkcs7(LONG))[i:i + 16] for i in (0, 16, 32))
    for name, text, data in [
        ("blocks-swapped", "The first two blocks change places.", b + a + c),
        ("first-block-dropped", "The first block is missing.", b + c),
        ("last-block-dropped", "The last block is missing.", a + b),
        ("block-repeated", "The last block is there twice.", a + b + c + c),
        ("first-bit-flipped", "One bit of the first block is flipped.", flip(a + b + c, 0)),
        ("last-bit-flipped", "One bit of the last block is flipped.", flip(a + b + c, -1)),
    ]:
        put(f"ecb0/{name}", "bad-credential", text, b64(data), api_key=LONG)
    for name, text, value in [
        ("bare-other-api-key", "A well-formed bare value of another API key.",
         ecb0(api_key=b"other")[0]),
        ("bare-other-cipher-key", "The API key under another cipher key.", ecb0(K16[::-1])[0]),
        ("bare-272-bytes-unknown", "A bare value of the greatest length that is not known.",
         b64(bytes(272))),
        ("tagged-other-api-key", "The tagged form of another API key.",
         ecb0(api_key=b"other", form="tagged")[0]),
        ("cipher-key-is-its-hex-text", "The cipher key used as its 32 hexadecimal characters.",
         ecb0(K16.hex().encode())[0]),
        ("padded-with-zeros", "Zero bytes in place of PKCS7.",
         ecb0(padded=API_KEY.ljust(16, b"\0"))[0]),
    ]:
        put(f"ecb0/{name}", "bad-credential", text, value)
    for name, text, k in wrong_texts():
        put(f"ecb0/api-key-{name}", "bad-credential", f"The value seals {text}.",
            ecb0(api_key=k)[0])
    k = sized(16)
    put("ecb0/padding-block-missing", "bad-credential",
        "An API key of 16 bytes without its block of padding.", ecb0(padded=k)[0], api_key=k)
    put("ecb0/tagged-unknown-key", "unknown-key",
        "The right ciphertext under a key id that does not exist.",
        ecb0(form="tagged", key_id="spring-2")[0])


def make_cbc1():
    good("cbc1/worked-example", "The worked example.", cbc1())
    good("cbc1/valid-aes-192", "A cipher key of 24 bytes.", cbc1(K24), key=K24)
    good("cbc1/valid-aes-256", "A cipher key of 32 bytes.", cbc1(K32), key=K32)
    for n in SIZES:
        good(f"cbc1/valid-api-key-{n}-byte{'s' * (n > 1)}",
             f"An API key of {n} byte{'s' * (n > 1)}.", cbc1(api_key=sized(n)), api_key=sized(n))
    good("cbc1/valid-api-key-korean", "A Korean API key of more than one block.",
         cbc1(api_key=KOREAN), api_key=KOREAN)
    good("cbc1/valid-api-key-binary", "An API key that is not text.", cbc1(api_key=BINARY),
         api_key=BINARY)
    good("cbc1/valid-other-iv", "Another IV gives another credential of the same API key.",
         cbc1(iv=b"\xff" * 16))
    good("cbc1/valid-nothing-is-bound",
         "Another service, time, method, target and body: cbc1 covers none of them.",
         cbc1(), service="tts", now=1, method="GET", target="*", body=b"")

    def tag(data: bytes) -> str:
        return f"cbc1.{KEY_ID}.{url(data)}"

    text = cbc1()[0]
    both = R16 + cbc(K16, R16, pkcs7(API_KEY))
    for name, description, value in [
        ("15-bytes", "A payload shorter than its IV.", tag(both[:15])),
        ("iv-only", "An IV with no block after it.", tag(both[:16])),
        ("31-bytes", "A ciphertext without its last byte.", tag(both[:31])),
        ("33-bytes", "A ciphertext with one byte more.", tag(both + b"\0")),
        ("304-bytes", "One block more than the longest API key gives.", tag(bytes(304))),
        ("with-padding", "A payload with its padding character.", text + "="),
        ("trailing-bits", "An unused bit of the last character set.", trailing(text)),
        ("line-break", "A line break within the payload.", text[:30] + "\n" + text[30:]),
        ("iv-and-ciphertext-separated", "A dot between IV and ciphertext.",
         f"cbc1.{KEY_ID}.{url(both[:16])}.{url(both[16:])}"),
        ("dot-at-the-end", "An empty second field.", text + "."),
    ]:
        put(f"cbc1/{name}", "malformed", description, value)
    k = with_plus_and_slash(lambda k: R16 + cbc(K16, R16, pkcs7(k)))
    put("cbc1/standard-alphabet", "malformed", "The payload in the standard Base64 alphabet.",
        f"cbc1.{KEY_ID}." + b64(R16 + cbc(K16, R16, pkcs7(k))).rstrip("="), api_key=k)

    long = R16 + cbc(K16, R16, pkcs7(LONG))
    iv, a, b, c = (long[i:i + 16] for i in range(0, 64, 16))
    other = R16[::-1] + cbc(K16, R16[::-1], pkcs7(LONG))
    for name, description, data in [
        ("iv-first-bit-flipped", "One bit of the IV's first byte is flipped.", flip(long, 0)),
        ("iv-last-bit-flipped", "One bit of the IV's last byte is flipped.",
         flip(iv, -1) + a + b + c),
        ("ciphertext-first-bit-flipped", "One bit of the first block is flipped.",
         iv + flip(a, 0) + b + c),
        ("ciphertext-last-bit-flipped", "One bit of the last block is flipped.", flip(long, -1)),
        ("padding-probe", "One bit of the byte that decides the last padding byte is flipped.",
         iv + a + flip(b, 120) + c),
        ("blocks-swapped", "The first two blocks change places.", iv + b + a + c),
        ("last-block-dropped", "The last block is missing.", iv + a + b),
        ("first-block-dropped", "The first block after the IV is missing.", iv + b + c),
        ("iv-dropped", "The IV is missing, and the first block stands in its place.", a + b + c),
        ("block-repeated", "The last block is there twice.", long + c),
        ("iv-of-another-credential", "The IV of one credential and the ciphertext of another.",
         other[:16] + a + b + c),
        ("ecb-after-the-iv", "The API key is encrypted in ECB mode and an IV put in front.",
         iv + ecb(K16, pkcs7(LONG))),
    ]:
        put(f"cbc1/{name}", "bad-credential", description, tag(data), api_key=LONG)
    for name, description, value in [
        ("other-api-key", "The credential of another API key.", cbc1(api_key=b"other")[0]),
        ("other-cipher-key", "The API key under another cipher key.", cbc1(K16[::-1])[0]),
        ("padded-with-zeros", "Zero bytes in place of PKCS7.",
         cbc1(padded=API_KEY.ljust(16, b"\0"))[0]),
        ("288-bytes-unknown", "A payload of the greatest length that is not the key's.",
         tag(bytes(288))),
    ]:
        put(f"cbc1/{name}", "bad-credential", description, value)
    put("cbc1/unknown-key", "unknown-key", "The right payload under a key id that does not exist.",
        cbc1(key_id="spring-2")[0])
    put("cbc1/bare", "scheme-refused", "The payload in the bare form, which belongs to ecb0.",
        b64(both))


FRESHNESS = [  # name, description, ts, now, max-age, expect
    ("age-is-max-age", "ts = now - max-age, the oldest that is accepted.",
     NOW - 300, NOW, 300, "accepted"),
    ("age-is-max-age-plus-1", "One second older than max-age.", NOW - 301, NOW, 300, "stale"),
    ("ahead-by-30", "ts = now + 30, the latest that is accepted.", NOW + 30, NOW, 300, "accepted"),
    ("ahead-by-31", "ts = now + 31.", NOW + 31, NOW, 300, "early"),
    ("ahead-by-max-age", "ts = now + max-age: the two sides are not one distance.",
     NOW + 300, NOW, 300, "early"),
    ("max-age-1-age-1", "The least max-age, at its edge.", NOW - 1, NOW, 1, "accepted"),
    ("max-age-1-age-2", "The least max-age, one second later.", NOW - 2, NOW, 1, "stale"),
    ("max-age-1-ahead-by-30", "A max-age below 30 s does not narrow the future side.",
     NOW + 30, NOW, 1, "accepted"),
    ("max-age-86400-age-86400", "The greatest max-age, at its edge.",
     NOW - 86400, NOW, 86400, "accepted"),
    ("clock-below-max-age", "now - max-age is negative.", 1, 100, 300, "accepted"),
    ("ts-11-digits", "The greatest ts, genuine and far in the future.",
     99999999999, NOW, 300, "early"),
    ("ts-1", "The least ts, genuine and long past.", 1, NOW, 300, "stale"),
]
TIMES = [  # sealed as they stand, so that only the grammar refuses them
    ("ts-zero", "0"), ("ts-leading-zero", f"0{NOW}"), ("ts-plus-sign", f"+{NOW}"),
    ("ts-minus-sign", f"-{NOW}"), ("ts-exponent", "17e8"), ("ts-12-digits", "100000000000"),
    ("ts-20-digits", "18446744073709551616"), ("ts-empty", ""),
]


def make_gcm1():
    good("gcm1/worked-example", "The worked example.", gcm1())
    for n in (1, 16, 255, 256):
        good(f"gcm1/valid-api-key-{n}-byte{'s' * (n > 1)}",
             f"An API key of {n} byte{'s' * (n > 1)}.", gcm1(api_key=sized(n)), api_key=sized(n))
    good("gcm1/valid-api-key-korean", "A Korean API key.", gcm1(api_key=KOREAN), api_key=KOREAN)
    good("gcm1/valid-api-key-binary", "An API key that is not text.", gcm1(api_key=BINARY),
         api_key=BINARY)
    good("gcm1/valid-service-63-characters", "The longest service name.",
         gcm1(service="a.b-" * 15 + "c.d"), service="a.b-" * 15 + "c.d")
    good("gcm1/valid-request-is-not-bound",
         "Another method, target and body: gcm1 does not cover the request.", gcm1(),
         method="OPTIONS", target="*", body=b"")
    for name, text, ts, now, max_age, expect in FRESHNESS:
        issued = gcm1(ts=ts)
        put(f"gcm1/{name}", expect, text, *issued[:1 + (expect == "accepted")], now=now,
            max_age=max_age)
    for name, ts in TIMES:
        put(f"gcm1/{name}", "malformed", f"A ts of `{ts}`, sealed as it stands.", gcm1(ts=ts)[0])

    def tag(data: bytes) -> str:
        return f"gcm1.{KEY_ID}.{NOW}.{url(data)}"

    text = gcm1()[0]
    data = R12 + gcm(K32, R12, gcm1()[1]["additional-data"], API_KEY)  # 12 + 9 + 16
    for name, description, value in [
        ("tag-truncated-to-4-bytes",
         "A tag of 4 bytes: 25 bytes cannot hold nonce, one byte and tag.", tag(data[:-12])),
        ("28-bytes", "Nonce and tag with nothing between them.",
         tag(R12 + gcm(K32, R12, gcm1()[1]["additional-data"], b""))),
        ("285-bytes", "One byte more than the longest API key gives.", tag(bytes(285))),
        ("with-padding", "A payload with its padding characters.", text + "=="),
        ("trailing-bits", "An unused bit of the last character set.", trailing(text)),
        ("line-break", "A line break within the payload.", text[:40] + "\n" + text[40:]),
        ("ts-missing", "No ts.", f"gcm1.{KEY_ID}.{url(data)}"),
        ("ts-with-fraction", "A ts with a fraction, whose dot makes a third field.",
         f"gcm1.{KEY_ID}.{NOW}.5.{url(data)}"),
        ("extra-field", "A third field.", text + ".AAAA"),
        ("dot-at-the-end", "An empty third field.", text + "."),
        ("ciphertext-missing", "An empty second field.", f"gcm1.{KEY_ID}.{NOW}."),
    ]:
        put(f"gcm1/{name}", "malformed", description, value)
    k = with_plus_and_slash(lambda k: R12 + gcm(K32, R12, gcm1()[1]["additional-data"], k))
    whole = R12 + gcm(K32, R12, gcm1()[1]["additional-data"], k)
    put("gcm1/standard-alphabet", "malformed", "The payload in the standard Base64 alphabet.",
        f"gcm1.{KEY_ID}.{NOW}." + b64(whole).rstrip("="), api_key=k)

    for n in (8, 12, 15):
        put(f"gcm1/tag-truncated-to-{n}-bytes", "bad-credential",
            f"A genuine tag cut to {n} bytes.", tag(data[:n - 16]))
    long = R12 + gcm(K32, R12, gcm1()[1]["additional-data"], LONG)
    put("gcm1/tag-truncated-to-4-bytes-long-api-key", "bad-credential",
        "A genuine tag cut to 4 bytes, in a payload that is long enough to parse.", tag(long[:-12]),
        api_key=LONG)
    sixteen = AES.new(K32, AES.MODE_GCM, nonce=R16, mac_len=16)
    sixteen.update(gcm1()[1]["additional-data"])
    full = gcm1()[1]["additional-data"]
    for name, description, value in [
        ("one-byte-more", "A byte after the tag.", tag(data + b"\0")),
        ("nonce-flipped", "One bit of the nonce is flipped.", tag(flip(data, 0))),
        ("nonce-16-bytes", "A nonce of 16 bytes.",
         tag(R16 + b"".join(sixteen.encrypt_and_digest(API_KEY)))),
        ("ciphertext-flipped", "One bit of the ciphertext is flipped.", tag(flip(data, 12 * 8))),
        ("tag-first-bit-flipped", "One bit of the tag's first byte is flipped.",
         tag(flip(data, 21 * 8))),
        ("tag-last-bit-flipped", "One bit of the tag's last byte is flipped.", tag(flip(data, -1))),
        ("tag-in-front", "The tag stands in front of the ciphertext.",
         tag(data[:12] + data[-16:] + data[12:-16])),
        ("284-bytes-unknown", "A payload of the greatest length that is not the key's.",
         tag(bytes(284))),
        ("ts-changed", "A stale credential whose ts was replaced by the present time.",
         gcm1(ts=NOW - 1000)[0].replace(str(NOW - 1000), str(NOW))),
        ("service-changed", "A credential that was sealed for another service.",
         gcm1(service="tts")[0]),
        ("key-id-changed", "A credential that was sealed under another key id.",
         gcm1(key_id="spring-2")[0].replace("spring-2", KEY_ID)),
        ("other-api-key-same-length", "Another API key of the same length.",
         gcm1(api_key=API_KEY[::-1])[0]),
        ("other-cipher-key", "Another cipher key.", gcm1(K32[::-1])[0]),
        ("additional-data-absent", "Sealed without additional data.", gcm1(aad=b"")[0]),
        ("additional-data-line-feed-at-the-end", "Additional data with a line feed at its end.",
         gcm1(aad=full + b"\n")[0]),
        ("additional-data-crlf", "Additional data joined by CR LF.",
         gcm1(aad=full.replace(b"\n", b"\r\n"))[0]),
        ("additional-data-without-label", "Additional data without its first line.",
         gcm1(aad=full.split(b"\n", 1)[1])[0]),
    ]:
        put(f"gcm1/{name}", "bad-credential", description, value)
    put("gcm1/unknown-key", "unknown-key",
        "A genuine credential under a key id that does not exist.", gcm1(key_id="spring-2")[0])
    put("gcm1/bad-before-stale", "bad-credential",
        "An old credential with a wrong tag: its time is not believed.", gcm1(K32[::-1], ts=1)[0])


def make_hmac1():
    good("hmac1/worked-example", "The worked example.", hmac1())
    good("hmac1/valid-body-empty", "A request without content: the digest of the empty string.",
         hmac1(body=b""), body=b"")
    binary = bytes(range(256))
    good("hmac1/valid-body-binary", "A body that is not text.", hmac1(body=binary), body=binary)
    good("hmac1/valid-get", "A GET without query or content.",
         hmac1(method="GET", target="/v1/stt", body=b""), method="GET", target="/v1/stt", body=b"")
    good("hmac1/valid-target-is-slash", "The shortest target.", hmac1(target="/"), target="/")
    good("hmac1/valid-empty-query", "A target that ends with a question mark.", hmac1(target="/a?"),
         target="/a?")
    every = "/" + "".join(map(chr, [0x21, 0x22, *range(0x24, 0x7F)]))
    good("hmac1/valid-target-every-byte", "A target of every byte that may stand in one.",
         hmac1(target=every), target=every)
    tokens = "!#$%&'*+-.^_`|~09AZaz"
    good("hmac1/valid-method-every-character",
         "A method of every kind of character that a token has.",
         hmac1(method=tokens), method=tokens)
    good("hmac1/valid-method-lower-case",
         "A method in lower case on both sides: it is compared byte for byte.",
         hmac1(method="patch"), method="patch")
    good("hmac1/valid-method-connect-lower-case",
         "`connect` is a method like any other, unlike CONNECT.",
         hmac1(method="connect"), method="connect")
    good("hmac1/valid-nonce-all-ones",
         "A nonce whose base64url has the characters of that alphabet.", hmac1(nonce=b"\xff" * 16))
    good("hmac1/uncovered-accepted", "The digest `-`, where the service allows it, with any body.",
         hmac1(body=None), uncovered=True)
    good("hmac1/covered-where-uncovered-is-allowed",
         "A digest, where the service would allow none.", hmac1(), uncovered=True)
    for name, text, ts, now, max_age, expect in FRESHNESS[:6]:
        issued = hmac1(ts=ts)
        put(f"hmac1/{name}", expect, text, *issued[:1 + (expect == "accepted")], now=now,
            max_age=max_age)
    for name, ts in TIMES[:6]:
        put(f"hmac1/{name}", "malformed", f"A ts of `{ts}`, signed as it stands.", hmac1(ts=ts)[0])

    text, n, d = hmac1()[0], url(R16), url(hashlib.sha256(BODY).digest())
    mac = text.split(".")[-1]
    for name, description, value in [
        ("nonce-empty", "An empty nonce.", hmac1(n="")[0]),
        ("nonce-15-bytes", "A nonce of 15 bytes.", hmac1(nonce=R16[:15])[0]),
        ("nonce-17-bytes", "A nonce of 17 bytes.", hmac1(nonce=R16 + b"\0")[0]),
        ("nonce-with-padding", "A nonce with its padding characters.", hmac1(n=n + "==")[0]),
        ("nonce-trailing-bits", "A nonce with an unused bit of its last character set.",
         hmac1(n=trailing(n))[0]),
        ("nonce-standard-alphabet", "A nonce in the standard Base64 alphabet.",
         hmac1(n=b64(b"\xff" * 16).rstrip("="))[0]),
        ("digest-empty", "An empty digest.", hmac1(d="")[0]),
        ("digest-two-dashes", "A digest of two dashes.", hmac1(d="--")[0]),
        ("digest-hex", "A digest in hexadecimal.", hmac1(d=hashlib.sha256(BODY).hexdigest())[0]),
        ("digest-trailing-bits", "A digest with an unused bit of its last character set.",
         hmac1(d=trailing(d))[0]),
        ("mac-empty", "An empty MAC.", text.removesuffix(mac)),
        ("mac-truncated-to-16-bytes", "The first half of the MAC.",
         text.removesuffix(mac) + url(hmac1()[1]["mac"][:16])),
        ("mac-with-padding", "The MAC with its padding character.", text + "="),
        ("mac-trailing-bits", "The MAC with an unused bit of its last character set.",
         trailing(text)),
        ("mac-missing", "Three fields.", text.rsplit(".", 1)[0]),
        ("extra-field", "A fifth field.", text + ".AAAA"),
        ("dot-at-the-end", "An empty fifth field.", text + "."),
    ]:
        put(f"hmac1/{name}", "malformed", description, value)

    full = hmac1()[1]["joined"]
    for name, description, value in [
        ("mac-first-bit-flipped", "One bit of the MAC's first byte is flipped.",
         text.removesuffix(mac) + url(flip(hmac1()[1]["mac"], 0))),
        ("mac-last-bit-flipped", "One bit of the MAC's last byte is flipped.",
         text.removesuffix(mac) + url(flip(hmac1()[1]["mac"], -1))),
        ("ts-changed", "A stale credential whose ts was replaced by the present time.",
         hmac1(ts=NOW - 1000)[0].replace(str(NOW - 1000), str(NOW))),
        ("nonce-changed", "The nonce was replaced by a new one.", text.replace(n, url(R16[::-1]))),
        ("digest-changed", "The digest was replaced by that of another body.",
         text.replace(d, url(hashlib.sha256(b"other").digest()))),
        ("service-changed", "A credential that was signed for another service.",
         hmac1(service="tts")[0]),
        ("key-id-changed", "A credential that was signed under another key id.",
         hmac1(key_id="spring-2")[0].replace("spring-2", KEY_ID)),
        ("other-secret", "Another secret.", hmac1(K32[::-1])[0]),
        ("secret-is-its-hex-text", "The secret used as its 64 hexadecimal characters.",
         hmac1(K32.hex().encode())[0]),
        ("joined-line-feed-at-the-end", "A line feed at the end of the joined text.",
         hmac1(joined=full + b"\n")[0]),
        ("joined-crlf", "The fields joined by CR LF.",
         hmac1(joined=full.replace(b"\n", b"\r\n"))[0]),
        ("joined-nonce-decoded", "The nonce joined as its 16 bytes, not as its text.",
         hmac1(joined=full.replace(n.encode(), R16))[0]),
        ("joined-digest-hex", "The digest joined in hexadecimal, not as its text.",
         hmac1(joined=full.replace(d.encode(), hashlib.sha256(BODY).hexdigest().encode()))[0]),
    ]:
        put(f"hmac1/{name}", "bad-credential", description, value)
    put("hmac1/digest-removed", "bad-credential",
        "The digest was replaced by `-`, where the service allows that.",
        text.replace(d, "-"), uncovered=True)
    for name, description, signed, sent in [
        ("query-mark-dropped", "Signed `/a?`, sent `/a`.", "/a?", "/a"),
        ("query-mark-added", "Signed `/a`, sent `/a?`.", "/a", "/a?"),
        ("query-order-changed", "The parameters change places.", "/a?b=1&c=2", "/a?c=2&b=1"),
        ("query-value-changed", "A parameter has another value.", "/a?b=1", "/a?b=2"),
        ("plus-became-percent-20", "Signed `+`, sent `%20`.", "/a?q=b+c", "/a?q=b%20c"),
        ("percent-2f-decoded", "Signed `%2F`, sent `/`.", "/a%2Fb", "/a/b"),
        ("percent-case-changed", "Signed `%2F`, sent `%2f`.", "/a%2Fb", "/a%2fb"),
        ("slashes-merged", "Signed `//`, sent `/`.", "/a//b", "/a/b"),
        ("dot-segment-removed", "Signed `/a/../b`, sent `/b`.", "/a/../b", "/b"),
        ("slash-at-the-end-dropped", "Signed `/a/`, sent `/a`.", "/a/", "/a"),
        ("prefix-stripped", "Signed `/v1/a`, judged as `/a`.", "/v1/a", "/a"),
    ]:
        put(f"hmac1/{name}", "bad-credential", description, hmac1(target=signed)[0], target=sent)
    for name, description, signed, sent in [
        ("method-changed", "Signed for POST, sent as DELETE.", "POST", "DELETE"),
        ("method-case-changed", "Signed for `post`, sent as POST.", "post", "POST"),
        ("method-head-for-get", "Signed for GET, sent as HEAD.", "GET", "HEAD"),
    ]:
        put(f"hmac1/{name}", "bad-credential", description, hmac1(method=signed)[0], method=sent)
    for name, target in [("asterisk", "*"), ("fragment", "/a#b"), ("empty", ""),
                         ("without-slash", "a"), ("absolute-form", "http://example.com/a"),
                         ("space", "/a b"), ("line-feed", "/a\nb"), ("not-ascii", "/가")]:
        put(f"hmac1/target-{name}", "bad-credential",
            "A target that no credential can cover, signed as it stands.",
            hmac1(target=target)[0], target=target)
    for name, method in [("empty", ""), ("space", "PO ST"), ("not-ascii", "PÖST")]:
        put(f"hmac1/method-{name}", "bad-credential",
            "A method that is not a token, signed as it stands.",
            hmac1(method=method)[0], method=method)
    put("hmac1/method-connect", "bad-credential",
        "CONNECT with an authority as its target, signed as it stands.",
        hmac1(method="CONNECT", target="example.com:443")[0], method="CONNECT",
        target="example.com:443")

    for name, description, body in [
        ("replaced", "Another body of the same length.", BODY[::-1]),
        ("extended", "The body with one byte more.", BODY + b"\n"),
        ("dropped", "No body, where one was signed.", b""),
    ]:
        put(f"hmac1/body-{name}", "body-mismatch", description, text, body=body)
    put("hmac1/body-added", "body-mismatch", "A body, where none was signed.", hmac1(body=b"")[0])
    put("hmac1/body-replaced-where-uncovered-is-allowed", "body-mismatch",
        "A digest that was given is compared, even where none is needed.", text, uncovered=True,
        body=b"other")
    put("hmac1/uncovered-refused", "body-not-covered",
        "The digest `-`, where the service does not allow it.", hmac1(body=None)[0])
    put("hmac1/uncovered-refused-without-content", "body-not-covered",
        "The digest `-` in a request without content.", hmac1(body=None)[0], body=b"")
    put("hmac1/unknown-key", "unknown-key",
        "A genuine credential under a key id that does not exist.", hmac1(key_id="spring-2")[0])
    put("hmac1/malformed-before-target", "malformed",
        "A malformed MAC and a target that cannot be covered.",
        hmac1(target="*")[0][:-1], target="*")
    put("hmac1/bad-before-stale", "bad-credential",
        "An old credential with a wrong MAC: its time is not believed.", hmac1(K32[::-1], ts=1)[0])
    put("hmac1/stale-before-uncovered", "stale", "An old credential that does not cover the body.",
        hmac1(ts=NOW - 301, body=None)[0])
    put("hmac1/stale-before-body-mismatch", "stale", "An old credential with another body.",
        hmac1(ts=NOW - 301)[0], body=b"")


def make_wire():
    ok, bare = gcm1()[0], ecb0()[0]
    payload = ok.split(".", 2)[2]

    def wire(name, expect, text, credential, **kw):
        put(f"wire/{name}", expect, text, credential, **{"scheme": "gcm1", **kw})

    wire("no-header", "missing", "The request does not have the header.", [])
    wire("empty-value", "missing", "One field line with an empty value.", "")
    wire("two-lines-equal", "ambiguous", "The same genuine credential on two field lines.",
         [ok, ok])
    wire("two-lines-genuine-first", "ambiguous", "A genuine credential, then another value.",
         [ok, "x"])
    wire("two-lines-genuine-last", "ambiguous", "Another value, then a genuine credential.",
         ["x", ok])
    wire("two-lines-one-empty", "ambiguous", "An empty field line and a genuine credential.",
         ["", ok])
    wire("two-lines-weak-after-broken", "ambiguous",
         "A broken gcm1 credential, then a genuine bare value.", [ok[:-1], bare], scheme="ecb0")
    wire("comma-joined", "ambiguous", "Two values joined by a comma, as intermediaries join lines.",
         f"{ok}, {ok}")
    wire("comma-alone", "ambiguous", "Nothing but a comma.", ",")
    wire("comma-at-the-end", "ambiguous", "A comma after a genuine credential.", ok + ",")
    wire("comma-before-size", "ambiguous", "A comma in a value of more than 1024 bytes.",
         ok + "," + "A" * 1024)
    wire("comma-before-alphabet", "ambiguous", "A comma and a byte outside the alphabet.",
         ok + ",%")

    head = "zzz9.k1."
    wire("1024-bytes", "unknown-scheme", "The longest value, of a scheme that does not exist.",
         head + "A" * (1024 - len(head)))
    wire("1025-bytes", "malformed", "One byte too long.", head + "A" * (1025 - len(head)))
    for name, text, value in [
        ("space-inside", "A space within the value.", ok.replace(".", " .", 1)),
        ("space-in-front", "A space that the HTTP layer has left in front of the value.", " " + ok),
        ("bearer", "A word in front of the credential.", "Bearer " + ok),
        ("nul", "A NUL after the scheme.", ok.replace(".", "\0.", 1)),
        ("full-width-scheme", "A scheme in full-width letters.", "ｇｃｍ１" + ok[4:]),
        ("full-width-dot", "Full-width full stops in place of dots.", ok.replace(".", "．")),
        ("percent-encoded-dot", "Percent-encoded dots.", ok.replace(".", "%2E")),
        ("scheme-upper-case", "A scheme in upper case.", "GCM1" + ok[4:]),
        ("scheme-1-character", "A scheme of one character.", f"g.{KEY_ID}.{payload}"),
        ("scheme-17-characters", "A scheme of 17 characters.",
         f"abcdefghijklmnop9.{KEY_ID}.{payload}"),
        ("scheme-digit-first", "A scheme that begins with a digit.", f"1gcm.{KEY_ID}.{payload}"),
        ("scheme-with-dash", "A scheme with a dash.", f"gcm-1.{KEY_ID}.{payload}"),
        ("scheme-empty", "An empty scheme.", f".{KEY_ID}.{payload}"),
        ("key-id-empty", "An empty key id.", f"gcm1..{payload}"),
        ("key-id-33-characters", "A key id of 33 characters.", f"gcm1.{'k' * 33}.{payload}"),
        ("key-id-dash-first", "A key id that begins with a dash.", f"gcm1.-spring.{payload}"),
        ("key-id-upper-case", "A key id in upper case.", f"gcm1.SPRING-1.{payload}"),
        ("key-id-underscore", "A key id with an underscore.", f"gcm1.spring_1.{payload}"),
        ("payload-empty", "An empty payload.", f"gcm1.{KEY_ID}."),
        ("payload-missing", "Scheme and key id alone.", f"gcm1.{KEY_ID}"),
        ("dot-alone", "Nothing but a dot.", "."),
        ("syntax-before-scheme",
         "A key id that breaks the grammar, under a scheme that does not exist.", "zzz9.K1.x"),
    ]:
        wire(name, "malformed", text, value)
    for name, text, value in [
        ("bare-after-one-dot", "A genuine bare value after a dot.", "." + bare),
        ("bare-before-one-dot", "A genuine bare value before a dot.", bare + "."),
        ("bare-after-scheme", "A genuine bare value after a scheme and no key id.", "ecb0." + bare),
        ("bare-as-payload",
         "A genuine bare value, padding and all, as the payload of the tagged form.",
         f"ecb0.{KEY_ID}.{bare}"),
        ("padding-alone", "Nothing but padding characters.", "===="),
        ("tilde", "A character of the header's alphabet that no Base64 has.", "~" + bare[1:]),
    ]:
        wire(name, "malformed", text, value, scheme="ecb0")
    wire("bare-under-unknown-scheme", "unknown-scheme",
         "A genuine bare value under a scheme that does not exist.",
         "zzz9.k1." + bare, scheme="ecb0")
    wire("scheme-unknown", "unknown-scheme", "A scheme that does not exist.", "zzz9.k1.x")
    wire("scheme-2-characters-unknown", "unknown-scheme",
         "The shortest scheme, which does not exist.", f"zz.{KEY_ID}.{payload}")
    wire("scheme-16-characters-unknown", "unknown-scheme",
         "The longest scheme, which does not exist.", f"abcdefghijklmnop.{KEY_ID}.{payload}")
    for scheme, value in [("ecb0", ecb0(form="tagged")[0]), ("cbc1", cbc1()[0]),
                          ("hmac1", hmac1()[0])]:
        wire(f"{scheme}-where-gcm1-is-accepted", "scheme-refused",
             f"A credential of {scheme}, where gcm1 alone is accepted.", value)
    wire("bare-where-gcm1-is-accepted", "scheme-refused",
         "A bare value, where gcm1 alone is accepted.", bare)
    for scheme in ("ecb0", "cbc1", "hmac1"):
        wire(f"gcm1-where-{scheme}-is-accepted", "scheme-refused",
             f"A credential of gcm1, where {scheme} alone is accepted.", ok, scheme=scheme)
    wire("refused-before-payload", "scheme-refused",
         "A payload that its scheme cannot parse, of a scheme that is not accepted.",
         f"hmac1.{KEY_ID}.x")
    wire("refused-before-empty-field", "scheme-refused",
         "An empty field, in a scheme that is not accepted.", f"hmac1.{KEY_ID}..x")
    wire("refused-before-bare-length", "scheme-refused",
         "A bare value of 3 bytes, where gcm1 alone is accepted.", "AAAA")
    wire("unknown-key-before-payload", "unknown-key",
         "A payload that gcm1 cannot parse, under a key id that does not exist.", "gcm1.nobody.x")
    wire("unknown-key-before-empty-field", "unknown-key",
         "An empty field, under a key id that does not exist.", "gcm1.nobody..x")
    wire("key-id-32-characters-unknown", "unknown-key", "The longest key id, which does not exist.",
         f"gcm1.{'k' * 32}.{payload}")
    for name, text, key_id in [
        ("valid-key-id-1-character", "The shortest key id.", "7"),
        ("valid-key-id-32-characters", "The longest key id.", "0123456789-abcdefghijklmnopqrstu"),
        ("valid-key-id-dash-at-the-end", "A key id that ends with a dash.", "k--"),
    ]:
        put(f"wire/{name}", "accepted", text, *gcm1(key_id=key_id), scheme="gcm1", key_id=key_id)


def main() -> int:
    for make in (make_ecb0, make_cbc1, make_gcm1, make_hmac1, make_wire):
        make()
    assert all(name + ".json" in FILES for name in WORKED)
    there = {str(p.relative_to(HERE).as_posix()) for p in HERE.glob("*/*.json")}
    if "--check" in sys.argv[1:]:
        wrong = sorted(there ^ FILES.keys())
        wrong += sorted(n for n in there & FILES.keys()
                        if (HERE / n).read_bytes() != FILES[n].encode())
        print(*(f"differs: {n}" for n in wrong), f"{len(FILES)} files, {len(wrong)} differ",
              sep="\n")
        return 1 if wrong else 0
    for name in there - FILES.keys():
        (HERE / name).unlink()
    for name, text in FILES.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_bytes(text.encode())
    print(f"{len(FILES)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
