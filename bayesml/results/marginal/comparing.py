"""How two predictions are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean

__all__ = ["comparison_of", "slope_of", "transform_of"]

Function = Callable[..., np.ndarray]


def _log_odds(hi: np.ndarray, lo: np.ndarray) -> np.ndarray:
    return np.log(hi / (1.0 - hi)) - np.log(lo / (1.0 - lo))


COMPARISONS: dict[str, Function] = {
    "difference": lambda hi, lo: hi - lo,
    "ratio": lambda hi, lo: hi / lo,
    "lnratio": lambda hi, lo: np.log(hi / lo),
    "lnor": _log_odds,
    "lift": lambda hi, lo: (hi - lo) / lo,
}
TRANSFORMS: dict[str, Function] = {"exp": np.exp, "ln": np.log, "log": np.log}
SLOPES = ("dydx", "eyex", "eydx", "dyex")


def own_function(function: Callable[..., Any], argument: str, takes: str) -> Function:
    """Return a function of a user, whose errors and odd results are told as what they are.

    Args:
        function: the function, of arrays of one shape.
        argument: the argument that it was given as.
        takes: what these arrays are.
    """

    def call(*arrays: np.ndarray) -> np.ndarray:
        shape = np.shape(arrays[0])
        rule = f"`{argument}` is a function of {takes}, arrays of one shape, that returns numbers of that shape"
        try:
            found = np.asarray(function(*arrays), dtype=float)
        except Exception as error:
            raise ModelError(f"{rule}; of arrays {shape} it raised {type(error).__name__}: {error}.") from error
        if found.shape != shape:
            raise ModelError(f"{rule}; of arrays {shape} it returned {found.shape}.")
        return found

    call.__name__ = getattr(function, "__name__", "function")  # axes of plots are named after it
    return call


def comparison_of(comparison: Any) -> Function:
    """Return the function of the prediction after and before the change.

    Raises:
        ModelError: there is no such comparison.
    """
    if callable(comparison):
        return own_function(comparison, "comparison", "the predictions after and before the change, hi and lo")
    name = comparison.removesuffix("avg") if isinstance(comparison, str) else ""
    if name not in COMPARISONS:
        listed = ", ".join(f'"{known}"' for known in COMPARISONS)
        hint = did_you_mean(str(comparison), COMPARISONS)
        raise ModelError(f"`comparison` is one of {listed}, or a function of hi and lo; got {comparison!r}{hint}.")
    return COMPARISONS[name]


def transform_of(transform: Any) -> Function | None:
    """Return the function of estimates and ends of intervals.

    Raises:
        ModelError: there is no such function.
    """
    if transform is None:
        return None
    if callable(transform):
        return own_function(transform, "transform", "estimates")
    if transform not in TRANSFORMS:
        listed = ", ".join(f'"{known}"' for known in TRANSFORMS)
        raise ModelError(f"`transform` is one of {listed}, or a function; got {transform!r}.")
    return TRANSFORMS[transform]


def slope_of(slope: Any) -> str:
    """Return the kind of a slope; raise a ModelError where there is none of that name."""
    if slope not in SLOPES:
        raise ModelError(f"`slope` is one of {', '.join(f'{known!r}' for known in SLOPES)}; got {slope!r}.")
    return str(slope)
