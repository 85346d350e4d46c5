"""The model as written: non-centred group effects, every parameter sampled, Stan's warm-up does the rest.

Where the density may have several modes, chains start around the one that holds the mass, see ``many_starts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesml.compile import compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of, joint_density, reported_at, with_prior_data
from bayesml.engines.layout import Layout, layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.followed import followed_latents
from bayesml.engines.nuts.forms.many_starts import centred_at_the_highest_mode
from bayesml.reported import reported_names

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Position, Scalar

__all__ = ["plain_form"]


def plain_form(problem: Problem) -> Form:
    """Return the plain form of a problem."""
    spec, schema = problem.description.spec, problem.design.schema
    model = compile_model(spec, schema, problem.likelihood, with_priors=False)
    layout = layout_of(spec)
    followed, tables = followed_latents(problem)
    reported = frozenset(reported_names(spec, schema))

    # A slope of either sign may explain the response, with true values that vary enough or hardly at all.
    several_modes = problem.likelihood.traits.several_modes or followed is not None

    def values_at(q: Position, data: Any) -> tuple[dict[str, Numbers], Scalar]:
        sites, log_jacobian = layout.constrain(data["center"] + data["scale"] * q, bounds=data["bounds"])
        if followed is None:
            return sites, log_jacobian
        changed, change = followed.transform(sites, data)
        return changed, log_jacobian + change

    def density(q: Position, data: Any) -> Scalar:
        sites, log_jacobian = values_at(q, data)
        return joint_density(model, spec, sites, data) + log_jacobian

    centred = {"center": layout.center, "scale": layout.scale, "followed": tables}
    return Form(
        size=layout.size,
        data=with_prior_data(data_of(problem), spec, layout) | centred,
        density=density,
        report=lambda q, noise, data: reported_at(model, spec, values_at(q, data)[0], reported, data),
        start=lambda rng, attempt: rng.uniform(-2.0, 2.0, layout.size) * 0.95**attempt,
        parameter_of=layout.parameter_of,
        first_step=first_step(layout),
        tune=centred_at_the_highest_mode if several_modes else None,
        rows=problem.design.n_rows,
        structure=("plain", spec.structure, schema, problem.likelihood),
    )


def first_step(layout: Layout) -> float:
    """Return a first step size: half of d^(-1/4), the rate at which HMC's optimal step shrinks with dimension."""
    return 0.5 * max(layout.size, 1) ** -0.25
