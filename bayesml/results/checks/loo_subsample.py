"""The leave-one-out density from a random sample of rows, for large data (Magnusson et al. 2019, 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.posterior import Draws
from bayesml.results.checks.elpd import log_mean_exp
from bayesml.results.checks.log_lik import compiled_density, log_lik_by_rows, log_lik_of_rows
from bayesml.results.checks.psis import LeaveOneOut, leave_one_out
from bayesml.results.record.fit import AbstractSampledFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Approximation", "SubsampledLoo", "difference_estimate", "loo_of_sample"]

Approximation = Literal["plpd", "lpd"]
NUMBERS_AT_ONCE = 4_000_000


@final
@dataclass(frozen=True, repr=False)
class SubsampledLoo:
    """An expected log predictive density estimated from some of the rows.

    Attributes:
        fit: the fit.
        rows: positions of the rows of the sample.
        pointwise: of each of these ``elpd_loo``, its approximation ``elpd_loo_approx``, ``p_loo`` and ``pareto_k``.
        approximation: the approximate density of every row of the fit.
    """

    fit: AbstractSampledFit = field(compare=False)
    rows: np.ndarray
    pointwise: pd.DataFrame
    approximation: np.ndarray

    @property
    def estimates(self) -> pd.DataFrame:
        """Estimate, SE over the rows, and SE that the sampling of rows adds, of ``elpd_loo``, ``p_loo``, ``looic``."""
        import pandas as pd

        elpd = difference_estimate(self.approximation, self.rows, self.pointwise["elpd_loo"].to_numpy())
        p = difference_estimate(np.zeros_like(self.approximation), self.rows, self.pointwise["p_loo"].to_numpy())
        n = len(self.approximation)
        p = (p[0], p[1] * np.sqrt(n / (n - 1)), p[2])  # nothing stands for p_loo of other rows: a variance over n - 1
        rows = {"elpd_loo": elpd, "p_loo": p, "looic": (-2.0 * elpd[0], 2.0 * elpd[1], 2.0 * elpd[2])}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["Estimate", "SE", "subsampling SE"])

    @property
    def elpd_loo(self) -> float:
        """The expected log predictive density."""
        return float(self.estimates.loc["elpd_loo", "Estimate"])

    @property
    def se(self) -> float:
        """The standard error of ``elpd_loo`` over rows, as that of ``loo()``."""
        return float(self.estimates.loc["elpd_loo", "SE"])

    @property
    def subsampling_se(self) -> float:
        """How far ``elpd_loo`` is from what all rows would give, one standard error."""
        return float(self.estimates.loc["elpd_loo", "subsampling SE"])

    @property
    def p_loo(self) -> float:
        """The effective number of parameters."""
        return float(self.estimates.loc["p_loo", "Estimate"])

    def __repr__(self) -> str:
        draws = self.fit.draws_record.n_chains * self.fit.draws_record.n_draws
        head = f"{draws} draws, {len(self.rows)} of {self.fit.nobs} observations"
        return f"{head}\n\n{self.estimates.to_string(float_format=lambda value: f'{value:.1f}')}"


def loo_of_sample(
    fit: AbstractSampledFit, subsample: Any, approximation: Approximation, seed: int, efficiency: float
) -> tuple[SubsampledLoo, LeaveOneOut]:
    """Return the estimate from a sample of rows, and what these contribute.

    Args:
        fit: the fit.
        subsample: how many rows, or their positions.
        approximation: ``"plpd"`` the log density of each row at the posterior mean of the parameters, ``"lpd"`` that
            averaged over the draws.
        seed: of the choice of rows.
        efficiency: effective sample size of the draws over their number.

    Raises:
        ModelError: an argument is impossible.
    """
    import pandas as pd

    if approximation not in ("plpd", "lpd"):
        raise ModelError(f'`approximation` is "plpd" or "lpd"; got {approximation!r}.')
    rows = _sampled_rows(fit, subsample, seed)
    approximate = _approximate(fit, approximation)
    values = log_lik_of_rows(fit, rows, compiled_density(fit))
    if infinite := int((~np.isfinite(values).all(axis=0)).sum() + (~np.isfinite(approximate)).sum()):
        raise ModelError(f"The log-likelihood of {infinite} observations is not finite, which loo() needs.")
    found = leave_one_out(np.ascontiguousarray(values.T), efficiency)
    columns = {
        "elpd_loo": found.elpd,
        "elpd_loo_approx": approximate[rows],
        "p_loo": found.lppd - found.elpd,
        "pareto_k": found.pareto_k,
    }
    return SubsampledLoo(fit, rows, pd.DataFrame(columns, index=fit.frame.labels()[rows]), approximate), found


def _sampled_rows(fit: AbstractSampledFit, subsample: Any, seed: int) -> np.ndarray:
    given = np.asarray(subsample)
    if given.ndim == 0 and not isinstance(subsample, bool) and given.dtype.kind in "iu" and 2 <= given <= fit.nobs:
        return np.sort(np.random.default_rng(seed).choice(fit.nobs, int(given), replace=False))
    positions = given.ndim == 1 and given.dtype.kind in "iu" and len(np.unique(given)) == len(given) > 1
    if positions and given.min() >= 0 and given.max() < fit.nobs:
        return np.sort(given)
    raise ModelError(
        f"`subsample` is the number of rows, from 2 to {fit.nobs}, or positions of two or more different rows from 0 "
        f"to {fit.nobs - 1}; got {subsample!r:.100}."
    )


def _approximate(fit: AbstractSampledFit, approximation: Approximation) -> np.ndarray:
    """Return an approximate density of every row, which takes one evaluation at the mean, or one at each draw."""
    if approximation == "plpd":
        means = {name: value.mean(axis=(0, 1), keepdims=True) for name, value in fit.draws_record.values.items()}
        fit = replace(fit, outcome=replace(fit.outcome, posterior=Draws(means)))
    out = np.empty(fit.nobs)
    for rows, values in log_lik_by_rows(fit, NUMBERS_AT_ONCE):
        out[rows] = log_mean_exp(values)
    return out


def difference_estimate(approximation: np.ndarray, rows: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Return the estimate of a sum over all rows, its standard error over rows, and that of the sampling.

    With m of N rows and e_j = value - approximation, the sum is ``sum a_i + N/m sum e_j``, and the variance of the
    sampling v = N^2 (1 - m/N) var(e) / m. The standard error over rows is sqrt(N var(values)), in which ``sum x_i^2``
    is estimated as ``sum a_i^2 + N/m sum (x_j^2 - a_j^2)``, and ``(sum x_i)^2`` as the square of the estimate less v.
    Magnusson, Vehtari, Jonasson & Andersen (2020), Leave-one-out cross-validation for Bayesian model comparison in
    large data, AISTATS.

    Args:
        approximation: ``(N,)`` approximate values of all rows.
        rows: ``(m,)`` positions of the sample.
        values: ``(m,)`` values of the sample.
    """
    N, m = len(approximation), len(rows)
    own = approximation[rows]
    estimate = approximation.sum() + N / m * (values - own).sum()
    sampling = N**2 * (1.0 - m / N) * (values - own).var(ddof=1) / m
    squares = (approximation**2).sum() + N / m * (values**2 - own**2).sum()
    over_rows = squares - (estimate**2 - sampling) / N
    return float(estimate), float(np.sqrt(max(over_rows, 0.0))), float(np.sqrt(sampling))
