"""Numbers: binary32, the fused multiply-add, bits, powers and rounding."""

import numpy as np

F32 = np.float32


def f32(x):
    """The binary32 array of some numbers, rounded once."""
    return np.asarray(x).astype(F32)


def bits(x):
    return np.asarray(x, F32).view(np.int32)


def number(pattern):
    return np.asarray(pattern).astype(np.uint32).view(F32)


def hexadecimal(text):
    return number(int(text, 16))


def fma(a, b, c):
    """a * b + c, rounded once, by round-to-odd in binary64."""
    a, b, c = (np.asarray(x, np.float64) for x in (a, b, c))
    p = a * b
    s = np.asarray(p + c)
    v = s - p
    e = (p - (s - v)) + (c - v)
    pattern = s.view(np.int64)
    inexact = np.isfinite(s) & (e != 0) & (pattern & 1 == 0)
    step = np.where(np.signbit(e) == np.signbit(s), 1, -1)
    return np.asarray(pattern + np.where(inexact, step, 0)).view(np.float64).astype(F32)


def horner(coefficients, x):
    v = coefficients[-1]
    for c in coefficients[-2::-1]:
        v = fma(v, x, c)
    return v


def power_of_two(n):
    return np.ldexp(F32(1), np.asarray(n, np.int32))


def powi(x, n):
    """x to a whole power."""
    result, base, b = np.ones_like(f32(x)), f32(x), abs(n)
    while b > 0:
        if b % 2:
            result = result * base
        b //= 2
        if b > 0:
            base = base * base
    return F32(1) / result if n < 0 else result


def sign(x):
    return np.where(np.isnan(x), x, np.where(x > 0, F32(1), np.where(x < 0, F32(-1), F32(0))))


def whole(x, kind):
    """The whole numbers of a type: toward zero, its ends for what is beyond them, 0 for a NaN."""
    ends = np.iinfo(kind)
    numbers = (0 if np.isnan(v) else v for v in x.ravel().tolist())
    numbers = [ends.min if v < ends.min else ends.max if v > ends.max else int(v) for v in numbers]
    return np.array(numbers, kind).reshape(x.shape)


def clamp_min(x, m):
    return np.where(x < F32(m), F32(m), x)


def clamp_max(x, m):
    return np.where(x > F32(m), F32(m), x)


def clamp(x, low, high):
    return clamp_min(clamp_max(x, high), low)


def digest(tensors):
    """FNV-1a over the bytes of the numbers of all results."""
    value = 0xCBF29CE484222325
    for tensor in tensors:
        pattern = f32(tensor).ravel().view(np.uint32)
        pattern = np.where(np.isnan(pattern.view(F32)), np.uint32(0x7FC00000), pattern)
        for byte in pattern.astype("<u4").tobytes():
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
