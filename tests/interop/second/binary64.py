"""The binary64 functions, and those that are evaluated in binary64 and rounded once."""

from fractions import Fraction
from math import factorial

import numpy as np

from binary32 import F32, f32, powi


def wide(text):
    return np.uint64(int(text, 16)).view(np.float64)


LOG2_E = wide("3ff71547652b82fe")
HIGH, LOW = wide("3fe62e42fee00000"), wide("3dea39ef35793c76")
EXP = [
    wide(c)
    for c in """3de6124613a86d09 3e21eed8eff8d898 3e5ae64567f544e4 3e927e4fb7789f5c 3ec71de3a556c734 3efa01a01a01a01a
    3f2a01a01a01a01a 3f56c16c16c16c17 3f81111111111111 3fa5555555555555 3fc5555555555555 3fe0000000000000""".split()
]
PI, HALF_PI, QUARTER_PI = wide("400921fb54442d18"), wide("3ff921fb54442d18"), wide("3fe921fb54442d18")
SIXTH_PI, SQRT_3, TAN_PI_12 = wide("3fe0c152382d7366"), wide("3ffbb67ae8584caa"), wide("3fd126145e9ecd56")


def exp(x):
    x = np.asarray(x, np.float64)
    b = np.where(x < -746, -746.0, np.where(x > 710, 710.0, x))
    k = np.rint(b * LOG2_E)
    h, low = b - k * HIGH, k * LOW
    r = h - low
    q = np.zeros_like(r)
    for c in EXP:
        q = q * r + c
    e = (h - r) - low
    v = 1 + (r + ((r * r) * q + e))
    n = np.where(np.isnan(k), 0, k).astype(np.int32)
    a = n // 2
    return (v * np.ldexp(1.0, a)) * np.ldexp(1.0, n - a)


def ln(x):
    x = np.asarray(x, np.float64)
    small = x < 2.0**-1022
    y = np.where(small, x * 2.0**54, x)
    e = (y.view(np.int64) - np.int64(0x3FE6A09E667F3BCD)) >> 52
    f = (y.view(np.int64) - (e << 52)).view(np.float64) - 1
    k = np.where(small, e - 54, e).astype(np.float64)
    s = f / (2 + f)
    z = s * s
    r = np.zeros_like(z)
    for j in range(23, 1, -2):
        r = (r + 2.0 / j) * z
    h = (0.5 * f) * f
    v = k * HIGH - ((h - (s * (h + r) + k * LOW)) - f)
    v = np.where(x < 0, np.nan, v)
    v = np.where(x == 0, -np.inf, v)
    return np.where(np.isnan(x) | (x == np.inf), x, v)


def series(z, coefficients):
    v = np.zeros_like(z)
    for c in reversed(coefficients):
        v = v * z + float(c)
    return v


TWO_OVER_PI = int("a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561", 16)
STEP = wide("3bf921fb54442d18")


def reduce_angle(x):
    """The angle in binary64 and the quadrant of one finite number, in whole numbers."""
    mantissa, exponent = np.frexp(np.float64(abs(x)))
    m, e = int(mantissa * 2**24), int(exponent) - 24
    j = max(e - 2, 0)
    w = TWO_OVER_PI >> (256 - 96 - j) & (1 << 96) - 1
    t, p = m * w, 96 + j - e
    q = t >> p
    g = t >> (p - 64) & (1 << 64) - 1
    if g >= 1 << 63:
        g -= 1 << 64
        q += 1
    r = np.float64(g) * STEP
    return (-r, -q % 4) if x < 0 else (r, q % 4)


def reduce_angles(x):
    """The same for an array of them; the angle of what is not finite is a NaN."""
    pairs = [reduce_angle(v) if np.isfinite(v) else (np.nan, 0) for v in np.ravel(x)]
    r = np.array([p[0] for p in pairs], np.float64).reshape(np.shape(x))
    return r, np.array([p[1] for p in pairs], np.int64).reshape(np.shape(x))


def rounded(function):
    """The function of binary32 numbers that is evaluated in binary64."""
    return lambda *x: f32(function(*(np.asarray(v, np.float64) for v in x)))


@rounded
def tan(x):
    large = np.abs(x) >= 0.75
    angle, q = reduce_angles(np.where(np.abs(x) < 0.75, 0.0, x))
    r = np.where(large | np.isnan(x), angle, x)
    z = r * r
    s = r * series(z, [(-1) ** i * Fraction(1, factorial(2 * i + 1)) for i in range(8)])
    c = series(z, [(-1) ** i * Fraction(1, factorial(2 * i)) for i in range(9)])
    return np.where(q % 2 == 0, s / c, -c / s)


@rounded
def sinh(x):
    e = exp(np.abs(x))
    near = x * series(x * x, [Fraction(1, factorial(2 * i + 1)) for i in range(5)])
    return np.where(np.abs(x) < 0.125, near, np.copysign(0.5 * (e - 1 / e), x))


@rounded
def cosh(x):
    e = exp(np.abs(x))
    return 0.5 * (e + 1 / e)


def arc(x):
    m = np.abs(x)
    t = np.where(m > 1, 1 / m, m)
    u = np.where(t > TAN_PI_12, (SQRT_3 * t - 1) / (SQRT_3 + t), t)
    a = u * series(u * u, [(-1) ** i * Fraction(1, 2 * i + 1) for i in range(16)])
    a = np.where(t > TAN_PI_12, SIXTH_PI + a, a)
    return np.copysign(np.where(m > 1, HALF_PI - a, a), x)


atan = rounded(arc)
asin = rounded(lambda x: arc(x / np.sqrt((1 - x) * (1 + x))))
acos = rounded(lambda x: 2 * arc(np.sqrt((1 - x) / (1 + x))))


@rounded
def atan2(y, x):
    both = np.isinf(x) & np.isinf(y)
    a = np.where(both, QUARTER_PI, arc(np.abs(y) / np.abs(x)))
    a = np.where(x == 0, HALF_PI, a)
    a = np.where(y == 0, 0.0, a)
    a = np.copysign(np.where(np.signbit(x), PI - a, a), y)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, a)


@rounded
def asinh(x):
    m = np.abs(x)
    coefficients = [Fraction(*c) for c in ((1, 1), (-1, 6), (3, 40), (-15, 336), (105, 3456))]
    far = np.copysign(ln(m + np.sqrt(x * x + 1)), x)
    return np.where(m < 1 / 32, x * series(x * x, coefficients), far)


@rounded
def acosh(x):
    return np.where(x < 1, np.nan, ln(x + np.sqrt((x - 1) * (x + 1))))


@rounded
def atanh(x):
    near = x * series(x * x, [Fraction(1, 2 * i + 1) for i in range(5)])
    return np.where(np.abs(x) < 1 / 32, near, 0.5 * ln((1 + x) / (1 - x)))


def powf(x, y):
    x, y = np.broadcast_arrays(f32(x), f32(y))
    m, wide_y = np.abs(x).astype(np.float64), y.astype(np.float64)
    v = np.where(m == 1, F32(1), f32(exp(wide_y * ln(m))))
    whole = np.trunc(y) == y
    odd = whole & np.isfinite(y) & (np.fmod(y, F32(2)) != 0)
    v = np.where(np.signbit(x) & odd, -v, v)
    refused = (x < 0) & np.isfinite(x) & ~whole & ~np.isinf(y)
    v = np.where(np.isnan(x) | np.isnan(y) | refused, F32(np.nan), v)
    return np.where((y == 0) | (x == 1), F32(1), v)


def power(x, exponent):
    """x to the power of a scalar: a powi if that is whole."""
    return powi(x, int(exponent)) if float(exponent).is_integer() else powf(x, F32(exponent))


def remainder(x, y):
    x, y = f32(x), f32(y)
    r = np.fmod(x, y)
    v = np.where((r < 0) != (y < 0), r + y, r)
    return np.where(r == 0, np.copysign(F32(0), y), v)
