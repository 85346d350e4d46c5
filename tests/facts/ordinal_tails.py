"""Log probabilities of ordinal families with 60 digits, far into the tails: ordinal_tails.json.

    python tests/facts/ordinal_tails.py > tests/facts/ordinal_tails.json

needs mpmath, which is no part of the package.
"""

from __future__ import annotations

import json

import mpmath

TAU, DISC, ETAS = ("-1.2", "0.4", "-0.3"), "1.3", (-40.0, -3.0, 0.4, 5.0, 40.0)
LINKS = ("logit", "probit", "probit_approx", "cloglog", "cauchit")
mpmath.mp.dps = 60


def distribution(link: str, x: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return F(x) and 1 - F(x), each with all digits."""
    if link == "probit":
        return mpmath.ncdf(x), mpmath.ncdf(-x)
    if link == "cloglog":
        return -mpmath.expm1(-mpmath.exp(x)), mpmath.exp(-mpmath.exp(x))
    if link == "cauchit":
        return mpmath.atan2(1, -x) / mpmath.pi, mpmath.atan2(1, x) / mpmath.pi
    y = mpmath.mpf("0.07056") * x**3 + mpmath.mpf("1.5976") * x if link == "probit_approx" else x
    return 1 / (1 + mpmath.exp(-y)), 1 / (1 + mpmath.exp(y))


def log_probabilities(name: str, link: str, eta: float) -> list[float]:
    z = [mpmath.mpf(DISC) * (mpmath.mpf(t) - mpmath.mpf(eta)) for t in TAU]
    if name == "acat":
        up, down = zip(*(distribution(link, -each) for each in z), strict=True)
        terms = [mpmath.fprod(up[:k]) * mpmath.fprod(down[k:]) for k in range(len(z) + 1)]
        return [float(mpmath.log(term / mpmath.fsum(terms))) for term in terms]
    both = [distribution(link, each) if name == "sratio" else distribution(link, -each)[::-1] for each in z]
    stops, goes_on = zip(*both, strict=True)
    return [float(mpmath.log(mpmath.fprod(goes_on[:k]) * s)) for k, s in enumerate([*stops, mpmath.mpf(1)])]


records = [
    {"family": name, "link": link, "eta": eta, "log_probabilities": log_probabilities(name, link, eta)}
    for name in ("sratio", "cratio", "acat")
    for link in LINKS
    for eta in ETAS
]
print('{{"tau": [{}], "disc": {}, "records": ['.format(", ".join(TAU), DISC))
print(",\n".join(json.dumps(record) for record in records))
print("]}")
