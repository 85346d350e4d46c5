"""A small model of each family that stands in no other list.

Responses of a positive scale have priors under which they neither overflow nor round to 0 or 1: where a draw is not a
number that the family takes, there is nothing to calibrate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bayesml
from bayesml import families
from tests.calibration.designs import grouped, of_dpars, priors, window, with_trials
from tests.calibration.model import COLLAPSED, PLAIN, PRECONDITIONED, Model

__all__ = ["FAMILY_MODELS"]

INSIDE = (0.2, 0.8)
SHARES = ((0.2, 0.3, 0.5), (0.5, 0.3, 0.2))
COUNTS = ((2, 3, 5), (6, 3, 1))
"""Of ten trials."""


def _model(name: str, prior: tuple[bayesml.Prior, ...], seed: int, **given: Any) -> Model:
    """Return ``y ~ x + (1 | g)`` of the family of that name, with 32 rows in 8 groups."""
    usual: dict[str, Any] = {"formula": "y ~ x + (1 | g)", "family": name, "columns": grouped(8, 4)}
    usual["forms"] = (PRECONDITIONED,)
    return Model(name=name, priors=prior, seed=seed, **{**usual, **given})


def _counts(**others: str) -> tuple[bayesml.Prior, ...]:
    return priors("normal(1, 0.5)", "normal(0, 0.4)", "normal(0, 0.5)", **others)


def _scales(**others: str) -> tuple[bayesml.Prior, ...]:
    return priors("normal(0, 0.7)", "normal(0, 0.5)", "normal(0, 0.5)", **others)


def _locations(**others: str) -> tuple[bayesml.Prior, ...]:
    return priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", **others)


def _probabilities(**others: str) -> tuple[bayesml.Prior, ...]:
    return priors("normal(0, 1)", "normal(0, 0.7)", "normal(0, 0.7)", **others)


def _inside(**others: str) -> tuple[bayesml.Prior, ...]:
    return priors("normal(0, 0.5)", "normal(0, 0.3)", "normal(0, 0.3)", **others)


def _of_trials(name: str, prior: tuple[bayesml.Prior, ...], seed: int) -> Model:
    return _model(name, prior, seed, formula="y | trials(n) ~ x + (1 | g)", columns=with_trials(grouped(8, 4)))


def _with_answers(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"d": np.arange(len(columns["x"])) % 2}


OF_COUNTS = (
    _of_trials("binomial", _probabilities(), 60),
    _of_trials("zero_inflated_binomial", _probabilities(zi="beta(2, 4)"), 61),
    _of_trials("zero_inflated_beta_binomial", _probabilities(zi="beta(2, 4)", phi="gamma(4, 0.5)"), 62),
    _model("geometric", _counts(), 63),
    _model("negbinomial2", _counts(sigma="gamma(3, 4)"), 64),
    _model("nbinom1", _counts(phi="gamma(3, 2)"), 65),
    _model("compois", _counts(phi="gamma(6, 6)"), 66),
    _model("zero_inflated_negbinomial", _counts(shape="gamma(4, 2)", zi="beta(2, 4)"), 67),
    _model("hurdle_poisson", _counts(hu="beta(2, 4)"), 68),
    _model("hurdle_negbinomial", _counts(shape="gamma(4, 2)", hu="beta(2, 4)"), 69),
)

POSITIVE = (
    _model("gamma", _scales(shape="gamma(4, 2)"), 70, placeholder=(0.5, 1.0)),
    _model("exponential", _scales(), 71, placeholder=(0.5, 1.0)),
    _model(
        "inverse_gaussian",
        _scales(shape="gamma(4, 1)"),
        72,
        family=families.inverse_gaussian(link="log"),
        placeholder=(0.5, 1.0),
    ),
    _model("frechet", _scales(nu="gamma(6, 1)"), 73, placeholder=(0.5, 1.0)),
    _model("loglogistic", _scales(shape="gamma(8, 2)"), 74, placeholder=(0.5, 1.0)),
    _model("lognormal", _scales(sigma="exponential(1)"), 75, placeholder=(0.5, 1.0), forms=(COLLAPSED, PRECONDITIONED)),
    _model("hurdle_gamma", _scales(shape="gamma(4, 2)", hu="beta(2, 4)"), 76, placeholder=(0.0, 1.0)),
    _model("hurdle_lognormal", _scales(sigma="gamma(4, 4)", hu="beta(2, 4)"), 77, placeholder=(0.0, 1.0)),
    # Near a power of 1 responses are multiples of phi, each with a narrow peak of the density.
    _model("tweedie", _scales(phi="gamma(4, 4)", power="normal(1.5, 0.1)"), 78),
    # A shift without a formula lies below the smallest response, so that its support differs between data sets. With
    # one it starts at half of the smallest placeholder. Trajectories that overshoot the smallest response diverge, in
    # half of the simulations and more; ranks are uniform all the same.
    _model(
        "shifted_lognormal",
        (*_scales(sigma="gamma(20, 60)"), bayesml.prior("normal(-1.5, 0.4)", "Intercept", dpar="ndt")),
        79,
        formula=bayesml.bf("y ~ x + (1 | g)", ndt="~ 1"),
        placeholder=(0.1, 1.0),
        most_divergent=1.0,
    ),
    _model(
        "wiener",
        (
            *priors("normal(1, 0.7)", "normal(0, 0.5)", bs="gamma(40, 16)", bias="beta(12, 12)"),
            bayesml.prior("normal(-1.5, 0.4)", "Intercept", dpar="ndt"),
        ),
        80,
        formula=bayesml.bf("y | dec(d) ~ x", ndt="~ 1"),
        columns=_with_answers(grouped(8, 4)),
        placeholder=(0.1, 1.0),
        most_divergent=1.0,
    ),
    # The splines reach from 0 to the last time, where everything that has not happened is censored.
    _model(
        "cox",
        _scales(sbhaz="dirichlet(2)"),
        81,
        formula="y | cens(c) ~ x + (1 | g)",
        placeholder=(0.0, 1.0, 2.0),
        window=window(32, first=0.0, last=(0.8, 2.0)),
    ),
)

REAL = (
    _model("exgaussian", _locations(sigma="gamma(4, 4)", beta="gamma(4, 4)"), 82),
    _model(
        "asym_laplace",
        _locations(sigma="gamma(4, 4)"),
        83,
        formula=bayesml.bf("y ~ x + (1 | g)", quantile=0.3),
    ),
    _model(
        "zero_inflated_asym_laplace",
        _locations(sigma="gamma(4, 4)", quantile="beta(4, 4)", zi="beta(2, 4)"),
        84,
    ),
    _model("gen_extreme_value", _locations(sigma="gamma(4, 4)", xi="normal(0.1, 0.1)"), 85),
    _model("von_mises", _scales(kappa="gamma(4, 1)"), 86, placeholder=(-1.0, 1.0), is_bounded=True),
    Model(
        "mixture",
        "y ~ 1",
        bayesml.mixture("gaussian", nmix=2),
        grouped(1, 30),
        (
            *of_dpars("Intercept", mu1="normal(-2, 0.7)", mu2="normal(2, 0.7)"),
            *priors("", "", sigma1="gamma(6, 6)", sigma2="gamma(6, 6)", theta="dirichlet(4)"),
        ),
        (PRECONDITIONED, PLAIN),
        seed=87,
    ),
)

BETWEEN = (
    _model("beta", _inside(phi="gamma(20, 2)"), 90, placeholder=INSIDE, is_bounded=True),
    _model(
        "zero_inflated_beta",
        _inside(phi="gamma(20, 2)", zi="beta(2, 4)"),
        91,
        placeholder=(0.0, 0.3, 0.8),
        is_bounded=True,
    ),
    _model(
        "xbeta",
        _inside(phi="gamma(8, 1)", kappa="gamma(4, 20)"),
        92,
        placeholder=(0.0, 0.5, 1.0),
        is_bounded=True,
    ),
)

CATEGORIES = (
    _model("cratio", _probabilities(), 93, placeholder=(1.0, 2.0, 3.0), is_bounded=True),
    _model(
        "categorical",
        (
            *of_dpars("Intercept", mu2="normal(0, 1)", mu3="normal(0, 1)"),
            *of_dpars("b", mu2="normal(0, 0.7)", mu3="normal(0, 0.7)"),
            *of_dpars("sd", mu2="normal(0, 0.7)", mu3="normal(0, 0.7)"),
        ),
        94,
        placeholder=(1.0, 2.0, 3.0),
        is_bounded=True,
    ),
)


def _of_columns(name: str, prior: tuple[bayesml.Prior, ...], seed: int, trials: bool = False) -> Model:
    """Return the model of a response of three columns, with 24 rows."""
    columns = grouped(1, 24) | ({"n": np.full(24, 10)} if trials else {})
    return Model(
        name,
        f"cbind(p, q, r){' | trials(n)' if trials else ''} ~ x",
        name,
        columns,
        prior,
        (PRECONDITIONED,),
        COUNTS if trials else SHARES,
        is_bounded=True,
        responses=("p", "q", "r"),
        seed=seed,
    )


def _each(*dpars: str, intercept: str, slope: str) -> tuple[bayesml.Prior, ...]:
    return (
        *of_dpars("Intercept", **dict.fromkeys(dpars, intercept)),
        *of_dpars("b", **dict.fromkeys(dpars, slope)),
    )


COLUMNS = (
    _of_columns("multinomial", _each("muq", "mur", intercept="normal(0, 1)", slope="normal(0, 0.7)"), 95, trials=True),
    _of_columns(
        "dirichlet_multinomial",
        (*_each("muq", "mur", intercept="normal(0, 1)", slope="normal(0, 0.7)"), *priors("", "", phi="gamma(6, 0.6)")),
        96,
        trials=True,
    ),
    _of_columns(
        "dirichlet",
        (
            *_each("muq", "mur", intercept="normal(0, 0.4)", slope="normal(0, 0.3)"),
            bayesml.prior("gamma(20, 1)", "phi"),
        ),
        97,
    ),
    _of_columns("dirichlet2", _each("mup", "muq", "mur", intercept="normal(1.2, 0.3)", slope="normal(0, 0.3)"), 98),
    _of_columns(
        "logistic_normal",
        (
            *_each("muq", "mur", intercept="normal(0, 0.7)", slope="normal(0, 0.5)"),
            *priors("", "", sigmaq="gamma(4, 4)", sigmar="gamma(4, 4)", lncor="lkj(2)"),
        ),
        99,
    ),
)

FAMILY_MODELS = (*OF_COUNTS, *POSITIVE, *REAL, *BETWEEN, *CATEGORIES, *COLUMNS)
