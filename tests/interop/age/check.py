"""Opens a key file with the public tool `age` and checks what it holds.

    python3 check.py KEY_FILE PASSPHRASE_FILE

The tool runs on a terminal of its own, where the passphrase is typed. The
words are then taken through BIP-39 and SLIP-0010 by Python's standard library,
and the public key is computed from the curve's formulas (RFC 8032, 5.1), so
that the text, the `.pub` file and the words have to agree. No word is printed.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import pty
import select
import struct
import sys

PATH = (44, 472, 0, 0, 0)
TIMEOUT_S = 60
PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME


def decrypt(path, passphrase):
    """What `age -d` writes when the passphrase is typed; none when it refuses."""
    read, write = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.dup2(write, 1)
        os.execvp("age", ["age", "-d", str(path)])
    os.close(write)
    asked, plain, typed = b"", b"", False
    while True:
        ready = select.select([read] if terminal is None else [terminal, read], [], [], TIMEOUT_S)[0]
        if not ready:
            raise TimeoutError("age neither asks nor answers")
        if terminal is not None and terminal in ready:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # the tool has closed its terminal
                part = b""
            asked += part
            if not part:
                os.close(terminal)
                terminal = None
            elif not typed and b"passphrase" in asked.lower():
                os.write(terminal, passphrase + b"\n")
                typed = True
        if read in ready:
            part = os.read(read, 65536)
            if not part:
                break
            plain += part
    os.close(read)
    # What it still says on the terminal must find a reader, or it never ends.
    while terminal is not None:
        try:
            if not os.read(terminal, 4096):
                break
        except OSError:
            break
    status = os.waitpid(child, 0)[1]
    return plain if status == 0 else None


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2 % PRIME
    return (
        (x1 * y2 + x2 * y1) * pow(1 + t, -1, PRIME) % PRIME,
        (y1 * y2 + x1 * x2) * pow(1 - t, -1, PRIME) % PRIME,
    )


def base_point():
    y = 4 * pow(5, -1, PRIME) % PRIME
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return (x if x % 2 == 0 else PRIME - x, y)


def public_key(seed):
    scalar = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | (1 << 254)
    point, power = (0, 1), base_point()
    while scalar:
        if scalar & 1:
            point = add(point, power)
        power = add(power, power)
        scalar >>= 1
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def seed_of(words):
    seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
    both = hmac.new(b"ed25519 seed", seed, hashlib.sha512).digest()
    for step in PATH:
        data = b"\0" + both[:32] + struct.pack(">I", step | 1 << 31)
        both = hmac.new(both[32:], data, hashlib.sha512).digest()
    return both[:32]


def text(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def main():
    path = pathlib.Path(sys.argv[1])
    passphrase = pathlib.Path(sys.argv[2]).read_bytes().removesuffix(b"\n")
    results = []

    def check(what, holds):
        results.append(bool(holds))
        print(("ok      " if holds else "FAILED  ") + what)

    plain = decrypt(path, passphrase)
    check("age opens the key file", plain is not None)
    lines = (plain or b"").decode().splitlines()
    remarks = [line for line in lines if line.startswith("#")]
    rest = [line for line in lines if not line.startswith("#")]
    is_key = len(rest) == 2 and rest[0] == "lode-key/1" and len(rest[1].split(" ")) == 24
    check("it holds lode-key/1 and 24 words", is_key)
    if is_key:
        public = public_key(seed_of(rest[1]))
        address = hashlib.sha256(public).digest()
        check("its remarks name the words' address", any(text(address) in r for r in remarks))
        check("its remarks name the words' key", any(text(public) in r for r in remarks))
        beside = json.loads(pathlib.Path(f"{path}.pub").read_text())
        check(
            "the .pub file names both",
            beside == {"address": text(address), "public": text(public)},
        )
    check("age refuses another passphrase", decrypt(path, passphrase + b"x") is None)
    head = path.read_bytes().splitlines()[0]
    check("the file is armored", head == b"-----BEGIN AGE ENCRYPTED FILE-----")

    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
