"""Comparisons of several estimates as weights: all pairs, each with a reference, trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean

__all__ = ["contrast_weights"]


def contrast_weights(labels: list[str], method: Any, reference: int) -> dict[str, np.ndarray]:
    """Return the weights of each comparison over the estimates."""
    count = len(labels)
    if isinstance(method, Mapping):
        return {str(name): _own_weights(name, w, count) for name, w in method.items()}
    if count < 2:
        raise ModelError("There is one estimate only, so that there is nothing to compare.")
    unit = np.eye(count)
    match method:
        case "pairwise":
            return {f"{labels[i]} - {labels[j]}": unit[i] - unit[j] for i, j in combinations(range(count), 2)}
        case "revpairwise":
            return {f"{labels[j]} - {labels[i]}": unit[j] - unit[i] for j in range(count) for i in range(j)}
        case "trt.vs.ctrl":
            if not isinstance(reference, int) or not -count <= reference < count:
                raise ModelError(f"`reference` is a row from 0 to {count - 1}; got {reference!r}.")
            base = reference % count
            return {f"{labels[i]} - {labels[base]}": unit[i] - unit[base] for i in range(count) if i != base}
        case "eff":
            return {f"{labels[i]} effect": unit[i] - 1.0 / count for i in range(count)}
        case "consec":
            return {f"{labels[i]} - {labels[i - 1]}": unit[i] - unit[i - 1] for i in range(1, count)}
        case "poly":
            return _trends(count)
    known = ("pairwise", "revpairwise", "trt.vs.ctrl", "eff", "consec", "poly")
    listed = ", ".join(f'"{k}"' for k in known)
    hint = did_you_mean(str(method), known)
    raise ModelError(f"`method` is one of {listed}, or weights by name; got {method!r}{hint}.")


def _own_weights(name: str, weights: Sequence[float], count: int) -> np.ndarray:
    w = np.asarray(weights, dtype=float)
    if w.shape != (count,) or not np.isfinite(w).all() or not w.any():
        raise ModelError(f"The comparison {name!r} needs {count} weights, not all zero; got {list(np.ravel(w))}.")
    return w


def _trends(count: int) -> dict[str, np.ndarray]:
    """Orthogonal polynomials of equally spaced levels, orthonormal."""
    scores = np.arange(count) - (count - 1) / 2.0
    Q, R = np.linalg.qr(np.vander(scores, min(count, 6), increasing=True))
    Q = Q * np.sign(np.diagonal(R))
    names = ("linear", "quadratic", "cubic", "quartic", "degree 5")
    return {names[k - 1]: Q[:, k] for k in range(1, Q.shape[1])}
