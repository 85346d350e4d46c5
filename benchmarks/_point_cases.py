"""The models of the point-estimate benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _data import Columns, crossed_linear, crossed_logistic, nested_linear, slopes_by_group

__all__ = ["POINT_CASES", "PointCase"]


@dataclass(frozen=True)
class PointCase:
    """One model with its data.

    Attributes:
        name: how the command line and the table call it.
        title: what it is.
        columns: makes its data.
        formula: in the language that bayesml, lme4, glmmTMB and glmm share.
        family: ``gaussian`` (by REML), ``bernoulli`` or ``poisson`` (by Laplace's approximation).
        statsmodels: response, grouping factor and formula of the random effects where statsmodels has such a model.
        is_large: left out by ``--quick``.
        target: seconds that a fit is to take at most, 0 for none.
        same_model_rtol: relative distance of criteria within which two engines count as having fitted the same.
    """

    name: str
    title: str
    columns: Callable[[], Columns]
    formula: str
    family: str = "gaussian"
    statsmodels: tuple[str, str, str] | None = None
    is_large: bool = False
    target: float = 0.0
    same_model_rtol: float = 1e-7


def _shipped(name: str) -> Callable[[], Columns]:
    def columns() -> Columns:
        import bayesml

        frame = bayesml.load_dataset(name)
        return {str(column): np.asarray(frame[column]) for column in frame.columns}

    return columns


def _epilepsy() -> Columns:
    columns = dict(_shipped("epilepsy")())
    return {**columns, "treated": (columns["Trt"].astype(str) == "1").astype(float)}


POINT_CASES = (
    PointCase(
        "sleepstudy",
        "180 rows, 18 subjects, correlated slopes",
        _shipped("sleepstudy"),
        "Reaction ~ Days + (Days | Subject)",
        statsmodels=("Reaction ~ Days", "Subject", "~Days"),
        target=0.005,
    ),
    PointCase(
        "penicillin",
        "144 rows, 24 x 6 crossed",
        _shipped("Penicillin"),
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
    ),
    PointCase(
        "pastes",
        "60 rows, 30 samples in 10 batches",
        _shipped("Pastes"),
        "strength ~ 1 + (1 | batch) + (1 | sample)",
    ),
    PointCase(
        "classroom",
        "1,190 rows, 312 classes in 107 schools (simulated)",
        lambda: nested_linear(1190, 107, 312, seed=1),
        "mathscore ~ ses + (1 | school) + (1 | class)",
    ),
    PointCase(
        "crossed73k",
        "73,421 rows, 2,972 x 1,128 crossed (simulated, as InstEval)",
        lambda: crossed_linear(73421, {"s": 2972, "d": 1128}, {"s": 0.33, "d": 0.51}, 1.18, seed=2),
        "y ~ x + (1 | s) + (1 | d)",
        is_large=True,
    ),
    PointCase(
        "three_crossed",
        "30,000 rows, 600 x 200 x 40 crossed (simulated)",
        lambda: crossed_linear(30000, {"a": 600, "b": 200, "c": 40}, {"a": 0.5, "b": 0.4, "c": 0.3}, 1.0, seed=3),
        "y ~ x + (1 | a) + (1 | b) + (1 | c)",
    ),
    PointCase(
        "slopes1e5",
        "100,000 rows, 10,000 groups, correlated slopes (simulated)",
        lambda: slopes_by_group(100_000, 10_000, seed=4),
        "y ~ x + (x | g)",
        statsmodels=("y ~ x", "g", "~x"),
        is_large=True,
    ),
    PointCase(
        "slopes1e6",
        "1,000,000 rows, 100,000 groups, correlated slopes (simulated)",
        lambda: slopes_by_group(1_000_000, 100_000, seed=5),
        "y ~ x + (x | g)",
        is_large=True,
    ),
    PointCase(
        "logistic7584",
        "7,584 rows, 316 x 24 crossed, logistic (simulated, as VerbAgg)",
        lambda: crossed_logistic(316, 24, seed=6),
        "y ~ anger + mode + (1 | person) + (1 | item)",
        family="bernoulli",
        target=0.06,
        same_model_rtol=1e-6,
    ),
    PointCase(
        "poisson_olre",
        "236 rows, 59 patients, an effect of every observation (epilepsy)",
        _epilepsy,
        "count ~ zAge + zBase + treated + zBase:treated + (1 | patient) + (1 | obs)",
        family="poisson",
        same_model_rtol=1e-6,
    ),
)
