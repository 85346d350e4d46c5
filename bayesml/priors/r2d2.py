"""The R2D2 prior (Zhang, Naughton, Bondell & Reich 2022, JASA 117, 862-874; Aguilar & Buerkner 2023), as in brms.

The share of explained variance has the prior R2 ~ beta(mean_R2 prec_R2, (1 - mean_R2) prec_R2). The explained variance
tau^2 = sigma^2 R2 / (1 - R2) is divided by phi ~ dirichlet(cons_D2), and a coefficient is normal with its share of it:

    b_j = z_j sqrt(phi_j tau^2),   z_j ~ normal(0, 1).

Where standard deviations of group-level terms have the prior too, they are the square roots of their shares: the
budget is divided over population-level and group-level effects (R2D2M2 of Aguilar & Buerkner). sigma is 1 where the
model has none, or without ``autoscale``. The predictors should have similar scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions import Beta, Dirichlet, format_number
from bayesml.errors import PriorError
from bayesml.names import special_variable
from bayesml.namespace import array_namespace
from bayesml.priors.shrinkage import AbstractShrinkage, Sharing, check_number
from bayesml.spec import ParameterSpec
from bayesml.supports import Interval, Simplex

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["R2D2"]


@final
@dataclass(frozen=True, repr=False)
class R2D2(AbstractShrinkage):
    """``R2D2(mean_R2, prec_R2, cons_D2, autoscale, main)``: the prior of the share of explained variance.

    R2 ~ beta(mean_R2 prec_R2, (1 - mean_R2) prec_R2), phi ~ dirichlet(cons_D2), and each coefficient is normal with
    variance phi_j sigma^2 R2 / (1 - R2). Predictors should have similar scales.

    Args:
        mean_R2: mean of the prior of R2, between 0 and 1.
        prec_R2: its precision: 2 with a mean of 0.5 is uniform.
        cons_D2: concentration of the shares of single coefficients, or one for each; smaller numbers let few of them
            have most of the variance.
        autoscale: whether sigma multiplies the scales.
        main: True for one of the classes, where several have the prior: its arguments hold for all of them, and the
            variance is divided over all of them. A standard deviation (classes sd, sds, sdgp) is the root of its share.

    Raises:
        PriorError: an argument is out of range.

    Source:
        Zhang et al. (2022), Bayesian regression using a prior on the model fit: the R2-D2 shrinkage prior, JASA 117.
        Aguilar and Buerkner (2023), Intuitive joint priors for Bayesian linear multilevel models: the R2D2M2 prior,
        Electronic Journal of Statistics 17.

    Example:
        >>> import bayesml
        >>> bayesml.prior(bayesml.R2D2(mean_R2=0.3, prec_R2=5), class_="b")
        Prior(distribution=R2D2(0.3, 5, 0.5), prior_class='b', ...)
    """

    mean_R2: float = 0.5
    prec_R2: float = 2.0
    cons_D2: float | tuple[float, ...] = 0.5
    autoscale: bool = True
    main: bool = False
    sharing: Sharing = Sharing()

    name: ClassVar[str] = "R2D2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean_R2", check_number(self.name, "mean_R2", self.mean_R2, below=1.0))
        object.__setattr__(self, "prec_R2", check_number(self.name, "prec_R2", self.prec_R2))
        object.__setattr__(self, "cons_D2", _concentration(self.cons_D2))
        self._check_flags()

    def __str__(self) -> str:
        given = self.cons_D2 if isinstance(self.cons_D2, tuple) else (self.cons_D2,)
        numbers = ", ".join(map(format_number, given))
        shares = f"c({numbers})" if isinstance(self.cons_D2, tuple) else numbers
        shown = [format_number(self.mean_R2), format_number(self.prec_R2), shares]
        return f"R2D2({', '.join(shown + self._flags)})"

    def own_parameters(self, target: ParameterSpec, labels: tuple[str, ...]) -> tuple[ParameterSpec, ...]:
        """Return R2, and the shares phi where there are several."""
        share, phi = self._names(target)
        of, k = target.predictor, len(labels)
        a, b = self.mean_R2 * self.prec_R2, (1.0 - self.mean_R2) * self.prec_R2
        total = ParameterSpec(share, "R2D2", (), of, support=Interval(0.0, 1.0), priors=(Beta(a, b),), centers=(0.5,))
        given = self.cons_D2 if isinstance(self.cons_D2, tuple) else (self.cons_D2,)
        if len(given) not in (1, k):
            listed = ", ".join(labels)
            raise PriorError(f"{self}: `cons_D2` has {len(given)} numbers, and there are {k} scales: {listed}.")
        if k == 1:
            return (total,)
        return (total, ParameterSpec(phi, "R2D2", (k,), of, support=Simplex(), priors=(Dirichlet(given),)))

    def scales(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return sqrt(phi) sigma sqrt(R2 / (1 - R2))."""
        share, phi = self._names(target)
        ratio = values[share]
        xp = array_namespace(ratio)
        tau = (self.residual_sd(target, values) * xp.sqrt(ratio / (1.0 - ratio)))[..., None]
        return tau * xp.sqrt(values[phi]) if phi in values else tau

    def _names(self, target: ParameterSpec) -> tuple[str, str]:
        return special_variable("R2D2_R2", target.predictor), special_variable("R2D2_phi", target.predictor)


def _concentration(given: Any) -> float | tuple[float, ...]:
    """Return one number or a tuple of several."""
    if not isinstance(given, (list, tuple, np.ndarray)):
        return check_number("R2D2", "cons_D2", given)
    numbers = tuple(check_number("R2D2", "cons_D2", each) for each in np.asarray(given).ravel().tolist())
    if not numbers:
        raise PriorError("`cons_D2` of R2D2() is a number larger than 0, or one for each scale; got none.")
    return numbers
