"""``Fit`` and ``PointFit``: the two kinds of fits, with the verbs that make fits of fits.

One can become the other (``fit.update(method="reml")``, ``fit.to_normal_draws()``), so that both stand in one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Unpack, final

from bayesml.engines import AbstractEngine, SamplerOptions
from bayesml.families import AbstractFamily
from bayesml.foreign import answers_foreign_words, takes_options
from bayesml.formula import ModelFormula
from bayesml.lazy import lazy_module
from bayesml.posterior import Draws
from bayesml.priors import Prior
from bayesml.results.fits.draws_verbs import AbstractDrawsVerbs
from bayesml.results.fits.estimate_verbs import AbstractEstimateVerbs
from bayesml.results.fits.every_verb import AbstractFitVerbs
from bayesml.results.record.recipe import FittedModel

if TYPE_CHECKING:
    from bayesml.results.checks import diagnostics
    from bayesml.results.fits import extending, updating
    from bayesml.results.frequentist import normal_draws, report, simulate
    from bayesml.results.predict import point_survival
    from bayesml.results.predict.survival import SurvivalCurves
else:
    diagnostics = lazy_module("bayesml.results.checks.diagnostics")
    extending = lazy_module("bayesml.results.fits.extending")
    normal_draws = lazy_module("bayesml.results.frequentist.normal_draws")
    point_survival = lazy_module("bayesml.results.predict.point_survival")
    report = lazy_module("bayesml.results.frequentist.report")
    simulate = lazy_module("bayesml.results.frequentist.simulate")
    updating = lazy_module("bayesml.results.fits.updating")

__all__ = ["Fit", "PointFit", "finished", "fit_of"]


@dataclass(frozen=True, repr=False)
class AbstractUpdated(AbstractFitVerbs):
    """A fit that can be fitted again with changes."""

    @takes_options(SamplerOptions)
    def update(
        self, formula: str | ModelFormula | None = None, data: Any = None, *,
        prior: Prior | Sequence[Prior] | None = None,
        family: str | AbstractFamily | None = None, method: str | AbstractEngine | None = None,
        data_name: str | None = None, data2: Mapping[str, Any] | None = None, **options: Unpack[SamplerOptions],
    ) -> Fit | PointFit:  # fmt: skip
        """Fit a changed model with the settings of a fit; what does not change is neither read nor encoded again.

        Args:
            formula: the change in R's language, ``". ~ . - x + (1 | g)"``, or ``bf(". ~ . - x", sigma="~ . + z")``: a
                dot stands for what was there, a parameter that is not named keeps its formula. A formula without a dot
                stands as it is. None keeps all.
            data: other data; None takes the rows and columns that the fit used.
            prior: all priors of the new model; None keeps those of the fit, without those that have no target any more.
            family: another family; None keeps it.
            method: another method, or an engine with its options; None keeps those of the fit.
            data_name: how the summary names other data.
            data2: matrices that are new or take the place of those of the same name; the fit keeps those it used.
            options: options of the engine that change, such as ``chains`` and ``draws``; see ``bayesml.fit``.

        Returns:
            The fit of the changed model, a ``PointFit`` where ``method`` is that of a point estimate.

        Raises:
            FormulaError: the change cannot be read or names what does not exist; columns that the fit has not used come
                with ``data``.
            DataError: the data do not fit the formula or the family.
            PriorError: a prior matches nothing.
            ModelError: the method cannot fit the model; it has no such option, or a value is out of range.

        Warns:
            FitWarning: a prior of the fit has no target any more.

        Example:
            >>> import bayesml
            >>> data = bayesml.load_dataset("sleepstudy")
            >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
            >>> fit.update(". ~ . - (Days | Subject) + (1 | Subject)").formula
            'Reaction ~ Days + (1 | Subject)'
        """
        return finished(updating.updated(self, formula, data, prior, family, method, data_name, options, data2))


@answers_foreign_words("SAMPLED")
@final
@dataclass(frozen=True, repr=False)
class Fit(AbstractUpdated, AbstractDrawsVerbs):
    """A fitted model with draws from its posterior.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        outcome: posterior, timing and seed.
        recipe: formula, family, priors, engine and the other settings.
    """

    def extend(self, draws: int = 1000) -> Fit:
        """Go on with the chains of a fit, finished or interrupted, where they stand; the step size stays what it is.

        The draws are those of a longer run with the same seed, bit for bit on the same machine, unless divergent
        transitions made that run start again.

        Args:
            draws: further draws of each chain.

        Returns:
            A fit with all draws, old and new.

        Raises:
            ModelError: ``draws`` is no whole number of at least 1; the fit has no chains, or was saved without their
                state; or this machine builds other coordinates for the sampler.

        Example:
            >>> longer = fit.extend(draws=2000)
        """
        return extending.extend(self, draws)


@answers_foreign_words("POINT")
@final
@dataclass(frozen=True, repr=False)
class PointFit(AbstractUpdated, AbstractEstimateVerbs):
    """A model fitted by REML, maximum likelihood or penalised likelihood.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        outcome: estimates and timing.
        recipe: formula, family, priors, engine and the other settings.
    """

    def refit(self, y: Any) -> PointFit:
        """Fit the same model to another response; of a linear mixed model the decomposed structure is used again.

        Args:
            y: a response for each row used by the fit, in their order; for a binomial response counts. A pandas Series
                is brought into the order of the fit by its index, and may hold the rows that were left out too.

        Raises:
            DataError: the length or the index does not fit, or a value is missing or impossible for the family.

        Example:
            >>> fit.refit(fit.simulate(1, seed=1)[0])["b_Days"]
        """
        return simulate.refit(self, y)

    def to_normal_draws(self, ndraws: int = 4000, seed: int | None = None) -> Fit:
        """Return a fit with draws from the normal approximation, on which ArviZ and every draw-based method work.

        Standard deviations, correlations and family parameters are drawn on the unconstrained scale (log sd, atanh cor,
        log sigma), with the inverse Hessian of the criterion as covariance; coefficients and group effects jointly
        normal given the estimated variances. What lies on the boundary (a variance of 0) stays there. Methods of the
        result see the model as ``method="nuts"`` does: ``weights()`` are powers of the densities there, also after
        REML.

        Args:
            ndraws: number of draws, a multiple of 4; they are shown as 4 chains.
            seed: whole number that makes the draws reproducible.

        Raises:
            ModelError: an option is impossible.

        Example:
            >>> draws = fit.to_normal_draws(seed=1)
            >>> draws.idata
        """
        outcome = normal_draws.normal_outcome(self, ndraws, seed)
        return Fit(self.problem, self.frame, outcome, self.recipe)

    def survival(
        self, newdata: Any = None, times: Sequence[float] | None = None, *,
        by: str | None = None, resp: str | None = None,
        re_formula: Any = None, new_levels: Literal["error", "zero"] = "error", ndraws: int = 1000, seed: int = 0,
    ) -> SurvivalCurves:  # fmt: skip
        """Return survival curves at the estimates, S(t) = P(response > t), with intervals.

        The response is that before censoring and truncation. Intervals are those of curves at draws from the normal
        approximation (Mandel 2013, The American Statistician 67, 76-81), which stay between 0 and 1.

        Args:
            newdata: rows with a curve each. None takes the rows of the fit, whose curves are averaged.
            times: the times, in any order; None takes 50 from 0 to the largest that was observed.
            by: a column: the curves of rows with the same value of it are averaged.
            resp: which of several responses.
            re_formula: which group-level effects, see ``linpred``.
            new_levels: what unseen levels get, see ``linpred``.
            ndraws: number of draws for the intervals, a multiple of 4.
            seed: seed of these draws.

        Returns:
            As of a fit with draws; ``to_pandas()`` has the columns Estimate, Std.Error, Lower and Upper.

        Raises:
            DataError: see ``linpred``.
            FormulaError: see ``linpred``.
            ModelError: the family has no distribution function, a time is not a number, or ``by`` is no column.

        Example:
            >>> fit.survival({"sex": ["female", "male"], "age": [60, 60]}, times=[30, 90, 365]).to_pandas()
        """
        return point_survival.survival(
            self, self.to_normal_draws(ndraws, seed), newdata, times, by=by, resp=resp, re_formula=re_formula,
            new_levels=new_levels,
        )  # fmt: skip


def fit_of(fitted: FittedModel) -> Fit | PointFit:
    """Return the fit of a model that an engine has fitted."""
    kind = Fit if isinstance(fitted.outcome.posterior, Draws) else PointFit
    return kind(fitted.problem, fitted.frame, fitted.outcome, fitted.recipe)


def finished(fitted: FittedModel) -> Fit | PointFit:
    """Return the fit of a model, after its warnings.

    Warns:
        FitWarning: the sampler had problems, a variance is estimated as zero, or columns were dropped.
    """
    fit = fit_of(fitted)
    if isinstance(fit, Fit):
        diagnostics.warn_about(fit)
    else:
        report.warn_about_point(fit)
    return fit
