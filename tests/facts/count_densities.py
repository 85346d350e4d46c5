"""Log densities and tails of count families far out and at odd parameters, by mpmath: count_densities.json.

    python tests/facts/count_densities.py tests/facts/count_densities.json

needs mpmath (1.3), which is no part of the package. Each record has a family, its parameters and trials, and rows of
y, log P(y), log P(Y <= y) and log P(Y > y).
"""

from __future__ import annotations

import json
import sys

from mpmath import binomial, exp, factorial, log, mp, mpf, rf, sqrt

mp.dps = 40
FAR = 400  # terms of a tail, each far below the one before or few in number


def com_poisson(mu, shape):
    """(mu^y / y!)^shape over the sum of these."""
    last = int(mu + 60 * sqrt(mu / shape) + 200 / shape) + 60
    terms, term = [mpf(1)], mpf(1)
    for k in range(1, last):
        term *= (mu / k) ** shape
        terms.append(term)
    total = sum(terms)
    return lambda y: terms[y] / total if y < last else mpf(0)


def genpois(mu, phi):
    theta, rest = mu / sqrt(phi), 1 - 1 / sqrt(phi)
    return lambda y: theta * (theta + rest * y) ** (y - 1) * exp(-theta - rest * y) / factorial(y)


def nbinom1(mu, phi):
    s = mu / phi
    return lambda y: rf(s, y) / factorial(y) * (1 + phi) ** -s * (phi / (1 + phi)) ** y


def negbinomial2(mu, sigma):
    s = 1 / sigma
    return lambda y: rf(s, y) / factorial(y) * (s / (s + mu)) ** s * (mu / (s + mu)) ** y


def discrete_weibull(mu, shape):
    return lambda y: mu ** (mpf(y) ** shape) - mu ** (mpf(y + 1) ** shape)


def beta_binomial(mu, phi, trials):
    a, b = mu * phi, (1 - mu) * phi
    return lambda y: binomial(trials, y) * rf(a, y) * rf(b, trials - y) / rf(phi, trials)


FAMILIES = {f.__name__: f for f in (com_poisson, genpois, nbinom1, negbinomial2, discrete_weibull, beta_binomial)}
CASES = (
    ("com_poisson", {"mu": "2.5", "shape": "0.3"}, None, (0, 3, 40, 150)),
    ("com_poisson", {"mu": "0.01", "shape": "0.1"}, None, (0, 1, 60)),
    ("com_poisson", {"mu": "40", "shape": "0.76"}, None, (0, 30, 42, 400)),
    ("com_poisson", {"mu": "300", "shape": "0.098"}, None, (0, 100, 400, 2000)),
    ("com_poisson", {"mu": "7", "shape": "25"}, None, (0, 6, 7, 12)),
    ("com_poisson", {"mu": "1000", "shape": "3"}, None, (300, 990, 1010, 1900)),
    ("com_poisson", {"mu": "60", "shape": "35"}, None, (20, 60, 61, 90)),
    ("genpois", {"mu": "2.5", "phi": "1.0001"}, None, (0, 3, 70)),
    ("genpois", {"mu": "2.5", "phi": "30"}, None, (0, 3, 500)),
    ("genpois", {"mu": "400", "phi": "4"}, None, (1, 380, 410, 2000)),
    ("genpois", {"mu": "1e-12", "phi": "2"}, None, (0, 1, 40)),
    ("nbinom1", {"mu": "2.5", "phi": "1e-9"}, None, (0, 3, 70)),
    ("nbinom1", {"mu": "1e-12", "phi": "30"}, None, (0, 1, 40)),
    ("nbinom1", {"mu": "400", "phi": "3"}, None, (0, 380, 2000)),
    ("negbinomial2", {"mu": "400", "sigma": "0.02"}, None, (0, 380, 2800)),
    ("negbinomial2", {"mu": "4", "sigma": "1e-6"}, None, (0, 3, 84)),
    ("discrete_weibull", {"mu": "0.999", "shape": "0.5"}, None, (0, 100, 100000)),
    ("discrete_weibull", {"mu": "0.02", "shape": "0.1"}, None, (0, 1, 40)),
    ("discrete_weibull", {"mu": "0.99999", "shape": "4"}, None, (0, 1, 12, 60)),
    ("beta_binomial", {"mu": "0.3", "phi": "4.2"}, 200, (0, 3, 60, 199, 200)),
    ("beta_binomial", {"mu": "1e-17", "phi": "0.02"}, 50, (0, 1, 49, 50)),
    ("beta_binomial", {"mu": "0.5", "phi": "1e-3"}, 30, (0, 1, 15, 29, 30)),
    ("beta_binomial", {"mu": "0.7", "phi": "1e9"}, 1000, (100, 690, 720, 995)),
)


def tails(density, y, trials):
    """Return log P(Y <= y) and log P(Y > y), each as a sum or as the complement of the other."""
    below = sum(density(k) for k in range(max(0, y - 40 * FAR), y + 1))
    if trials is not None:
        above = sum(density(k) for k in range(y + 1, trials + 1))
    else:
        above, k = mpf(0), y + 1
        while True:
            term = density(k)
            above += term
            if (term < above * mpf(10) ** -25 and k > y + FAR) or k > y + 100 * FAR:
                break
            k += 1
    smaller = min(below, above)
    if smaller is below:
        above = 1 - below
    else:
        below = 1 - above
    return [float(log(v)) if v > 0 else -1e308 for v in (below, above)]


def record(name, parameters, trials, ys):
    numbers = {key: mpf(value) for key, value in parameters.items()}
    density = FAMILIES[name](**numbers, **({} if trials is None else {"trials": trials}))
    if name == "discrete_weibull":  # closed forms
        mu, s = numbers["mu"], numbers["shape"]

        def both(y):
            survival = mu ** (mpf(y + 1) ** s)
            return [float(log(1 - survival)), float(log(survival))]
    else:

        def both(y):
            return tails(density, y, trials)

    rows = [[y, float(log(density(y))), *both(y)] for y in ys]
    return {
        "family": name,
        "parameters": {k: float(v) for k, v in numbers.items()},
        "trials": trials,
        "rows": rows,
    }


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        lines = [json.dumps(record(*case)) for case in CASES]
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
