"""The engines. Adding one is one package and one line here."""

from __future__ import annotations

from bayesml.engines.base import AbstractEngine, Outcome, Problem
from bayesml.engines.nuts import NUTS
from bayesml.engines.point import MAP, ML, REML, Laplace
from bayesml.errors import ModelError, did_you_mean
from bayesml.families import FAMILIES

__all__ = [
    "ENGINES",
    "MAP",
    "ML",
    "NUTS",
    "REML",
    "AbstractEngine",
    "Laplace",
    "Outcome",
    "Problem",
    "get_engine",
]

ENGINES: dict[str, AbstractEngine] = {engine.method: engine for engine in (NUTS(), REML(), ML(), Laplace(), MAP())}


ALIASES = {"mcmc": "nuts", "hmc": "nuts", "sampling": "nuts", "mle": "ml", "laplace approximation": "laplace"}
"""What PyMC, Stan and brms call the same."""


def get_engine(method: str | AbstractEngine | type[AbstractEngine]) -> AbstractEngine:
    """Return the engine of that name, in any case, with its default options, or the engine itself.

    Raises:
        ModelError: there is no such engine.
    """
    if isinstance(method, AbstractEngine):
        return method
    known = ", ".join(f'"{name}"' for name in ENGINES)
    if isinstance(method, str):
        name = method.strip().lower()
        found = ENGINES.get(ALIASES.get(name, name))
        if found is not None:
            return found
        hint = f', a family: write family="{name}"' if name in FAMILIES else did_you_mean(name, ENGINES)
        raise ModelError(f"`method` is {known} or an engine such as NUTS(draws=2000); got {method!r}{hint}.")
    own = next((engine for engine in ENGINES.values() if type(engine) is method), None)
    if own is None:
        raise ModelError(f"`method` is {known} or an engine such as NUTS(draws=2000); got {method!r}.")
    return own
