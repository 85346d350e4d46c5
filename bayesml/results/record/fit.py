"""What a fit is: a record of what was fitted and learnt. Every verb is a function of such a record.

Verbs are written against the classes here, which hold data alone. ``Fit`` and ``PointFit``, the classes that users see,
name the verbs as their methods (``results.fits``); no verb imports them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Self, cast

from bayesml.errors import ModelError
from bayesml.frozen import fields_alone
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml import reported
    from bayesml.engines import AbstractEngine, Outcome, Problem
    from bayesml.engines.point.estimate import AbstractEstimate
    from bayesml.families import AbstractFamily, AbstractLikelihood
    from bayesml.formula import ParsedFormula
    from bayesml.frame import Frame
    from bayesml.posterior import Draws, Timing
    from bayesml.priors import Prior, Style
    from bayesml.results.record.diagnostics import Diagnostics
    from bayesml.results.record.recipe import Recipe
    from bayesml.variables import ReportedVariable
else:
    reported = lazy_module("bayesml.reported")

__all__ = ["AbstractFit", "AbstractPointFit", "AbstractSampledFit"]


@dataclass(frozen=True, repr=False)
class AbstractFit(ABC):
    """A fitted model, whatever fitted it.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        outcome: what the engine returned: draws or estimates, timing and seed.
        recipe: how the model was fitted, from which it can be fitted again.
    """

    problem: Problem
    frame: Frame
    outcome: Outcome
    recipe: Recipe
    __getstate__ = fields_alone

    @property
    def engine(self) -> AbstractEngine:
        """The engine with its options."""
        return self.recipe.engine

    @property
    def priors(self) -> tuple[Prior, ...]:
        """The priors that the user set."""
        return self.recipe.priors

    @property
    def default_priors(self) -> Style:
        """Which defaults filled the rest of the priors."""
        return self.recipe.default_priors

    @property
    def data_name(self) -> str:
        """How the summary names the data."""
        return self.recipe.data_name

    @property
    def family(self) -> AbstractFamily:
        """The response family with its links."""
        return self.problem.family

    @property
    def likelihood(self) -> AbstractLikelihood:
        """The family bound to the response."""
        return self.problem.likelihood

    @property
    def parsed(self) -> ParsedFormula:
        """The formula, read."""
        return self.problem.design.schema.parsed

    @property
    def formula(self) -> str:
        """The formula as written."""
        return self.parsed.text

    @property
    def timing(self) -> Timing:
        """Seconds spent in each part of the fit."""
        return self.outcome.timing

    @property
    def nobs(self) -> int:
        """Number of observations."""
        return self.problem.design.n_rows

    def ngrps(self) -> dict[str, int]:
        """Return the number of levels of each grouping factor."""
        return dict(self.problem.description.spec.levels)

    @cached_property
    def variables(self) -> tuple[ReportedVariable, ...]:
        """The reported variables with their labels and text names."""
        return reported.reported_variables(self.problem.description.spec, self.problem.design.schema)


@dataclass(frozen=True, repr=False)
class AbstractSampledFit(AbstractFit):
    """A fit whose posterior is draws."""

    @property
    def plan(self) -> str:
        """How the posterior was sampled and why: the form, what was integrated out, what a gradient reads."""
        return self.outcome.plan

    @property
    def seed(self) -> int:
        """The seed that reproduces the draws."""
        return self.outcome.seed

    @cached_property
    def variables(self) -> tuple[ReportedVariable, ...]:
        """The variables of the posterior with their labels and text names; without effects that were not kept."""
        every = reported.reported_variables(self.problem.description.spec, self.problem.design.schema)
        return tuple(variable for variable in every if variable.name not in self.draws_record.reduced)

    @cached_property
    def draws_record(self) -> Draws:
        """The draws as plain arrays."""
        return cast("Draws", self.outcome.posterior)

    @property
    @abstractmethod
    def diagnostics(self) -> Diagnostics:
        """Divergences, tree depth, energy, Rhat and effective sample sizes of the run."""


@dataclass(frozen=True, repr=False)
class AbstractPointFit(AbstractFit):
    """A fit by REML, maximum likelihood or penalised likelihood: estimates with their covariances."""

    @property
    def estimate(self) -> AbstractEstimate:
        """What was estimated."""
        return cast("AbstractEstimate", self.outcome.posterior)

    def with_estimate(self, estimate: AbstractEstimate) -> Self:
        """Return the same fit with other estimates.

        Args:
            estimate: the estimates.

        Example:
            >>> fit.with_estimate(fit.estimate.by_maximum_likelihood())
        """
        return replace(self, outcome=replace(self.outcome, posterior=estimate))

    @property
    def method(self) -> str:
        """``reml``, ``ml``, ``laplace`` or ``map``."""
        return self.engine.method

    @property
    def logLik(self) -> float:
        """Log-likelihood with the group effects integrated out, all constants included; REML's own for REML."""
        return self.estimate.log_likelihood

    @property
    def criterion(self) -> float:
        """Minus twice the log-likelihood: the REML criterion, or the deviance that was minimised."""
        return -2.0 * self.logLik

    @property
    def deviance(self) -> float:
        """Minus twice the log-likelihood, as ``criterion``."""
        return self.criterion

    @property
    def df(self) -> int:
        """Number of estimated parameters: coefficients, variances and covariances, family parameters."""
        return self.estimate.n_parameters

    @property
    def df_residual(self) -> int:
        """Number of observations minus ``df``."""
        return self.nobs - self.df

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 logLik + 2 df. After REML comparable between models with the same predictors only."""
        return self.criterion + 2.0 * self.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion, -2 logLik + log(nobs) df."""
        return self.criterion + log(self.nobs) * self.df

    @property
    def sigma(self) -> float:
        """The residual standard deviation; 1 for a family without one, as in lme4.

        Of a Gamma response 1 / sqrt(shape), its coefficient of variation by maximum likelihood, as in glmmTMB.

        Raises:
            ModelError: there are several responses, each with its own.
        """
        if len(self.problem.design.responses) > 1:
            raise ModelError(
                "The model has several responses, each with a residual standard deviation of its own: "
                f'fit.varcorr()["residual__"], or by name, fit["sigma_{self.problem.design.responses[0].name}"].'
            )
        auxiliary = self.estimate.auxiliary
        if "sigma" in auxiliary or not self.estimate.has_one_predictor:
            return float(auxiliary.get("sigma", 1.0))
        return self.likelihood.root_dispersion(auxiliary)

    @property
    def is_singular(self) -> bool:
        """Whether a component of variance is estimated as zero; the summary says which."""
        return bool(self.estimate.singular)
