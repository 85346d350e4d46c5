"""The default priors of design section 4 and those of brms, exactly.

brms's rule (its ``default_prior``, 2.23): with y on the link scale, location = round(median(y), 1) and
scale = max(2.5, round(mad(y), 1)), mad = 1.4826 median|y - median(y)|, on the links identity, log, inverse, sqrt and
1/mu^2 only; else 0 and 2.5. Where log or inverse meet a zero, y + 0.1 stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal, final

import numpy as np

from bayesml.distributions import Distribution, flat, lkj, normal, student_t
from bayesml.families import AbstractLikelihood, DistributionalParameter
from bayesml.keys import PredictorKey
from bayesml.spec import ParameterSpec

__all__ = ["DefaultPriors", "Scale", "Style", "predictor_scale"]

Style = Literal["bayesml", "brms"]
SCALED_LINKS = frozenset({"identity", "log", "inverse", "sqrt", "1/mu^2"})
ZERO_SHIFTED = frozenset({"log", "inverse", "1/mu^2"})
MINIMUM_SCALE = 2.5


def round_like_r(value: float) -> float:
    """Round to one digit as R >= 4.0 does: the nearer of two neighbours in double arithmetic, at a tie the even one.

    Python decides by the exact decimal expansion, so that the two differ at 0.45 (R 0.4, Python 0.5).
    """
    tenths = floor(10 * value)
    lower, upper = tenths / 10, (tenths + 1) / 10
    to_lower, to_upper = value - lower, upper - value
    return upper if to_upper < to_lower or (to_upper == to_lower and tenths % 2) else lower


def _link_scale_response(y: np.ndarray, link: str, forward: object) -> np.ndarray | None:
    """Return the response on the link scale; None for links on which brms does not measure it."""
    if link not in SCALED_LINKS:
        return None
    shifted = np.where(y == 0, y + 0.1, y) if link in ZERO_SHIFTED else y
    with np.errstate(all="ignore"):
        return np.asarray(forward(shifted))  # type: ignore[operator]


def _spread(y: np.ndarray | None) -> float:
    """Return brms's ``max(2.5, mad(y))``; 2.5 where y is None or not finite."""
    if y is None:
        return MINIMUM_SCALE
    mad = 1.4826 * np.median(np.abs(y - np.median(y)))
    return max(MINIMUM_SCALE, round_like_r(float(mad))) if np.isfinite(mad) else MINIMUM_SCALE


def _location(y: np.ndarray | None) -> float:
    """Return brms's rounded median; 0 where y is None or its median is not finite."""
    if y is None:
        return 0.0
    median = float(np.median(y))
    return round_like_r(median) if np.isfinite(median) else 0.0


def _transformed(likelihood: AbstractLikelihood, dpar: str, y: np.ndarray, predicted: bool = True) -> np.ndarray | None:
    """Return the response on the scale by which the priors of a parameter are measured; None where there is none.

    It is the link scale of a parameter with a formula, and that of the response for a ``sigma`` without one. For a
    family such as lognormal, whose ``mu`` and ``sigma`` are those of log y, it is log y. A response of several columns
    has none.
    """
    from bayesml.links import get_link

    if likelihood.response_labels:
        return None
    kind = "sigma" if not predicted else likelihood.dpar(dpar).kind
    traits = likelihood.traits_of(dpar) if predicted else likelihood.traits
    if (traits.response_on_log_scale or traits.priors_on_log_scale) and kind in ("mu", "sigma"):
        link = get_link("log")
    elif not predicted:
        link = get_link("identity")
    else:
        link = likelihood.chosen_link(dpar)
    return _link_scale_response(y, link.name, link.forward)


@final
@dataclass(frozen=True)
class Scale:
    """How large effects are on the link scale of one predictor: what default priors and starts are measured by.

    Attributes:
        location: centre of the response on the link scale (Intercept).
        spread: brms's ``max(2.5, mad)`` on the link scale.
        group_spread: the same for group sds, which for other parameters than mu brms takes from the response.
        start: where the Intercept starts; None for ``location``.
    """

    location: float
    spread: float
    group_spread: float
    start: float | None = None

    @property
    def typical(self) -> float:
        """Where the Intercept starts."""
        return self.location if self.start is None else self.start


def predictor_scale(
    likelihood: AbstractLikelihood, dpar: str, y: np.ndarray, offset_mean: float, style: Style
) -> Scale:
    """Return how large effects are in the predictor of ``dpar``.

    Args:
        likelihood: the distribution of the response, with its links.
        dpar: the distributional parameter.
        y: the encoded response.
        offset_mean: mean of the offsets of this predictor.
        style: ``brms`` takes the scale of every group sd from the response on the link of mu, as brms does;
            ``bayesml`` takes it from the parameter's own link.
    """
    main, kind = likelihood.dpars[0].name, likelihood.dpar(dpar).kind
    mean_spread = _spread(_transformed(likelihood, main, y))
    if kind == "mu":
        measured, share = (
            _transformed(likelihood, dpar, responses) for responses in (y, _share_in_order(likelihood, dpar, y))
        )
        # brms leaves the prior at 0 on links such as logit, whatever the offsets
        shift = 0.0 if style == "brms" and measured is None else offset_mean
        return Scale(_location(measured) - shift, mean_spread, mean_spread, _location(share) - offset_mean)
    spread = _spread(_transformed(likelihood, dpar, y)) if kind == "sigma" else MINIMUM_SCALE
    parameter = likelihood.dpar(dpar)
    start = float(likelihood.link(dpar).forward(parameter.typical)) if parameter.placed_by_data else 0.0
    return Scale(start, spread, mean_spread if style == "brms" else MINIMUM_SCALE)


def _share_in_order(likelihood: AbstractLikelihood, dpar: str, y: np.ndarray) -> np.ndarray:
    """Return the responses that the Intercept of a parameter starts from.

    Intercepts that increase, those of K components of a mixture, start from K equal shares of the responses in order.
    """
    ordered = likelihood.ordered
    if dpar not in ordered or len(y) < len(ordered):
        return y
    return np.array_split(np.sort(y), len(ordered))[ordered.index(dpar)]


@final
@dataclass(frozen=True)
class DefaultPriors:
    """Default prior of every class of parameter of one model.

    Attributes:
        likelihood: the distribution of the response.
        style: ``bayesml`` (all proper) or ``brms`` (flat population-level coefficients).
        scales: scale of each predictor.
        residual_spread: scale of an unpredicted ``sigma``.
    """

    likelihood: AbstractLikelihood
    style: Style
    scales: dict[PredictorKey, Scale]
    residual_spread: float

    @classmethod
    def of(
        cls, likelihood: AbstractLikelihood, y: np.ndarray, scales: dict[PredictorKey, Scale], style: Style
    ) -> DefaultPriors:
        """Return the default priors for a response: ``residual_spread`` is measured from y."""
        return cls(likelihood, style, scales, _spread(_transformed(likelihood, "", y, predicted=False)))

    def intercept(self, predictor: PredictorKey) -> Distribution:
        """Return the prior of the Intercept of centred predictors."""
        dpar = self.likelihood.dpar(predictor.dpar)
        link = self.likelihood.chosen_link(predictor.dpar).name
        if self._is_flat(dpar):
            return flat()
        if link == "identity" and dpar.kind != "mu" and dpar.prior is not None:
            return dpar.prior  # the Intercept is the parameter itself
        if self.style == "brms" and dpar.placed_by_data:
            return flat()
        if dpar.intercept_prior is not None and dpar.prior_link in ("", link):
            return dpar.intercept_prior
        scale = self.scales[predictor]
        return student_t(3, round(scale.location, 10), scale.spread)

    def slopes(self, predictor: PredictorKey, spreads: Sequence[float]) -> tuple[Distribution, ...]:
        """Return the prior of each population-level coefficient, ``normal(0, 2.5 s / sd(x))``, four digits kept.

        Args:
            predictor: whose coefficients they are.
            spreads: typical size sd(x) of the column of each.
        """
        if self.style == "brms":
            return (flat(),) * len(spreads)
        s = self.scales[predictor].spread
        return tuple(normal(0, float(f"{2.5 * s / spread:.4g}")) for spread in spreads)

    def group_sd(self, predictor: PredictorKey) -> Distribution:
        """Return the prior of group-level sds, a half student_t by its bound."""
        return student_t(3, 0, self.scales[predictor].group_spread)

    def correlation(self) -> Distribution:
        """Return the prior of correlation matrices."""
        return lkj(1)

    def family_parameter(self, name: str) -> Distribution:
        """Return the prior of a family parameter that is not predicted."""
        dpar = self.likelihood.dpar(name)
        if self._is_flat(dpar):
            return flat()
        return dpar.prior if dpar.prior is not None else student_t(3, 0, self.residual_spread)

    def _is_flat(self, dpar: DistributionalParameter) -> bool:
        return self.style == "brms" and dpar.flat_in_brms

    def center(self, parameter: ParameterSpec) -> float:
        """Return a typical value of a family parameter, where sampling starts."""
        dpar = self.likelihood.dpar(parameter.prior_class)
        lower, upper = dpar.bounds
        half = 0.5 * self.residual_spread
        return half if dpar.kind == "sigma" and lower < half < upper else dpar.typical
