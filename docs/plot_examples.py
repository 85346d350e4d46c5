"""The pictures of the gallery of plots: what draws each, and what it shows. The code is run as it is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import bayesml

__all__ = ["FITS", "PICTURES", "Picture", "fit_of"]

SLEEP, COUNTS, RATINGS, YES, TIMES, SCORES = "sleep", "counts", "ratings", "yes", "times", "scores"
POINT = "point"


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        code: the expression that draws it; ``fit`` is the fit.
        fit: name of the fit.
        shows: what it shows.
        panels: how many panels it has.
    """

    code: str
    fit: str
    shows: str
    panels: int = 1

    @property
    def name(self) -> str:
        """A name for its file."""
        kept = "".join(c if c.isalnum() else "_" for c in self.code.removeprefix("fit."))
        return f"{self.fit}_{kept}".strip("_")[:70]

    def draw(self) -> Any:
        """Return the figure."""
        return eval(self.code, {"fit": fit_of(self.fit), "bayesml": bayesml})


FITS: dict[str, tuple[str, str, str, str]] = {
    SLEEP: ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", "map"),
    COUNTS: ("count ~ zAge + zBase * Trt + (1 | patient)", "epilepsy", "poisson", "map"),
    RATINGS: ("rating ~ period + carry", "inhaler", "cumulative", "map"),
    YES: ("I(kid_score > 90) ~ mom_hs + mom_iq", "kidiq", "bernoulli", "map"),
    TIMES: ("time | cens(censored) ~ sex + disease", "kidney", "weibull", "map"),
    SCORES: ("kid_score ~ mom_iq * mom_age + mom_hs", "kidiq", "gaussian", "map"),
    "smooth": ("kid_score ~ s(mom_iq) + mom_hs", "kidiq", "gaussian", "reml"),
    POINT: ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", "reml"),
}
"""Formula, data, family and method by name. Those of ``map`` are shown with draws of the normal approximation."""


@cache
def fit_of(name: str) -> Any:
    """Return a fit; with draws where its method says so."""
    formula, data, family, method = FITS[name]
    fit = bayesml.fit(formula, bayesml.load_dataset(data), family, method=method)
    return fit.to_normal_draws(1000, seed=1) if method == "map" else fit


def _check(kind: str, fit: str, shows: str, panels: int = 1, further: str = "") -> Picture:
    return Picture(f'fit.pp_check(kind="{kind}"{further}, seed=1)', fit, shows, panels)


PICTURES: dict[str, tuple[Picture, ...]] = {
    "Parameters": (
        Picture("fit.plot()", SLEEP, "Density and trace of each parameter, one colour for each chain", 12),
        Picture('fit.pairs(["b_Days", "sd_Subject__Days", "sigma"])', SLEEP, "Every pair of parameters", 6),
        Picture("fit.forest()", SLEEP, "Median, 50% and 95% interval of each parameter", 5),
        Picture('fit.ranef_plot("Subject")', SLEEP, "Group-level effects, sorted, with 95% intervals", 2),
        Picture('fit.hypothesis(["Days > 5", "Days = 10"]).plot()', SLEEP, "The differences that hypotheses test", 2),
    ),
    "Priors": (
        Picture("fit.plot_prior_posterior()", SLEEP, "Densities of each parameter before and after the data", 6),
        Picture(
            'fit.prior_sensitivity().plot("sd_Subject__Days")',
            SLEEP,
            "The posterior with a stronger or weaker prior, and with more or less weight of the data",
            2,
        ),
        Picture("fit.pp_check(prior=True, seed=1)", SLEEP, "Responses that the prior expects, beside those observed"),
    ),
    "Effects": (
        Picture('fit.conditional_effects("Days").plot(points=True)', SLEEP, "Expected response along a number"),
        Picture('fit.conditional_effects("Trt").plot(points=True)', COUNTS, "Expected response of categories"),
        Picture(
            'fit.conditional_effects("mom_iq:mom_age").plot(rug=True)',
            SCORES,
            "Two numbers: the second at its mean and one standard deviation to either side, with marks of the rows",
        ),
        Picture(
            'fit.conditional_effects("mom_iq:mom_age", surface=True).plot(points=True)',
            SCORES,
            "Two numbers as a surface",
        ),
        Picture(
            'fit.conditional_effects("zBase:Trt", spaghetti=True, ndraws=50, seed=1).plot()',
            COUNTS,
            "A line for each draw",
        ),
        Picture('fit.conditional_effects("Days", prob=(0.5, 0.8, 0.95)).plot()', SLEEP, "Several intervals"),
        Picture(
            'fit.conditional_effects("Days", re_formula=None, conditions=["Subject"]).plot(points=True)',
            SLEEP,
            "A panel for each condition, here each person, with the rows that belong to it",
            18,
        ),
        Picture('fit.conditional_effects("period").plot()', RATINGS, "The probability of each category"),
        Picture('fit.conditional_effects("mom_iq", method="linpred").plot()', YES, "The linear predictor"),
        Picture('fit.survival(by="sex").plot()', TIMES, "Survival curves, with Kaplan-Meier estimates"),
        Picture("fit.plot_smooths()", "smooth", "Smooths with partial residuals"),
    ),
    "Distributions of responses": (
        _check("dens_overlay", SLEEP, "Densities"),
        _check("dens_overlay", SCORES, "Densities in groups; every kind takes `group=`", 2, ', group="mom_hs"'),
        _check("ecdf_overlay", SLEEP, "Cumulative distributions"),
        _check("hist", SLEEP, "Histograms", 8, ", ndraws=7"),
        _check("dens", SLEEP, "Densities side by side", 8, ", ndraws=7"),
        _check("freqpoly", SLEEP, "Histograms as lines", 4, ", ndraws=4"),
        _check("boxplot", SLEEP, "Box plots"),
        _check("violin", SLEEP, "Densities upright, with quartiles"),
        _check("km_overlay", TIMES, "Survival curves of censored responses"),
        _check("bars", RATINGS, "Counts of each category or value"),
        _check("bars_grouped", RATINGS, "Counts in groups", 2, ', group="period"'),
        _check("rootogram", COUNTS, "Roots of counts: observed ones hang from those expected"),
    ),
    "Statistics": (
        _check("stat", COUNTS, "Statistics of the response", 2, ', stat=["prop_zero", "max"]'),
        _check("stat_freqpoly", SLEEP, "The same as lines", 2),
        _check("stat_2d", SLEEP, "Two statistics"),
    ),
    "Rows": (
        _check("intervals", SLEEP, "50% and 90% interval of each row"),
        _check("ribbon_grouped", SLEEP, "Intervals along a number, in groups", 18, ', x="Days", group="Subject"'),
        _check("loo_intervals", SLEEP, "Intervals that have not seen the row"),
        _check("loo_ribbon", SLEEP, "The same along a number", 1, ', x="Days"'),
        _check("scatter", SLEEP, "Observed against replicated responses", 3, ", ndraws=3"),
        _check("scatter_avg", SLEEP, "Observed responses against means of replicated ones"),
    ),
    "Errors": (
        _check("error_hist", SLEEP, "Predictive errors", 3, ", ndraws=3"),
        _check("error_scatter", SLEEP, "Observed responses against their errors", 3, ", ndraws=3"),
        _check("error_scatter_avg", SLEEP, "Observed responses against their mean errors"),
        _check("error_scatter_avg_vs_x", SLEEP, "Mean errors along a number", 1, ', x="Days"'),
        _check("error_binned", YES, "Mean errors in bins of the expected response"),
        Picture("fit.check_model()", POINT, "Residuals of a point estimate", 6),
    ),
    "Probabilities": (
        _check("pit_ecdf", SLEEP, "Probability integral transforms against the uniform distribution"),
        _check("loo_pit_ecdf", SLEEP, "The same, each row left out"),
        _check("loo_pit_overlay", SLEEP, "Their density"),
        _check("loo_pit_qq", SLEEP, "Their quantiles"),
        _check("calibration", YES, "How often a response of two values is 1, against its probability"),
        _check("calibration", RATINGS, "The same of each category", 4),
        _check("loo_calibration", YES, "The same, each row left out"),
    ),
}
"""By the title of their section."""
