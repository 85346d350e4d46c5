"""Which tests of the population-level coefficients a fit has: Satterthwaite's, Kenward and Roger's, or normal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, final

import numpy as np
from scipy.special import gammaincc, ndtr, ndtri, stdtr, stdtrit

from bayesml.engines.linear_mixed import FTest
from bayesml.engines.linear_mixed.contrasts import check_contrast, standardised_rows
from bayesml.engines.point.unbounded import combination_errors, is_held, without_unbounded
from bayesml.errors import ModelError, did_you_mean
from bayesml.results.record.one_response import has_several

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = [
    "Ddf",
    "NormalTests",
    "Tests",
    "check_no_ddf",
    "has_t_tests",
    "quantile",
    "statistic_name",
    "tests_of",
    "two_sided",
    "wald_statistic",
]

Ddf = Literal["default", "satterthwaite", "kenward-roger"] | None
CHOICES = ("default", "satterthwaite", "kenward-roger")
ALIASES = {"kr": "kenward-roger", "kenward roger": "kenward-roger", "asymptotic": None, "none": None}


class Tests(Protocol):
    """What every way of counting degrees of freedom answers."""

    @property
    def beta(self) -> np.ndarray:
        """``(p,)`` coefficients."""

    @property
    def vcov(self) -> np.ndarray:
        """``(p, p)`` their covariance matrix."""

    def standard_errors(self, L: np.ndarray) -> np.ndarray:
        """Return the standard error of each row of ``L``."""

    def df(self, L: np.ndarray) -> np.ndarray:
        """Return the degrees of freedom of each row of ``L``."""

    def f_test(self, L: np.ndarray) -> FTest:
        """Test all rows of ``L`` jointly."""


@final
@dataclass(frozen=True)
class NormalTests:
    """Tests that take the coefficients for normal with known covariance matrix.

    Attributes:
        beta: ``(p,)`` coefficients.
        vcov: ``(p, p)`` covariance matrix.
        sigma: residual standard deviation, 1 where there is none.
        unbounded: ``(p, r)`` directions without a finite estimate: what depends on them has an infinite standard error
            and no test.
        held: ``(r, p)`` combinations that lie at a bound of their prior, which have no standard error.
    """

    beta: np.ndarray
    vcov: np.ndarray
    sigma: float
    unbounded: np.ndarray
    held: np.ndarray | None = None

    def standard_errors(self, L: np.ndarray) -> np.ndarray:
        """Return the standard error of each row of ``L``; infinite where it has no finite estimate."""
        return combination_errors(L, self.vcov, self.unbounded, self.held)

    def df(self, L: np.ndarray) -> np.ndarray:
        """Return infinity for each row."""
        return np.full(len(check_contrast(L, len(self.beta))), np.inf)

    def f_test(self, L: np.ndarray) -> FTest:
        """Return Wald's chi-square test as F with infinitely many degrees of freedom: chi-square is ``F q``.

        Combinations without a finite estimate count as degrees of freedom and add nothing to chi-square, its limit as
        their variances go to infinity: with one level without counts the test of a factor is that of the other levels.
        NaN where there are no others.
        """
        L = check_contrast(L, len(self.beta))
        bounded, unbounded = without_unbounded(L, self.unbounded)
        rows = standardised_rows(bounded, self.vcov)
        rank = len(rows) + unbounded
        if self.held is not None and is_held(bounded, self.held).any():
            return FTest(np.nan, rank, np.inf, np.nan, 1.0, np.nan)
        chi = float(np.sum((rows @ self.beta) ** 2)) if len(rows) else np.nan
        p = float(gammaincc(rank / 2.0, chi / 2.0))
        return FTest(chi / rank, rank, np.inf, p, 1.0, chi / rank * self.sigma**2)


def has_t_tests(fit: AbstractPointFit) -> bool:
    """Whether the fit is a linear mixed model with estimated residual sd, which has finite degrees of freedom."""
    return fit.estimate.t_tests is not None


def tests_of(fit: AbstractPointFit, ddf: Ddf = "default") -> Tests:
    """Return the tests of a value of ``ddf``.

    Args:
        fit: the fit.
        ddf: ``"satterthwaite"`` (the default of linear mixed models), ``"kenward-roger"`` (REML fits), or None for
            normal tests (the default of all other models).

    Raises:
        ModelError: the fit has no such degrees of freedom.
    """
    chosen = _chosen(ddf)
    if not len(fit.estimate.beta):
        raise ModelError("The model has no population-level coefficients, so that there is nothing to test.")
    if chosen == "default":
        chosen = "satterthwaite" if has_t_tests(fit) else None
    if chosen is None:
        estimate, sigma = fit.estimate, 1.0 if has_several(fit) else fit.sigma
        return NormalTests(estimate.beta, estimate.vcov, sigma, estimate.unbounded, estimate.held)
    tests = fit.estimate.t_tests
    if tests is None:
        raise ModelError(
            f"`ddf={ddf!r}` is for linear mixed models fitted by REML or ML with an estimated residual sd; the tests "
            f'of this fit (method="{fit.method}", family {fit.family.name}) are normal: use ddf=None.'
        )
    return tests.satterthwaite if chosen == "satterthwaite" else tests.kenward_roger


def check_no_ddf(ddf: Ddf) -> None:
    """Raise a ModelError for degrees of freedom of a fit with draws, whose intervals need none."""
    if _chosen(ddf) not in (None, "default"):
        raise ModelError(f"`ddf={ddf!r}` is for estimates; the intervals of draws have no degrees of freedom.")


def _chosen(ddf: object) -> str | None:
    if ddf is None:
        return None
    name = ALIASES.get(str(ddf).lower(), str(ddf).lower())
    if name is not None and name not in CHOICES:
        raise ModelError(
            f'`ddf` is "satterthwaite", "kenward-roger" or None (normal tests); got {ddf!r}'
            f"{did_you_mean(name, CHOICES)}."
        )
    return name


def wald_statistic(estimate: Any, error: Any) -> Any:
    """Return estimate / error; NaN where the error is infinite, since there is nothing to test with."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isinf(error), np.nan, np.divide(estimate, error))[()]


def method_name(tests: Tests) -> str:
    """Return how a heading names the degrees of freedom."""
    kind = type(tests).__name__
    return {"Satterthwaite": "Satterthwaite's", "KenwardRoger": "Kenward-Roger's"}.get(kind, "the normal")


def two_sided(statistic: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return two-sided p values of t, or of z where df is infinite."""
    size = -np.abs(np.asarray(statistic, dtype=float))
    df = np.broadcast_to(np.asarray(df, dtype=float), size.shape)
    return 2.0 * np.where(np.isfinite(df), stdtr(np.where(np.isfinite(df), df, 1.0), size), ndtr(size))


def quantile(probability: float | np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return quantiles of t, or of the normal distribution where df is infinite."""
    df = np.asarray(df, dtype=float)
    finite = np.isfinite(df)
    return np.where(finite, stdtrit(np.where(finite, df, 1.0), probability), ndtri(probability))


def statistic_name(tests: Tests) -> str:
    """Return the heading of the test statistic."""
    return "z value" if isinstance(tests, NormalTests) else "t value"


def check_level(level: float) -> float:
    """Return the coverage, or raise a ModelError."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0.0 < level < 1.0:
        raise ModelError(f"`level` is the coverage of the intervals, between 0 and 1; got {level!r}.")
    return float(level)
