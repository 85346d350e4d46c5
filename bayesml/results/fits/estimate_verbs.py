"""The verbs of a point estimate, as methods; each is a function in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bayesml.errors import ModelError
from bayesml.lazy import lazy_module
from bayesml.results.record.fit import AbstractPointFit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from bayesml.results.checks import check_model, influence
    from bayesml.results.frequentist import (
        anova,
        confint,
        degrees_of_freedom,
        drop1,
        point_summary,
        point_tables,
        ranova,
        residuals,
        simulate,
        variance_explained,
    )
    from bayesml.results.plots import ranef as plots
    from bayesml.results.predict import point_predict
    from bayesml.results.predict.point_rows import UnseenPolicy
    from bayesml.results.questions import contrast, emmeans, marginal_means
    from bayesml.results.storage import saving
    from bayesml.results.tables import effects as conditional
    from bayesml.results.tables import tables
else:  # fits with draws should not wait for what they do not have
    anova = lazy_module("bayesml.results.frequentist.anova")
    check_model = lazy_module("bayesml.results.checks.check_model")
    confint = lazy_module("bayesml.results.frequentist.confint")
    contrast = lazy_module("bayesml.results.questions.contrast")
    drop1 = lazy_module("bayesml.results.frequentist.drop1")
    emmeans = lazy_module("bayesml.results.questions.emmeans")
    influence = lazy_module("bayesml.results.checks.influence")
    plots = lazy_module("bayesml.results.plots.ranef")
    conditional = lazy_module("bayesml.results.tables.effects")
    point_predict = lazy_module("bayesml.results.predict.point_predict")
    point_summary = lazy_module("bayesml.results.frequentist.point_summary")
    point_tables = lazy_module("bayesml.results.frequentist.point_tables")
    ranova = lazy_module("bayesml.results.frequentist.ranova")
    residuals = lazy_module("bayesml.results.frequentist.residuals")
    saving = lazy_module("bayesml.results.storage.saving")
    simulate = lazy_module("bayesml.results.frequentist.simulate")
    tables = lazy_module("bayesml.results.tables.tables")
    variance_explained = lazy_module("bayesml.results.frequentist.variance_explained")

__all__ = ["AbstractEstimateVerbs"]


@dataclass(frozen=True, repr=False)
class AbstractEstimateVerbs(AbstractPointFit):
    """What can be asked of estimates with their covariances."""

    # Tables ----------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self, correlation: bool | None = None) -> point_summary.PointSummary:
        """Return the summary that ``print(fit)`` shows, in lme4's layout."""
        return point_summary.point_summary(self, correlation)

    def fixef(self) -> pd.DataFrame:
        """Return population-level coefficients: Estimate, Std.Error, df, t value (or z value) and p."""
        return point_tables.fixef(self)

    def ranef(self) -> dict[str, pd.DataFrame]:
        """Return the conditional modes of the group-level effects with their conditional standard deviations."""
        return point_tables.ranef(self)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Return the coefficients of every level: population-level plus group-level."""
        return point_tables.coef(self)

    def varcorr(self) -> dict[str, point_tables.VarCorr]:
        """Return standard deviations and correlations of the group-level effects, and the residual sd."""
        return point_tables.varcorr(self)

    def vcov(self, full: bool = False) -> pd.DataFrame:
        """Return the covariance matrix of the coefficients; ``full=True`` adds the group-level effects."""
        return point_tables.vcov(self, full)

    def __getitem__(self, name: str) -> float:
        """Return one number by name: ``fit["b_Days"]``, ``fit["sd_Subject__Days"]``."""
        return point_tables.get(self, name)

    def prior_summary(self) -> pd.DataFrame:
        """Return every prior target with its prior; of influence for ``method="map"`` only."""
        return tables.prior_summary(self)

    # Predictions -----------------------------------------------------------------------------------------------------

    @property
    def fitted(self) -> pd.Series:
        """Expected response of the rows of the fit, group effects included, with the index of the data."""
        return residuals.labelled(self, residuals.fitted(self))

    def residuals(
        self, type: Literal["response", "pearson", "deviance", "working", "scaled"] = "response"
    ) -> pd.Series:
        """Return residuals of the rows of the fit; see ``bayesml.results.frequentist.residuals``."""
        return residuals.labelled(self, residuals.residuals(self, type))

    def linpred(
        self,
        newdata: Any = None,
        *,
        transform: bool = False,
        re_formula: Any = None,
        new_levels: UnseenPolicy = "error",
        se: bool = False,
        interval: Literal["confidence"] | None = None,
        prob: float = 0.95,
    ) -> pd.Series | pd.DataFrame:
        """Return the linear predictor at the estimates, ``transform=True`` mu; see ``point.predict.linpred``."""
        return point_predict.linpred(
            self,
            newdata,
            transform=transform,
            re_formula=re_formula,
            new_levels=new_levels,
            se=se,
            interval=interval,
            prob=prob,
        )

    def epred(
        self,
        newdata: Any = None,
        *,
        re_formula: Any = None,
        new_levels: UnseenPolicy = "error",
        se: bool = False,
        interval: Literal["confidence"] | None = None,
        prob: float = 0.95,
    ) -> pd.Series | pd.DataFrame:
        """Return the expected response at the estimates; as ``predict`` without prediction intervals."""
        if interval == "prediction":
            raise ModelError('`epred` has confidence intervals only; predict(interval="prediction") is for a response.')
        return point_predict.predict(
            self, newdata, re_formula=re_formula, new_levels=new_levels, se=se, interval=interval, prob=prob
        )

    def predict(
        self,
        newdata: Any = None,
        *,
        re_formula: Any = None,
        new_levels: UnseenPolicy = "error",
        se: bool = False,
        interval: point_predict.Interval | None = None,
        prob: float = 0.95,
        seed: int = 0,
        type: point_predict.Scale | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Return the expected response, on request with the interval of a new response; see ``point.predict``."""
        return point_predict.predict(
            self,
            newdata,
            re_formula=re_formula,
            new_levels=new_levels,
            se=se,
            interval=interval,
            prob=prob,
            seed=seed,
            type=type,
        )

    def simulate(
        self, n: int = 1, seed: int | None = None, *, use_u: bool = False, re_formula: Any = "NA",
        newdata: Any = None, new_levels: simulate.SimulatedLevels = "error",
    ) -> np.ndarray:  # fmt: skip
        """Draw ``(n, rows)`` responses from the fitted model; new group effects unless ``use_u``."""
        return simulate.simulate(
            self, n, seed, use_u=use_u, re_formula=re_formula, newdata=newdata, new_levels=new_levels
        )

    # Inference -------------------------------------------------------------------------------------------------------

    def confint(
        self, method: Literal["wald", "profile", "boot"] = "wald", level: float = 0.95,
        parameters: str | Sequence[str] | None = None, nsim: int = 500, seed: int | None = None,
        ddf: degrees_of_freedom.Ddf = "default", boot_type: Literal["percentile", "basic", "norm"] = "percentile",
    ) -> pd.DataFrame:  # fmt: skip
        """Return Wald, profile-likelihood or bootstrap confidence intervals; see ``confint.confint``."""
        return confint.confint(self, method, level, parameters, nsim, seed, ddf, boot_type)

    def anova(self, type: int = 3, ddf: degrees_of_freedom.Ddf = "default") -> pd.DataFrame:
        """Test each population-level term: F tests of type 1, 2 or 3; see ``anova.anova``."""
        return anova.anova(self, type, ddf)

    def ranova(self) -> pd.DataFrame:
        """Test each group-level term by leaving it out."""
        return ranova.ranova(self)

    def drop1(
        self, scope: Any = None, test: Literal["Chisq", "F"] | None = "Chisq", ddf: degrees_of_freedom.Ddf = "default"
    ) -> pd.DataFrame:
        """Leave out each population-level term in turn that stands in no larger one; see ``drop1.drop1``."""
        return drop1.drop1(self, scope, test, ddf)

    def contrast(
        self, L: Any, rhs: Any = 0.0, ddf: degrees_of_freedom.Ddf = "default", joint: bool = False, level: float = 0.95
    ) -> pd.DataFrame:
        """Test linear combinations of coefficients, ``"b_x - b_z"``; see ``contrast.contrast``."""
        return contrast.contrast(self, L, rhs, ddf, joint, level)

    def emmeans(
        self, specs: str | Sequence[str], by: str | Sequence[str] | None = None, at: Mapping[str, Any] | None = None,
        type: Literal["link", "response"] = "link", ddf: degrees_of_freedom.Ddf = "default", level: float = 0.95,
        nesting: Any = "auto", offset: float | None = None,
    ) -> marginal_means.MarginalMeans:  # fmt: skip
        """Return estimated marginal means; ``.contrasts("pairwise")`` compares them; see ``emmeans.emmeans``."""
        return emmeans.emmeans(self, specs, by, at, type, ddf, level, nesting, offset)

    def slopes(
        self, variable: str, by: str | Sequence[str] | None = None, at: Mapping[str, Any] | None = None,
        ddf: degrees_of_freedom.Ddf = "default", level: float = 0.95, nesting: Any = "auto",
    ) -> marginal_means.MarginalMeans:  # fmt: skip
        """Return the slope of a number for each value of other predictors; see ``emmeans.slopes``."""
        return emmeans.slopes(self, variable, by, at, ddf, level, nesting)

    def icc(self) -> pd.Series:
        """Return intraclass correlations."""
        return variance_explained.icc(self)

    def r2(self, by_level: bool = False) -> pd.Series:
        """Return marginal and conditional R2 (Nakagawa), or that of each level against a model without predictors."""
        return variance_explained.level_r2(self) if by_level else variance_explained.r2(self)

    def influence(self) -> pd.DataFrame:
        """Return leverage and Cook's distance of every row."""
        return influence.influence(self)

    def check_model(self) -> Figure:
        """Draw residuals, normal quantiles and influence as one figure."""
        return check_model.check_model(self)

    def ranef_plot(self, group: str | None = None) -> Figure:
        """Draw the group-level effects in order of size with 95% conditional intervals."""
        return plots.ranef_plot(self, group)

    def conditional_effects(
        self, effects: str | list[str] | None = None, *, conditions: Any = None, int_conditions: Any = None,
        re_formula: Any = "NA", prob: float = 0.95, method: Literal["epred", "predict", "linpred"] = "epred",
        resolution: int = 100,
    ) -> conditional.ConditionalEffects:  # fmt: skip
        """Return the expected response along each predictor and two-way interaction; ``.plot()`` draws it."""
        return conditional.conditional_effects(
            self, effects, conditions=conditions, int_conditions=int_conditions, re_formula=re_formula, prob=prob,
            method=method, resolution=resolution, new_levels="zero",
        )  # fmt: skip

    def save(self, path: str | Path) -> None:
        """Write the fit to one netCDF file that ``bayesml.load`` reads back, estimates and all."""
        saving.save(self, path)
