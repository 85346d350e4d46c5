"""Families: other names for those that are here, names of those that are not yet, and what is no family."""

from __future__ import annotations

from types import MappingProxyType

__all__ = ["FAMILY_ADVICE", "FAMILY_ALIASES", "PLANNED_FAMILIES"]

FAMILY_ALIASES = MappingProxyType(
    {
        "normal": "gaussian",
        "t": "student",
        "student_t": "student",
        "studentt": "student",
        "negative_binomial": "negbinomial",
        "negativebinomial": "negbinomial",
        "neg_binomial": "negbinomial",
        "neg_binomial_2": "negbinomial",
        "negbin": "negbinomial",
        "nbinom2": "negbinomial",
        "log_normal": "lognormal",
        "beta_family": "beta",
        "betabinomial": "beta_binomial",
        "zip": "zero_inflated_poisson",
        "zinb": "zero_inflated_negbinomial",
        "zero_inflated_negativebinomial": "zero_inflated_negbinomial",
        "hurdle_negativebinomial": "hurdle_negbinomial",
        "stopping_ratio": "sratio",
        "continuation_ratio": "cratio",
        "adjacent_category": "acat",
        "asymmetric_laplace": "asym_laplace",
        "wald": "inverse_gaussian",
        "inv_gaussian": "inverse_gaussian",
        "skewnormal": "skew_normal",
        "vonmises": "von_mises",
        "ex_gaussian": "exgaussian",
        "exgauss": "exgaussian",
        "shifted_log_normal": "shifted_lognormal",
        "ddm": "wiener",
        "log_logistic": "loglogistic",
        "gev": "gen_extreme_value",
        "llogis": "loglogistic",
        "ordbeta": "ordered_beta",
        "zi_beta": "zero_inflated_beta",
        "zoib": "zero_one_inflated_beta",
    }
)
"""Names that mean the same in brms, lme4, glmmTMB, Bambi or Stan, in lower case."""

_PLANNED = """
bell betabinomial2 laplace ordered ordinal
"""
PLANNED_FAMILIES = frozenset(_PLANNED.split())
"""Names of brms, and what Bambi and glmmTMB call the same, in lower case with ``_`` for ``.``; none is here yet."""

FAMILY_ADVICE = MappingProxyType(
    {
        **dict.fromkeys(("custom", "custom_family"), "Make it of a function: family=bayesml.custom_family(...)."),
        "mixture": 'Its components are named: family=bayesml.families.mixture("gaussian", "gaussian").',
        "quasibinomial": "Overdispersion has a likelihood here: add `(1 | row)` with a column that numbers the rows.",
        "quasipoisson": 'Overdispersion has a likelihood here: family="negbinomial".',
        **dict.fromkeys(("reml", "ml", "nuts", "mcmc", "map"), "It is a method: write method=."),
        **dict.fromkeys(("lmer", "glmer", "brm"), 'Write family="gaussian" or "poisson"; method= says how to fit.'),
        **{
            f"truncated_{theirs}": f'Write family="{ours}" and `y | trunc(lb = 1) ~ ...` for counts that are never 0.'
            for theirs, ours in {
                "compois": "compois",
                "genpois": "genpois",
                "nbinom1": "nbinom1",
                "nbinom2": "negbinomial",
                "poisson": "poisson",
            }.items()
        },
        "quasi": "There is no quasi-likelihood here; choose the family of the response.",
        "logit": 'For a response of 0 and 1 write family="bernoulli", with trials(n) "binomial"; logit is their link.',
        "logistic": 'For a response of 0 and 1 write family="bernoulli"; logit is its link.',
        "cloglog": 'Write family=bayesml.families.bernoulli(link="cloglog").',
        "probit": 'Write family=bayesml.families.bernoulli(link="probit").',
        "nb": 'Write family="negbinomial".',
        "lm": 'Write family="gaussian".',
        "ols": 'Write family="gaussian".',
        "binary": 'Write family="bernoulli".',
        "count": 'Write family="poisson" or family="negbinomial".',
        "robust": 'Write family="student".',
    }
)
"""What is typed for a family and is none, in lower case."""
