"""Priors as statements of a NumPyro program: a ``numpyro.sample`` for each sampled site."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpyro.distributions as dist
from jax import numpy as jnp
from numpyro import handlers
from numpyro.distributions import constraints

from bayesml.compile import sample_parameter
from bayesml.distributions import Constant, ConstantArray
from bayesml.distributions.numpyro_bounded import Bounded
from bayesml.exporting.text import Text, number, numbers, one_line, quoted, tuple_of
from bayesml.exporting.writer import Known, Writer
from bayesml.numpyro_supports import DependentElements

if TYPE_CHECKING:
    from bayesml.spec import ParameterSpec

__all__ = ["write_prior"]

SYMMETRIC = (dist.Normal, dist.StudentT, dist.Cauchy, dist.Laplace, dist.Logistic)
"""What NumPyro can truncate; it draws from a truncated t distribution only with another package."""
SMALLEST_MASS = 1e-3  # of less mass NumPyro's truncation loses digits
NAMED_CONSTRAINTS = ("real", "positive", "unit_interval", "ordered_vector", "simplex", "corr_cholesky")


def write_prior(writer: Writer, parameter: ParameterSpec, values: Mapping[str, Known], names: tuple[str, ...]) -> Text:
    """Write the prior of one parameter.

    Args:
        writer: where the statements go.
        parameter: the parameter.
        values: text of the parameters before it.
        names: what its elements are called in the summary; empty where they are not in it.

    Returns:
        The name of its value.
    """
    writer.lines += [f"# {line}" for line in _described(parameter, names)]
    if parameter.conditional is not None:
        return _written_density(writer, parameter, values)
    parts = [_site(writer, name, law) for name, law in _sites(parameter)]
    if not parts:
        return writer.array(np.zeros(parameter.shape))
    if not parameter.coefs or parameter.is_single_site:
        return Text(parts[0], shape=parameter.shape)
    name = writer.name(parameter.name)
    stacked = f"jnp.stack([{', '.join(parts)}])"
    writer.lines.append(f"{name} = numpyro.deterministic({quoted(parameter.name)}, {stacked})")
    return Text(name, shape=parameter.shape)


def _described(parameter: ParameterSpec, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the prior of each element, or of all where they have the same."""
    priors = [str(prior) or "flat" for prior in parameter.priors]
    if parameter.conditional is not None:
        yield f"{parameter.name}: {parameter.conditional}"
    elif not priors:
        yield f"{parameter.name}: standard normal variables"
    elif len(set(priors)) == 1:
        labels = names if 0 < len(names) <= 6 else parameter.coefs[:6]
        shown = f" ({', '.join(one_line(n) for n in labels)})" if labels and labels != (parameter.name,) else ""
        yield f"{parameter.name}{shown} ~ {priors[0]}"
    else:
        yield from (f"{parameter.name}[{one_line(c)}] ~ {p}" for c, p in zip(parameter.labels, priors, strict=False))


@final
@dataclass(frozen=True)
class _Fixed:
    """A value in the place of a prior."""

    value: float | np.ndarray

    @property
    def code(self) -> str:
        """The value as it is written."""
        return repr(self.value.tolist()) if isinstance(self.value, np.ndarray) else number(self.value).code


def _sites(parameter: ParameterSpec) -> list[tuple[str, Any]]:
    """Return the sampled sites of a parameter and the distribution of each, as the model has them."""
    if 0 in parameter.shape:
        return []
    if parameter.coefs and not parameter.is_single_site:
        each = zip(parameter.coefs, parameter.priors, strict=True)
        return [(f"{parameter.name}[{coef}]", _law(prior)) for coef, prior in each]
    if parameter.priors and parameter.priors[0].is_constant:
        return [(parameter.name, _law(parameter.priors[0]))]
    with handlers.trace() as trace, handlers.substitute(substitute_fn=_anywhere):
        sample_parameter(parameter, {})
    return [(name, site["fn"]) for name, site in trace.items() if site["type"] == "sample"]


def _law(prior: Any) -> Any:
    if isinstance(prior, ConstantArray):
        return _Fixed(prior.array)
    return _Fixed(prior.value) if isinstance(prior, Constant) else prior.numpyro()


def _anywhere(site: Mapping[str, Any]) -> Any:
    return np.zeros(site["fn"].shape()) if site["type"] == "sample" else None


def _site(writer: Writer, name: str, law: Any) -> str:
    """Write one site and return the name of its value."""
    own = writer.name(name)
    if isinstance(law, _Fixed):
        writer.lines.append(f"{own} = numpyro.deterministic({quoted(name)}, jnp.array({law.code}))")
        return own
    text = _distribution(law)
    if text:
        writer.lines.append(f"{own} = numpyro.sample({quoted(name)}, {text})")
        return own
    writer.lines.append(f"{own} = numpyro.sample({quoted(name)}, {_flat(law)})")
    density = _density_of_elements(own, law)
    if not density:
        value = Known.number(Text(own, shape=law.shape()), law.shape())
        density = writer.traced(lambda x: jnp.sum(law.log_prob(x)), value).text.code
    writer.lines.append(f"numpyro.factor({quoted(f'prior_{name}')}, {density})")
    return own


def _written_density(writer: Writer, parameter: ParameterSpec, values: Mapping[str, Known]) -> Text:
    """Write the density of a parameter whose prior depends on others."""
    own, conditional = Text(writer.name(parameter.name), shape=parameter.shape), parameter.conditional
    assert conditional is not None
    event = tuple_of(parameter.shape)
    writer.lines.append(
        f"{own.code} = numpyro.sample({quoted(parameter.name)}, dist.ImproperUniform(constraints.real, (), {event}))"
    )

    def density(known: dict[str, Any], x: Any) -> Any:
        return jnp.sum(conditional.numpyro(known, parameter.shape).log_prob(x))

    found = writer.traced(density, dict(values), Known.number(own, parameter.shape)).text
    writer.lines.append(f"numpyro.factor({quoted(f'prior_{parameter.name}')}, {found.code})")
    return own


def _density_of_elements(name: str, law: Any) -> str:
    """Return the density of a vector whose elements have a prior each; empty for all else."""
    if not isinstance(law, DependentElements):
        return ""
    texts = [_distribution(element) for element in law.elements]
    if not all(texts):
        return ""
    if len(set(texts)) == 1:
        return f"{texts[0]}.log_prob({name}).sum()"
    return " + ".join(f"{text}.log_prob({name}[{k}])" for k, text in enumerate(texts))


def _flat(law: Any) -> str:
    return f"dist.ImproperUniform({_constraint(law.support)}, (), {tuple_of(law.shape())})"


def _constraint(support: Any) -> str:
    """Return NumPyro's name of a support."""
    for name in NAMED_CONSTRAINTS:
        if support is getattr(constraints, name):
            return f"constraints.{name}"
    if isinstance(support, constraints.zero_sum):
        return "constraints.zero_sum()"
    base = getattr(support, "base_constraint", support)
    low, high = getattr(base, "lower_bound", None), getattr(base, "upper_bound", None)
    if low is None and high is None:
        return "constraints.real"
    if low is not None and high is not None:
        return f"constraints.interval({_value(low)}, {_value(high)})"
    return f"constraints.greater_than({_value(low)})" if high is None else f"constraints.less_than({_value(high)})"


def _distribution(law: Any) -> str:
    """Return a NumPyro distribution as a call; empty where it is one of this package."""
    if isinstance(law, dist.Independent):
        inner = _distribution(law.base_dist)
        return (
            f"{inner}.to_event({law.reinterpreted_batch_ndims})"
            if inner and law.batch_shape != law.base_dist.batch_shape
            else inner
        )
    if isinstance(law, dist.ExpandedDistribution):
        inner = _distribution(law.base_dist)
        return inner and f"{inner}.expand({list(law.batch_shape)})"
    if isinstance(law, Bounded):
        return _truncated(law)
    if isinstance(law, dist.ImproperUniform):
        shapes = f"{tuple_of(law.batch_shape)}, {tuple_of(law.event_shape)}"
        return f"dist.ImproperUniform({_constraint(law.support)}, {shapes})"
    if isinstance(law, dist.LKJCholesky):
        return f"dist.LKJCholesky({law.dimension}, {_value(law.concentration)})"
    kind = type(law)
    if getattr(dist, kind.__name__, None) is not kind or not kind.arg_constraints:
        return ""
    order = [name for name in inspect.signature(kind.__init__).parameters if name in kind.arg_constraints]
    values = [np.asarray(getattr(law, name)) for name in order]
    if law.event_shape:
        return f"dist.{kind.__name__}({', '.join(_value(value) for value in values)})"
    alike = [value.ndim > 0 and bool((value == value.flat[0]).all()) for value in values]
    same = all(equal or value.ndim == 0 for equal, value in zip(alike, values, strict=True))
    shown = [_value(value.flat[0] if equal else value) for equal, value in zip(alike, values, strict=True)]
    text = f"dist.{kind.__name__}({', '.join(shown)})"
    return f"{text}.expand({list(law.batch_shape)})" if same and law.batch_shape else text


def _truncated(law: Bounded) -> str:
    """Return a truncated distribution, where NumPyro has it, and one cut in its middle as folded there."""
    base, mass = law.base_dist, np.exp(np.min(np.asarray(law.log_mass)))
    inner = base.base_dist if isinstance(base, dist.ExpandedDistribution) else base
    if not isinstance(inner, SYMMETRIC):
        return ""
    text, _, repeat = _distribution(base).partition(".expand(")
    after = f".expand({repeat}" if repeat else ""
    if law.has_low and not law.has_high and not np.any(law.low) and not np.any(inner.loc):
        return f"dist.FoldedDistribution({text}){after}"
    low = [f"low={_alike(law.low)}"] if law.has_low else []
    high = [f"high={_alike(law.high)}"] if law.has_high else []
    return f"dist.TruncatedDistribution({', '.join([text, *low, *high])}){after}" if mass > SMALLEST_MASS else ""


def _alike(values: Any) -> str:
    """Return numbers, or the one that all of them are."""
    array = np.asarray(values, dtype=float)
    return _value(array.flat[0] if (array == array.flat[0]).all() else array)


def _value(value: Any) -> str:
    array = np.asarray(value, dtype=float)
    return number(array.item()).code if array.ndim == 0 else f"jnp.array({numbers(array)})"
