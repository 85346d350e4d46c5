"""Whether a response with known standard errors has a ``sigma`` beside them."""

from __future__ import annotations

from collections.abc import Sequence

from bayesml.formula import Addition

__all__ = ["estimates_sigma", "has_sigma"]


def estimates_sigma(addition: Addition) -> bool:
    """Return whether ``se(s, sigma=TRUE)`` was written."""
    return bool(dict(addition.options).get("sigma", False))


def has_sigma(additions: Sequence[Addition]) -> bool:
    """Return whether a response has a ``sigma``, which ``se(s)`` alone stands for."""
    return all(estimates_sigma(addition) for addition in additions if addition.name == "se")
