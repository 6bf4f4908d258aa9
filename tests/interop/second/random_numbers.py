"""Philox4x32-10 and the distributions."""

import numpy as np

import functions
from binary32 import F32, f32

MASK = np.uint64(0xFFFFFFFF)
U32 = np.uint64(32)


def philox(key, counter):
    """The blocks of four words of arrays of counters, each of two 64-bit numbers."""
    k0, k1 = np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)
    low, high = (np.asarray(c, np.uint64) for c in counter)
    x = [low & MASK, low >> U32, high & MASK, high >> U32]
    for turn in range(10):
        if turn:
            k0 = (k0 + np.uint64(0x9E3779B9)) & MASK
            k1 = (k1 + np.uint64(0xBB67AE85)) & MASK
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(b >> U32) ^ x[1] ^ k0, b & MASK, (a >> U32) ^ x[3] ^ k1, a & MASK]
    return np.stack(np.broadcast_arrays(*x), axis=-1)


class Draw:
    """A draw of (seed, stream, step)."""

    def __init__(self, seed, stream, step, draw):
        block = philox(seed, (stream, step)).tolist()
        self.key, self.draw = block[0] | block[1] << 32, draw

    def words(self, n):
        blocks = np.arange((n + 3) // 4, dtype=np.uint64)
        return philox(self.key, (blocks, np.full_like(blocks, self.draw))).ravel()[:n]

    def unit(self, n):
        return f32(self.words(n) >> np.uint64(8)) * F32(2.0**-24)

    def uniform(self, n, low, high):
        low, high = F32(low), F32(high)
        return low + (high - low) * self.unit(n)

    def bernoulli(self, n, p):
        return f32(self.unit(n).astype(np.float64) < p)

    def normal(self, n, mean=0, deviation=1):
        u = self.unit(2 * n)
        a = u[::2] + F32(2.0**-24)
        radius = np.sqrt(F32(-2) * functions.log(a))
        z = radius * functions.cos(functions.TAU * u[1::2])
        return F32(mean) + F32(deviation) * z

    def below(self, bounds):
        """Number i below the bound i."""
        words = self.words(2 * len(bounds)).tolist()
        pairs = zip(words[::2], words[1::2], bounds)
        return [(low | high << 32) * bound >> 64 for low, high, bound in pairs]


def permutation(seed, step, n):
    places = list(range(n))
    below = Draw(seed, 2, step, 0).below([i + 1 for i in range(n)])
    for i in range(n - 1, 0, -1):
        places[i], places[below[i]] = places[below[i]], places[i]
    return np.array(places)
