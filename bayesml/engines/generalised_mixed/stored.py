"""A fitted generalised linear mixed model as plain data for a file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesml.engines.generalised_mixed.response import ResponseModel
from bayesml.engines.generalised_mixed.result import Convergence, GeneralisedMixedFit, GroupEstimate
from bayesml.linalg import AbstractBlock, ThetaLayout
from bayesml.posterior import StoredEstimate

__all__ = ["fit_from_stored", "stored_fit"]

NUMBERS = ("log_likelihood", "penalty", "conditional_deviance", "effects_norm", "log_determinant")
ARRAYS = ("theta", "beta", "psi", "vcov", "vcov_root", "unbounded", "covariance", "eta", "eta_fixed")
COUNTS = ("iterations", "evaluations", "newton_steps")
OF_GROUP = ("factor", "sd", "correlation", "effects", "variances")


def stored_fit(fit: GeneralisedMixedFit) -> StoredEstimate:
    """Return a fit as plain data."""
    search = fit.convergence
    arrays: dict[str, np.ndarray] = {name: getattr(fit, name) for name in ARRAYS}
    arrays |= {"kept": np.asarray(fit.kept, dtype=np.int64), "runaway": np.asarray(fit.runaway, dtype=bool)}
    arrays |= {
        _of_group(place, name): getattr(group, name) for place, group in enumerate(fit.groups) for name in OF_GROUP
    }
    facts: dict[str, Any] = {name: float(getattr(fit, name)) for name in NUMBERS}
    facts |= {name: int(getattr(search, name)) for name in COUNTS}
    facts |= {
        "saturated": None if fit.saturated is None else float(fit.saturated),
        "unbounded_directions": int(fit.unbounded.shape[1]),
        "kept_columns": len(fit.kept),
        "quadrature_points": int(fit.quadrature_points),
        "hessian_message": fit.hessian_message,
        "converged": bool(search.converged),
        "decrement": float(search.decrement),
        "singular": list(search.singular),
        "separated": [int(place) for place in search.separated],
        "messages": list(search.messages),
        "at_bounds": sorted(search.at_bounds),
    }
    return StoredEstimate(arrays, facts)


def fit_from_stored(
    stored: StoredEstimate,
    response: ResponseModel,
    blocks: Sequence[AbstractBlock],
    rows: int,
    columns: int,
    predictors: int = 1,
) -> GeneralisedMixedFit:
    """Return the fit of a model with these data.

    Args:
        stored: what ``stored_fit`` returned.
        response: the response distribution with its data.
        blocks: the group-level terms.
        rows: number of rows.
        columns: number of columns of X, kept or not.
        predictors: number of linear predictors of a row.

    Raises:
        ValueError: something is missing or does not belong to the model.
    """
    kept = _kept(stored, columns)
    k, p, m = ThetaLayout.of([block.blocks for block in blocks]).size, len(kept), len(response.auxiliary)
    saturated = stored.facts.get("saturated")
    return GeneralisedMixedFit(
        theta=stored.array("theta", (k,)),
        beta=stored.array("beta", (p,)),
        psi=stored.array("psi", (m,)),
        auxiliary=response.auxiliary,
        kept=kept,
        dropped=np.setdiff1d(np.arange(columns), kept),
        log_likelihood=stored.number("log_likelihood"),
        penalty=stored.number("penalty"),
        conditional_deviance=stored.number("conditional_deviance"),
        effects_norm=stored.number("effects_norm"),
        log_determinant=stored.number("log_determinant"),
        saturated=None if saturated is None else stored.number("saturated"),
        n=rows,
        quadrature_points=stored.whole("quadrature_points"),
        vcov=stored.array("vcov", (p, p)),
        vcov_root=stored.array("vcov_root", (p, p)),
        unbounded=stored.array("unbounded", (p, _between(stored, "unbounded_directions", 0, p))),
        runaway=stored.array("runaway", (2, p), "b"),
        covariance=stored.array("covariance", (k + p + m, k + p + m)),
        hessian_message=stored.text("hessian_message"),
        groups=tuple(_group(stored, place, block) for place, block in enumerate(blocks)),
        eta=stored.array("eta", (predictors * rows,)),
        eta_fixed=stored.array("eta_fixed", (predictors * rows,)),
        convergence=_convergence(stored),
    )


def _of_group(place: int, name: str) -> str:
    return f"group_{place}_{name}"


def _kept(stored: StoredEstimate, columns: int) -> np.ndarray:
    kept = stored.array("kept", (_between(stored, "kept_columns", 0, columns),), "i")
    if np.any(np.diff(kept) <= 0) or np.any(kept < 0) or np.any(kept >= columns):
        raise ValueError(f"`kept` are no increasing numbers of {columns} columns")
    return kept


def _between(stored: StoredEstimate, name: str, least: int, most: int) -> int:
    found = stored.whole(name)
    if not least <= found <= most:
        raise ValueError(f"`{name}` is {found}, not between {least} and {most}")
    return found


def _group(stored: StoredEstimate, place: int, block: AbstractBlock) -> GroupEstimate:
    q, levels = block.q, block.n_levels
    shapes = {"factor": (q, q), "sd": (q,), "correlation": (q, q), "effects": (levels, q), "variances": (levels, q, q)}
    found = {name: stored.array(_of_group(place, name), shape) for name, shape in shapes.items()}
    return GroupEstimate(block.name, block.labels(), **found)


def _convergence(stored: StoredEstimate) -> Convergence:
    separated = stored.facts.get("separated")
    if not isinstance(separated, list) or not all(type(each) is int and each >= 0 for each in separated):
        raise ValueError("`separated` is no list of columns")
    return Convergence(
        stored.flag("converged"),
        stored.whole("iterations"),
        stored.whole("evaluations"),
        stored.whole("newton_steps"),
        stored.number("decrement"),
        stored.texts("singular"),
        tuple(separated),
        stored.texts("messages"),
        frozenset(stored.texts("at_bounds")),
    )
