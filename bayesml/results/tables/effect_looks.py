"""How conditional effects are shown: the arguments of ``conditional_effects`` beside the effects, read and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.predict.asked_effects import Effect
from bayesml.results.predict.quantity import AbstractQuantity, DrawnQuantity
from bayesml.results.record.fit import AbstractFit, AbstractPointFit

__all__ = ["Looks", "categories_shown", "check_options", "probabilities", "transformed", "transformed_draws"]

LINE_POINTS, SURFACE_POINTS = 100, 30


@final
@dataclass(frozen=True)
class Looks:
    """How effects are shown.

    Attributes:
        probs: probabilities of the intervals, the widest last.
        robust: whether median and scaled mad stand for mean and standard deviation.
        resolution: number of points along a numeric axis; None for the default.
        spaghetti: whether draws are shown.
        surface: whether two numbers span a surface.
        categorical: whether a response of categories is shown by the probability of each; None where it has them.
        too_far: how far points of a surface may be from the data, as a share of the ranges; 0 for any distance.
        transform: function of the draws before they are summarised; None leaves them.
    """

    probs: tuple[float, ...]
    robust: bool
    resolution: int | None
    spaghetti: bool
    surface: bool
    categorical: bool | None
    too_far: float
    transform: Callable[..., Any] | None = None

    def points(self, effect: Effect) -> int:
        """Return the number of points along an axis."""
        return self.resolution or (SURFACE_POINTS if effect.is_surface else LINE_POINTS)

    def label(self, predicted: str) -> str:
        """Return what the axis of predictions is called: that of ``np.exp`` ``exp(y)``."""
        name = "" if self.transform is None else getattr(self.transform, "__name__", "")
        return predicted if self.transform is None else f"{name if name.isidentifier() else 'function'}({predicted})"


def probabilities(prob: Any) -> tuple[float, ...]:
    """Return the probabilities of the intervals, the widest last.

    Raises:
        ModelError: one is none.
    """
    given = tuple(prob) if isinstance(prob, (list, tuple)) else (prob,)
    wrong = [p for p in given if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0.0 < p < 1.0]
    if wrong or not given:
        raise ModelError(f"`prob` lies between 0 and 1; got {prob!r}.")
    return tuple(sorted(dict.fromkeys(float(p) for p in given)))


def check_options(fit: AbstractFit, method: str, dpar: str | None, looks: Looks) -> None:
    """Refuse options that are impossible.

    Raises:
        ModelError: one is.
    """
    if method not in ("epred", "predict", "linpred"):
        raise ModelError(f'`method` is "epred", "predict" or "linpred"; got {method!r}.')
    if dpar is not None:
        known = [p.key.parameter for p in fit.problem.design.schema.predictors if not p.key.nlpar]
        if dpar not in known:
            raise ModelError(
                f"`dpar` is a parameter with a formula, one of {', '.join(f'`{k}`' for k in known)}; got {dpar!r}."
            )
        if method == "predict":
            raise ModelError(
                'A distributional parameter has no random part: use method="epred" or "linpred" with dpar.'
            )
    if looks.spaghetti and isinstance(fit, AbstractPointFit):
        raise ModelError("A point estimate has no draws to show one by one; fit.to_normal_draws() makes some.")
    resolution, too_far = looks.resolution, looks.too_far
    if resolution is not None and (isinstance(resolution, bool) or not isinstance(resolution, int) or resolution < 2):
        raise ModelError(f"`resolution` is a whole number of at least 2; got {resolution!r}.")
    if isinstance(too_far, bool) or not isinstance(too_far, (int, float)) or not too_far >= 0:
        raise ModelError(f"`too_far` is a share of the ranges of the data, 0 or larger; got {too_far!r}.")


def transformed(values: Any, transform: Callable[..., Any] | None) -> np.ndarray:
    """Return a function of numbers, one for each.

    Raises:
        ModelError: the function gives something else.
    """
    if transform is None:
        return np.asarray(values)
    with np.errstate(all="ignore"):
        return np.asarray(transform(np.asarray(values)), dtype=float)


def transformed_draws(found: AbstractQuantity, transform: Callable[..., Any] | None) -> AbstractQuantity:
    """Return the draws behind effects, each as its function.

    Raises:
        ModelError: there are no draws, or the function does not give a number for each.
    """
    if transform is None:
        return found
    if not isinstance(found, DrawnQuantity) or found.levels:
        raise ModelError(
            "`transform` is a function of draws that are numbers: point estimates have none (fit.to_normal_draws() "
            "makes some), and neither have shares of random categories."
        )
    return replace(found, values=transformed(found.values, transform))


def categories_shown(fit: AbstractFit, method: str, dpar: str | None, categorical: Any) -> tuple[str, ...]:
    """Return the categories of the response whose probabilities are shown; none where they are not.

    Raises:
        ModelError: ``categorical`` names what there is not.
    """
    if categorical is not None and not isinstance(categorical, bool):
        raise ModelError(f"`categorical` is True, False or None; got {categorical!r}.")
    labels = fit.likelihood.event_labels if dpar is None and method != "linpred" else ()
    if categorical and not labels:
        raise ModelError(
            "categorical=True shows the probability of each category, and what is shown here has none; leave it out."
        )
    if categorical is False and labels:
        if not fit.likelihood.traits.thresholds:
            raise ModelError(
                "categorical=False takes the codes of categories as numbers, and these categories have no order; leave "
                "it out."
            )
        if isinstance(fit, AbstractPointFit):
            raise ModelError(
                "categorical=False needs draws; fit.to_normal_draws() makes some. Leave it out for the probability of "
                "each category."
            )
        return ()
    return labels
