"""The options of the point-estimate engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from bayesml.engines.base import AbstractEngine
from bayesml.errors import ModelError
from bayesml.foreign import answers_foreign_options

__all__ = ["MAP", "ML", "REML", "Laplace"]


@answers_foreign_options
@final
@dataclass(frozen=True)
class REML(AbstractEngine):
    """Restricted maximum likelihood for linear mixed models (Bates et al. 2015), the estimates of lme4's ``lmer``.

    For gaussian and lognormal responses. ``y | weights(w)`` are precision weights as in lme4: the residual variance of
    a row is sigma^2 / w. ``y | se(s)`` gives known residual standard deviations. Priors have no influence.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> print(bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml"))
    """

    method: ClassVar[str] = "reml"


@answers_foreign_options
@final
@dataclass(frozen=True)
class ML(AbstractEngine):
    """Maximum likelihood for linear mixed models, ``lmer(REML=FALSE)``; otherwise as ``REML``.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="ml").logLik
    """

    method: ClassVar[str] = "ml"


@answers_foreign_options
@final
@dataclass(frozen=True)
class Laplace(AbstractEngine):
    """Maximum likelihood with the group effects integrated out by Laplace's approximation or adaptive quadrature.

    For every family, also where several parameters have formulas with group effects of their own, and for ordinal
    thresholds; derivatives that a family does not give come by automatic differentiation. On a gaussian model with
    group effects the approximation is exact and this is ``ML``. ``y | weights(w)`` are precisions of gaussian and
    lognormal responses as in lme4 (the residual variance is sigma^2 / w), powers of the densities of all others.

    Attributes:
        quadrature_points: Gauss-Hermite points for each coefficient, 1 is Laplace; more need a single grouping factor,
            and a formula for mu alone.
        curvature: ``"observed"`` is Laplace's approximation; ``"fisher"`` takes the expected information in its
            determinant, as lme4 does where the link is not canonical.

    Raises:
        ModelError: an option is out of range.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("cbpp")
        >>> method = bayesml.Laplace(quadrature_points=9)
        >>> bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", method=method)
    """

    quadrature_points: int = 1
    curvature: Literal["observed", "fisher"] = "observed"

    method: ClassVar[str] = "laplace"

    def __post_init__(self) -> None:
        points = self.quadrature_points
        if isinstance(points, bool) or not isinstance(points, int) or points < 1:
            raise ModelError(f"`quadrature_points` is a whole number of at least 1 (Laplace); got {points!r}.")
        if self.curvature not in ("observed", "fisher"):
            raise ModelError(f'`curvature` is "observed" or "fisher"; got {self.curvature!r}.')


@answers_foreign_options
@final
@dataclass(frozen=True)
class MAP(AbstractEngine):
    """The mode of the posterior with the group effects integrated out.

    The priors of the model are added to the marginal likelihood: of the coefficients as they are, of standard
    deviations and family parameters on the log scale (the density of log sd), of a correlation matrix with one more
    power of its determinant, which for one correlation is the density of its atanh. A standard deviation then never is
    estimated as zero and a correlation never as 1 (Chung et al. 2013, 2015). ``y | weights(w)`` are powers of the
    densities, as in the posterior that is sampled. Where a prior ends at a bound before the density falls, the mode is
    at the bound, with a warning: such a parameter has no standard error there.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="map")
    """

    method: ClassVar[str] = "map"
    uses_priors: ClassVar[bool] = True
