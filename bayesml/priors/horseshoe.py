"""The regularised horseshoe (Piironen & Vehtari 2017, Electronic Journal of Statistics 11, 5018-5051), as in brms.

With z_j ~ normal(0, 1), local scales lambda_j ~ half student_t(df, 0, 1), the global scale
tau = scale_global u, u ~ half student_t(df_global, 0, 1), times sigma where the model has one residual standard
deviation and ``autoscale`` is on, and the slab c^2 = scale_slab^2 v, v ~ inv_gamma(df_slab / 2, df_slab / 2):

    b_j = z_j tau lambda~_j,   lambda~_j^2 = c^2 lambda_j^2 / (c^2 + tau^2 lambda_j^2).

Small coefficients are shrunk to 0 by tau, large ones are normal with standard deviation c.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, final

from bayesml.distributions import HalfStudentT, InvGamma, format_number
from bayesml.errors import PriorError
from bayesml.names import slopes_variable, special_variable
from bayesml.namespace import array_namespace
from bayesml.priors.joint import AbstractJointPrior
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["Horseshoe", "horseshoe"]


@final
@dataclass(frozen=True, repr=False)
class Horseshoe(AbstractJointPrior):
    """``horseshoe(df, scale_global, df_global, scale_slab, df_slab, par_ratio, autoscale)``.

    Attributes:
        df: degrees of freedom of the local scales; 1 gives Cauchy tails.
        scale_global: scale of the global scale.
        df_global: its degrees of freedom.
        scale_slab: scale of large coefficients.
        df_slab: degrees of freedom of that scale.
        par_ratio: expected number of nonzero coefficients over that of zero ones; replaces ``scale_global`` by
            par_ratio / sqrt(number of rows); 0 where it is not used.
        autoscale: whether sigma multiplies the global scale.
        rows: number of rows of the data; filled in when the model is described.
    """

    df: float = 1.0
    scale_global: float = 1.0
    df_global: float = 1.0
    scale_slab: float = 2.0
    df_slab: float = 4.0
    par_ratio: float = 0.0
    autoscale: bool = True
    rows: int = 0

    name: ClassVar[str] = "horseshoe"
    filled_in: ClassVar[frozenset[str]] = frozenset({"rows"})

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("autoscale", "rows"):
                continue
            least = "at least 0" if field.name == "par_ratio" else "larger than 0"
            wrong = isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value)
            if wrong or float(value) < 0 or (float(value) == 0 and field.name != "par_ratio"):
                raise PriorError(f"`{field.name}` of horseshoe() is a number {least}; got {value!r}.")
            object.__setattr__(self, field.name, float(value))
        if not isinstance(self.autoscale, bool):
            raise PriorError(f"`autoscale` of horseshoe() is True or False; got {self.autoscale!r}.")

    def __str__(self) -> str:
        shown = [format_number(self.df)]
        defaults = Horseshoe.__dataclass_fields__
        for name in ("scale_global", "df_global", "scale_slab", "df_slab", "par_ratio"):
            if getattr(self, name) != defaults[name].default:
                shown.append(f"{name} = {format_number(getattr(self, name))}")
        return f"horseshoe({', '.join(shown + ([] if self.autoscale else ['autoscale = False']))})"

    def in_model(self, n_rows: int) -> Horseshoe:
        """Return the prior with the number of rows, which ``par_ratio`` needs."""
        return replace(self, rows=n_rows)

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """Return z, the local scales, u and v."""
        k, of = target.shape, target.predictor
        z, local, whole, slab = self._names(target)
        student, slabs = HalfStudentT(self.df, 1.0), InvGamma(0.5 * self.df_slab, 0.5 * self.df_slab)
        return (
            ParameterSpec(z, "", k, of),
            ParameterSpec(
                local, "horseshoe", k, of, "", target.coefs, POSITIVE, (student,) * k[0], (1.0,) * k[0], (1.0,) * k[0]
            ),
            ParameterSpec(
                whole,
                "horseshoe",
                (),
                of,
                support=POSITIVE,
                priors=(HalfStudentT(self.df_global, 1.0),),
                centers=(0.5,),
            ),
            ParameterSpec(slab, "horseshoe", (), of, support=POSITIVE, priors=(slabs,), centers=(1.0,)),
        )

    def value(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return z tau lambda~."""
        z, local, whole, slab = (values[name] for name in self._names(target))
        tau = whole * (self.par_ratio / self.rows**0.5 if self.par_ratio else self.scale_global)
        if self.autoscale and "sigma" in values and not target.predictor.target[0]:
            tau = tau * values["sigma"]
        squared, slab_squared = local**2, self.scale_slab**2 * slab
        xp = array_namespace(local)
        return z * tau * xp.sqrt(slab_squared * squared / (slab_squared + tau**2 * squared))

    def _names(self, target: ParameterSpec) -> tuple[str, str, str, str]:
        of = "" if target.name == slopes_variable(target.predictor) else f"_{target.name}"
        z, local, whole, slab = (
            special_variable(f"{name}{of}", target.predictor) for name in ("zb", "hs_local", "hs_global", "hs_slab")
        )
        return z, local, whole, slab


def horseshoe(
    df: float = 1.0,
    scale_global: float = 1.0,
    df_global: float = 1.0,
    scale_slab: float = 2.0,
    df_slab: float = 4.0,
    par_ratio: float | None = None,
    autoscale: bool = True,
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
    return Horseshoe(df, scale_global, df_global, scale_slab, df_slab, par_ratio or 0.0, autoscale)
