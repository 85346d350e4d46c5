"""The verbs of a fit with draws, as methods; each is a function in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayesml.lazy import lazy_module
from bayesml.results.checks import diagnostics
from bayesml.results.record.diagnostics import Diagnostics
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.tables import summary, tables

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from bayesml.results import plots
    from bayesml.results.checks import log_lik, loo
    from bayesml.results.predict import predict
    from bayesml.results.predict.new_levels import NewLevels
    from bayesml.results.storage import export, saving
    from bayesml.results.tables import effects as conditional
else:  # a fit and its table should not wait for what draws pictures of it
    conditional = lazy_module("bayesml.results.tables.effects")
    export = lazy_module("bayesml.results.storage.export")
    log_lik = lazy_module("bayesml.results.checks.log_lik")
    loo = lazy_module("bayesml.results.checks.loo")
    plots = lazy_module("bayesml.results.plots")
    predict = lazy_module("bayesml.results.predict.predict")
    saving = lazy_module("bayesml.results.storage.saving")

__all__ = ["AbstractDrawsVerbs"]


@dataclass(frozen=True, repr=False)
class AbstractDrawsVerbs(AbstractSampledFit):
    """What can be asked of draws."""

    @cached_property
    def idata(self) -> Any:
        """The draws for ArviZ: ``InferenceData`` for ArviZ 0.x, an ``xarray.DataTree`` from 1.0."""
        return export.export(self)

    def to_arviz(
        self,
        log_likelihood: bool | None = None,
        posterior_predictive: bool | None = None,
        group_effects: bool = True,
        seed: int | None = None,
    ) -> Any:
        """Return ``idata`` with some groups computed now, or left out; see ``bayesml.results.storage.export``."""
        return export.export(self, log_likelihood, posterior_predictive, group_effects, seed)

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

    # Summaries -------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self, prob: float = 0.95, robust: bool = False) -> summary.Summary:
        """Return the table that ``print(fit)`` shows; see ``bayesml.results.tables.summary``."""
        return summary.summary(self, prob=prob, robust=robust)

    def fixef(
        self, summary: bool = True, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975)
    ) -> pd.DataFrame:
        """Return population-level coefficients: estimate, error and quantiles, or their draws."""
        return tables.fixef(self, summary=summary, robust=robust, probs=probs)

    def ranef(
        self, summary: bool = True, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975)
    ) -> dict[str, pd.DataFrame]:
        """Return group-level effects by grouping factor, as deviations from the population level."""
        return tables.ranef(self, summary=summary, robust=robust, probs=probs)

    def coef(
        self, summary: bool = True, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975)
    ) -> dict[str, pd.DataFrame]:
        """Return the coefficients of every level: population-level plus group-level."""
        return tables.coef(self, summary=summary, robust=robust, probs=probs)

    def varcorr(self, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975)) -> dict[str, tables.VarCorr]:
        """Return standard deviations and correlations of the group-level effects, and the residual sd."""
        return tables.varcorr(self, robust=robust, probs=probs)

    def vcov(self, correlation: bool = False) -> pd.DataFrame:
        """Return the posterior covariance (or correlation) matrix of the population-level coefficients."""
        return tables.vcov(self, correlation=correlation)

    def draws(self, variable: str | list[str] | None = None, regex: bool = False) -> pd.DataFrame:
        """Return draws as columns under their text names, beside ``.chain`` and ``.draw``."""
        return tables.draws(self, variable=variable, regex=regex)

    def prior_summary(self) -> pd.DataFrame:
        """Return every prior target with the prior it has."""
        return tables.prior_summary(self)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the draws of one variable or element by name: ``fit["b_Days"]``, ``fit["r_Subject"]``."""
        return tables.get(self, name)

    # Predictions -----------------------------------------------------------------------------------------------------

    def linpred(
        self,
        newdata: Any = None,
        *,
        dpar: str | None = None,
        transform: bool = False,
        re_formula: Any = None,
        new_levels: NewLevels = "error",
        ndraws: int | None = None,
        seed: int | None = None,
        summary: bool = False,
    ) -> xr.DataArray | pd.DataFrame:
        """Return draws of the linear predictor; ``transform=True`` applies the inverse link."""
        return predict.linpred(
            self,
            newdata,
            dpar=dpar,
            transform=transform,
            re_formula=re_formula,
            new_levels=new_levels,
            ndraws=ndraws,
            seed=seed,
            summary=summary,
        )

    def epred(
        self,
        newdata: Any = None,
        *,
        dpar: str | None = None,
        re_formula: Any = None,
        new_levels: NewLevels = "error",
        ndraws: int | None = None,
        seed: int | None = None,
        summary: bool = False,
    ) -> xr.DataArray | pd.DataFrame:
        """Return draws of the expected response, or of a distributional parameter."""
        return predict.epred(
            self,
            newdata,
            dpar=dpar,
            re_formula=re_formula,
            new_levels=new_levels,
            ndraws=ndraws,
            seed=seed,
            summary=summary,
        )

    def predict(
        self,
        newdata: Any = None,
        *,
        re_formula: Any = None,
        new_levels: NewLevels = "error",
        ndraws: int | None = None,
        seed: int | None = None,
        summary: bool = False,
    ) -> xr.DataArray | pd.DataFrame:
        """Return draws of the response itself, residual variation included."""
        return predict.predict(
            self, newdata, re_formula=re_formula, new_levels=new_levels, ndraws=ndraws, seed=seed, summary=summary
        )

    def residuals(
        self,
        newdata: Any = None,
        *,
        type: Literal["ordinary", "pearson"] = "ordinary",
        method: Literal["epred", "predict"] = "epred",
        re_formula: Any = None,
        new_levels: NewLevels = "error",
        ndraws: int | None = None,
        seed: int | None = None,
        summary: bool = False,
    ) -> xr.DataArray | pd.DataFrame:
        """Return draws of observed minus expected (or minus predicted) response."""
        return predict.residuals(
            self,
            newdata,
            type=type,
            method=method,
            re_formula=re_formula,
            new_levels=new_levels,
            ndraws=ndraws,
            seed=seed,
            summary=summary,
        )

    def log_lik(
        self,
        newdata: Any = None,
        *,
        re_formula: Any = None,
        new_levels: NewLevels = "error",
        ndraws: int | None = None,
        seed: int | None = None,
    ) -> xr.DataArray:
        """Return the log-likelihood of every row at every draw."""
        return log_lik.log_lik(self, newdata, re_formula=re_formula, new_levels=new_levels, ndraws=ndraws, seed=seed)

    def loo(self, pointwise: bool = True) -> Any:
        """Return approximate leave-one-out cross-validation (PSIS-LOO) from ArviZ."""
        return loo.loo(self, pointwise=pointwise)

    # Plots -----------------------------------------------------------------------------------------------------------

    def plot(self, variables: list[str] | None = None) -> Figure:
        """Draw trace and density of each parameter."""
        return plots.plot(self, variables)

    def pairs(self, variables: list[str] | None = None) -> Figure:
        """Draw a scatter matrix, divergent transitions marked."""
        return plots.pairs(self, variables)

    def forest(self, variables: list[str] | None = None) -> Figure:
        """Draw intervals of each parameter."""
        return plots.forest(self, variables)

    def ranef_plot(self, group: str | None = None) -> Figure:
        """Draw the group-level effects in order of size with their intervals."""
        return plots.ranef_plot(self, group)

    def pp_check(
        self,
        ndraws: int | None = None,
        kind: str | None = None,
        seed: int | None = None,
        *,
        column: str | None = None,
    ) -> Figure:
        """Draw the observed response beside draws from the posterior predictive distribution."""
        return plots.pp_check(self, ndraws=ndraws, kind=kind, seed=seed, column=column)

    def conditional_effects(
        self,
        effects: str | list[str] | None = None,
        *,
        conditions: dict[str, Any] | None = None,
        int_conditions: dict[str, Any] | None = None,
        re_formula: Any = "NA",
        prob: float = 0.95,
        robust: bool = True,
        method: Literal["epred", "predict", "linpred"] = "epred",
        dpar: str | None = None,
        resolution: int = 100,
        new_levels: NewLevels = "uncertainty",
        ndraws: int | None = None,
        seed: int | None = None,
    ) -> conditional.ConditionalEffects:
        """Return the expected response along each predictor and two-way interaction; ``.plot()`` draws it."""
        return conditional.conditional_effects(
            self,
            effects,
            conditions=conditions,
            int_conditions=int_conditions,
            re_formula=re_formula,
            prob=prob,
            robust=robust,
            method=method,
            dpar=dpar,
            resolution=resolution,
            new_levels=new_levels,
            ndraws=ndraws,
            seed=seed,
        )

    # Keeping ---------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the fit to one netCDF file that ``bayesml.load`` reads back."""
        saving.save(self, path)
