"""Responses as distributions of NumPyro, for programs that draw the response as well as measure it.

Not every family has one there. What has none, and what is censored, truncated or depends on other rows, is a factor of
the density.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import jax
from jax import numpy as jnp

from bayesml.families.base import AbstractLikelihood
from bayesml.families.drawing import natural_values
from bayesml.families.gaussian import total_scale
from bayesml.families.joint import FACTOR, JointLikelihood
from bayesml.families.mixture import MixtureLikelihood
from bayesml.families.zero_inflated import ZeroInflated

__all__ = ["Form", "Site", "is_exact", "log_categories", "response_sites"]

Arrays = Mapping[str, Any]


@final
@dataclass(frozen=True)
class Form:
    """A distribution of NumPyro.

    Attributes:
        name: its name in ``numpyro.distributions``.
        arguments: its arguments by name: arrays, distributions that it is made of, or lists of these.
    """

    name: str
    arguments: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Site:
    """A response, or one of several.

    Attributes:
        name: of the site.
        form: its distribution, with a value of each argument for each row or for all.
        column: its column in ``y``; None where that is this response alone.
    """

    name: str
    form: Form
    column: int | None = None


jax.tree_util.register_dataclass(Form, data_fields=["arguments"], meta_fields=["name"])
jax.tree_util.register_dataclass(Site, data_fields=["form"], meta_fields=["name", "column"])

INEXACT = frozenset(["NegativeBinomial2", "Exponential"])
"""Whose densities lose digits (4e-7 of the first at a large shape) or are 0 at the border of the support, y = 0."""

Forms = Mapping[str, Callable[[Arrays, Arrays], Form]]

SIMPLE: Forms = {
    "gaussian": lambda v, data: Form("Normal", {"loc": v["mu"], "scale": total_scale(v, data)}),
    "student": lambda v, data: Form("StudentT", {"df": v["nu"], "loc": v["mu"], "scale": total_scale(v, data)}),
    "lognormal": lambda v, data: Form("LogNormal", {"loc": v["mu"], "scale": v["sigma"]}),
    "poisson": lambda v, data: Form("Poisson", {"rate": v["mu"]}),
    "negbinomial": lambda v, data: Form("NegativeBinomial2", {"mean": v["mu"], "concentration": v["shape"]}),
    "geometric": lambda v, data: Form("GeometricProbs", {"probs": 1.0 / (1.0 + v["mu"])}),
    "beta": lambda v, data: Form("BetaProportion", {"mean": v["mu"], "concentration": v["phi"]}),
    "beta_binomial": lambda v, data: Form(
        "BetaBinomial",
        {
            "concentration1": v["mu"] * v["phi"],
            "concentration0": (1.0 - v["mu"]) * v["phi"],
            "total_count": data["trials"].astype(int),
        },
    ),
    "gamma": lambda v, data: Form("Gamma", {"concentration": v["shape"], "rate": v["shape"] / v["mu"]}),
    "exponential": lambda v, data: Form("Exponential", {"rate": 1.0 / v["mu"]}),
    "weibull": lambda v, data: Form(
        "Weibull",
        {"scale": v["mu"] / jnp.exp(jax.lax.lgamma(1.0 + 1.0 / v["shape"])), "concentration": v["shape"]},
    ),
    "von_mises": lambda v, data: Form("VonMises", {"loc": v["mu"], "concentration": v["kappa"]}),
}
"""The families that are distributions of NumPyro, from their parameters and the arrays of the response."""


def response_sites(likelihood: AbstractLikelihood, values: Arrays, data: Arrays) -> list[Site] | None:
    """Return the distribution of a response, or of each of several; None where NumPyro has none.

    Args:
        likelihood: the likelihood.
        values: its parameters as ``log_prob`` takes them.
        data: the arrays of the response.
    """
    if not isinstance(likelihood, JointLikelihood):
        form = _form(likelihood, values, data)
        return None if form is None else [Site("y", form)]
    own = {resp: (likelihood.own_values(resp, values), likelihood.own_data(resp, data)) for resp, _ in likelihood.parts}
    if any({"weights", "subset"} & set(arrays) or arrays["y"].ndim > 1 for _, arrays in own.values()):
        return None
    if likelihood.residuals:
        form = _correlated(likelihood, values, own)
        return None if form is None else [Site("y", form)]
    forms = [_form(part, *own[resp]) for resp, part in likelihood.parts]
    if any(form is None for form in forms):
        return None
    return [Site(f"y_{resp}", form, place) for place, (resp, form) in enumerate(zip(own, forms, strict=True)) if form]


def is_exact(form: Form) -> bool:
    """Whether NumPyro computes the density of a distribution as exactly as the likelihood does."""
    parts = [each for value in form.arguments.values() for each in (value if isinstance(value, list) else [value])]
    return form.name not in INEXACT and all(is_exact(part) for part in parts if isinstance(part, Form))


def _form(likelihood: AbstractLikelihood, values: Arrays, data: Arrays) -> Form | None:
    """Return the distribution of one response."""
    if isinstance(likelihood, MixtureLikelihood):
        return _mixture(likelihood, values, data)
    if isinstance(likelihood, ZeroInflated):
        other = _form(likelihood.other, values, data)
        link, zi = likelihood.link("zi"), values["zi"]
        gate = {"gate_logits": zi} if link.name == "logit" else {"gate": link.inverse(zi)}
        return None if other is None else Form("ZeroInflatedDistribution", {"base_dist": other, **gate})
    name = likelihood.family.name
    if likelihood is not likelihood.family:  # something stands around it, or it depends on the response
        return None
    if name in ("bernoulli", "binomial"):
        return _successes(likelihood, values, data)
    if name not in SIMPLE:
        return None
    natural = natural_values(likelihood, values)
    first = likelihood.dpars[0].name
    return SIMPLE[name]({**natural, first: jnp.broadcast_to(natural[first], data["y"].shape)}, data)


def _successes(likelihood: AbstractLikelihood, values: Arrays, data: Arrays) -> Form:
    """Return a distribution of successes, by log odds where these are the linear predictor."""
    link = likelihood.link("mu")
    is_logit = link.name == "logit"
    chance = {"logits": values["mu"]} if is_logit else {"probs": link.inverse(values["mu"])}
    if likelihood.family.name == "bernoulli":
        return Form("BernoulliLogits" if is_logit else "BernoulliProbs", chance)
    counts = {"total_count": data["trials"].astype(int)}
    return Form("BinomialLogits" if is_logit else "BinomialProbs", {**chance, **counts})


def _mixture(likelihood: MixtureLikelihood, values: Arrays, data: Arrays) -> Form | None:
    parts = likelihood.by_component(values, data)
    forms = tuple(_form(component, own, data) for _, component, own in parts)
    if any(form is None for form in forms):
        return None
    rows = data["y"].shape
    logits = jnp.stack([jnp.broadcast_to(log_theta, rows) for log_theta, _, _ in parts], axis=-1)
    mixing = Form("Categorical", {"logits": logits})
    return Form("MixtureGeneral", {"mixing_distribution": mixing, "component_distributions": list(forms)})


def _correlated(likelihood: JointLikelihood, values: Arrays, own: Mapping[str, tuple[Arrays, Arrays]]) -> Form | None:
    """Return the distribution of several responses with correlated residuals, y = mu + diag(scale) L z."""
    if likelihood.patterns or any(part is not part.family for _, part in likelihood.parts):
        return None
    rows = {arrays["y"].shape for _, arrays in own.values()}.pop()
    means = jnp.stack([jnp.broadcast_to(v["mu"], rows) for v, _ in own.values()], axis=-1)
    scales = jnp.stack([jnp.broadcast_to(total_scale(*each), rows) for each in own.values()], axis=-1)
    factor = {"loc": means, "scale_tril": scales[..., None] * values[FACTOR]}
    if likelihood.residuals == "normal":
        return Form("MultivariateNormal", factor)
    return Form("MultivariateStudentT", {"df": values["nu"], **factor})


def log_categories(likelihood: AbstractLikelihood, values: Arrays, data: Arrays) -> Any:
    """Return the log probability of each category of a response of categories, ``(rows, categories)``."""
    rows, first = data["y"].shape, likelihood.first_category
    codes = first + jnp.arange(len(likelihood.event_labels), dtype=float)
    return jax.vmap(lambda code: likelihood.log_prob(jnp.full(rows, code), values, data), out_axes=-1)(codes)
