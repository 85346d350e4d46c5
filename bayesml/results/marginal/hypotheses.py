"""``hypothesis=``: functions of the estimates of a table, in the place of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.marginal.numbers import AbstractNumbers
from bayesml.results.questions.contrast_weights import contrast_weights
from bayesml.results.questions.expressions import NamedExpression, read_expression, split_at

__all__ = ["hypothesised", "null_value"]

METHODS = {
    "pairwise": "revpairwise",
    "revpairwise": "pairwise",
    "reference": "trt.vs.ctrl",
    "sequential": "consec",
    "meandev": "eff",
}
"""Marginaleffects compares a later row with an earlier one; names of the same weights in ``contrasts()``."""


def null_value(hypothesis: Any) -> float | None:
    """Return the number to which estimates are compared, where ``hypothesis`` is one."""
    is_number = isinstance(hypothesis, Real) and not isinstance(hypothesis, bool)
    return float(hypothesis) if is_number else None


def hypothesised(numbers: AbstractNumbers, labels: Sequence[str], hypothesis: Any) -> tuple[list[str], AbstractNumbers]:
    """Return the hypotheses about the estimates, each with its label.

    Args:
        numbers: the estimates.
        labels: what each is called.
        hypothesis: a word such as ``"pairwise"``, an equation ``"b1 = b2"`` or a list of such, weights, or a function.

    Raises:
        ModelError: it is none of these.
    """
    if callable(hypothesis):
        found = numbers.of_all(_own(hypothesis))
        return [f"custom {k + 1}" if found.count > 1 else "custom" for k in range(found.count)], found
    if isinstance(hypothesis, str) and hypothesis in METHODS:
        own = labels if len(set(labels)) == len(labels) else [f"b{k + 1}" for k in range(len(labels))]
        weights = contrast_weights(list(own), METHODS[hypothesis], 0)
        return list(weights), numbers.combined(np.array(list(weights.values()), dtype=float))
    texts = [hypothesis] if isinstance(hypothesis, str) else hypothesis
    if isinstance(texts, (list, tuple)) and texts and all(isinstance(text, str) for text in texts):
        return list(texts), _equations(numbers, labels, texts)
    return _weighted(numbers, hypothesis)


def _own(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of a user, whose errors are told as what they are."""

    def call(estimates: np.ndarray) -> np.ndarray:
        rule = "`hypothesis` as a function takes the array of all estimates and returns numbers"
        try:
            found = np.asarray(function(estimates), dtype=float)
        except Exception as error:
            raise ModelError(
                f"{rule}; of {len(estimates)} estimates it raised {type(error).__name__}: {error}."
            ) from error
        if found.ndim > 1:
            raise ModelError(f"{rule}, one or a list of them; it returned an array of shape {found.shape}.")
        return found

    return call


def _weighted(numbers: AbstractNumbers, hypothesis: Any) -> tuple[list[str], AbstractNumbers]:
    words = ", ".join(f'"{name}"' for name in METHODS)
    message = (
        f'`hypothesis` is a number, one of {words}, an equation such as "b1 = b2" (b1 is the first estimate), weights '
        f"of the {numbers.count} estimates, or a function of them; got {hypothesis!r}."
    )
    try:
        W = np.atleast_2d(np.asarray(hypothesis, dtype=float))
    except (TypeError, ValueError):
        raise ModelError(message) from None
    if W.ndim != 2 or W.shape[1] != numbers.count or not np.isfinite(W).all():
        raise ModelError(message)
    return [f"weights {k + 1}" if len(W) > 1 else "weights" for k in range(len(W))], numbers.combined(W)


def _equations(numbers: AbstractNumbers, labels: Sequence[str], texts: Sequence[str]) -> AbstractNumbers:
    places = {f"b{k + 1}": k for k in range(numbers.count)}
    words = [label for label in labels if labels.count(label) == 1 and label[:1].isalpha() and label not in places]
    places |= {word: labels.index(word) for word in words}
    sides = [_sides(text, places) for text in texts]

    def differences(values: np.ndarray) -> np.ndarray:
        named = {name: values[k] for name, k in places.items()}
        return np.array([left.value(named) - right.value(named) for left, right in sides])

    return numbers.of_all(differences)


def _sides(text: str, places: dict[str, int]) -> tuple[NamedExpression, NamedExpression]:
    def unknown(word: str) -> ModelError:
        shown = ", ".join(f"`{name}`" for name in list(places)[:12])
        return ModelError(
            f"`{word}` in the hypothesis `{text}` is no estimate{did_you_mean(word, places)}; there are {shown}."
        )

    spellings = {name: name for name in places}
    found = split_at(text, ["="]) if "=" in text else (text, "=", "0")
    if found is None:
        raise ModelError(f"The hypothesis `{text}` has one `=`, as in `b1 = b2`.")
    left, _, right = found
    return read_expression(left, spellings, unknown), read_expression(right, spellings, unknown)
