"""Log densities and log probabilities of both tails of continuous families, by mpmath: continuous_families.json.

    python tests/facts/continuous_families.py tests/facts/continuous_families.json

needs ``mpmath``, which is no part of the package. Densities are written down again from their definitions with 60
digits, distribution functions from their closed forms; where there is none, they are integrals of the densities.
Responses reach 40 standard deviations to both sides, or as far as they go.
"""

from __future__ import annotations

import json
import sys

from mpmath import mp, mpf

mp.dps = 60
INF = mp.inf


def normal_log(z):
    return -z * z / 2 - mp.log(2 * mp.pi) / 2


def upper(z):
    return mp.erfc(z / mp.sqrt(2)) / 2


def skew_normal(y, mu, sigma, alpha):
    delta = alpha / mp.sqrt(1 + alpha**2)
    omega = sigma / mp.sqrt(1 - 2 * delta**2 / mp.pi)
    z = (y - mu) / omega + delta * mp.sqrt(2 / mp.pi)
    return mp.log(2 / omega) + normal_log(z) + mp.log(upper(-alpha * z))


def inverse_gaussian(y, mu, shape):
    return mp.log(shape / (2 * mp.pi * y**3)) / 2 - shape * (y - mu) ** 2 / (2 * mu**2 * y)


def exgaussian(y, mu, sigma, beta):
    xi = mu - beta
    value = mp.exp(sigma**2 / (2 * beta**2) - (y - xi) / beta) * upper(sigma / beta - (y - xi) / sigma)
    return mp.log(value / beta)


def shifted_lognormal(y, mu, sigma, ndt):
    t = y - ndt
    return normal_log((mp.log(t) - mu) / sigma) - mp.log(t * sigma)


def asym_laplace(y, mu, sigma, quantile):
    e = (y - mu) / sigma
    return mp.log(quantile * (1 - quantile) / sigma) - e * (quantile - (1 if e < 0 else 0))


def von_mises(y, mu, kappa):
    return kappa * mp.cos(y - mu) - mp.log(2 * mp.pi * mp.besseli(0, kappa))


def frechet(y, mu, nu):
    scale = mu / mp.gamma(1 - 1 / nu)
    return mp.log(nu / scale) - (1 + nu) * mp.log(y / scale) - (y / scale) ** -nu


def gen_extreme_value(y, mu, sigma, xi):
    z = (y - mu) / sigma
    s = mp.log(1 + xi * z) / xi if xi else z
    return -mp.log(sigma) - (1 + xi) * s - mp.exp(-s)


def loglogistic(y, mu, shape):
    r = (y / mu) ** shape
    return mp.log(shape / y * r / (1 + r) ** 2)


def wiener(y, mu, bs, ndt, bias, dec):
    v, w = (-mu, 1 - bias) if dec else (mu, bias)
    u = (y - ndt) / bs**2
    if u < 1:
        total = sum((w + 2 * k) * mp.exp(-((w + 2 * k) ** 2) / (2 * u)) for k in range(-15, 16))
        total /= mp.sqrt(2 * mp.pi * u**3)
    else:
        total = mp.pi * sum(k * mp.sin(k * mp.pi * w) * mp.exp(-(k**2) * mp.pi**2 * u / 2) for k in range(1, 20))
    return mp.log(total) - v * bs * w - v**2 * (y - ndt) / 2 - 2 * mp.log(bs)


def tweedie(y, mu, phi, power):
    rate = mu ** (2 - power) / (phi * (2 - power))
    if y == 0:
        return -rate
    shape, scale = (2 - power) / (power - 1), phi * (power - 1) * mu ** (power - 1)
    peak = y ** (2 - power) / (phi * (2 - power))
    width = 15 * mp.sqrt(peak) + 40
    total = mpf(0)
    for n in range(max(1, int(peak - width)), int(peak + width)):
        log_gamma = (n * shape - 1) * mp.log(y) - y / scale - n * shape * mp.log(scale) - mp.loggamma(n * shape)
        total += mp.exp(n * mp.log(rate) - rate - mp.loggamma(n + 1) + log_gamma)
    return mp.log(total)


def tails(log_density, y, low, high, spread):
    """Integrate outwards on pieces that grow from a length in which the density changes by 1 / e or so."""

    def beyond(sign, end):
        step = mpf("1e-12") * spread
        slope = abs(log_density(y + sign * step) - log_density(y)) / step
        length = 1 / (slope + 1 / mpf(spread))
        total, at, base = mpf(0), y, log_density(y)
        for _ in range(400):
            to = at + sign * length
            to = min(to, end) if sign > 0 else max(to, end)
            lower, higher = (at, to) if sign > 0 else (to, at)
            piece = mp.quad(lambda t: mp.exp(log_density(t) - base), [lower, higher]) if lower < higher else mpf(0)
            total += piece
            if to == end or abs(piece) < mpf("1e-32") * total:
                break
            at, length = to, length * mpf("1.4")
        return base + mp.log(total)

    return beyond(-1, low), beyond(1, high)


def normal_tails(z):
    return upper(-z), upper(z)


def tails_inverse_gaussian(y, mu, shape):
    root = mp.sqrt(shape / y)
    far = mp.exp(2 * shape / mu) * upper(root * (y / mu + 1))
    low, high = normal_tails(root * (y / mu - 1))
    return low + far, high - far


def tails_exgaussian(y, mu, sigma, beta):
    z, r = (y - mu + beta) / sigma, sigma / beta
    part = mp.exp(r * r / 2 - r * z) * upper(r - z)
    low, high = normal_tails(z)
    return low - part, high + part


def tails_shifted_lognormal(y, mu, sigma, ndt):
    return normal_tails((mp.log(y - ndt) - mu) / sigma)


def tails_asym_laplace(y, mu, sigma, quantile):
    e = (y - mu) / sigma
    if e < 0:
        low = quantile * mp.exp((1 - quantile) * e)
        return low, 1 - low
    high = (1 - quantile) * mp.exp(-quantile * e)
    return 1 - high, high


def tails_von_mises(y, mu, kappa):
    def mass(low, high):
        """Integrate on pieces that are short beside the width of the peak."""
        return mp.quad(lambda t: mp.exp(von_mises(t, mu, kappa)), mp.linspace(low, high, 41))

    return mass(-mp.pi, y), mass(y, mp.pi)


def tails_frechet(y, mu, nu):
    hazard = (y * mp.gamma(1 - 1 / nu) / mu) ** -nu
    return mp.exp(-hazard), -mp.expm1(-hazard)


def tails_gen_extreme_value(y, mu, sigma, xi):
    z = (y - mu) / sigma
    hazard = mp.exp(-(mp.log(1 + xi * z) / xi if xi else z))
    return mp.exp(-hazard), -mp.expm1(-hazard)


def tails_loglogistic(y, mu, shape):
    r = (y / mu) ** shape
    return r / (1 + r), 1 / (1 + r)


CASES = {
    "skew_normal": (skew_normal, (-INF, INF), [
        ({"mu": 0.5, "sigma": 1.3, "alpha": a}, [0.5 + 1.3 * k for k in (-40, -5, -1, -0.2, 0, 1, 5, 40)])
        for a in (-3.0, 0.4, 30.0)
    ]),
    "inverse_gaussian": (inverse_gaussian, (0, INF), [
        ({"mu": 1.5, "shape": s}, [0.02, 0.3, 1.2, 1.5, 4.0, 1.5 + 40 * (1.5**3 / s) ** 0.5]) for s in (0.2, 2.0, 50.0)
    ]),
    "exgaussian": (exgaussian, (-INF, INF), [
        ({"mu": 0.5, "sigma": s, "beta": b}, [0.5 + (s * s + b * b) ** 0.5 * k for k in (-40, -5, -1, 0, 1, 5, 40)])
        for s, b in ((1.0, 1.0), (0.05, 2.0), (2.0, 0.05))
    ]),
    "shifted_lognormal": (shifted_lognormal, (0.3, INF), [
        ({"mu": 0.2, "sigma": s, "ndt": 0.3}, [0.3001, 0.4, 1.0, 3.0, 60.0, 5000.0]) for s in (0.3, 1.2)
    ]),
    "asym_laplace": (asym_laplace, (-INF, INF), [
        ({"mu": 0.5, "sigma": 0.8, "quantile": q}, [-150.0, -2.0, 0.4, 0.6, 4.0, 150.0]) for q in (0.05, 0.5, 0.9)
    ]),
    "von_mises": (von_mises, (-mp.pi, mp.pi), [
        ({"mu": m, "kappa": k}, [-3.1, -2.0, -0.5, 0.1, 1.5, 3.0]) for m, k in ((0.0, 0.3), (1.2, 2.0), (-2.8, 80.0))
    ]),
    "frechet": (frechet, (0, INF), [
        ({"mu": 1.5, "nu": n}, [0.2, 0.7, 1.5, 9.0, 2000.0]) for n in (1.05, 2.5, 12.0)
    ]),
    "gen_extreme_value": (gen_extreme_value, (-INF, INF), [
        ({"mu": 0.5, "sigma": 1.3, "xi": x}, y)
        for x, y in (
            (0.3, [-3.5, -1.0, 0.5, 4.0, 90.0]), (0.0, [-4.0, 0.5, 4.0, 60.0]), (1e-6, [-4.0, 0.5, 4.0, 60.0]),
            (-0.4, [-50.0, -3.0, 0.5, 3.0, 3.7]),
        )
    ]),
    "loglogistic": (loglogistic, (0, INF), [
        ({"mu": 1.5, "shape": k}, [1e-9, 0.3, 1.5, 8.0, 1e9]) for k in (0.7, 4.0)
    ]),
    "wiener": (wiener, None, [
        ({"mu": v, "bs": a, "ndt": 0.2, "bias": w, "dec": d}, [0.201, 0.25, 0.5, 0.9, 3.0, 40.0])
        for v, a, w in ((0.0, 1.0, 0.5), (2.5, 1.6, 0.3), (-1.5, 0.8, 0.95), (0.4, 6.0, 0.02)) for d in (0, 1)
    ]),
    "tweedie": (tweedie, None, [
        ({"mu": 1.5, "phi": f, "power": p}, [0.0, 1e-3, 0.5, 1.5, 8.0, 60.0])
        for f, p in ((1.2, 1.5), (0.01, 1.3), (0.002, 1.9), (3.0, 1.05), (0.4, 1.98))
    ]),
}  # fmt: skip


NO_TAILS = ("wiener", "tweedie")


def main(path: str) -> None:
    lines = []
    for name, (density, ends, cases) in CASES.items():
        closed = globals().get(f"tails_{name}")
        for parameters, responses in cases:
            exact = {key: mpf(value) for key, value in parameters.items()}
            row = {"family": name, "parameters": parameters, "y": responses, "log_density": []}
            if name not in NO_TAILS:
                row |= {"below": [], "above": []}
            for y in responses:
                at = mpf(y)
                row["log_density"].append(float(density(at, **exact)))
                if name in NO_TAILS:
                    continue
                if closed is None:
                    low, high = tails(lambda t, f=density, e=exact: f(t, **e), at, mpf(ends[0]), mpf(ends[1]), 1.0)
                else:
                    low, high = map(mp.log, closed(at, **exact))
                row["below"].append(float(low))
                row["above"].append(float(high))
            lines.append(json.dumps(row))
            print(name, parameters, file=sys.stderr)
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
