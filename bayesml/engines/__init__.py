"""The engines. Adding one is one package and one line in ``dispatch.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from bayesml.engines.base import AbstractEngine, Outcome, Problem
from bayesml.engines.dispatch import ENGINES
from bayesml.engines.nuts import NUTS, SamplerOptions
from bayesml.engines.point import MAP, ML, REML, Laplace
from bayesml.errors import ModelError, did_you_mean
from bayesml.families import FAMILIES

__all__ = [
    "ENGINES",
    "MAP",
    "ML",
    "NUTS",
    "REML",
    "SAMPLER",
    "AbstractEngine",
    "Laplace",
    "Outcome",
    "Problem",
    "SamplerOptions",
    "get_engine",
    "with_options",
]

SAMPLER = "nuts"
"""The method that draws from the posterior of every model."""
ALIASES = {"mcmc": "nuts", "hmc": "nuts", "sampling": "nuts", "mle": "ml", "laplace approximation": "laplace"}
"""What PyMC, Stan and brms call the same."""


def get_engine(method: str | AbstractEngine | type[AbstractEngine]) -> AbstractEngine:
    """Return the engine of that name, in any case, with its default options, or the engine itself.

    Raises:
        ModelError: there is no such engine.
    """
    if isinstance(method, AbstractEngine):
        return method
    if isinstance(method, str):
        name = method.strip().lower()
        entry = ENGINES.get(ALIASES.get(name, name))
        hint = f', a family: write family="{name}"' if name in FAMILIES else did_you_mean(name, ENGINES)
    else:
        entry = next((entry for entry in ENGINES.values() if type(entry.default) is method), None)
        hint = ""
    if entry is None:
        known = ", ".join(f'"{name}"' for name in ENGINES)
        raise ModelError(f"`method` is {known} or an engine such as NUTS(draws=2000); got {method!r}{hint}.")
    return entry.default


def with_options(engine: AbstractEngine, options: Mapping[str, object]) -> AbstractEngine:
    """Return an engine with those options that are not None.

    Raises:
        ModelError: the engine has no such option, or a value is out of range.
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = {field.name for field in fields(engine)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ModelError(
            f'method="{engine.method}" has no option {", ".join(f"`{u}`" for u in unknown)}; it has '
            f"{', '.join(f'`{k}`' for k in sorted(known)) or 'none'}."
        )
    return replace(engine, **given) if given else engine  # type: ignore[arg-type]
