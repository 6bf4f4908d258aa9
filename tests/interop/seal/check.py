"""Checks protocol/tests/vectors/seal.json against the published definitions,
written out here: SHA-256 over the fixed places of a seal, and
XChaCha20-Poly1305 (RFC 8439; the XChaCha draft of the CFRG) under STREAM nonces.

    python3 check.py

Only Python's standard library is needed. Every ciphertext is made here anew, all
its chunks, and compared by its first bytes and by its SHA-256.
"""

import base64
import hashlib
import json
import pathlib
import struct

MASK = 0xFFFFFFFF
CHUNK = 65536


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] ^= s[x]
        s[z] = (s[z] << turn | s[z] >> (32 - turn)) & MASK


def rounds(state):
    s = list(state)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


def start(key, tail):
    return struct.unpack("<16I", b"expand 32-byte k" + key + tail)


def block(key, counter, nonce):
    state = start(key, struct.pack("<I", counter) + nonce)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(rounds(state), state)))


def hchacha(key, nonce):
    s = rounds(start(key, nonce))
    return struct.pack("<8I", *s[:4], *s[12:])


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for i in range(0, len(message), 16):
        total = (total + int.from_bytes(message[i : i + 16] + b"\x01", "little")) * r
        total %= 2**130 - 5
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def encrypt(key, nonce, plaintext):
    """XChaCha20-Poly1305 with a nonce of 24 bytes and no associated data."""
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(plaintext) + 63) // 64))
    out = bytes(a ^ b for a, b in zip(plaintext, stream))
    padded = out + bytes(-len(out) % 16) + struct.pack("<QQ", 0, len(out))
    return out + poly1305(block(key, 0, nonce)[:32], padded)


def plaintext(length):
    return bytes((i * 31 + (i >> 8) * 17 + 7) & 255 for i in range(length))


def text(digest):
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def seal(context, role, key):
    owner, root = b"\x03" * 32, b"\x05" * 32
    fields = (b"lode/seal/1", b"\x01" * 32, context, bytes([role]), owner, key, root)
    return text(hashlib.sha256(b"".join(fields) + struct.pack("<Q", 772)).digest())


def main():
    here = pathlib.Path(__file__).resolve()
    vectors = here.parents[3] / "protocol/tests/vectors/seal.json"
    stored = json.loads(vectors.read_text())
    key, nonce = bytes(range(32)), bytes(range(100, 119))
    results = []

    poster = b"\x00" + b"\x03" * 32 + struct.pack("<Q", 258)
    bounty = b"\x01" + b"\x02" * 32 + bytes(8)
    results.append(stored["digests"]["test set"] == seal(poster, 0, key))
    results.append(stored["digests"]["submission"] == seal(bounty, 1, key))

    for case in stored["ciphertexts"]:
        data = plaintext(case["plaintext_len"])
        chunks = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)] or [b""]
        length = 32 + len(data) + 16 * len(chunks)
        whole = b"lode/sealed/1" + nonce
        for i, chunk in enumerate(chunks):
            last = bytes([i + 1 == len(chunks)])
            whole += encrypt(key, nonce + struct.pack(">I", i) + last, chunk)
        results.append(case["len"] == length == len(whole))
        results.append(case["first"] == whole[:64].hex())
        results.append(case["sha256"] == hashlib.sha256(whole).hexdigest())

    print(f"{results.count(True)} passed, {results.count(False)} failed")
    raise SystemExit(not all(results))


main()
