"""The regularised horseshoe (Piironen & Vehtari 2017, Electronic Journal of Statistics 11, 5018-5051), as in brms.

With z_j ~ normal(0, 1), local scales lambda_j ~ half student_t(df, 0, 1), the global scale
tau = scale_global u, u ~ half student_t(df_global, 0, 1), times sigma where the model has one residual standard
deviation and ``autoscale`` is on, and the slab c^2 = scale_slab^2 v, v ~ inv_gamma(df_slab / 2, df_slab / 2):

    b_j = z_j tau lambda~_j,   lambda~_j^2 = c^2 lambda_j^2 / (c^2 + tau^2 lambda_j^2).

Small coefficients are shrunk to 0 by tau, large ones are normal with standard deviation c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

from bayesml.distributions import HalfStudentT, InvGamma, format_number
from bayesml.names import special_variable
from bayesml.namespace import array_namespace
from bayesml.priors.shrinkage import AbstractShrinkage, Sharing, check_number
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["Horseshoe", "horseshoe"]

NUMBERS = ("df", "scale_global", "df_global", "scale_slab", "df_slab", "par_ratio")


@final
@dataclass(frozen=True, repr=False)
class Horseshoe(AbstractShrinkage):
    """``horseshoe(df, scale_global, df_global, scale_slab, df_slab, par_ratio, autoscale, main)``.

    Attributes:
        df: degrees of freedom of the local scales; 1 gives Cauchy tails.
        scale_global: scale of the global scale.
        df_global: its degrees of freedom.
        scale_slab: scale of large coefficients.
        df_slab: degrees of freedom of that scale.
        par_ratio: expected number of nonzero coefficients over that of zero ones; replaces ``scale_global`` by
            par_ratio / sqrt(number of rows); 0 where it is not used.
        autoscale: whether sigma multiplies the global scale.
        main: whether its arguments hold where several classes have the prior.
        sharing: what it takes from the model; filled in when that is described.
    """

    df: float = 1.0
    scale_global: float = 1.0
    df_global: float = 1.0
    scale_slab: float = 2.0
    df_slab: float = 4.0
    par_ratio: float = 0.0
    autoscale: bool = True
    main: bool = False
    sharing: Sharing = Sharing()

    name: ClassVar[str] = "horseshoe"

    def __post_init__(self) -> None:
        for name in NUMBERS:
            number = check_number(self.name, name, getattr(self, name), zero=name == "par_ratio")
            object.__setattr__(self, name, number)
        self._check_flags()

    def __str__(self) -> str:
        shown = [format_number(self.df)]
        defaults = Horseshoe.__dataclass_fields__
        for name in NUMBERS[1:]:
            if getattr(self, name) != defaults[name].default:
                shown.append(f"{name} = {format_number(getattr(self, name))}")
        return f"horseshoe({', '.join(shown + self._flags)})"

    def in_model(self, n_rows: int, targets: Sequence[ParameterSpec], sigma: float = 1.0) -> Horseshoe:
        """Return it with the global scale that ``par_ratio`` stands for."""
        described = AbstractShrinkage.in_model(self, n_rows, targets, sigma)
        scale = self.par_ratio / n_rows**0.5 if self.par_ratio else self.scale_global
        return replace(described, scale_global=scale, par_ratio=0.0)

    def own_parameters(self, target: ParameterSpec, labels: tuple[str, ...]) -> tuple[ParameterSpec, ...]:
        """Return the local scales, u and v."""
        k, of = len(labels), target.predictor
        local, whole, slab = self._names(target)
        student, slabs = HalfStudentT(self.df, 1.0), InvGamma(0.5 * self.df_slab, 0.5 * self.df_slab)
        globals_ = HalfStudentT(self.df_global, 1.0)
        return (
            ParameterSpec(local, "horseshoe", (k,), of, "", labels, POSITIVE, (student,) * k, (1.0,) * k, (1.0,) * k),
            ParameterSpec(whole, "horseshoe", (), of, support=POSITIVE, priors=(globals_,), centers=(0.5,)),
            ParameterSpec(slab, "horseshoe", (), of, support=POSITIVE, priors=(slabs,), centers=(1.0,)),
        )

    def scales(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return tau lambda~."""
        local, whole, slab = (values[name] for name in self._names(target))
        tau = (whole * self.scale_global * self.residual_sd(target, values))[..., None]
        squared, slab_squared = local**2, self.scale_slab**2 * slab[..., None]
        xp = array_namespace(local)
        return tau * xp.sqrt(slab_squared * squared / (slab_squared + tau**2 * squared))

    def _names(self, target: ParameterSpec) -> tuple[str, str, str]:
        local, whole, slab = (special_variable(n, target.predictor) for n in ("hs_local", "hs_global", "hs_slab"))
        return local, whole, slab


def horseshoe(
    df: float = 1.0,
    scale_global: float = 1.0,
    df_global: float = 1.0,
    scale_slab: float = 2.0,
    df_slab: float = 4.0,
    par_ratio: float | None = None,
    autoscale: bool = True,
    main: bool = False,
) -> Horseshoe:
    """Return the regularised horseshoe prior for all coefficients of a predictor, ``prior(horseshoe(), class_="b")``.

    b_j = z_j tau lambda~_j with half student_t local scales lambda_j and global scale tau, and coefficients far from 0
    normal with a standard deviation near ``scale_slab``.

    Args:
        df: degrees of freedom of the local scales; more shrink large coefficients more and sample better.
        scale_global: scale of tau; times sigma where ``autoscale``.
        df_global: degrees of freedom of tau.
        scale_slab: scale of coefficients that are not shrunk, on the link scale.
        df_slab: degrees of freedom of that scale.
        par_ratio: expected number of nonzero over that of zero coefficients; sets tau's scale to
            par_ratio / sqrt(rows).
        autoscale: whether the residual standard deviation multiplies tau.
        main: True for one of the classes, where several have the prior: its arguments hold for all of them, which then
            share tau and the slab. A standard deviation (classes sd, sds, sdgp) is tau lambda~ itself.

    Raises:
        PriorError: an argument is out of range.

    Source:
        Piironen and Vehtari (2017), Sparsity information and regularization in the horseshoe and other shrinkage
        priors, Electronic Journal of Statistics 11.

    Example:
        >>> import bayesml
        >>> bayesml.prior("horseshoe(1, par_ratio = 0.1)", class_="b")
        Prior(distribution=horseshoe(1, par_ratio = 0.1), prior_class='b', ...)
    """
    return Horseshoe(df, scale_global, df_global, scale_slab, df_slab, par_ratio or 0.0, autoscale, main)
