"""The models that are calibrated: fixed designs, proper priors that do not look at the response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import bayesml
from bayesml.formula import ModelFormula

__all__ = ["MODELS", "Form", "Model"]


@dataclass(frozen=True)
class Form:
    """One way to sample a posterior.

    Attributes:
        name: of the form that the plan must choose.
        marginalize: as in ``fit``.
        precondition: as in ``fit``.
        largest_only: of crossed factors, integrate out the one with the most effects only.
    """

    name: str
    marginalize: bool | None = None
    precondition: bool | None = None
    largest_only: bool = False


@dataclass(frozen=True)
class Model:
    """A model and the columns of its data but the response.

    Attributes:
        name: for messages and test ids.
        formula: its response is ``y``, or ``responses``, censored by ``c`` where there is a window.
        family: its family.
        columns: predictors and grouping factors.
        priors: one for every class of parameter.
        forms: the forms that are calibrated.
        placeholder: responses that the family takes; of a response with a few values, all of them.
        has_few_values: whether the response has a few values only.
        window: for each row the interval in which a response is known exactly, ``(2, rows)``; beyond it is censored.
        responses: names of the responses.
        seed: of the simulations. Models whose parameters are drawn alike have seeds of their own, lest the same odd
            draws occur in all of them: with seed 20 the truths of both smooths lie oddly, in one form as in the other
            (p of the joint log-likelihood 0.0006 and 0.001; 0.42, 0.90 and, of 2,000 simulations, 0.35 with others).
    """

    name: str
    formula: str | ModelFormula
    family: str
    columns: dict[str, np.ndarray]
    priors: tuple[bayesml.Prior, ...]
    forms: tuple[Form, ...]
    placeholder: tuple[float, ...] = (0.0, 1.0)
    has_few_values: bool = False
    window: np.ndarray | None = None
    responses: tuple[str, ...] = ("y",)
    seed: int = 20

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns["x"])

    @property
    def has_trials(self) -> bool:
        """Whether the response is a number of successes."""
        return "n" in self.columns

    def other(self, y: np.ndarray) -> np.ndarray:
        """Return a response that differs from ``y``."""
        if self.has_trials:
            return self.columns["n"] - y
        return sum(self.placeholder[:: len(self.placeholder) - 1]) - y if self.has_few_values else y[::-1] + 3.0


COLLAPSED = Form("collapsed", marginalize=True)
PRECONDITIONED = Form("preconditioned", precondition=True)


def _grouped(levels: int, rows: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([levels, rows]).normal(size=levels * rows)
    return {"x": x, "g": np.repeat([f"g{i:02d}" for i in range(levels)], rows)}


def _crossed(first: int, second: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([first, second]).normal(size=first * second)
    a, b = np.divmod(np.arange(first * second), second)
    return {"x": x, "a": np.char.add("a", a.astype(str)), "b": np.char.add("b", b.astype(str))}


def _with_observation(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"obs": np.array([f"o{i:03d}" for i in range(len(columns["x"]))])}


def _with_second(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add z, spread over -1 to 1."""
    return columns | {"z": np.random.default_rng(len(columns["x"])).uniform(-1.0, 1.0, len(columns["x"]))}


def _with_trials(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"n": 2.0 + np.arange(len(columns["x"])) % 9}


def _graded(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(rows)
    return {"x": rng.normal(size=rows), "grade": rng.permutation(np.arange(rows) % 4)}


def _spread(low: float, high: float, groups: int, rows: int) -> dict[str, np.ndarray]:
    """Return x at the same distances in each group."""
    return _grouped(groups, rows) | {"x": np.tile(np.linspace(low, high, rows), groups)}


def _series(groups: int, rows: int) -> dict[str, np.ndarray]:
    """Return series of so many rows, in no order."""
    columns = _grouped(groups, rows) | {"t": np.tile(np.arange(rows), groups)}
    order = np.random.default_rng(rows).permutation(groups * rows)
    return {name: column[order] for name, column in columns.items()}


def _lattices(groups: int, first: int, second: int, holes: int) -> dict[str, np.ndarray]:
    """Return lattices of so many cells without some of these, in no order."""
    cells = first * second
    columns = _grouped(groups, cells) | {"t": np.tile(np.repeat(np.arange(first), second), groups)}
    columns["u"] = np.tile(np.arange(second), groups * first)
    order = np.random.default_rng(cells).permutation(groups * cells)[holes:]
    return {name: column[order] for name, column in columns.items()}


def _window(rows: int) -> np.ndarray:
    """Return a time before which and one after which nothing is observed, for each row."""
    rng = np.random.default_rng(rows)
    return np.stack([rng.uniform(0.05, 0.4, rows), rng.uniform(0.8, 4.0, rows)])


def _priors(intercept: str, slope: str, sd: str | None = None, **others: str) -> tuple[bayesml.Prior, ...]:
    pairs = {"Intercept": intercept, "b": slope, "sd": sd} | others
    return tuple(bayesml.prior(text, class_) for class_, text in pairs.items() if text)


def _of_coefs(class_: str, texts: dict[str, str]) -> tuple[bayesml.Prior, ...]:
    return tuple(bayesml.prior(text, class_, coef=coef) for coef, text in texts.items())


def _of_responses(responses: tuple[str, ...], **texts: str) -> tuple[bayesml.Prior, ...]:
    return tuple(bayesml.prior(text, class_, resp=resp) for resp in responses for class_, text in texts.items())


MODELS = (
    Model(
        "random-slope gaussian",
        "y ~ x + (x | g)",
        "gaussian",
        _grouped(10, 5),
        _priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="normal(0, 1)", cor="lkj(2)"),
        (COLLAPSED, PRECONDITIONED),
    ),
    Model(
        "crossed gaussian",
        "y ~ x + (1 | a) + (1 | b)",
        "gaussian",
        _crossed(10, 6),
        _priors("student_t(4, 0, 2)", "normal(0, 1)", "exponential(1)", sigma="exponential(1)"),
        (COLLAPSED, Form("collapsed", marginalize=True, largest_only=True), PRECONDITIONED),
    ),
    Model(
        "random-intercept bernoulli",
        "y ~ x + (1 | g)",
        "bernoulli",
        _grouped(24, 5),
        _priors("normal(0, 1.5)", "normal(0, 1)", "normal(0, 1.5)"),
        (PRECONDITIONED,),
        has_few_values=True,
    ),
    Model(
        "poisson with observation-level effects",
        "y ~ x + (1 | g) + (1 | obs)",
        "poisson",
        _with_observation(_grouped(8, 5)),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)"),
        (PRECONDITIONED,),
    ),
    Model(
        "negbinomial",
        "y ~ x + (1 | g)",
        "negbinomial",
        _grouped(12, 5),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)", shape="gamma(3, 1)"),
        (PRECONDITIONED,),
    ),
    # With thresholds 4 apart category specific effects of this size cannot make them cross, where there would be no
    # probabilities to draw from.
    Model(
        "cumulative with category specific effects",
        "y ~ x + cs(z) + (1 | g)",
        "cumulative",
        _with_second(_grouped(8, 6)),
        (
            *_of_coefs("Intercept", {"1": "normal(-2, 0.6)", "2": "normal(2, 0.6)"}),
            *_of_coefs("b", {"x": "normal(0, 1)", "z": "normal(0, 0.5)"}),
            bayesml.prior("normal(0, 1)", "sd"),
        ),
        (PRECONDITIONED,),
        (1.0, 2.0, 3.0),
        has_few_values=True,
    ),
    Model(
        "sratio with thresholds of groups",
        "y ~ x + (cs(1) | g)",
        "sratio",
        _grouped(10, 6),
        (*_priors("normal(0, 1)", "normal(0, 1)", "normal(0, 0.7)"), bayesml.prior("lkj(2)", "cor")),
        (PRECONDITIONED,),
        (1.0, 2.0, 3.0),
        has_few_values=True,
        seed=51,
    ),
    Model(
        "acat with category specific effects",
        "y ~ x + cs(z) + (1 | g)",
        "acat",
        _with_second(_grouped(8, 6)),
        _priors("normal(0, 1)", "normal(0, 0.7)", "normal(0, 0.7)"),
        (PRECONDITIONED,),
        (1.0, 2.0, 3.0),
        has_few_values=True,
        seed=52,
    ),
    Model(
        "hurdle_cumulative",
        bayesml.bf("y ~ x + (1 | g)", hu="~ z"),
        "hurdle_cumulative",
        _with_second(_grouped(8, 6)),
        (
            *_priors("normal(0, 1)", "normal(0, 0.7)", "normal(0, 0.7)"),
            bayesml.prior("normal(-0.5, 1)", "Intercept", dpar="hu"),
            bayesml.prior("normal(0, 1)", "b", dpar="hu"),
        ),
        (PRECONDITIONED,),
        (0.0, 1.0, 2.0, 3.0),
        has_few_values=True,
        seed=53,
    ),
    Model(
        "ordered_beta",
        "y ~ x + (1 | g)",
        "ordered_beta",
        _grouped(8, 6),
        _priors(
            "normal(0, 1)",
            "normal(0, 0.5)",
            "normal(0, 0.7)",
            phi="gamma(6, 1)",
            cutzero="normal(-1.5, 0.5)",
            cutone="normal(1, 0.3)",
        ),
        (PRECONDITIONED,),
        (0.0, 0.5, 1.0),
        has_few_values=True,
        seed=54,
    ),
    Model(
        "zero_one_inflated_beta",
        "y ~ x + (1 | g)",
        "zero_one_inflated_beta",
        _grouped(8, 6),
        _priors(
            "normal(0, 1)", "normal(0, 0.5)", "normal(0, 0.7)", phi="gamma(6, 1)", zoi="beta(2, 4)", coi="beta(2, 2)"
        ),
        (PRECONDITIONED,),
        (0.0, 0.5, 1.0),
        has_few_values=True,
        seed=55,
    ),
    Model(
        "zero_inflated_poisson",
        bayesml.bf("y ~ x + (1 | g)", zi="~ z"),
        "zero_inflated_poisson",
        _with_second(_grouped(8, 6)),
        (
            *_priors("normal(1, 0.7)", "normal(0, 0.5)", "normal(0, 0.7)"),
            bayesml.prior("normal(-0.5, 1)", "Intercept", dpar="zi"),
            bayesml.prior("normal(0, 1)", "b", dpar="zi"),
        ),
        (PRECONDITIONED,),
    ),
    Model(
        "weibull with censoring",
        "y | cens(c) ~ x + (1 | g)",
        "weibull",
        _grouped(8, 6),
        _priors("normal(0, 0.7)", "normal(0, 0.5)", "normal(0, 0.5)", shape="gamma(4, 2)"),
        (PRECONDITIONED,),
        (0.5, 1.0),
        window=_window(48),
    ),
    Model(
        "monotonic effect",
        "y ~ mo(grade) * x",
        "gaussian",
        _graded(40),
        (
            *_priors("normal(0, 2)", "normal(0, 1)", sigma="exponential(1)"),
            *_of_coefs("simo", {"mo(grade)1": "dirichlet(2)", "mo(grade):x1": "dirichlet(2)"}),
        ),
        (PRECONDITIONED,),
    ),
    Model(
        "nonlinear",
        bayesml.bf("y ~ a * exp(-b * x)", a="~ 1 + (1 | g)", b="~ 1", nonlinear=True),
        "gaussian",
        _spread(0.0, 3.0, 8, 6),
        (
            bayesml.prior("normal(4, 1)", "b", nlpar="a"),
            bayesml.prior("normal(1, 0.3)", "b", nlpar="b"),
            bayesml.prior("normal(0, 1)", "sd", nlpar="a"),
            bayesml.prior("exponential(1)", "sigma"),
        ),
        (PRECONDITIONED,),
    ),
    Model(
        "smooth, gaussian",
        "y ~ s(x, k = 6)",
        "gaussian",
        _spread(-1.0, 1.0, 1, 40),
        _priors("normal(0, 2)", "normal(0, 1)", sigma="exponential(1)", sds="normal(0, 2)"),
        (COLLAPSED, PRECONDITIONED),
        seed=32,
    ),
    Model(
        "smooth, poisson",
        "y ~ s(x, k = 6)",
        "poisson",
        _spread(-1.0, 1.0, 1, 40),
        _priors("normal(1, 1)", "normal(0, 0.5)", sds="normal(0, 1)"),
        (PRECONDITIONED,),
        seed=31,
    ),
    Model(
        "tensor product smooth",
        "y ~ t2(x, z, k = 3)",
        "gaussian",
        {"x": np.tile(np.linspace(-1.0, 1.0, 8), 5), "z": np.repeat(np.linspace(0.0, 1.0, 5), 8)},
        _priors("normal(0, 2)", "normal(0, 1)", sigma="exponential(1)", sds="normal(0, 2)"),
        (COLLAPSED,),
        seed=41,
    ),
    Model(
        "Gaussian process, exact",
        "y ~ gp(x)",
        "gaussian",
        {"x": np.tile(np.linspace(-1.0, 1.0, 8), 5)},
        _priors("normal(0, 2)", "", sigma="exponential(1)", sdgp="normal(0, 1)", lscale="inv_gamma(5, 2)"),
        (COLLAPSED, PRECONDITIONED),
        seed=42,
    ),
    Model(
        "Gaussian process, approximate",
        "y ~ gp(x, k = 6)",
        "poisson",
        _spread(-1.0, 1.0, 1, 40),
        _priors("normal(1, 1)", "", sdgp="normal(0, 1)", lscale="inv_gamma(5, 2)"),
        (PRECONDITIONED,),
        seed=43,
    ),
    Model(
        "effects correlated across mu and sigma",
        bayesml.bf("y ~ x + (1 | p | g)", sigma="~ 1 + (1 | p | g)"),
        "gaussian",
        _grouped(8, 6),
        (
            *_priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", cor="lkj(2)"),
            bayesml.prior("normal(0, 0.5)", "Intercept", dpar="sigma"),
            bayesml.prior("normal(0, 0.5)", "sd", dpar="sigma"),
        ),
        (PRECONDITIONED,),
    ),
    Model(
        "bivariate gaussian with residual correlation",
        bayesml.bf("mvbind(y1, y2) ~ x + (1 | p | g)") + bayesml.set_rescor(True),
        "gaussian",
        _grouped(8, 6),
        (
            *_of_responses(("y1", "y2"), Intercept="normal(1, 2)", b="normal(0, 1)", sd="normal(0, 1)"),
            *_of_responses(("y1", "y2"), sigma="exponential(1)"),
            bayesml.prior("lkj(2)", "cor"),
            bayesml.prior("lkj(2)", "rescor"),
        ),
        (PRECONDITIONED,),
        responses=("y1", "y2"),
    ),
    Model(
        "lagged residuals",
        "y ~ x + ar(t, g, p=2) + (1 | g)",
        "gaussian",
        _series(10, 12),
        _priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="exponential(1)", ar="normal(0, 0.3)"),
        (PRECONDITIONED,),
        seed=41,
    ),
    Model(
        "covariance of an autoregressive moving average",
        "y ~ x + arma(t, g, cov=TRUE)",
        "student",
        _series(10, 5),
        _priors(
            "normal(1, 2)",
            "normal(0, 1)",
            sigma="exponential(1)",
            ar="uniform(-1, 1)",
            ma="uniform(-1, 1)",
            nu="gamma(4, 0.3)",
        ),
        (PRECONDITIONED,),
        seed=42,
    ),  # fmt: skip
    Model(
        "compound symmetry",
        "y ~ x + cosy(t, g)",
        "gaussian",
        _series(10, 5),
        _priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", cosy="uniform(0, 1)"),
        (PRECONDITIONED,),
        seed=43,
    ),
    Model(
        "correlations of times",
        "y ~ x + unstr(t, g)",
        "gaussian",
        _series(12, 4),
        _priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", cortime="lkj(1)"),
        (PRECONDITIONED,),
        seed=44,
    ),
    Model(
        "a lattice of residuals",
        "y ~ x + ar(t):cosy(u, g)",
        "gaussian",
        _lattices(4, 6, 3, 8),
        _priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", ar="uniform(-1, 1)", cosy="uniform(0, 1)"),
        (PRECONDITIONED,),
        seed=60,
    ),
    Model(
        "latent residuals",
        "y ~ x + ar(t, g, cov=TRUE)",
        "poisson",
        _series(8, 6),
        _priors("normal(1, 1)", "normal(0, 0.5)", sderr="normal(0, 0.5)", ar="normal(0, 0.4)"),
        (PRECONDITIONED,),
        seed=45,
    ),
    Model(
        "beta_binomial",
        "y | trials(n) ~ x + (1 | g)",
        "beta_binomial",
        _with_trials(_grouped(12, 5)),
        _priors("normal(0, 1)", "normal(0, 1)", "normal(0, 0.7)", phi="gamma(4, 0.5)"),
        (PRECONDITIONED,),
        seed=51,
    ),
    Model(
        "genpois",
        "y ~ x + (1 | g)",
        "genpois",
        _grouped(12, 5),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)", phi="normal(1, 1)"),
        (PRECONDITIONED,),
        seed=52,
    ),
    Model(
        "com_poisson",
        "y ~ x + (1 | g)",
        "com_poisson",
        _grouped(12, 5),
        _priors("normal(1, 0.5)", "normal(0, 0.5)", "normal(0, 0.5)", shape="gamma(6, 6)"),
        (PRECONDITIONED,),
        seed=53,
    ),
    Model(
        "discrete_weibull",
        "y ~ x + (1 | g)",
        "discrete_weibull",
        _grouped(12, 5),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)", shape="gamma(6, 4)"),
        (PRECONDITIONED,),
        seed=54,
    ),
    Model(
        "skew_normal",
        "y ~ x + (1 | g)",
        "skew_normal",
        _grouped(8, 8),
        _priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="gamma(4, 4)", alpha="normal(2, 2)"),
        (PRECONDITIONED,),
    ),
)
