"""What the drivers have in common: see Lines.java."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "docs" / "clients" / "python"))

import keyscheme_credentials as keyscheme  # noqa: E402

API_KEY = "가나다".encode()
CREDENTIALS = {
    "ecb0": keyscheme.ecb0(bytes(range(16)), API_KEY),
    "cbc1": keyscheme.cbc1("bridge-1", bytes([2] * 24), API_KEY),
    "gcm1": keyscheme.gcm1("stt", "sealed-1", bytes([3] * 32), API_KEY),
    "hmac1": keyscheme.hmac1("stt", "signed-1", bytes([4] * 32)),
}


def example(scheme, method, target, body):
    """What docs/spec.md shows, with its random bytes and its time."""
    keys = {
        "ecb0": lambda: keyscheme.ecb0(bytes(range(16)), API_KEY),
        "cbc1": lambda: keyscheme.cbc1("spring-1", bytes(range(16)), API_KEY),
        "gcm1": lambda: keyscheme.gcm1("stt", "spring-1", bytes(range(32)), API_KEY),
        "hmac1": lambda: keyscheme.hmac1("stt", "spring-1", bytes(range(32))),
    }
    secrets, time = keyscheme.secrets, keyscheme.time

    class Fixed:
        token_bytes = staticmethod(lambda length: bytes(range(length)))
        time = staticmethod(lambda: 1_700_000_000.9)

    keyscheme.secrets = keyscheme.time = Fixed
    try:
        return keys[scheme]()(method, target, body)
    finally:
        keyscheme.secrets, keyscheme.time = secrets, time


def answer(send):
    for line in sys.stdin.buffer.read().decode().splitlines():
        kind, scheme, method, target, body = line.split("\t")
        target, body = target.replace("\\n", "\n"), bytes.fromhex(body)
        try:
            if kind == "example":
                said = example(scheme, method, target, body)
            elif kind == "value":
                said = CREDENTIALS[scheme](method, target, body)
            else:
                said = send(kind, scheme, method, target, body)
        except ValueError as error:
            said = f"refused: {error}".replace("\n", "\\n")
        sys.stdout.buffer.write(f"{said}\n".encode())
