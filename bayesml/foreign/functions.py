"""What is sought in the package: functions that fit, set priors, read files, compare; families and distributions."""

from __future__ import annotations

from bayesml.foreign.families import PLANNED_FAMILIES
from bayesml.foreign.verbs import OWN_POINT, OWN_SAMPLED
from bayesml.foreign.word import Word

__all__ = ["MODULE"]

_REML = 'Write `bayesml.fit("y ~ x + (x | g)", data, method="reml")`; `"ml"` for `REML = FALSE`.'
_LAPLACE = 'Write `bayesml.fit("y ~ x + (1 | g)", data, family="poisson", method="laplace")`.'
_SMOOTHS = 'Write `bayesml.fit("y ~ s(x) + (1 | g)", data)`, with `method="reml"` for the estimates of `gam`.'
_SHRINKAGE = 'Write `prior("horseshoe(1)", "b")` or `prior("R2D2()", "b")`, which shrink all coefficients together.'

_OWN = (
    # fitting
    Word("brm", "brms", alias="fit"),
    Word("lmer", "lme4", _REML),
    Word("lme", "nlme", _REML),
    Word("mixedlm", "statsmodels", _REML),
    Word("MixedLM", "statsmodels", _REML),
    Word("glmer", "lme4", _LAPLACE),
    Word("glmmTMB", "glmmTMB", _LAPLACE),
    Word("glmer_nb", "lme4", 'Write `bayesml.fit("y ~ x + (1 | g)", data, family="negbinomial", method="laplace")`.'),
    Word("lm", "R", 'Write `bayesml.fit("y ~ x", data)` for the posterior, `method="ml"` for least squares.'),
    Word(
        "ols", "statsmodels", 'Write `bayesml.fit("y ~ x", data)` for the posterior, `method="ml"` for least squares.'
    ),
    Word(
        "glm",
        "R",
        'Write `bayesml.fit("y ~ x", data, family="poisson")`, with `method="laplace"` for maximum likelihood.',
    ),
    Word(
        "lmList", "lme4", 'Write `bayesml.fit("y ~ 0 + g + g:x", data)` for coefficients of each level without pooling.'
    ),
    Word("blmer", "blme", 'Write `bayesml.fit("y ~ x + (x | g)", data, method="map")`.'),
    Word("stan_lmer", "rstanarm", 'Write `bayesml.fit("y ~ x + (x | g)", data)`.'),
    Word("stan_glmer", "rstanarm", 'Write `bayesml.fit("y ~ x + (x | g)", data, family="poisson")`.'),
    Word("stan_glm", "rstanarm", 'Write `bayesml.fit("y ~ x", data, family="poisson")`.'),
    Word("Model", "Bambi", 'Write `bayesml.fit("y ~ x + (x | g)", data)`, which fits at once.'),
    Word("sample", "PyMC", 'Write `bayesml.fit("y ~ x + (x | g)", data)`.'),
    Word("brm_multiple", "brms", alias="fit_multiple"),
    Word("combine_models", "brms", alias="combine"),
    Word("gam", "mgcv", _SMOOTHS),
    Word("gamm4", "gamm4", _SMOOTHS),
    Word("lmerControl", "lme4", "Leave it out: optimisers need no options."),
    Word("glmerControl", "lme4", "Leave it out: optimisers need no options."),
    # formulas
    Word("brmsformula", "brms", alias="bf"),
    Word("Formula", "Bambi", alias="bf"),
    Word("formula", "R", 'A formula is a text: `bayesml.fit("y ~ x", data)`.'),
    Word("lf", "brms", 'Write `bayesml.bf("y ~ x", sigma="~ z")`.'),
    Word("nlf", "brms", 'Write `bayesml.bf("y ~ x", sigma="~ c * x", c="~ 1", nonlinear=["sigma"])`.'),
    Word("set_nl", "brms", 'Write `bayesml.bf("y ~ a * exp(b * x)", a="~ 1", b="~ 1", nonlinear=True)`.'),
    Word("mvbf", "brms", 'Write `bayesml.bf("y1 ~ x") + bayesml.bf("y2 ~ x")`.'),
    Word("mvbind", "brms", 'It stands in the formula: `bayesml.bf("mvbind(y1, y2) ~ x")`.'),
    Word("make_conditions", "brms", 'Write `fit.conditional_effects("x", conditions=["f"])`.'),
    # priors
    Word("get_prior", "brms", alias="default_prior"),
    Word("default_priors", "brms", alias="default_prior"),
    Word("set_prior", "brms", alias="prior"),
    Word("prior_string", "brms", alias="prior"),
    Word("prior_", "brms", alias="prior"),
    Word("Prior", "Bambi", alias="prior"),
    Word("empty_prior", "brms", "Leave `prior=` out."),
    Word("lkj_corr_cholesky", "Stan", alias="lkj"),
    Word("lkj_corr", "Stan", alias="lkj"),
    Word("half_t", "brms", alias="half_student_t"),
    Word("HalfNormal", "Bambi", alias="half_normal"),
    Word("HalfCauchy", "Bambi", alias="half_cauchy"),
    Word("HalfStudentT", "Bambi", alias="half_student_t"),
    Word("Normal", "Bambi", alias="normal"),
    Word("StudentT", "Bambi", alias="student_t"),
    Word("Cauchy", "Bambi", alias="cauchy"),
    Word("Exponential", "Bambi", alias="exponential"),
    Word("Uniform", "Bambi", alias="uniform"),
    Word("laplace", "Bambi", alias="double_exponential"),
    Word("lasso", "brms", _SHRINKAGE),
    # families: priors have these names in lower case
    Word("mixture", "brms", alias="families.mixture"),
    Word("Gamma", "brms", alias="families.gamma"),
    Word("Beta", "brms", alias="families.beta"),
    Word("NegBinomial", "Bambi", alias="families.negbinomial"),
    Word("negative_binomial", "Stan", alias="families.negbinomial"),
    Word("nbinom2", "glmmTMB", alias="families.negbinomial"),
    Word("Family", "Bambi", 'Write `family="poisson"` or `family=bayesml.families.poisson(link="sqrt")`.'),
    Word("Likelihood", "Bambi", "A family of your own is made of functions: `bayesml.custom_family(...)`."),
    Word("brmsfamily", "brms", 'Write `family="poisson"` or `family=bayesml.families.poisson(link="sqrt")`.'),
    # files and data
    Word("readRDS", "R", alias="load"),
    Word("read_fit", "R", alias="load"),
    Word("from_netcdf", "ArviZ", alias="load"),
    Word("load_data", "Bambi", alias="load_dataset"),
    Word("saveRDS", "R", 'Write `fit.save("fit.nc")`.'),
    Word("save", "R", 'Write `fit.save("fit.nc")`.'),
    # comparing
    Word("compare", "ArviZ", alias="loo_compare"),
    Word("model_weights", "brms", alias="loo_model_weights"),
    Word("compare_performance", "performance", alias="compare_models"),
    Word("interpret", "Bambi", 'Write `fit.conditional_effects()`, or `fit.comparisons("x")`.'),
    Word("summary", "R", "It is a method of a fit: write `fit.summary()`."),
)
_METHODS = """
fixef ranef coef varcorr vcov summary draws predict epred linpred residuals log_lik loo waic kfold pp_check plot pairs
forest conditional_effects prior_summary ngrps extend confint ranova contrast emmeans emtrends icc r2 influence
check_model simulate refit update drop1 predictions avg_predictions comparisons avg_comparisons slopes avg_slopes
survival hypothesis describe_posterior prior_draws prior_sensitivity plot_prior_posterior
"""
_VALUES = frozenset(("idata", "diagnostics", "nobs", "logLik", "deviance", "sigma", "fitted", "aic", "bic"))
_VALUES |= frozenset(("is_singular", "formula", "family"))


def _of_a_fit(name: str) -> str:
    what, brackets = ("a value", ", without brackets") if name in _VALUES else ("a method", "")
    return f"It is {what} of a fit: write `fit.{name}{'' if brackets else '()'}`{brackets}."


_BRMS = tuple(word for word in OWN_SAMPLED if word.origin == "brms")  # before what point estimates say of draws
_OF_A_FIT = (
    *(Word(name, "R", _of_a_fit(name)) for name in (*_METHODS.split(), *sorted(_VALUES))),
    *(Word(word.word, word.origin, word.here or _of_a_fit(word.alias)) for word in (*_BRMS, *OWN_POINT, *OWN_SAMPLED)),
)
_FAMILIES = tuple(
    Word(name, "brms", f"The family {name} is not there yet; `bayesml.families` holds those that are.")
    for name in sorted(PLANNED_FAMILIES)
)
_IN_FORMULAS = (
    *(
        Word(name, "brms", f'It stands within the text of a formula: `"y ~ {name}(...)"`.')
        for name in ["t2", "gp", "me", "mi", "car", "sar", "fcor", "toep"]
    ),
    *(
        Word(name, "brms", f'It stands within the text of a formula: `"y ~ {name}(x)"`.')
        for name in ("s", "mo", "cs", "cse")
    ),
    *(
        Word(name, "brms", f'It stands within the text of a formula: `"y ~ x + {name}(time, g)"`.')
        for name in ("ar", "ma", "arma", "cosy", "unstr")
    ),
    *(
        Word(name, "R", f'It stands within the text of a formula: `"y ~ {name}(...)"`.')
        for name in ["bs", "ns", "poly", "scale", "ordered", "factor", "cbind"]
    ),
    Word("offset", "R", 'It stands within the text of a formula: `"y ~ x + offset(log(e))"`.'),
    Word("weights", "brms", 'It stands within the text of a formula: `"y | weights(w) ~ x"`.'),
    Word("trials", "brms", 'It stands within the text of a formula: `"y | trials(n) ~ x"`.'),
    *(
        Word(
            name,
            "mgcv",
            "In the text of a formula: `t2(x, z)` is the tensor product smooth here, as in brms; te() makes columns.",
        )
        for name in ("te", "ti")
    ),
    Word("gr", "brms", 'It stands within the text of a formula: `"y ~ (1 | gr(g, cov=A))"`.'),
    Word("mm", "brms", 'It stands within the text of a formula: `"y ~ (1 | mm(g1, g2))"`.'),
    Word("mmc", "brms", 'It stands within the text of a formula: `"y ~ (mmc(x1, x2) | mm(g1, g2))"`.'),
)

MODULE = (*_OWN, *_FAMILIES, *_OF_A_FIT, *_IN_FORMULAS)
