"""The value of ``waic()`` and ``kfold()``: an expected log predictive density with its parts."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.results.record.fit import AbstractSampledFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AbstractElpd", "KFold", "Waic", "log_mean_exp", "standard_error"]


def standard_error(contributions: np.ndarray) -> float:
    """Return the standard error of a sum, sqrt(n var), with the variance of R, over n - 1; NaN of a single one."""
    n = len(contributions)
    return float(np.sqrt(n * contributions.var(ddof=1))) if n > 1 else float("nan")


def log_mean_exp(values: np.ndarray) -> np.ndarray:
    """Return the log of the mean of exp(values) over the first axis."""
    top = values.max(axis=0)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - shift).mean(axis=0)) + shift


@dataclass(frozen=True, repr=False)
class AbstractElpd(ABC):
    """An expected log predictive density.

    Attributes:
        fit: the fit that it is of.
        pointwise: what each observation contributes, by the names of ``estimates``.
    """

    kind: ClassVar[str]
    fit: AbstractSampledFit = field(compare=False)
    pointwise: pd.DataFrame

    @property
    def elpd(self) -> float:
        """The sum over the observations."""
        return float(self.contributions.sum())

    @property
    def se(self) -> float:
        """Its standard error, sqrt(n var) over the n observations."""
        return standard_error(self.contributions)

    @property
    def p(self) -> float:
        """The effective number of parameters; NaN where it is not defined."""
        return float(self._part("p").sum())

    @property
    def contributions(self) -> np.ndarray:
        """What each observation adds to the sum."""
        return self._part("elpd")

    @property
    def estimates(self) -> pd.DataFrame:
        """Estimate and SE of the density, of the effective number of parameters, and of -2 times the density."""
        import pandas as pd

        parts = {f"elpd_{self.kind}": self.contributions, f"p_{self.kind}": self._part("p")}
        parts["waic" if self.kind == "waic" else f"{self.kind}ic"] = -2.0 * self.contributions
        rows = {name: (values.sum(), standard_error(values)) for name, values in parts.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["Estimate", "SE"])

    def _part(self, name: str) -> np.ndarray:
        return self.pointwise[f"{name}_{self.kind}"].to_numpy()

    def _heading(self) -> str:
        draws = self.fit.draws_record
        return f"{draws.n_chains * draws.n_draws} draws, {len(self.pointwise)} observations"

    def __repr__(self) -> str:
        return f"{self._heading()}\n\n{self.estimates.to_string(float_format=lambda value: f'{value:.1f}')}"


@final
@dataclass(frozen=True, repr=False)
class Waic(AbstractElpd):
    """The widely applicable information criterion; its attributes are those of R's loo."""

    kind: ClassVar[str] = "waic"

    @property
    def elpd_waic(self) -> float:
        """The expected log predictive density."""
        return self.elpd

    @property
    def p_waic(self) -> float:
        """The effective number of parameters."""
        return self.p

    @property
    def waic(self) -> float:
        """-2 times ``elpd_waic``."""
        return -2.0 * self.elpd


@final
@dataclass(frozen=True, repr=False)
class KFold(AbstractElpd):
    """K-fold cross-validation.

    Attributes:
        folds: the fold of each observation, 0 to K - 1.
        joint: whose densities are taken jointly: ``"obs"``, ``"fold"`` or ``"group"``.
    """

    folds: np.ndarray
    joint: str = "obs"
    kind: ClassVar[str] = "kfold"

    @property
    def K(self) -> int:
        """The number of folds."""
        return int(self.folds.max()) + 1

    @property
    def elpd_kfold(self) -> float:
        """The expected log predictive density."""
        return self.elpd

    @property
    def p_kfold(self) -> float:
        """The effective number of parameters; NaN for joint densities."""
        return self.p

    def _heading(self) -> str:
        jointly = "" if self.joint == "obs" else f", {len(self.pointwise)} joint densities, one for each {self.joint}"
        return f"{self.K}-fold cross-validation, {len(self.folds)} observations{jointly}"
