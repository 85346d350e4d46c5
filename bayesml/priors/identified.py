"""Which population-level coefficients the data tell apart: collinear columns, and what their priors make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.distributions import Constant, Distribution
from bayesml.errors import PriorError, warn_user
from bayesml.linalg import orthogonalise
from bayesml.names import predictor_name
from bayesml.terms import Population

__all__ = ["check_identified"]

CONSTANT = 1e-10  # a centred column shorter than this, relative to the column itself, is rounding error
SHARE = 1e-6  # a column that contributes less than this to a combination is no part of it
LISTED = 4


def check_identified(term: Population, matrix: np.ndarray, priors: Sequence[Distribution]) -> None:
    """Look for columns that are linear combinations of others.

    The likelihood does not change along such a combination. With proper priors the posterior is proper and the prior
    alone decides how the effect is split; with flat ones it has no finite integral.

    Args:
        term: the population-level coefficients of one predictor.
        matrix: its columns ``(rows, coefs)``, the intercept among them.
        priors: the prior of each slope.

    Raises:
        PriorError: the priors of a whole combination are flat.

    Warns:
        FitWarning: a combination has proper priors.
    """
    free = [i for i, prior in enumerate(priors) if not isinstance(prior, Constant)]
    columns = _centred(term, matrix)
    found = _combinations([term.slopes[i] for i in free], columns[:, free])
    if not found:
        return
    flat = [i for i, prior in enumerate(priors) if not prior.is_proper]
    unbounded = _combinations([term.slopes[i] for i in flat], columns[:, flat])
    if unbounded:
        raise PriorError(
            f"{_listed(term, unbounded)}, and the priors of these coefficients are flat: the posterior has no finite "
            "integral. Take columns out of the formula, or give the coefficients proper priors, for example "
            f'prior("normal(0, 10)", class_="b"{_dpar(term)}).'
        )
    message = (
        f"{_listed(term, found)}: the data cannot tell these coefficients apart, and the prior alone decides how the "
        "effect is split between them. Take columns out of the formula, or set priors that say what is meant."
    )
    warn_user(message)


def _centred(term: Population, matrix: np.ndarray) -> np.ndarray:
    if not term.has_intercept:
        return matrix
    columns = matrix[:, 1:] - np.asarray(term.means)
    size = np.sqrt((columns**2).sum(axis=0))
    columns[:, size <= CONSTANT * np.sqrt((matrix[:, 1:] ** 2).sum(axis=0))] = 0.0
    return columns


def _combinations(labels: Sequence[str], columns: np.ndarray) -> list[tuple[str, tuple[str, ...]]]:
    """Return each column that is a combination of earlier ones, with those; with none where it is constant."""
    if not labels:
        return []
    basis, effects = orthogonalise(columns)
    size = np.sqrt((columns**2).sum(axis=0))
    found = []
    for j in effects.dropped:
        weights = np.abs(effects.coefficients(basis.T @ columns[:, j])) * size[effects.kept]
        partners = [labels[k] for k in effects.kept[weights > SHARE * size[j]]] if size[j] > 0 else []
        found.append((labels[j], tuple(partners)))
    return found


def _listed(term: Population, found: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    parts = [f"`{label}` ({_reason(partners)})" for label, partners in found[:LISTED]]
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    where = "" if term.predictor.is_mu else f" in the formula of `{predictor_name(term.predictor)}`"
    are = "are linear combinations" if len(found) > 1 else "is a linear combination"
    return f"{', '.join(parts)}{more} {are} of other columns{where} in these data"


def _reason(partners: Sequence[str]) -> str:
    if not partners:
        return "constant"
    return "from " + ", ".join(f"`{p}`" for p in partners[:LISTED]) + (", ..." if len(partners) > LISTED else "")


def _dpar(term: Population) -> str:
    parts = zip(("resp", "dpar", "nlpar"), term.predictor.target, strict=True)
    return "".join(f', {name}="{value}"' for name, value in parts if value)
