"""``Fit`` and ``PointFit``: the two kinds of fits, with the verbs that make fits of fits.

One can become the other (``fit.update(method="reml")``, ``fit.to_normal_draws()``), so that both stand in one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, final

from bayesml.engines import AbstractEngine, SamplerOptions
from bayesml.families import AbstractFamily
from bayesml.foreign import answers_foreign_words, takes_options
from bayesml.formula import ModelFormula
from bayesml.lazy import lazy_module
from bayesml.posterior import Draws
from bayesml.priors import Prior
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.fits.draws_verbs import AbstractDrawsVerbs
from bayesml.results.fits.estimate_verbs import AbstractEstimateVerbs
from bayesml.results.record.recipe import FittedModel

if TYPE_CHECKING:
    from bayesml.results.fits import extending, updating
    from bayesml.results.frequentist import normal_draws, report, simulate
else:
    extending = lazy_module("bayesml.results.fits.extending")
    normal_draws = lazy_module("bayesml.results.frequentist.normal_draws")
    report = lazy_module("bayesml.results.frequentist.report")
    simulate = lazy_module("bayesml.results.frequentist.simulate")
    updating = lazy_module("bayesml.results.fits.updating")

__all__ = ["Fit", "PointFit", "finished", "fit_of"]


@answers_foreign_words("SAMPLED")
@final
@dataclass(frozen=True, repr=False)
class Fit(AbstractDrawsVerbs):
    """A fitted model with draws from its posterior.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        outcome: posterior, timing and seed.
        recipe: formula, family, priors, engine and the other settings.
    """

    @takes_options(SamplerOptions)
    def update(
        self, formula: str | ModelFormula | None = None, data: Any = None, *,
        prior: Prior | Sequence[Prior] | None = None,
        family: str | AbstractFamily | None = None, method: str | AbstractEngine | None = None,
        data_name: str | None = None, **options: Unpack[SamplerOptions],
    ) -> Fit | PointFit:  # fmt: skip
        """Fit a changed model, ``fit.update(". ~ . - x")``, with the same settings; see ``results.fits.updating``."""
        return finished(updating.updated(self, formula, data, prior, family, method, data_name, options))

    def extend(self, draws: int = 1000) -> Fit:
        """Return the fit with further draws of each chain, as if they had been asked for at first."""
        longer = extending.extend(self, draws)
        warn_about(longer)
        return longer


@answers_foreign_words("POINT")
@final
@dataclass(frozen=True, repr=False)
class PointFit(AbstractEstimateVerbs):
    """A model fitted by REML, maximum likelihood or penalised likelihood.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        outcome: estimates and timing.
        recipe: formula, family, priors, engine and the other settings.
    """

    @takes_options(SamplerOptions)
    def update(
        self, formula: str | ModelFormula | None = None, data: Any = None, *,
        prior: Prior | Sequence[Prior] | None = None,
        family: str | AbstractFamily | None = None, method: str | AbstractEngine | None = None,
        data_name: str | None = None, **options: Unpack[SamplerOptions],
    ) -> PointFit | Fit:  # fmt: skip
        """Fit a changed model, ``fit.update(". ~ . - x")``, with the same settings; see ``results.fits.updating``."""
        return finished(updating.updated(self, formula, data, prior, family, method, data_name, options))

    def refit(self, y: Any) -> PointFit:
        """Fit the same model to another response."""
        return simulate.refit(self, y)

    def to_normal_draws(self, ndraws: int = 4000, seed: int | None = None) -> Fit:
        """Return a ``Fit`` with draws from the normal approximation: ``.idata``, ``.draws``, ``.loo``, ..."""
        outcome = normal_draws.normal_outcome(self, ndraws, seed)
        return Fit(self.problem, self.frame, outcome, self.recipe)


def fit_of(fitted: FittedModel) -> Fit | PointFit:
    """Return the fit of a model that an engine has fitted."""
    kind = Fit if isinstance(fitted.outcome.posterior, Draws) else PointFit
    return kind(fitted.problem, fitted.frame, fitted.outcome, fitted.recipe)


def finished(fitted: FittedModel) -> Fit | PointFit:
    """Return the fit of a model, after warnings about what its user should know.

    Warns:
        FitWarning: the sampler had problems, a variance is estimated as zero, or columns were dropped.
    """
    fit = fit_of(fitted)
    if isinstance(fit, Fit):
        warn_about(fit)
    else:
        report.warn_about_point(fit)
    return fit
