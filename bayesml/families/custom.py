"""``custom_family(...)``: families whose density a user writes in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.custom_parameters import OWN_DATA, REAL, bounds_of, links_of, names_of, parameter_of
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require
from bayesml.families.user_functions import UserFunction, function_name
from bayesml.links import get_link

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["Custom", "Functions", "custom_family"]

TYPES = ("real", "int")


@final
@dataclass(frozen=True)
class Functions:
    """The functions of a family; all but the first may be missing."""

    log_prob: Callable[..., Any]
    epred: Callable[..., Any] | None = None
    posterior_predict: Callable[..., Any] | None = None
    variance: Callable[..., Any] | None = None
    log_cdf: Callable[..., Any] | None = None
    log_survival: Callable[..., Any] | None = None


@final
@dataclass(frozen=True)
class Custom(AbstractSimpleFamily):
    """A family of the user.

    Attributes:
        label: its name.
        names: names of the parameters, ``mu`` first.
        bounds: their open intervals.
        response_type: ``real`` or ``int``.
        functions: what the user wrote.
    """

    label: str = ""
    names: tuple[str, ...] = ("mu",)
    bounds: tuple[tuple[float, float], ...] = (REAL,)
    response_type: str = "real"
    functions: Functions = Functions(log_prob=lambda: None)

    not_stored: ClassVar[frozenset[str]] = frozenset({"functions"})

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name that the user gave it."""
        return self.label

    @property
    def user_functions(self) -> Mapping[str, str]:
        """Names of the functions."""
        given = ((role, getattr(self.functions, role)) for role in Functions.__dataclass_fields__)
        return {f"{self.label}.{role}": function_name(f) for role, f in given if f is not None}

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:  # type: ignore[override]
        """The parameters."""
        links = (link.name for link in self.links)
        return tuple(parameter_of(*each) for each in zip(self.names, links, self.bounds, strict=True))

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """What follows from the type and the functions."""
        is_count = self.response_type == "int"
        has_cdf = self.functions.log_cdf is not None and self.functions.log_survival is not None
        has_moments = self.functions.epred is not None and self.functions.variance is not None
        return Traits(discrete=is_count, rows_repeat=is_count, has_cdf=has_cdf, own_data=True, has_moments=has_moments)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers, whole ones where the type is ``int``; try the functions where a fit is requested.

        Raises:
            DataError: a value is none of these.
            ModelError: a function cannot be used.
        """
        y = numbers(response, self.label)
        if self.response_type == "int":
            cure = 'The family was made with type="int"; type="real" is for other numbers.'
            require(response, y, y == np.round(y), "must be a whole number", cure)
        columns = {name: np.asarray(value) for name, value in response.additions.items() if OWN_DATA.fullmatch(name)}
        data = ResponseData({"y": y, **columns})
        if for_fit:
            self._try_functions(data.arrays, response.rows)
        return data

    def _try_functions(self, data: DataArrays, rows: np.ndarray | None) -> None:
        """Trace the density at typical parameters, and look for what is not a number."""
        for role, leading in _LEADING.items():
            function = self._function(role)
            if function is not None:
                function.check_arguments((*leading, *self.names, *_own_names(data)))
        log_prob = self._needed("log_prob", "", data)
        names = ("y", *self.names, *_own_names(data))
        tried = [self._typical(data, shift) for shift in (0.0, 0.3)]
        try:
            densities = self._densities(data, tried)
        except ModelError as error:  # without the notes that JAX adds to an error
            raise ModelError(str(error)) from error.__cause__
        if np.isnan(densities[1]).any() or (densities[1] == np.inf).any():  # at one point alone it may be 0 / 0
            values = {**data, **{name: np.full(len(data["y"]), value) for name, value in tried[0].items()}}
            log_prob.refuse_nan(densities[0], names, values, rows)

    def _typical(self, data: DataArrays, shift: float) -> dict[str, float]:
        """Return parameters inside their bounds; ``shift`` moves them on the scale of the first link."""
        typical = {}
        for dpar in self.dpars:
            link, value = get_link(dpar.links[0]), dpar.typical
            if dpar.name == "mu":
                lower, upper = dpar.bounds
                center = float(np.median(data["y"]))
                value = center if lower < center < upper else value
            typical[dpar.name] = float(link.inverse(float(link.forward(value)) + shift))
        return typical

    def probe(self, data: DataArrays) -> np.ndarray:
        """Return the log density of each row at typical parameters."""
        return self._densities(data, [self._typical(data, 0.3)])[0]

    def _densities(self, data: DataArrays, points: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, ...]:
        """Return the log density of each row at each of some points."""
        import jax

        with jax.enable_x64(True):
            density = jax.jit(lambda values, data: self.log_prob(data["y"], values, data))
            arrays = {name: np.asarray(array) for name, array in data.items()}
            return tuple(np.asarray(density(dict(point), arrays)) for point in points)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return what the user's function returns."""
        return self._needed("log_prob", "", data).rows([y, *self._arguments(values, data)])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return what ``log_cdf`` and ``log_survival`` return."""
        arguments = [y, *self._arguments(values, data)]
        below, above = (self._needed(name, "cens() and trunc() need", data) for name in ("log_cdf", "log_survival"))
        return below.rows(arguments), above.rows(arguments)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return what the user's ``epred`` returns."""
        return self._of_shape("epred", "The expected response is computed by", parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return what the user's function returns."""
        return self._of_shape("variance", "Pearson residuals are computed by", parameters, data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Return what the user's ``posterior_predict`` returns."""
        function = self._needed("posterior_predict", "Random responses are drawn by", data)
        arguments = self._broadcast(parameters, data)
        function.check_arguments(("rng", *self.names, *_own_names(data)))
        shape = np.shape(arguments[0])
        drawn = np.asarray(function([rng, *arguments]), dtype=float)
        if drawn.shape != shape:
            raise ModelError(
                f"The function `{function_name(function.function)}`, posterior_predict of the family {self.label}, "
                f"returned an array of shape {drawn.shape} for parameters of shape {shape}; it has to draw one "
                "response for each element of the parameters."
            )
        return drawn

    def _of_shape(self, role: str, needs: str, parameters: Values, data: DataArrays) -> np.ndarray:
        function = self._needed(role, needs, data)
        function.check_arguments((*self.names, *_own_names(data)))
        return np.asarray(function.rows(self._broadcast(parameters, data)), dtype=float)

    def _arguments(self, values: Values, data: DataArrays) -> list[Any]:
        return [values[name] for name in self.names] + [data[name] for name in _own_names(data)]

    def _broadcast(self, parameters: Values, data: DataArrays) -> list[np.ndarray]:
        return list(np.broadcast_arrays(*(np.asarray(each) for each in self._arguments(parameters, data))))

    def _function(self, role: str) -> UserFunction | None:
        function = getattr(self.functions, role)
        return None if function is None else UserFunction(self.label, role, function)

    def _needed(self, role: str, needs: str, data: Mapping[str, Any]) -> UserFunction:
        function = self._function(role)
        if function is None:
            listed = ", ".join((*_LEADING[role], *self.names, *_own_names(data)))
            raise ModelError(
                f"{needs} the function `{role}` of the family {self.label}, which has none. Give it one, "
                f"custom_family(..., {role}=f) with f({listed}), and fit again; of a fit "
                "that was saved, load it with the completed family, load(path, family=...)."
            )
        return function


_LEADING: Mapping[str, tuple[str, ...]] = {
    "log_prob": ("y",),
    "log_cdf": ("y",),
    "log_survival": ("y",),
    "epred": (),
    "variance": (),
    "posterior_predict": ("rng",),
}
"""What each function is given before the parameters."""


def _own_names(data: Mapping[str, Any]) -> list[str]:
    """Return ``vint1``, ``vint2``, ..., ``vreal1``, ... in the order of the arguments."""
    columns = [match for match in map(OWN_DATA.fullmatch, data) if match]
    return [match[0] for match in sorted(columns, key=lambda match: (match[1], int(match[2])))]


def custom_family(
    name: str,
    log_prob: Callable[..., Any],
    dpars: str | Sequence[str] = "mu",
    links: str | Sequence[str] = "identity",
    type: Literal["real", "int"] = "real",
    lb: float | None | Sequence[float | None] = None,
    ub: float | None | Sequence[float | None] = None,
    *,
    epred: Callable[..., Any] | None = None,
    posterior_predict: Callable[..., Any] | None = None,
    variance: Callable[..., Any] | None = None,
    log_cdf: Callable[..., Any] | None = None,
    log_survival: Callable[..., Any] | None = None,
) -> Custom:
    """Return a family whose density is a function of your own.

    The functions are given arrays by position: the parameters in the order of ``dpars`` on their natural scale, then
    the columns of ``vint(a, b)`` as integers and those of ``vreal(c)``. Their last axis is that of the rows; a
    parameter without a formula is a single number, which broadcasts. They return one number for each row and depend on
    nothing else: no random numbers, no variables that change.

    Args:
        name: what the family is called in the summary.
        log_prob: ``f(y, mu, ..., vint1, ..., vreal1, ...)``: the log density, written with ``jax.numpy`` and
            ``jax.scipy``, which trace it, compile it and take its derivatives.
        dpars: names of the parameters; the first is ``"mu"``, which has the main formula. Letters and digits only.
        links: link of each parameter that has a formula, or one for all.
        type: ``"real"`` or ``"int"``, whole numbers.
        lb: lower bound of each parameter, or one for all; None for none.
        ub: upper bounds.
        epred: ``f(mu, ..., vint1, ...)``, with NumPy: the expected response, for ``epred``, ``residuals`` and
            ``conditional_effects``.
        posterior_predict: ``f(rng, mu, ..., vint1, ...)``, with NumPy: one random response for each element of the
            parameters, which all have the same shape; ``rng`` is a ``numpy.random.Generator``.
        variance: ``f(mu, ..., vint1, ...)``, with NumPy: the variance of the response, for Pearson residuals.
        log_cdf: ``f(y, mu, ..., vint1, ...)``, with ``jax.numpy``: log P(response <= y). With ``log_survival`` it makes
            ``cens()`` and ``trunc()`` possible.
        log_survival: log P(response > y).

    Returns:
        The family, for ``fit(..., family=...)``. Parameters have the default priors that brms gives by their names
        (``phi``, ``sigma``, ``shape``, ``zi``, ...); any other ``student_t(3, bound, 2.5)``, or ``uniform`` between two
        bounds, where brms is flat.

    Raises:
        ModelError: a name, a link, a bound or a function is none.

    Example:
        The beta-binomial distribution of brms's vignette on custom families:

        >>> from jax.scipy.special import gammaln
        >>> def log_beta(a, b):
        ...     return gammaln(a) + gammaln(b) - gammaln(a + b)
        >>> def log_prob(y, mu, phi, size):
        ...     a, b = mu * phi, (1 - mu) * phi
        ...     choices = -gammaln(y + 1) - gammaln(size - y + 1) + gammaln(size + 1)
        ...     return choices + log_beta(y + a, size - y + b) - log_beta(a, b)
        >>> beta_binomial2 = bayesml.custom_family(
        ...     "beta_binomial2", log_prob, dpars=("mu", "phi"), links=("logit", "log"), type="int", lb=0, ub=(1, None)
        ... )
        >>> cbpp = bayesml.load_dataset("cbpp")
        >>> fit = bayesml.fit("incidence | vint(size) ~ period + (1 | herd)", cbpp, beta_binomial2)
    """
    if not isinstance(name, str) or not name.strip():
        raise ModelError(f"`name` of a custom family is text; got {name!r}.")
    names = names_of(name, dpars)
    if type not in TYPES:
        raise ModelError(f'`type` of the custom family {name} is "real" or "int"; got {type!r}.')
    link_of_each, bounds = links_of(name, names, links), bounds_of(name, names, lb, ub)
    functions = Functions(log_prob, epred, posterior_predict, variance, log_cdf, log_survival)
    _check_functions(name, functions)
    return Custom(link_of_each, name.strip(), names, bounds, type, functions)


def _check_functions(family: str, functions: Functions) -> None:
    for role in Functions.__dataclass_fields__:
        function = getattr(functions, role)
        if function is None and role != "log_prob":
            continue
        if not callable(function):
            raise ModelError(f"`{role}` of the custom family {family} is a function; got {function!r}.")
        try:
            hash(function)
        except TypeError:
            raise ModelError(
                f"`{role}` of the custom family {family} has no hash; write it as a function (def or lambda)."
            ) from None
    if (functions.log_cdf is None) != (functions.log_survival is None):
        missing = "log_survival" if functions.log_survival is None else "log_cdf"
        raise ModelError(f"The custom family {family} has only one tail; give it `{missing}` too.")
