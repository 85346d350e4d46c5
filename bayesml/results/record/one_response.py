"""A model of several responses as seen by one of them: questions about one response are answered by its own part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import PredictorKey
from bayesml.names import of_response
from bayesml.results.record.fit import AbstractFit

__all__ = ["OwnNames", "answers", "each_response", "full_key", "has_several", "of_one", "response_name"]

F = TypeVar("F", bound=AbstractFit)
R = TypeVar("R")


def has_several(fit: AbstractFit) -> bool:
    """Whether the model has several responses."""
    return len(fit.problem.design.responses) > 1


def of_one(fit: F, resp: str | None) -> F:
    """Return a fit as that of a single response: its formula, predictors, likelihood and data; draws stay as they are.

    Args:
        fit: the fit.
        resp: name of the response, as in the names of its parameters or as the column is called; None where the model
            has one.

    Raises:
        ModelError: there is no such response, or the model has several and ``resp`` does not say which.
    """
    names = _names(fit)
    if resp is None and len(names) == 1:
        return fit
    known = [name for pair in names for name in dict.fromkeys(pair) if name]
    listed = ", ".join(f"`{own or column}`" for own, column in names)
    if resp is None:
        raise ModelError(f"The model has several responses: say which is meant, resp={names[0][0]!r}; it has {listed}.")
    place = next((i for i, pair in enumerate(names) if resp and resp in pair), None)
    if place is None:
        raise ModelError(f"The model has no response {resp!r}{did_you_mean(str(resp), known)}; it has {listed}.")
    return fit if len(names) == 1 else _part(fit, place)


def each_response(fit: F) -> dict[str, F]:
    """Return the fit as seen by each of its responses, by name."""
    return {own: of_one(fit, own or None) for own, _ in _names(fit)}


def answers(fit: F, ask: Callable[[F], R]) -> dict[str, R]:
    """Return a result of each response, by name.

    Raises:
        ModelError: one of them has no such result; the message says which, and that others may be taken alone.
    """
    found = {}
    for name, one in each_response(fit).items():
        try:
            found[name] = ask(one)
        except ModelError as error:
            if not has_several(fit):
                raise
            raise ModelError(f"{error} This is about `{name}`; ask for another response alone by `resp=`.") from None
    return found


def _names(fit: AbstractFit) -> list[tuple[str, str]]:
    """Return the name of each response in those of its parameters, and as it is written."""
    pairs = zip(fit.problem.design.responses, fit.parsed.responses, strict=True)
    return [(response.name, formula.response.name) for response, formula in pairs]


def _part(fit: F, place: int) -> F:
    design, schema = fit.problem.design, fit.problem.design.schema
    response, formula = design.responses[place], fit.parsed.responses[place]
    own = replace(
        schema,
        parsed=replace(schema.parsed, responses=(formula,), rescor=None),
        predictors=tuple(p for p in schema.predictors if p.key.resp == response.name),
        known_errors=schema.known_errors & {response.name},
    )
    arrays = {key: of_key for key, of_key in design.arrays.items() if key.resp == response.name}
    part = replace(design, schema=own, arrays=arrays, responses=(response,), joint=None)
    return replace(fit, problem=replace(fit.problem, design=part))


def response_name(fit: AbstractFit) -> str:
    """Return the name that the parameters of a single response carry: empty in a model of one."""
    return "" if has_several(fit) else fit.problem.design.responses[0].name


def full_key(fit: AbstractFit, dpar: str) -> PredictorKey:
    """Return the address of the predictor of a parameter, that of a response among several with its name."""
    key = fit.likelihood.key_of(dpar)
    return key if has_several(fit) else replace(key, resp=response_name(fit))


@final
@dataclass(frozen=True)
class OwnNames(Mapping[str, np.ndarray]):
    """Values of parameters under the names that they have in a model of one response: ``sigma`` for ``sigma_y1``."""

    every: Mapping[str, np.ndarray]
    resp: str

    def __getitem__(self, name: str) -> np.ndarray:
        own = of_response(name, self.resp)
        return self.every[own] if own in self.every else self.every[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.every)

    def __len__(self) -> int:
        return len(self.every)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (of_response(name, self.resp) in self.every or name in self.every)
