"""Makes protocol/tests/vectors/ed25519_hostile.json: keys and signatures that
loose verifiers take and a strict one refuses.

    python3 hostile.py > ../../../protocol/tests/vectors/ed25519_hostile.json

The curve is written out here in plain integers (RFC 8032, 5.1), so that the
vectors do not come from the library that they test. Only hashlib is needed.
"""

import hashlib
import json

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
IDENTITY = (0, 1)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
    return x, y


def mul(n, point):
    total = IDENTITY
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def recover_x(y, odd):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return P - x if x % 2 != odd else x


def encode(point):
    return (point[1] | (point[0] % 2) << 255).to_bytes(32, "little")


def spell(y, sign):
    return (y | sign << 255).to_bytes(32, "little")


def scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def secret(seed):
    half = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return half & ~7 & ~(1 << 255) | 1 << 254


BASE = (recover_x(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)


def torsion():
    """A point of order eight: L times a point of the whole curve."""
    y = 2
    while True:
        x = recover_x(y, 0)
        if x is not None:
            point = mul(L, (x, y))
            if mul(4, point) != IDENTITY:
                return point
        y += 1


def main():
    eighth = torsion()
    small = [mul(i, eighth) for i in range(8)]
    keys = [("small order", encode(point)) for point in small]
    # Second spellings: y + p for the few y below 19, and a sign on x = 0.
    for y in range(19):
        for sign in (0, 1):
            # x = 0 exists for y = 1 (and y = -1, below) only.
            keys.append(("not canonical", spell(y + P, sign)))
    keys.append(("sign on x = 0", spell(1, 1)))
    keys.append(("sign on x = 0", spell(P - 1, 1)))
    off = next(y for y in range(2, 99) if recover_x(y, 0) is None)
    keys.append(("no point", spell(off, 0)))

    seed = bytes(range(32))
    a = secret(seed)
    public = encode(mul(a, BASE))
    signatures = []

    # R is the identity, S = k a: the equation holds, the signer chose no nonce.
    r = encode(IDENTITY)
    for message in (b"", b"pay the miner"):
        s = scalar(r, public, message) * a % L
        signatures.append(("small order R", public, message, r + s.to_bytes(32, "little")))

    # A key with a torsion part, and an R that is nothing but torsion.
    mixed = add(mul(a, BASE), eighth)
    count = 0
    while True:
        message = b"mixed %d" % count
        count += 1
        for candidate in small:
            r = encode(candidate)
            k = scalar(r, encode(mixed), message)
            if mul(8 - k % 8, eighth) == candidate:
                s = k * a % L
                signatures.append(
                    ("small order R", encode(mixed), message, r + s.to_bytes(32, "little"))
                )
                break
        else:
            continue
        break

    # A good signature, then its copies with S + L and S + 2 L.
    message = b"pay the miner"
    nonce = scalar(hashlib.sha512(seed).digest()[32:], message)
    r = encode(mul(nonce, BASE))
    s = (nonce + scalar(r, public, message) * a) % L
    for name, value in (("valid", s), ("scalar range", s + L), ("scalar range", s + 2 * L)):
        signatures.append((name, public, message, r + value.to_bytes(32, "little")))
    # R + an element of small order: no longer the R that the equation gives.
    moved = encode(add(mul(nonce, BASE), eighth))
    signatures.append(("mismatch", public, message, moved + s.to_bytes(32, "little")))

    print(
        json.dumps(
            {
                "keys": [{"flaw": flaw, "key": key.hex()} for flaw, key in keys],
                "signatures": [
                    {"flaw": f, "key": k.hex(), "message": m.hex(), "signature": s.hex()}
                    for f, k, m, s in signatures
                ],
            },
            indent=1,
        )
    )


main()
