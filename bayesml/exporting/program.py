"""A model with its data as a program for NumPyro that needs nothing of this package.

The priors are written as distributions of NumPyro. What is computed from parameters and data (terms, links, the density
of the response) is traced by JAX and printed as ``jax.numpy``: whatever a term or a family does, its program follows
without a line of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.compile import combined, likelihood_values, measured_densities, summed_predictors, values_around_means
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of
from bayesml.engines.precision import double_precision
from bayesml.exporting.primitives import expressions
from bayesml.exporting.priors import write_prior
from bayesml.exporting.responses import written
from bayesml.exporting.text import ATOM, Text, identifier, one_line, quoted, wrapped
from bayesml.exporting.writer import Known, Program, Writer
from bayesml.families.numpyro_forms import Site, is_exact, log_categories, response_sites
from bayesml.families.numpyro_response import ResponseDistribution
from bayesml.names import predictor_name
from bayesml.reported import reported_variables

__all__ = ["ProgramText", "program_of"]

NOT_DRAWN = "NumPyro has no distribution of this response: the program measures it and does not draw it."


@final
@dataclass(frozen=True)
class ProgramText:
    """A program and what it reads.

    Attributes:
        code: the functions of the program.
        data: the arrays that ``model(data)`` takes, by name.
    """

    code: str
    data: Mapping[str, np.ndarray]


def program_of(problem: Problem) -> ProgramText:
    """Return the functions that make up a model, the last of them ``model(data)``."""
    with double_precision():
        model = _Model(problem)
        model.write()
    code = "\n".join(model.text())
    arrays = {**model.arrays, **model.program.constants}
    return ProgramText(code, {name: array for name, array in arrays.items() if f'data["{name}"]' in code})


@final
@dataclass
class _Model:
    """The function ``model`` while it is written.

    Attributes:
        problem: the model with its data.
        program: what its functions share.
        writer: writes the function.
        values: each parameter and each variable computed from them.
        arrays: the data by name.
    """

    problem: Problem
    program: Program = field(default_factory=lambda: Program(expressions))
    values: dict[str, Known] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.writer = Writer(self.program)
        own, names = data_of(self.problem), set[str]()
        self.response = {name: self._array(a, name, names) for name, a in own["response"].items()}
        self.weights = None if own["weights"] is None else self._array(own["weights"], "weights", names)
        self.terms = {
            key: {
                term: {name: self._array(a, _array_name(key, term, name), names) for name, a in arrays.items()}
                for term, arrays in terms.items()
            }
            for key, terms in own["arrays"].items()
        }

    def _array(self, array: Any, name: str, names: set[str]) -> Known:
        stored = np.asarray(array)
        own = identifier(name, names)
        self.arrays[own] = stored
        like = jax.ShapeDtypeStruct(stored.shape, jax.dtypes.canonicalize_dtype(stored.dtype))
        return Known(Text(f'data["{own}"]', ATOM, stored.shape), like)

    def text(self) -> list[str]:
        """Return the lines of all functions."""
        lines = [
            *self.program.helpers,
            "def model(data):",
            "    data = jax.tree.map(jnp.asarray, data)",
            *(f"    {line}" for line in self.writer.lines),
        ]
        return [piece.rstrip() for line in lines for piece in wrapped(line)]

    def write(self) -> None:
        """Write the function."""
        self._parameters()
        self._computed_from_parameters()
        self._around_means()
        self._response(self._predictors())

    def _comment(self, text: str) -> None:
        self.writer.lines += ["", f"# {one_line(text)}"]

    def _parameters(self) -> None:
        spec, schema = self.problem.description.spec, self.problem.design.schema
        reported = {v.name: tuple(text for _, text in v.texts) for v in reported_variables(spec, schema)}
        self.writer.lines.append("# Priors")
        for parameter in spec.parameters:
            text = write_prior(self.writer, parameter, self.values, reported.get(parameter.name, ()))
            self.values[parameter.name] = Known.number(text, parameter.shape)

    def _deterministic(self, found: Mapping[str, Known]) -> None:
        for name, known in found.items():
            own = self.writer.name(name)
            text = self.writer.firm(known.text, known.like.shape)
            self.writer.lines.append(f"{own} = numpyro.deterministic({quoted(name)}, {text.code})")
            self.values[name] = Known(Text(own, ATOM, known.like.shape), known.like)

    def _computed_from_parameters(self) -> None:
        spec, likelihood = self.problem.description.spec, self.problem.likelihood
        if spec.joint:
            self._comment("Coefficients with a joint prior")
        self._deterministic(self.writer.traced(lambda values: spec.computed(values), self.values))
        found = self.writer.traced(lambda values: likelihood.derive(values), self.values)
        if found:
            self._comment("Parameters of the response")
            self._deterministic(found)
        for predictor in self.problem.design.schema.predictors:
            for term in predictor.terms:
                arrays, before = self.terms[predictor.key][term.key], len(self.writer.lines)
                found = self.writer.traced(lambda v, a, term=term: term.derived(v, a), self.values, arrays)
                if found:
                    self._comment_at(before, f"{predictor_name(predictor.key)}: {term.key}")
                    self._deterministic(found)

    def _comment_at(self, place: int, text: str) -> None:
        self.writer.lines[place:place] = ["", f"# {one_line(text)}"]

    def _around_means(self) -> None:
        schema, likelihood = self.problem.design.schema, self.problem.likelihood

        def computed(values: Any, arrays: Any) -> dict[str, tuple[Any, Any]]:
            found = values_around_means(schema, likelihood, values, arrays)
            return {name: (value, jnp.sum(density)) for name, value, density in found}

        for name, (value, density) in self.writer.traced(computed, self.values, self.terms).items():
            self._comment(f"{name}, computed from the mean")
            self._deterministic({name: value})
            self.writer.lines.append(f"numpyro.factor({quoted(f'log_density_{name}')}, {density.text.code})")

        def measured(values: Any, arrays: Any) -> dict[str, Any]:
            return {name: jnp.sum(density) for name, density in measured_densities(schema, values, arrays)}

        for name, density in self.writer.traced(measured, self.values, self.terms).items():
            self._comment("Measurements")
            self.writer.lines.append(f"numpyro.factor({quoted(name)}, {density.text.code})")

    def _predictors(self) -> dict[Any, Known]:
        schema, texts = self.problem.design.schema, {p.key: p.text for p in self.problem.description.spec.predictors}
        sums: dict[Any, Known] = {}
        for predictor in schema.predictors:
            own, before = replace(schema, predictors=(predictor,)), len(self.writer.lines)

            def summed(values: Any, arrays: Any, own: Any = own) -> Any:
                ((_, total),) = summed_predictors(own, values, arrays).items()
                return jnp.asarray(total, float)

            known = self.writer.traced(summed, self.values, {predictor.key: self.terms[predictor.key]})
            sums[predictor.key] = self._named(known, f"eta_{predictor_name(predictor.key)}")
            self._comment_at(before, f"{predictor_name(predictor.key)} ~ {texts.get(predictor.key, '')}")
        nonlinear = {key for key in sums if any(not p.is_linear and p.key == "nonlinear" for p in self._terms(key))}
        if not nonlinear:
            return sums
        self._comment("Nonlinear formulas")
        found = self.writer.traced(lambda s, a: combined(schema, s, a), sums, self.terms)
        return {key: self._named(known, f"eta_{predictor_name(key)}") for key, known in found.items()}

    def _terms(self, key: Any) -> tuple[Any, ...]:
        return next(p.terms for p in self.problem.design.schema.predictors if p.key == key)

    def _named(self, known: Known, name: str) -> Known:
        return Known(self.writer.named(known.text, name), known.like)

    def _response(self, etas: dict[Any, Known]) -> None:
        likelihood = self.problem.likelihood
        self._comment(f"Response: {self.problem.family.name}")

        def sites(values: Any, predictors: Any, response: Any) -> list[Site] | None:
            return response_sites(likelihood, likelihood_values(likelihood, predictors, values), response)

        found = self.writer.traced(sites, self.values, etas, self.response)
        if found is not None and all(is_exact(site.form) for site in found):
            self._sampled(found)
        else:
            self._measured(etas, found)

    def _sampled(self, sites: list[Site]) -> None:
        """Write responses that NumPyro has distributions of; without data they are drawn."""
        y, indent = self.response["y"].text.code, ""
        if self.weights is not None:
            self.writer.lines.append(f"with numpyro.handlers.scale(scale={self.weights.text.code}):")
            indent = "    "
        for site in sites:
            own = y if site.column is None else f"None if {y} is None else {y}[:, {site.column}]"
            law = written(self.writer, site.form)
            self.writer.lines.append(f"{indent}numpyro.sample({quoted(site.name)}, {law}, obs={own})")

    def _measured(self, etas: dict[Any, Known], sites: list[Site] | None) -> None:
        """Write a response as a factor of the density; without data it is drawn from ``sites`` or by its categories."""
        likelihood, y = self.problem.likelihood, self.response["y"].text.code

        def density(values: Any, predictors: Any, response: Any, weights: Any) -> Any:
            parameters = likelihood_values(likelihood, predictors, values)
            return jnp.sum(ResponseDistribution(likelihood, parameters, response, weights).log_prob(response["y"]))

        self.writer.lines.append(f"if {y} is None:")
        before = len(self.writer.lines)
        if sites is not None:
            laws = {site.name: written(self.writer, site.form) for site in sites}
            self.writer.lines += [f"numpyro.sample({quoted(name)}, {law})" for name, law in laws.items()]
            self.writer.lines.append("return")
        elif likelihood.event_labels and not likelihood.response_labels:
            self._drawn_categories(etas)
        else:
            self.writer.lines.append(f"raise NotImplementedError({quoted(NOT_DRAWN)})")
        self.writer.lines[before:] = [f"    {line}" for line in self.writer.lines[before:]]
        found = self.writer.traced(density, self.values, etas, self.response, self.weights)
        self.writer.lines.append(f'numpyro.factor("y", {found.text.code})')

    def _drawn_categories(self, etas: dict[Any, Known]) -> None:
        likelihood = self.problem.likelihood

        def logs(values: Any, predictors: Any, response: Any) -> Any:
            return log_categories(likelihood, likelihood_values(likelihood, predictors, values), response)

        found = self.writer.traced(logs, self.values, etas, self.response)
        text = self.writer.firm(found.text, found.like.shape).code
        first = float(likelihood.first_category)
        self.writer.lines += [
            f'category = numpyro.sample("category", dist.Categorical(logits={text}))',
            f'numpyro.deterministic("y", category + {first})',
            "return",
        ]


def _array_name(key: Any, term: str, name: str) -> str:
    """Return how an array of a term is called among the data: ``X``, ``X_sigma``, ``Z_Subject``."""
    where = [] if key.is_mu and not key.resp else [predictor_name(key)]
    return "_".join([name, *([] if term in ("population", "nonlinear") else [term]), *where])
