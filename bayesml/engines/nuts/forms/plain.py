"""The model as written: non-centred group effects, every parameter sampled, Stan's warm-up does the rest.

Where the density may have several modes, chains start around the one that holds the mass, see ``many_starts``.
"""

from __future__ import annotations

from bayesml.compile import compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of, log_density, reported_values, with_prior_data
from bayesml.engines.layout import Layout, layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.many_starts import centred_at_the_highest_mode
from bayesml.reported import reported_names

__all__ = ["plain_form"]


def plain_form(problem: Problem) -> Form:
    """Return the plain form of a problem."""
    spec, schema = problem.description.spec, problem.design.schema
    model = compile_model(spec, schema, problem.likelihood, with_priors=False)
    layout = layout_of(spec)
    report = reported_values(model, spec, layout, frozenset(reported_names(spec, schema)))
    return Form(
        size=layout.size,
        data=with_prior_data(data_of(problem), spec, layout) | {"center": layout.center, "scale": layout.scale},
        density=log_density(model, spec, layout),
        report=lambda q, noise, data: report(q, data),
        start=lambda rng, attempt: rng.uniform(-2.0, 2.0, layout.size) * 0.95**attempt,
        parameter_of=layout.parameter_of,
        first_step=first_step(layout),
        tune=centred_at_the_highest_mode if problem.likelihood.traits.several_modes else None,
        rows=problem.design.n_rows,
        structure=("plain", spec.structure, schema, problem.likelihood),
    )


def first_step(layout: Layout) -> float:
    """Return a first step size: half of d^(-1/4), the rate at which HMC's optimal step shrinks with dimension."""
    return 0.5 * max(layout.size, 1) ** -0.25
