"""The elementary functions and activations in binary32."""

import numpy as np

from binary32 import F32, bits, f32, fma, hexadecimal, horner, number, power_of_two
from binary64 import reduce_angles

LOG2_E, LN2_HIGH, LN2_LOW = map(hexadecimal, ("3fb8aa3b", "3f317218", "b102e308"))
ROUNDER, TWO_OVER_PI = hexadecimal("4b400000"), hexadecimal("3f22f983")
HALF_PI = [hexadecimal(c) for c in ("3fc90fdb", "b33bbd2e", "a6f72ced")]
SQRT_2, INVERSE_SQRT_TAU, TAU = map(hexadecimal, ("3fb504f3", "3ecc422a", "40c90fdb"))


def table(text):
    return [hexadecimal(c) for c in text.split()]


EXP = table("3f800000 3f800000 3f000000 3e2aaaab 3d2aaa74 3c088870 3ab6a1d8 395092b6")
LOG = table("3eaaaaaa be7ffffe 3e4cceae be2aada8 3e11e8eb bdfe7987 3def532b bdeb229e 3d8ecc14")
TANH = table("beaaaaa9 3e08870e bd5c92b5 3cac01ae bbc7c378")
ERF_P = table("3e0375d3 bec09375 3de70d8c bcdb4a0e 3ba3b514 ba1d624c")
ERF_L = table("39be4386 bf90b27a bf21a1b8 bde28aa3 3cdba7ae bba20041 3a2b0ef9 b86d2c8c 3638dd6f b35d2119")
SINE = table("be2aaaab 3c088887 b95009c4 3636d9c4")
COSINE = table("3d2aaaab bab60b60 37d00ad7 b4928ea5")
HALF = F32(0.5)


def exp(x):
    b = np.where(x > 89, F32(89), x)
    b = np.where(b < -104, F32(-104), b)
    t = fma(b, LOG2_E, ROUNDER)
    k = t - ROUNDER
    n = np.where(np.isnan(b), 0, bits(t) - bits(ROUNDER))
    r = fma(k, -LN2_HIGH, b)
    r = fma(k, -LN2_LOW, r)
    h = n // 2
    return (horner(EXP, r) * power_of_two(h)) * power_of_two(n - h)


def log(x):
    small = x < F32(2.0**-126)
    s = np.where(small, x * F32(2.0**23), x)
    e = (bits(s) - bits(hexadecimal("3f3504f3"))) >> 23
    f = number(bits(s) - (e << 23)) - F32(1)
    k = f32(e + np.where(small, -23, 0))
    p = fma(f, horner(LOG, f), -HALF)
    v = fma(k, LN2_HIGH, fma(k, LN2_LOW, fma(f * f, p, f)))
    v = np.where(np.isnan(x) | (x == np.inf), x, v)
    return np.where(x == 0, F32(-np.inf), np.where(x < 0, F32(np.nan), v))


def log1p(x):
    u = F32(1) + x
    v = log(u) * (x / (u - F32(1)))
    return np.where(u == 1, x, np.where(u == np.inf, u, v))


def tanh(x):
    z, m = x * x, np.abs(x)
    near = fma(x * z, horner(TANH, z), x)
    far = F32(1) - F32(2) / (exp(m + m) + F32(1))
    return np.copysign(np.where(m < F32(0.625), near, far), x)


def erf(x):
    m = np.abs(x)
    near = fma(x, horner(ERF_P, x * x), x)
    t = np.where(m > 4, F32(4), m)
    far = np.copysign(F32(1) - exp(horner(ERF_L, t)), x)
    return np.where(m < F32(0.921875), near, far)


def quadrant(x):
    """An angle within about a quarter of pi, and its quadrant."""
    t = fma(x, TWO_OVER_PI, ROUNDER)
    k = t - ROUNDER
    q = bits(t) & 3
    r = x
    for part in HALF_PI:
        r = fma(k, -part, r)
    large = np.abs(x) > 71476
    angle, turns = reduce_angles(np.where(large, x, F32(1)))
    return np.where(large, f32(angle), r), np.where(large, turns, q)


def wave(r, q):
    z = r * r
    s = np.copysign(fma(r * z, horner(SINE, z), r), r)
    c = fma(z * z, horner(COSINE, z), fma(z, -HALF, F32(1)))
    v = np.where(q % 2 == 0, s, c)
    return np.where(q % 4 >= 2, -v, v)


def sin(x):
    return wave(*quadrant(x))


def cos(x):
    r, q = quadrant(x)
    return wave(r, q + 1)


def relu(x):
    return np.where(x <= 0, F32(0), x)


def relu_backward(output, grad):
    return np.where(output <= 0, F32(0), grad)


def sigmoid(x):
    e = exp(-np.abs(x))
    return np.where(x >= 0, F32(1), e) / (F32(1) + e)


def sigmoid_backward(y, grad):
    return (y * (-y + F32(1))) * grad


def log_sigmoid_parts(x):
    n = -x
    m = np.where(n < 0, F32(0), n)
    return n, m, exp(-m) + exp(n - m)


def log_sigmoid(x):
    _, m, z = log_sigmoid_parts(x)
    return -m - log(z)


def log_sigmoid_backward(x, grad):
    n, _, z = log_sigmoid_parts(x)
    d = np.where(n < 0, F32(0), F32(1))
    s = np.where(n < 0, F32(-1), F32(1))
    return grad * (d - s * (F32(1) - F32(1) / z))


def normal_share(x):
    return (erf(x / SQRT_2) + F32(1)) / F32(2)


def gelu(x):
    return x * normal_share(x)


def gelu_slope(x):
    return fma(x, exp((x * x) * -HALF) * INVERSE_SQRT_TAU, normal_share(x))


def gelu_backward(x, grad):
    return gelu_slope(x) * grad
