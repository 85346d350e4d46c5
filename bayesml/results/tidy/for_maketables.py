"""What the Python package maketables needs of a model, through attributes that it finds by name.

Its table of coefficients has a row for each and the columns b, se, t, p, ci95l and ci95u.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesml.results.tidy.any_fit import about, parameters

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["LABELS", "coefficients", "default_statistics", "response", "statistic"]

NAMES = {
    "b": "estimate",
    "se": "std.error",
    "t": "statistic",
    "p": "p.value",
    "ci95l": "conf.low",
    "ci95u": "conf.high",
}
STATISTICS = {"N": "nobs", "ll": "logLik", "aic": "AIC", "bic": "BIC", "draws": "pss"}
"""The keys of maketables and the columns of ``fit.glance()``, which are keys too."""

LABELS = {"draws": "Draws", "REMLcrit": "REML criterion"}


def coefficients(fit: AbstractFit) -> pd.DataFrame:
    """Return the population-level coefficients; t and p are missing of draws."""
    import pandas as pd

    found = parameters(fit, ("fixed",), 0.95)
    parts = [name for name in ("response", "component") if name in found]
    labels = [
        ": ".join([*(value for value in own if isinstance(value, str) and value != "cond"), term])
        for *own, term in found[[*parts, "term"]].itertuples(index=False)
    ]
    index = pd.Index(labels, name="Coefficient", dtype=object)
    columns = {ours: found[name].to_numpy() if name in found else float("nan") for ours, name in NAMES.items()}
    return pd.DataFrame(columns, index=index)


def statistic(fit: AbstractFit, key: str) -> Any:
    """Return one number about the whole model, or None where there is none of that name."""
    found = about(fit)
    value = found.get(STATISTICS.get(key, key))
    return None if value is None or value != value else value


def default_statistics(fit: AbstractFit) -> list[str]:
    """Return the keys that are shown where nothing else is requested."""
    return ["N", *(key for key, name in STATISTICS.items() if key != "N" and name in about(fit))]


def response(fit: AbstractFit) -> str:
    """Return what is modelled."""
    return ", ".join(each.response.name for each in fit.parsed.responses)
