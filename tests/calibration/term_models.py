"""A small model of each kind of term, and of each structure of residuals, that stands in no other list."""

from __future__ import annotations

import numpy as np
import pandas as pd

import bayesml
from bayesml.terms.areas import KINDS
from tests.calibration.designs import grouped, lattices, of_responses, priors, series, spread
from tests.calibration.model import COLLAPSED, PLAIN, PRECONDITIONED, Model

__all__ = ["TERM_MODELS"]


def _labelled(matrix: np.ndarray, labels: list[str]) -> pd.DataFrame:
    return pd.DataFrame(matrix, index=labels, columns=labels)


LEVELS = [f"g{i:02d}" for i in range(8)]
CLADES = np.arange(8) // 2
RELATIVES = _labelled(0.6 * np.equal.outer(CLADES, CLADES) + 0.4 * np.eye(8), LEVELS)


def _square(side: int) -> np.ndarray:
    """Return which of the places of a square are neighbours."""
    along, across = np.divmod(np.arange(side**2), side)
    steps = np.abs(np.subtract.outer(along, along)) + np.abs(np.subtract.outer(across, across))
    return (steps == 1).astype(float)


AREAS = [f"g{i:02d}" for i in range(9)]
NEIGHBOURS = _labelled(_square(3), AREAS)
ROWS = _square(6)
WEIGHTS = pd.DataFrame(ROWS / ROWS.sum(axis=1, keepdims=True))
DISTANCES = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
KNOWN = pd.DataFrame(0.6**DISTANCES)


def _members(rows: int) -> dict[str, np.ndarray]:
    """Return rows that belong to two of eight levels, with a covariate for each."""
    rng = np.random.default_rng(rows)
    first = np.arange(rows) % 8
    second = (first + rng.integers(1, 8, rows)) % 8
    names = np.array(LEVELS)
    x, z = rng.normal(size=(2, rows))
    return {"x": x, "z": z, "g": names[first], "h": names[second], "w1": rng.uniform(0.2, 0.8, rows)}


def _measured(rows: int) -> dict[str, np.ndarray]:
    """Return columns that stand for two measured variables, and the standard deviation of their errors."""
    rng = np.random.default_rng(rows)
    return {name: rng.normal(size=rows) for name in ("x", "v", "w")} | {"se": rng.uniform(0.3, 0.6, rows)}


def _gaps(rows: int) -> dict[str, np.ndarray]:
    return {"w": np.arange(rows) % 4 == 1}


def _many(rows: int, count: int) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(rows).normal(size=(count, rows))
    return {"x" if k == 0 else f"x{k}": column for k, column in enumerate(drawn)}


GROUPS = (
    Model(
        "strata of levels",
        "y ~ x + (1 | gr(g, by=half))",
        "gaussian",
        grouped(10, 4) | {"half": np.repeat(["early", "late"], 20)},
        priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="exponential(1)"),
        (COLLAPSED, PRECONDITIONED),
        seed=101,
    ),
    Model(
        "relatives",
        "y ~ x + (1 | gr(g, cov=A))",
        "poisson",
        grouped(8, 4),
        priors("normal(1, 0.5)", "normal(0, 0.5)", "normal(0, 0.7)"),
        (PRECONDITIONED,),
        matrices={"A": RELATIVES},
        seed=102,
    ),
    Model(
        "heavy tails of levels",
        "y ~ x + (1 | gr(g, dist='student'))",
        "gaussian",
        grouped(10, 4),
        (
            *priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="exponential(1)"),
            bayesml.prior("gamma(4, 0.5)", "df", group="g"),
        ),
        (PRECONDITIONED,),
        seed=103,
    ),
    Model(
        "several memberships",
        "y ~ x + (1 + mmc(x, z) | mm(g, h, weights=cbind(w1, 1 - w1)))",
        "gaussian",
        _members(40),
        priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="exponential(1)", cor="lkj(2)"),
        (COLLAPSED, PRECONDITIONED),
        seed=104,
    ),
)

AREA_MODELS = tuple(
    Model(
        f"areas, {kind}",
        f"y ~ x + car(W, gr=g, type='{kind}')",
        "gaussian",
        grouped(9, 4),
        priors(
            "normal(1, 2)",
            "normal(0, 1)",
            sigma="exponential(1)",
            sdcar="normal(0, 1)",
            car="beta(4, 2)" if kind == "escar" else "",
            rhocar="beta(2, 2)" if kind == "bym2" else "",
        ),
        (COLLAPSED,),
        matrices={"W": NEIGHBOURS},
        seed=110 + number,
    )
    for number, kind in enumerate(KINDS)
)

CURVES = (
    Model(
        "Gaussian process of nearest neighbours",
        "y ~ gp(x, neighbours=3, cov='matern32')",
        "poisson",
        spread(-1.0, 1.0, 1, 24),
        priors("normal(1, 0.7)", "", sdgp="normal(0, 0.7)", lscale="inv_gamma(5, 2)"),
        (PRECONDITIONED,),
        seed=122,
    ),
    Model(
        "curves of groups",
        "y ~ s(x, g, bs='fs', k=4)",
        "gaussian",
        spread(-1.0, 1.0, 4, 10),
        priors("normal(0, 2)", "", sigma="exponential(1)", sds="normal(0, 1)"),
        (COLLAPSED,),
        seed=120,
    ),
    Model(
        "levels as a smooth",
        "y ~ x + s(g, bs='re')",
        "poisson",
        grouped(8, 4),
        priors("normal(1, 0.5)", "normal(0, 0.5)", sds="normal(0, 0.7)"),
        (PRECONDITIONED,),
        seed=121,
    ),
)

SPECIAL = (
    Model(
        "measurement error",
        bayesml.bf("y ~ me(w, se) + me(v, se)"),
        "gaussian",
        _measured(20),
        priors(
            "normal(0, 2)",
            "normal(0, 1)",
            sigma="gamma(4, 4)",
            meanme="normal(0, 1)",
            sdme="gamma(4, 4)",
            corme="lkj(2)",
        ),
        (PLAIN,),
        most_divergent=0.3,  # true values fit the response the better the smaller sigma is
        seed=130,
    ),
    Model(
        "missing values",
        bayesml.bf("y ~ mi(w) + x") + bayesml.bf("w | mi() ~ x") + bayesml.set_rescor(False),
        "gaussian",
        grouped(1, 24),
        of_responses(("y", "w"), Intercept="normal(0, 1)", b="normal(0, 1)", sigma="gamma(4, 4)"),
        (PRECONDITIONED,),
        responses=("y", "w"),
        gaps=_gaps(24),
        seed=131,
    ),
    Model(
        "missing values, measured with error",
        bayesml.bf("y ~ mi(w) + x") + bayesml.bf("w | mi(se) ~ x") + bayesml.set_rescor(False),
        "gaussian",
        _measured(24),
        of_responses(("y", "w"), Intercept="normal(0, 1)", b="normal(0, 1)", sigma="gamma(4, 4)"),
        (PLAIN,),
        most_divergent=0.3,
        responses=("y", "w"),
        gaps=_gaps(24),
        seed=132,
    ),
    Model(
        "horseshoe",
        "y ~ x + x1 + x2 + x3",
        "gaussian",
        _many(30, 4),
        priors("normal(0, 2)", "horseshoe(3, df_global = 3, scale_slab = 1)", sigma="gamma(4, 4)"),
        (COLLAPSED, PLAIN),
        seed=133,
    ),
)

RESIDUALS = (
    Model(
        "moving average of residuals",
        "y ~ x + ma(t, g)",
        "gaussian",
        series(6, 8),
        priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", ma="normal(0, 0.5)"),
        (PRECONDITIONED,),
        seed=140,
    ),
    Model(
        "a correlation for each distance",
        "y ~ x + toep(t, g)",
        "gaussian",
        series(12, 4),
        priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", toep="uniform(-1, 1)"),
        (PRECONDITIONED,),
        seed=141,
    ),
    Model(
        "a lattice of residuals",
        "y ~ x + ar(t):cosy(u, g)",
        "gaussian",
        lattices(4, 6, 3, 8),
        priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", ar="uniform(-1, 1)", cosy="uniform(0, 1)"),
        (PRECONDITIONED,),
        seed=60,
    ),
    Model(
        "known correlations of rows",
        "y ~ x + fcor(V)",
        "student",
        grouped(1, 30),
        priors("normal(1, 2)", "normal(0, 1)", sigma="exponential(1)", nu="gamma(4, 0.3)"),
        (PRECONDITIONED,),
        matrices={"V": KNOWN},
        seed=142,
    ),
    *(
        Model(
            f"neighbours of rows, {kind}",
            f"y ~ x + sar(M, type='{kind}')",
            "gaussian",
            grouped(6, 6),
            priors("normal(1, 1)", "normal(0, 1)", sigma="gamma(4, 4)", **{f"{kind}sar": "normal(0.3, 0.3)"}),
            (PRECONDITIONED,),
            matrices={"M": WEIGHTS},
            seed=143 + number,
        )
        for number, kind in enumerate(("lag", "error"))
    ),
)

RESPONSES = (
    Model(
        "responses of two families",
        bayesml.bf("y ~ x + (1 | p | g)") + bayesml.bf("w ~ x + (1 | p | g)") + bayesml.set_rescor(False),
        ["poisson", "gaussian"],
        grouped(8, 5),
        (
            *of_responses(("y",), Intercept="normal(1, 0.5)", b="normal(0, 0.4)", sd="normal(0, 0.5)"),
            *of_responses(
                ("w",), Intercept="normal(1, 2)", b="normal(0, 1)", sd="normal(0, 1)", sigma="exponential(1)"
            ),
            bayesml.prior("lkj(2)", "cor"),
        ),
        (PRECONDITIONED,),
        responses=("y", "w"),
        seed=150,
    ),
    Model(
        "bivariate student with residual correlation",
        bayesml.bf("mvbind(y, w) ~ x") + bayesml.set_rescor(True),
        "student",
        grouped(1, 30),
        (
            *of_responses(("y", "w"), Intercept="normal(1, 2)", b="normal(0, 1)", sigma="gamma(4, 4)"),
            *priors("", "", nu="gamma(4, 0.3)", rescor="lkj(2)"),
        ),
        (PRECONDITIONED,),
        responses=("y", "w"),
        seed=151,
    ),
)

TERM_MODELS = (*GROUPS, *AREA_MODELS, *CURVES, *SPECIAL, *RESIDUALS, *RESPONSES)
