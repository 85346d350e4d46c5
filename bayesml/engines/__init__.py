"""The engines. Adding one is one package and one line here."""

from __future__ import annotations

from bayesml.engines.base import AbstractEngine, Outcome, Problem
from bayesml.engines.nuts import NUTS
from bayesml.engines.point import MAP, ML, REML, Laplace
from bayesml.errors import ModelError, did_you_mean

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


def get_engine(method: str | AbstractEngine) -> AbstractEngine:
    """Return the engine of that name with its default options, or the engine itself.

    Raises:
        ModelError: there is no such engine.
    """
    if isinstance(method, AbstractEngine):
        return method
    if not isinstance(method, str) or method not in ENGINES:
        known = ", ".join(f'"{name}"' for name in ENGINES)
        hint = did_you_mean(method, ENGINES) if isinstance(method, str) else ""
        raise ModelError(f"`method` is {known} or an engine such as NUTS(draws=2000); got {method!r}{hint}.")
    return ENGINES[method]
