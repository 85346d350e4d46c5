"""The verbs of a fit with draws, as methods; each is a function in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bayesml.lazy import lazy_module
from bayesml.results.fits.every_verb import AbstractFitVerbs
from bayesml.results.fits.verb import Verb
from bayesml.results.record.fit import AbstractSampledFit

if TYPE_CHECKING:
    import xarray as xr

    from bayesml.results import plots
    from bayesml.results.checks import (
        bayes_r2,
        bridge,
        diagnostics,
        kfold,
        log_lik,
        loo,
        loo_predict,
        loo_r2,
        pp_mixture,
        prior_draws,
        prior_sensitivity,
        rhats,
        waic,
    )
    from bayesml.results.predict import predict, survival
    from bayesml.results.projection import project, varsel
    from bayesml.results.questions import describe_posterior, hypothesis
    from bayesml.results.record.diagnostics import Diagnostics
    from bayesml.results.storage import export
    from bayesml.results.tables import summary, tables
    from bayesml.results.tidy import add_draws, spread_draws, tidied_draws
else:  # a fit and its table should not wait for what draws pictures of it
    bayes_r2 = lazy_module("bayesml.results.checks.bayes_r2")
    bridge = lazy_module("bayesml.results.checks.bridge")
    diagnostics = lazy_module("bayesml.results.checks.diagnostics")
    describe_posterior = lazy_module("bayesml.results.questions.describe_posterior")
    hypothesis = lazy_module("bayesml.results.questions.hypothesis")
    export = lazy_module("bayesml.results.storage.export")
    kfold = lazy_module("bayesml.results.checks.kfold")
    log_lik = lazy_module("bayesml.results.checks.log_lik")
    add_draws = lazy_module("bayesml.results.tidy.add_draws")
    spread_draws = lazy_module("bayesml.results.tidy.spread_draws")
    tidied_draws = lazy_module("bayesml.results.tidy.tidied_draws")
    loo = lazy_module("bayesml.results.checks.loo")
    loo_predict = lazy_module("bayesml.results.checks.loo_predict")
    loo_r2 = lazy_module("bayesml.results.checks.loo_r2")
    rhats = lazy_module("bayesml.results.checks.rhats")
    pp_mixture = lazy_module("bayesml.results.checks.pp_mixture")
    prior_draws = lazy_module("bayesml.results.checks.prior_draws")
    prior_sensitivity = lazy_module("bayesml.results.checks.prior_sensitivity")
    plots = lazy_module("bayesml.results.plots")
    project = lazy_module("bayesml.results.projection.project")
    varsel = lazy_module("bayesml.results.projection.varsel")
    predict = lazy_module("bayesml.results.predict.predict")
    survival = lazy_module("bayesml.results.predict.survival")
    summary = lazy_module("bayesml.results.tables.summary")
    tables = lazy_module("bayesml.results.tables.tables")
    waic = lazy_module("bayesml.results.checks.waic")

__all__ = ["AbstractDrawsVerbs"]


@dataclass(frozen=True, repr=False)
class AbstractDrawsVerbs(AbstractFitVerbs, AbstractSampledFit):
    """The methods of fits with draws."""

    @cached_property
    def idata(self) -> Any:
        """The draws for ArviZ: ``InferenceData`` for ArviZ 0.x, an ``xarray.DataTree`` from 1.0."""
        return self.to_arviz()

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Divergences, tree depth, energy, Rhat and effective sample sizes of the run."""
        return diagnostics.diagnose(self)

    @cached_property
    def model(self) -> Any:
        """The NumPyro model, ready for ``numpyro.infer``: ``model(data, y)`` with the fit's own data as defaults.

        Pass ``y=None`` to draw the response instead of conditioning on it.
        """
        from bayesml.numpyro_model import bound_model

        return bound_model(self.problem)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the draws of one variable or element by name: ``fit["b_Days"]``, ``fit["r_Subject"]``."""
        return tables.get(self, name)

    def _table(self) -> summary.Summary:
        return self.summary()

    # Tables
    summary = Verb(lambda: summary.summary)
    fixef = Verb(lambda: tables.fixef)
    ranef = Verb(lambda: tables.ranef)
    coef = Verb(lambda: tables.coef)
    varcorr = Verb(lambda: tables.varcorr)
    vcov = Verb(lambda: tables.vcov)
    draws = Verb(lambda: tables.draws)
    to_arviz = Verb(lambda: export.to_arviz)

    # Long frames of draws
    spread_draws = Verb(lambda: spread_draws.spread_draws)
    gather_draws = Verb(lambda: spread_draws.gather_draws)
    add_epred_draws = Verb(lambda: add_draws.add_epred_draws)
    add_predicted_draws = Verb(lambda: add_draws.add_predicted_draws)
    add_linpred_draws = Verb(lambda: add_draws.add_linpred_draws)

    # In the columns of broom
    tidy = Verb(lambda: tidied_draws.tidy)
    glance = Verb(lambda: tidied_draws.glance)
    augment = Verb(lambda: tidied_draws.augment)

    # Predictions
    linpred = Verb(lambda: predict.linpred)
    epred = Verb(lambda: predict.epred)
    predict = Verb(lambda: predict.predict)
    residuals = Verb(lambda: predict.residuals)
    survival = Verb(lambda: survival.survival)
    log_lik = Verb(lambda: log_lik.log_lik)
    pp_mixture = Verb(lambda: pp_mixture.pp_mixture)
    project = Verb(lambda: project.project)
    varsel = Verb(lambda: varsel.varsel)
    cv_varsel = Verb(lambda: varsel.cv_varsel)
    hypothesis = Verb(lambda: hypothesis.hypothesis)
    describe_posterior = Verb(lambda: describe_posterior.describe_posterior)
    loo = Verb(lambda: loo.loo)
    reloo = Verb(lambda: loo.reloo)
    loo_predict = Verb(lambda: loo_predict.loo_predict)
    loo_epred = Verb(lambda: loo_predict.loo_epred)
    loo_linpred = Verb(lambda: loo_predict.loo_linpred)
    loo_predictive_interval = Verb(lambda: loo_predict.loo_predictive_interval)
    waic = Verb(lambda: waic.waic)
    kfold = Verb(lambda: kfold.kfold)
    rhats = Verb(lambda: rhats.rhats)
    bayes_R2 = Verb(lambda: bayes_r2.bayes_R2)
    loo_R2 = Verb(lambda: loo_r2.loo_R2)
    bridge_sampler = Verb(lambda: bridge.bridge_sampler)
    bayes_factor = Verb(lambda: bridge.bayes_factor)
    prior_draws = Verb(lambda: prior_draws.prior_draws)
    prior_sensitivity = Verb(lambda: prior_sensitivity.prior_sensitivity)

    # Pictures
    plot = Verb(lambda: plots.plot)
    pairs = Verb(lambda: plots.pairs)
    forest = Verb(lambda: plots.forest)
    plot_prior_posterior = Verb(lambda: plots.plot_prior_posterior)
    pp_check = Verb(lambda: plots.pp_check)
