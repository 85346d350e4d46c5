"""The verbs of a point estimate, as methods; each is a function in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayesml.lazy import lazy_module
from bayesml.results.fits.every_verb import AbstractFitVerbs
from bayesml.results.fits.verb import Verb
from bayesml.results.record.fit import AbstractPointFit
from bayesml.results.record.one_response import each_response, has_several

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.checks import check_model, influence, k_check
    from bayesml.results.frequentist import (
        anova,
        confint,
        drop1,
        point_summary,
        point_tables,
        ranova,
        residuals,
        simulate,
        variance_explained,
    )
    from bayesml.results.marginal import for_marginaleffects
    from bayesml.results.predict import point_predict
    from bayesml.results.tidy import tidied_estimates
else:  # fits with draws should not wait for what they do not have
    anova = lazy_module("bayesml.results.frequentist.anova")
    check_model = lazy_module("bayesml.results.checks.check_model")
    confint = lazy_module("bayesml.results.frequentist.confint")
    drop1 = lazy_module("bayesml.results.frequentist.drop1")
    for_marginaleffects = lazy_module("bayesml.results.marginal.for_marginaleffects")
    influence = lazy_module("bayesml.results.checks.influence")
    k_check = lazy_module("bayesml.results.checks.k_check")
    point_predict = lazy_module("bayesml.results.predict.point_predict")
    point_summary = lazy_module("bayesml.results.frequentist.point_summary")
    point_tables = lazy_module("bayesml.results.frequentist.point_tables")
    ranova = lazy_module("bayesml.results.frequentist.ranova")
    residuals = lazy_module("bayesml.results.frequentist.residuals")
    simulate = lazy_module("bayesml.results.frequentist.simulate")
    tidied_estimates = lazy_module("bayesml.results.tidy.tidied_estimates")
    variance_explained = lazy_module("bayesml.results.frequentist.variance_explained")

__all__ = ["AbstractEstimateVerbs"]


@dataclass(frozen=True, repr=False)
class AbstractEstimateVerbs(AbstractFitVerbs, AbstractPointFit):
    """The methods of fits with estimates and their covariances."""

    @property
    def fitted(self) -> pd.Series | pd.DataFrame:
        """Expected response of the rows of the fit, group effects included, with the index of the data.

        Of a response of categories the probabilities, a column for each; of several responses the columns of each
        behind those of the one before.
        """
        import pandas as pd

        if has_several(self):
            parts = {resp: one.fitted for resp, one in each_response(self).items()}
            tables = any(isinstance(part, pd.DataFrame) for part in parts.values())
            return pd.concat(parts, axis=1) if tables else pd.DataFrame(parts)
        found, labels = residuals.fitted(self), self.frame.labels()
        if found.ndim > 1:
            return pd.DataFrame(found, index=labels, columns=list(self.likelihood.event_labels))
        return pd.Series(found, index=labels)

    def __getitem__(self, name: str) -> float:
        """Return one number by name: ``fit["b_Days"]``, ``fit["sd_Subject__Days"]``."""
        return point_tables.get(self, name)

    def _table(self) -> point_summary.PointSummary:
        return self.summary()

    # Tables
    summary = Verb(lambda: point_summary.summary)
    fixef = Verb(lambda: point_tables.fixef)
    ranef = Verb(lambda: point_tables.ranef)
    coef = Verb(lambda: point_tables.coef)
    varcorr = Verb(lambda: point_tables.varcorr)
    vcov = Verb(lambda: point_tables.vcov)

    # In the columns of broom
    tidy = Verb(lambda: tidied_estimates.tidy)
    glance = Verb(lambda: tidied_estimates.glance)
    augment = Verb(lambda: tidied_estimates.augment)

    # Predictions
    residuals = Verb(lambda: residuals.residuals)
    linpred = Verb(lambda: point_predict.linpred)
    epred = Verb(lambda: point_predict.epred)
    predict = Verb(lambda: point_predict.predict)
    simulate = Verb(lambda: simulate.simulate)

    # Inference
    confint = Verb(lambda: confint.confint)
    anova = Verb(lambda: anova.anova)
    ranova = Verb(lambda: ranova.ranova)
    drop1 = Verb(lambda: drop1.drop1)
    icc = Verb(lambda: variance_explained.icc)
    r2 = Verb(lambda: variance_explained.r2)
    influence = Verb(lambda: influence.influence)
    to_marginaleffects = Verb(lambda: for_marginaleffects.to_marginaleffects)
    k_check = Verb(lambda: k_check.k_check)

    # Pictures
    check_model = Verb(lambda: check_model.check_model)
