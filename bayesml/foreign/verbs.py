"""What is sought in a fit: methods and values, for fits with draws (``SAMPLED``) and point estimates (``POINT``).

Each table begins with the words of its own kind of fit; the other kind's follow with what leads to such a fit.
"""

from __future__ import annotations

import re

from bayesml.foreign.word import Word

__all__ = ["OWN_POINT", "OWN_SAMPLED", "POINT", "SAMPLED"]

_POINT_FIRST = 'It belongs to point estimates: fit with `method="reml"`, `"ml"` or `"laplace"`'
_DRAWS_FIRST = "A point estimate has no draws; `fit.to_normal_draws()` makes some"
_DIAGNOSTICS = "Write `fit.diagnostics`, a value without brackets; `fit.summary()` has Rhat and ESS."
_LOO = 'Write `fit.loo()`, and `bayesml.loo_compare({"a": fit, "b": other})` to compare.'
_AVERAGES = "Write `bayesml.pp_average([fit, other])` or `bayesml.posterior_average([fit, other])`."
_INTERVALS = "Write `fit.summary(prob=0.9)` for intervals, or take quantiles of `fit.draws()`."
_IDATA = 'Write `fit.idata`, which has the groups of ArviZ: `fit.idata["{}"]`.'

_BOTH = (
    Word("VarCorr", "brms and lme4", alias="varcorr"),
    Word("fixed_effects", "Bambi", alias="fixef"),
    Word("random_effects", "statsmodels", alias="ranef"),
    Word("coefficients", "R", alias="coef"),
    Word("resid", "R and statsmodels", alias="residuals"),
    Word("cov_params", "statsmodels", alias="vcov"),
    Word("marginal_effects", "brms", alias="conditional_effects"),
    Word("plot_conditional_effects", "Bambi", alias="conditional_effects"),
    Word("plot_predictions", "Bambi", 'Write `fit.conditional_effects("x").plot()`.'),
    Word("ggpredict", "ggeffects", alias="conditional_effects"),
    Word("get_prior", "brms", alias="prior_summary"),
    Word("default_prior", "brms", alias="prior_summary"),
    Word("dotplot", "lattice", alias="ranef_plot"),
    Word("plot_gam", "mgcv", alias="plot_smooths"),
    Word("gam_check", "mgcv", "Write `fit.k_check()` of a point estimate, and `fit.check_model()`."),
    Word("qqmath", "lattice", "Write `fit.ranef_plot()`."),
    Word("plot_model", "sjPlot", "Write `fit.forest()`, `fit.ranef_plot()` or `fit.conditional_effects().plot()`."),
    Word("tab_model", "sjPlot", "Write `fit.summary()`."),
    Word("se_coef", "arm", "Write `fit.coef()`, `fit.fixef()` and `fit.ranef()`, which have errors."),
    Word("cov_re", "statsmodels", "Write `fit.varcorr()`."),
    Word("ggeffect", "ggeffects", alias="conditional_effects"),
    Word("params", "statsmodels", 'Write `fit.fixef()["Estimate"]`.'),
    Word("fe_params", "statsmodels", 'Write `fit.fixef()["Estimate"]`.'),
    Word("model_frame", "R", "Write `fit.frame.to_pandas()`."),
    Word("model_matrix", "R", "Write `fit.problem.design.arrays`."),
    Word("getME", "lme4", "Write `fit.problem.design.arrays` for the matrices, `fit.varcorr()` for the variances."),
    Word("getCall", "R", "Write `fit.formula`."),
    Word("terms", "R", "Write `fit.formula`."),
    Word("standata", "brms", "There is no Stan here; `fit.problem.design.arrays` holds the data of the model."),
    Word("make_standata", "brms", "There is no Stan here; `fit.problem.design.arrays` holds the data of the model."),
    Word("conditional_smooths", "brms", alias="plot_smooths"),
    Word("predict_proba", "scikit-learn", "Write `fit.epred(newdata)`, the probability for `bernoulli`."),
    Word("to_netcdf", "ArviZ", alias="save"),
    Word("saveRDS", "R", alias="save"),
    Word("load", "R", 'Write `bayesml.load("fit.nc")`.'),
    Word("linear_hypothesis", "car", alias="contrast"),
    Word("glht", "multcomp", 'Write `fit.contrast(L)`, or `fit.emmeans("x").contrasts()`.'),
    Word("lsmeans", "lsmeans", alias="emmeans"),
    Word("ls_means", "lmerTest", alias="emmeans"),
    Word("marginaleffects", "marginaleffects", alias="slopes"),
    Word("avg_margins", "margins", alias="avg_slopes"),
    Word("margins", "margins", alias="avg_slopes"),
    Word("difflsmeans", "lmerTest", 'Write `fit.emmeans("x").contrasts("pairwise")`.'),
    Word("ref_grid", "emmeans", 'Write `fit.emmeans("x", at={"z": [0, 1]})`.'),
    Word("emmip", "emmeans", "Write `fit.conditional_effects().plot()`."),
    Word("plot_slopes", "marginaleffects", 'Write `fit.slopes("x", newdata=bayesml.datagrid(x=...))`.'),
    Word("plot_comparisons", "marginaleffects", 'Write `fit.comparisons("x", newdata=bayesml.datagrid(z=...))`.'),
)

OWN_SAMPLED = (
    *_BOTH,
    Word("posterior_predict", "brms", alias="predict"),
    Word("posterior_epred", "brms", alias="epred"),
    Word("posterior_linpred", "brms", alias="linpred"),
    Word("fitted", "brms", "Write `fit.epred(summary=True)`, or `fit.epred()` for its draws."),
    Word("predictive_error", "brms", 'Write `fit.residuals(method="predict")`.'),
    Word("as_draws", "brms", alias="draws"),
    Word("as_draws_df", "brms", alias="draws"),
    Word("as_draws_matrix", "brms", alias="draws"),
    Word("as_data_frame", "brms", alias="draws"),
    Word("posterior_samples", "brms", alias="draws"),
    Word("to_dataframe", "ArviZ", alias="draws"),
    Word("tidy_draws", "tidybayes", alias="draws"),
    Word("epred_draws", "tidybayes", alias="add_epred_draws"),
    Word("predicted_draws", "tidybayes", alias="add_predicted_draws"),
    Word("linpred_draws", "tidybayes", alias="add_linpred_draws"),
    Word("as_draws_list", "brms", 'Write `fit.idata["posterior"]`.'),
    Word("as_mcmc", "brms", 'Write `fit.idata["posterior"]`.'),
    Word("as_draws_rvars", "brms", 'Write `fit["b_x"]`, or `fit.idata["posterior"]`.'),
    Word("as_draws_array", "brms", 'Write `fit.idata["posterior"]`.'),
    Word("posterior_summary", "brms", "Write `fit.summary()`, a table with `to_pandas()`."),
    Word("posterior_interval", "brms", _INTERVALS),
    Word("predictive_interval", "brms", "Write `fit.predict(summary=True)`: Q2.5 and Q97.5 are the interval."),
    Word("confint", "R", _INTERVALS),
    Word("conf_int", "statsmodels", _INTERVALS),
    Word("prior_samples", "brms", alias="prior_draws"),
    Word(
        "prior_predictive", "Bambi", 'Fit with `sample_prior="only"`, then `fit.predict()`; `fit.pp_check(prior=True)`.'
    ),
    Word("powerscale_sensitivity", "priorsense", alias="prior_sensitivity"),
    Word("create_priorsense_data", "brms", alias="prior_sensitivity"),
    Word("powerscale_plot_dens", "priorsense", "Write `fit.prior_sensitivity().plot()`."),
    Word("psense_summary", "ArviZ", alias="prior_sensitivity"),
    Word("psense", "ArviZ", alias="prior_sensitivity"),
    Word("plot_psense_dist", "ArviZ", "Write `fit.prior_sensitivity().plot()`."),
    Word("parnames", "brms", "Write `list(fit.draws())`."),
    Word("nvariables", "brms", "Write `len(fit.draws().columns)`."),
    Word("ndraws", "brms", "Write `len(fit.draws())`."),
    Word("nsamples", "brms", "Write `len(fit.draws())`."),
    Word("nchains", "brms", 'Write `fit.idata["posterior"].sizes["chain"]`.'),
    Word("niterations", "brms", 'Write `fit.idata["posterior"].sizes["draw"]`.'),
    Word("mcmc_trace", "bayesplot", alias="plot"),
    Word("mcmc_dens", "bayesplot", alias="plot"),
    Word("mcmc_hist", "bayesplot", alias="plot"),
    Word("mcmc_areas", "bayesplot", alias="forest"),
    Word("mcmc_intervals", "bayesplot", alias="forest"),
    Word("mcmc_pairs", "bayesplot", alias="pairs"),
    Word("traceplot", "rstan", alias="plot"),
    Word("mcmc_plot", "brms", alias="forest"),
    Word("stanplot", "brms", alias="forest"),
    Word("plot_forest", "ArviZ", alias="forest"),
    Word("plot_trace", "ArviZ", alias="plot"),
    Word("plot_posterior", "ArviZ", alias="plot"),
    Word("plot_pair", "ArviZ", alias="pairs"),
    Word("plot_ppc", "ArviZ", alias="pp_check"),
    Word("rhat", "brms", _DIAGNOSTICS),
    Word("neff_ratio", "brms", _DIAGNOSTICS),
    Word("ess", "ArviZ", _DIAGNOSTICS),
    Word("nuts_params", "brms", _DIAGNOSTICS),
    Word("check_hmc_diagnostics", "rstan", _DIAGNOSTICS),
    Word("log_posterior", "brms", "The log density of each draw is not kept; `fit.log_lik()` has the log-likelihood."),
    Word("control_params", "brms", "Write `fit.engine`, a value without brackets."),
    Word(
        "stancode", "brms", 'There is no Stan here; `print(fit.export("numpyro"))` is the model as a NumPyro program.'
    ),
    Word(
        "make_stancode",
        "brms",
        'There is no Stan here; `print(fit.export("numpyro"))` is the model as a NumPyro program.',
    ),
    Word("stanfit", "brms", "There is no Stan here; `fit.idata` has the draws."),
    Word("launch_shinystan", "brms", "Write `fit.plot()`, `fit.diagnostics` and `fit.pp_check()`."),
    Word("p_direction", "bayestestR", "Write `fit.describe_posterior()`: the column `pd`."),
    Word("rope", "bayestestR", "Write `fit.describe_posterior(rope=(-0.1, 0.1))`."),
    Word("loo_compare", "brms", _LOO),
    Word("LOO", "brms", alias="loo"),
    Word("WAIC", "brms", alias="waic"),
    Word("add_criterion", "brms", _LOO),
    Word("loo_moment_match", "brms", "Write `fit.loo(moment_match=True)`."),
    Word("loo_subsample", "brms", "Write `fit.loo(subsample=400)`."),
    Word("loo_model_weights", "brms", 'Write `bayesml.loo_model_weights({"a": fit, "b": other})`.'),
    Word("pp_average", "brms", _AVERAGES),
    Word("posterior_average", "brms", _AVERAGES),
    Word("post_prob", "brms", "Write `fit.bayes_factor(other)`: b / (1 + b) is the probability of the first model."),
    Word("bayesfactor_models", "bayestestR", alias="bayes_factor"),
    Word("hdi", "ArviZ", "Write `fit.describe_posterior()`; `fit.summary()` has quantiles."),
    Word("bse", "statsmodels", 'Write `fit.fixef()["Est.Error"]`.'),
    Word("AIC", "R", f"{_POINT_FIRST}, then `fit.aic`. Fits with draws are compared by `fit.loo()`."),
    Word("BIC", "R", f"{_POINT_FIRST}, then `fit.bic`. Fits with draws are compared by `fit.loo()`."),
    Word("aic", "statsmodels", f"{_POINT_FIRST}. Fits with draws are compared by `fit.loo()`."),
    Word("bic", "statsmodels", f"{_POINT_FIRST}. Fits with draws are compared by `fit.loo()`."),
    Word("logLik", "R", f"{_POINT_FIRST}. The log-likelihood of each row and draw is `fit.log_lik()`."),
    Word("deviance", "R", f"{_POINT_FIRST}."),
    Word("sigma", "R", 'Write `fit["sigma"]` for its draws, or `fit.summary()`.'),
    Word("isSingular", "lme4", f"{_POINT_FIRST}, then `fit.is_singular`, a value without brackets."),
    Word("is_singular", "lme4", f"{_POINT_FIRST}."),
    Word("anova", "lme4", f"{_POINT_FIRST}, then `fit.anova()`. Fits with draws are compared by `fit.loo()`."),
    Word("ranova", "lmerTest", f"{_POINT_FIRST}, then `fit.ranova()`."),
    Word("drop1", "R", f"{_POINT_FIRST}, then `fit.drop1()`."),
    Word("icc", "performance", f"{_POINT_FIRST}, or take it from the draws of `fit.varcorr()`."),
    Word("r2", "performance", alias="bayes_R2"),
    Word("influence", "R", f"{_POINT_FIRST}. Influential rows are those that `fit.loo()` names."),
    Word("check_model", "performance", f"{_POINT_FIRST}, or write `fit.pp_check()`."),
    Word("refit", "lme4", f"{_POINT_FIRST}, or fit again with `bayesml.fit(...)`."),
    Word("simulate", "R", "Write `fit.predict(ndraws=10)`."),
    Word("to_normal_draws", "bayesml", "It belongs to point estimates; this fit has draws already."),
    Word("posterior", "ArviZ", _IDATA.format("posterior")),
    Word("sample_stats", "ArviZ", _IDATA.format("sample_stats")),
    Word("observed_data", "ArviZ", _IDATA.format("observed_data")),
    Word("log_likelihood", "ArviZ", "Write `fit.log_lik()`, or `fit.to_arviz(log_likelihood=True)`."),
    Word("posterior_predictive", "ArviZ", "Write `fit.predict()`, or `fit.to_arviz(posterior_predictive=True)`."),
    Word("inference_data", "ArviZ", alias="idata"),
    Word("traces", "HSSM", alias="idata"),
    Word("trace", "PyMC", alias="idata"),
    Word("combine_models", "brms", "Write `bayesml.combine([fit, other])`; `fit.extend(draws=1000)` adds draws."),
    Word("expose_functions", "brms", "There is no Stan here."),
)

_NEED_DRAWS = (
    *(
        "draws()",
        "idata",
        "log_lik()",
        "loo()",
        "waic()",
        "kfold()",
        "reloo()",
        "loo_R2()",
        "loo_predict()",
        "pairs()",
        "plot()",
        "forest()",
        "pp_check()",
        "pp_mixture()",
    ),
    *("spread_draws()", "gather_draws()", "add_epred_draws()", "add_predicted_draws()", "add_linpred_draws()"),
)
"""What only draws answer; a point estimate says where to find them."""

OWN_POINT = (
    *_BOTH,
    *(
        Word(
            verb.removesuffix("()"),
            "bayesml",
            f"A point estimate has no draws, which `{verb}` needs. Write `fit.to_normal_draws().{verb}`.",
        )
        for verb in _NEED_DRAWS
    ),
    Word("AIC", "R", "Write `fit.aic`, a value without brackets."),
    Word("BIC", "R", "Write `fit.bic`, a value without brackets."),
    Word("extractAIC", "R", "Write `fit.aic`, a value without brackets."),
    Word("llf", "statsmodels", "Write `fit.logLik`, a value without brackets."),
    Word("loglik", "R", "Write `fit.logLik`, a value without brackets."),
    Word("log_likelihood", "statsmodels", "Write `fit.logLik`, a value without brackets."),
    Word("isSingular", "lme4", "Write `fit.is_singular`, a value without brackets."),
    Word("isREML", "lme4", 'Write `fit.method == "reml"`.'),
    Word("REMLcrit", "lme4", "Write `fit.criterion`, a value without brackets."),
    Word("fittedvalues", "statsmodels", "Write `fit.fitted`, a value without brackets."),
    Word("fitted_values", "R", "Write `fit.fitted`, a value without brackets."),
    Word("scale", "statsmodels", "Write `fit.sigma ** 2`."),
    Word("bse", "statsmodels", 'Write `fit.fixef()["Std.Error"]`.'),
    Word("pvalues", "statsmodels", "Write `fit.fixef()`: the last column is p."),
    Word("tvalues", "statsmodels", "Write `fit.fixef()`, which has a column `t value` or `z value`."),
    Word("rePCA", "lme4", "It is not there; `fit.varcorr()` has the covariances."),
    Word("conf_int", "statsmodels", alias="confint"),
    Word("profile", "lme4", 'Write `fit.confint(method="profile")`.'),
    Word("bootMer", "lme4", 'Write `fit.confint(method="boot", nsim=500, seed=1)`.'),
    Word("PBmodcomp", "pbkrtest", "Write `bayesml.anova(fit, other)`, or `fit.simulate(n)` and `fit.refit(y)`."),
    Word("KRmodcomp", "pbkrtest", 'Write `fit.contrast(L, joint=True, ddf="kenward-roger")`.'),
    Word("contest", "lmerTest", alias="contrast"),
    Word("t_test", "statsmodels", alias="contrast"),
    Word("wald_test", "statsmodels", "Write `fit.contrast(L, joint=True)`."),
    Word("hypothesis", "brms", 'Write `fit.contrast("b_x")`.'),
    Word("Anova", "car", "Write `fit.anova(type=2)` or `fit.anova(type=3)`."),
    Word("compare_performance", "performance", 'Write `bayesml.compare_models({"a": fit, "b": other})`.'),
    Word("rand", "lmerTest", alias="ranova"),
    Word("r_squared", "performance", alias="r2"),
    Word("r2_nakagawa", "performance", alias="r2"),
    Word("rsquared", "MuMIn", alias="r2"),
    Word("cooks_distance", "R", "Write `fit.influence()`."),
    Word("hatvalues", "R", "Write `fit.influence()`."),
    Word("rstudent", "R", 'Write `fit.influence()["studentised"]`.'),
    Word("rstandard", "R", 'Write `fit.influence()["studentised"]`.'),
    Word("simulateResiduals", "DHARMa", "Write `fit.check_model()`, or compare with `fit.simulate(250)`."),
    Word("refitML", "lme4", 'Write `fit.update(method="ml")`.'),
    Word("add1", "R", 'Write `bayesml.anova(fit, fit.update(". ~ . + x"))`.'),
    Word("step", "lmerTest", "Steps are not there; `fit.drop1()` and `fit.ranova()` test what may be left out."),
    Word("allFit", "lme4", "It is not there: there is one optimiser, and a fit that fails says so."),
    Word("joint_tests", "emmeans", "Write `fit.anova(type=3)`."),
    Word("vcovAdj", "pbkrtest", 'Write `fit.contrast(L, ddf="kenward-roger")`, which uses it.'),
    Word("SATmodcomp", "pbkrtest", 'Write `fit.contrast(L, joint=True, ddf="satterthwaite")`.'),
    Word("get_Lb_ddf", "pbkrtest", 'Write `fit.contrast(L, ddf="kenward-roger")`, which has a column `df`.'),
    Word("f_test", "statsmodels", "Write `fit.contrast(L, joint=True)`."),
    Word("get_prediction", "statsmodels", 'Write `fit.predict(newdata, se=True, interval="confidence")`.'),
    Word("prior_draws", "brms", f"{_DRAWS_FIRST}: `fit.to_normal_draws().prior_draws()`."),
    Word("prior_sensitivity", "bayesml", f"{_DRAWS_FIRST}: `fit.to_normal_draws().prior_sensitivity()`."),
    Word("plot_prior_posterior", "ArviZ", f"{_DRAWS_FIRST}: `fit.to_normal_draws().plot_prior_posterior()`."),
    Word("get_influence", "statsmodels", alias="influence"),
    Word("qqnorm", "R", alias="check_model"),
    Word("posterior_predict", "brms", f"{_DRAWS_FIRST}; `fit.simulate(10)` draws responses at the estimates."),
    Word("posterior_epred", "brms", f"{_DRAWS_FIRST}; `fit.epred(newdata)` is the expected response at the estimates."),
    Word("posterior_linpred", "brms", f"{_DRAWS_FIRST}; `fit.linpred(newdata)` is the predictor at the estimates."),
    Word("as_draws_df", "brms", f"{_DRAWS_FIRST}: `fit.to_normal_draws().draws()`."),
    Word("as_draws", "brms", f"{_DRAWS_FIRST}: `fit.to_normal_draws().draws()`."),
    Word("posterior_samples", "brms", f"{_DRAWS_FIRST}: `fit.to_normal_draws().draws()`."),
    Word("posterior", "ArviZ", f"{_DRAWS_FIRST}: `fit.to_normal_draws().idata`."),
    Word("diagnostics", "brms", "A point estimate has no chains; the summary says whether the optimum was found."),
    Word("rhat", "brms", "A point estimate has no chains; the summary says whether the optimum was found."),
    Word(
        "stancode", "brms", 'There is no Stan here; `print(fit.export("numpyro"))` is the model as a NumPyro program.'
    ),
    Word("waic", "brms", "Write `fit.aic`, a value without brackets, or `fit.to_normal_draws().waic()`."),
    Word("bayes_R2", "brms", "Write `fit.r2()`."),
    Word("extend", "bayesml", "A point estimate has no draws to add to."),
    Word("seed", "bayesml", "A point estimate has no randomness."),
    Word("plan", "bayesml", "A point estimate is not sampled; `fit.method` says how it was found."),
    Word("model", "bayesml", "Write `fit.to_normal_draws().model`."),
    Word("to_arviz", "ArviZ", f"{_DRAWS_FIRST}: `fit.to_normal_draws().to_arviz()`."),
    Word("describe_posterior", "bayestestR", f"{_DRAWS_FIRST}: `fit.to_normal_draws().describe_posterior()`."),
    Word("bayes_factor", "brms", "Marginal likelihoods need draws by NUTS: `fit.update(method='nuts')`."),
    Word("bridge_sampler", "brms", "Marginal likelihoods need draws by NUTS: `fit.update(method='nuts')`."),
    Word("survival", "bayesml", f"{_DRAWS_FIRST}: `fit.to_normal_draws().survival()`."),
)


def _of_draws(word: Word) -> Word:
    """Return what a point estimate says of a word that belongs to draws."""
    here = word.here or f"Write `fit.{word.alias}`."
    if here.startswith("Write "):
        here = re.sub(r"\bfit\.(?!nc\b)", "fit.to_normal_draws().", here)
    return Word(word.word, word.origin, f"{_DRAWS_FIRST}. {here}")


def _of_estimates(word: Word) -> Word:
    """Return what a fit with draws says of a word that belongs to point estimates."""
    here = word.here or f"Write `fit.{word.alias}`."
    return Word(word.word, word.origin, f"{_POINT_FIRST}. {here}")


def _others(words: tuple[Word, ...], own: tuple[Word, ...], redirection: str) -> tuple[Word, ...]:
    """Return the words of the other kind of fit that are not answered by the own ones, nor sent back."""
    answered = {word.word for word in own}
    return tuple(word for word in words if word.word not in answered and not word.here.startswith(redirection))


SAMPLED = (*OWN_SAMPLED, *map(_of_estimates, _others(OWN_POINT, OWN_SAMPLED, _DRAWS_FIRST)))
POINT = (*OWN_POINT, *map(_of_draws, _others(OWN_SAMPLED, OWN_POINT, _POINT_FIRST)))
