"""The models of the sampling benchmark, described once for all engines. Priors are the same everywhere.

Only NumPy is needed here: the workers of the peers read this file from their own Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from _data import Columns, crossed_linear, crossed_logistic, labels, slopes_by_group

__all__ = ["SAMPLING_CASES", "Effects", "Priors", "SamplingCase", "case_named"]


@dataclass(frozen=True)
class Effects:
    """Group-level effects: their factor, their coefficients, the parameter that they belong to."""

    factor: str
    coefs: tuple[str, ...] = ("Intercept",)
    dpar: str = "mu"


@dataclass(frozen=True)
class Priors:
    """Scales of the priors: student_t(3) for the Intercept of centred predictors and the sds, normal for slopes."""

    location: float = 0.0
    scale: float = 2.5
    slope: float = 2.5


@dataclass(frozen=True)
class SamplingCase:
    """One model with its data.

    Attributes:
        name: how the command line and the table call it.
        title: what it is.
        columns: makes its data.
        response: column of the response; ``trials`` that of a binomial's trials.
        slopes: columns of the population-level coefficients of the mean.
        effects: the group-level effects.
        family: name in bayesml's and brms's language.
        priors: of the mean and of the residual sd.
        sigma_slopes: columns in the predictor of log sigma, where it has one.
        trials: column of the number of trials.
        is_quick: part of ``--quick``.
        engines: who takes part; ``brms:short`` runs a few iterations to time a leapfrog.
        like: the smaller case of the same model from which a short run is extrapolated.
    """

    name: str
    title: str
    columns: Callable[[], Columns]
    response: str
    slopes: tuple[str, ...]
    effects: tuple[Effects, ...]
    family: str = "gaussian"
    priors: Priors = field(default_factory=Priors)
    sigma_slopes: tuple[str, ...] = ()
    trials: str = ""
    is_quick: bool = False
    engines: tuple[str, ...] = ("bayesml", "brms", "bambi_nutpie", "bambi_numpyro", "numpyro")
    like: str = ""

    @property
    def dpars(self) -> tuple[str, ...]:
        """The predicted parameters."""
        return ("mu", "sigma") if self.sigma_slopes else ("mu",)

    @property
    def extra(self) -> str:
        """The family's own parameter that has no predictor; empty where there is none."""
        own = {"gaussian": "sigma", "student": "sigma nu", "negbinomial": "shape"}.get(self.family, "")
        return "" if self.sigma_slopes else own

    @property
    def is_correlated(self) -> bool:
        """Whether group effects are correlated, which Bambi does not have."""
        return any(len(e.coefs) > 1 for e in self.effects)

    def right_side(self, dpar: str) -> str:
        """Return the right-hand side of the formula of a parameter."""
        slopes = self.slopes if dpar == "mu" else self.sigma_slopes
        groups = [
            f"({' + '.join('1' if c == 'Intercept' else c for c in e.coefs)} | {e.factor})"
            for e in self.effects
            if e.dpar == dpar
        ]
        return " + ".join(["1", *slopes, *groups])

    def formula(self) -> str:
        """Return the formula of the mean in bayesml's and brms's language."""
        trials = f" | trials({self.trials})" if self.trials else ""
        return f"{self.response}{trials} ~ {self.right_side('mu')}"

    def prior_rows(self) -> list[dict[str, str]]:
        """Return the priors as rows that bayesml's ``prior`` and brms's ``set_prior`` share."""
        p = self.priors
        rows = [
            {"prior": f"student_t(3, {p.location}, {p.scale})", "class": "Intercept"},
            {"prior": f"student_t(3, 0, {p.scale})", "class": "sd"},
        ]
        if self.slopes:
            rows.append({"prior": f"normal(0, {p.slope})", "class": "b"})
        if "sigma" in self.extra:
            rows.append({"prior": f"student_t(3, 0, {p.scale})", "class": "sigma"})
        if "shape" in self.extra:
            rows.append({"prior": "gamma(2, 0.5)", "class": "shape"})
        if self.sigma_slopes:
            rows.append({"prior": "student_t(3, 0, 2.5)", "class": "Intercept", "dpar": "sigma"})
            rows.append({"prior": "normal(0, 2.5)", "class": "b", "dpar": "sigma"})
            rows.append({"prior": "student_t(3, 0, 2.5)", "class": "sd", "dpar": "sigma"})
        return rows

    def reported(self, levels: dict[str, list[str]], most_levels: int = 10) -> list[str]:
        """Return the parameters that are compared: all but most group effects, by their names in brms."""
        names = [f"b_{slope}" for slope in ("Intercept", *self.slopes)]
        names += [f"b_sigma_{s}" for s in ("Intercept", *self.sigma_slopes) if self.sigma_slopes]
        for e in self.effects:
            prefix = "" if e.dpar == "mu" else f"{e.dpar}_"
            names += [f"sd_{e.factor}__{prefix}{c}" for c in e.coefs]
            if len(e.coefs) == 2:
                names.append(f"cor_{e.factor}__{prefix}{e.coefs[0]}__{prefix}{e.coefs[1]}")
        names += self.extra.split()
        for e in self.effects:
            suffix = "" if e.dpar == "mu" else f"__{e.dpar}"
            names += [f"r_{e.factor}{suffix}[{v},{c}]" for v in levels[e.factor][:most_levels] for c in e.coefs]
        return names


def _shipped(name: str) -> dict[str, np.ndarray]:
    import bayesml

    frame = bayesml.load_dataset(name)
    return {str(column): np.asarray(frame[column]) for column in frame.columns}


def _relabelled(values: np.ndarray, prefix: str) -> np.ndarray:
    return labels(prefix, np.unique(values.astype(str), return_inverse=True)[1])


def _sleepstudy() -> Columns:
    columns = _shipped("sleepstudy")
    return {**columns, "Subject": _relabelled(columns["Subject"], "S")}


def _cbpp() -> Columns:
    columns = _shipped("cbpp")
    period = columns["period"].astype(str)
    dummies = {f"p{k}": (period == str(k)).astype(float) for k in (2, 3, 4)}
    herd = _relabelled(columns["herd"], "h")
    return {"incidence": columns["incidence"], "size": columns["size"], "herd": herd, **dummies}


def _epilepsy() -> Columns:
    columns = _shipped("epilepsy")
    treated = (columns["Trt"].astype(str) == "1").astype(float)
    return {
        "count": columns["count"],
        "zAge": columns["zAge"],
        "zBase": columns["zBase"],
        "treated": treated,
        "zBase_treated": columns["zBase"] * treated,
        "patient": _relabelled(columns["patient"], "p"),
        "obs": _relabelled(columns["obs"], "o"),
    }


def _radon() -> Columns:
    columns = _shipped("radon")
    return {**columns, "county": _relabelled(columns["county"], "c")}


def _counts(groups: int, rows_each: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rows_each)
    x = rng.normal(size=group.size)
    mean = np.exp(0.5 + 0.4 * x + 0.7 * rng.normal(size=groups)[group])
    y = rng.negative_binomial(1.5, 1.5 / (1.5 + mean))
    return {"y": y, "x": x, "g": labels("g", group)}


def _heavy_tailed(groups: int, rows_each: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rows_each)
    x = rng.normal(size=group.size)
    y = 1.0 + 0.5 * x + 0.8 * rng.normal(size=groups)[group] + rng.standard_t(4, size=group.size)
    return {"y": y, "x": x, "g": labels("g", group)}


def _uneven_noise(groups: int, rows_each: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rows_each)
    x = rng.normal(size=group.size)
    log_sigma = -0.2 + 0.3 * x + 0.4 * rng.normal(size=groups)[group]
    y = 1.0 + 0.5 * x + 0.8 * rng.normal(size=groups)[group] + np.exp(log_sigma) * rng.normal(size=group.size)
    return {"y": y, "x": x, "g": labels("g", group)}


_FACTOR_G = (Effects("g"),)
_SLOPES_G = (Effects("g", ("Intercept", "x")),)

SAMPLING_CASES = (
    SamplingCase(
        "sleepstudy",
        "180 rows, 18 subjects, correlated slopes",
        _sleepstudy,
        "Reaction",
        ("Days",),
        (Effects("Subject", ("Intercept", "Days")),),
        priors=Priors(288.7, 59.3, 50.0),
        is_quick=True,
    ),
    SamplingCase(
        "cbpp",
        "56 rows, 15 herds, binomial",
        _cbpp,
        "incidence",
        ("p2", "p3", "p4"),
        (Effects("herd"),),
        family="binomial",
        trials="size",
    ),
    SamplingCase(
        "epilepsy",
        "236 rows, 59 patients, an effect of every observation, poisson",
        _epilepsy,
        "count",
        ("zAge", "zBase", "treated", "zBase_treated"),
        (Effects("patient"), Effects("obs")),
        family="poisson",
        priors=Priors(1.4, 2.5, 2.5),
        is_quick=True,
    ),
    SamplingCase(
        "radon",
        "919 rows, 85 counties",
        _radon,
        "log_radon",
        ("floor", "log_uranium"),
        (Effects("county"),),
        priors=Priors(1.3, 2.5, 2.5),
    ),
    SamplingCase(
        "logistic7584",
        "7,584 rows, 316 x 24 crossed, bernoulli (simulated)",
        lambda: crossed_logistic(316, 24, seed=6),
        "y",
        ("anger", "mode"),
        (Effects("person"), Effects("item")),
        family="bernoulli",
        is_quick=True,
    ),
    *(
        SamplingCase(
            f"slopes1e{power}",
            f"{10**power:,} rows, 100 groups, correlated slopes (simulated)",
            lambda power=power: slopes_by_group(10**power, 100, seed=10 + power),
            "y",
            ("x",),
            _SLOPES_G,
            is_quick=power <= 4,
            engines={
                5: ("bayesml", "brms:short", "bambi_nutpie", "numpyro"),
                6: ("bayesml",),
            }.get(power, ("bayesml", "brms", "bambi_nutpie", "bambi_numpyro", "numpyro")),
            like="slopes1e4" if power == 5 else "",
        )
        for power in (3, 4, 5, 6)
    ),
    SamplingCase(
        "crossed2e4",
        "20,000 rows, 200 x 100 crossed (simulated)",
        lambda: crossed_linear(20_000, {"a": 200, "b": 100}, {"a": 0.5, "b": 0.4}, 1.0, seed=20),
        "y",
        ("x",),
        (Effects("a"), Effects("b")),
        priors=Priors(3.0, 2.5, 2.5),
    ),
    SamplingCase(
        "negbinomial23",
        "644 rows, 23 groups, negbinomial (simulated)",
        lambda: _counts(23, 28, seed=21),
        "y",
        ("x",),
        _FACTOR_G,
        family="negbinomial",
    ),
    SamplingCase(
        "negbinomial1000",
        "10,000 rows, 1,000 groups, negbinomial (simulated)",
        lambda: _counts(1000, 10, seed=22),
        "y",
        ("x",),
        _FACTOR_G,
        family="negbinomial",
    ),
    SamplingCase(
        "student",
        "1,000 rows, 50 groups, student-t (simulated)",
        lambda: _heavy_tailed(50, 20, seed=23),
        "y",
        ("x",),
        _FACTOR_G,
        family="student",
    ),
    SamplingCase(
        "sigma_groups",
        "2,000 rows, 50 groups that differ in mean and in sigma (simulated)",
        lambda: _uneven_noise(50, 40, seed=24),
        "y",
        ("x",),
        (Effects("g"), Effects("g", dpar="sigma")),
        sigma_slopes=("x",),
    ),
)


def case_named(name: str) -> SamplingCase:
    """Return a case by its name."""
    return next(case for case in SAMPLING_CASES if case.name == name)
