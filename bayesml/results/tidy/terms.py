"""What broom calls a parameter: its effect, component, group and term."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from bayesml.errors import ModelError, did_you_mean
from bayesml.names import prefix
from bayesml.results.record.select import each_of
from bayesml.variables import COEFFICIENTS, ReportedVariable

__all__ = ["EFFECTS", "Term", "checked_effects", "checked_level", "key_columns", "terms_of"]

EFFECTS = ("fixed", "ran_pars", "ran_vals", "other")
RESIDUAL = ("Residual", "sd__Observation")


@final
@dataclass(frozen=True)
class Term:
    """One parameter under the names of broom.

    Attributes:
        text: its text name here, ``sd_Subject__Days``.
        effect: one of ``EFFECTS``.
        response: of which of several responses.
        component: ``"cond"``, or the parameter other than mu that it belongs to.
        group: its grouping factor, ``"Residual"`` for the residual standard deviation, or empty.
        level: of an effect of a level its label.
        term: its name within these.
    """

    text: str
    effect: str
    response: str
    component: str
    group: str
    level: str
    term: str


def terms_of(variables: Iterable[ReportedVariable], effects: Sequence[str]) -> list[Term]:
    """Return the parameters with one of these effects, those of each effect together."""
    found = [term for variable in variables for term in _terms(variable)]
    return [term for effect in effects for term in found if term.effect == effect]


def key_columns(terms: Sequence[Term]) -> dict[str, list[str | None]]:
    """Return the columns that say what a row is about; ``response`` and ``level`` only where there are any."""
    columns: dict[str, list[str | None]] = {
        name: [getattr(term, name) or None for term in terms]
        for name in ("effect", "response", "component", "group", "level", "term")
    }
    return {k: v for k, v in columns.items() if k not in ("response", "level") or any(each is not None for each in v)}


def checked_effects(effects: str | Sequence[str]) -> tuple[str, ...]:
    """Return the effects requested.

    Raises:
        ModelError: there are no such effects.
    """
    asked = each_of(effects)
    wrong = [each for each in asked if each not in EFFECTS]
    if wrong or not asked:
        listed = ", ".join(f'"{name}"' for name in EFFECTS)
        hint = did_you_mean(str(wrong[0]), EFFECTS) if wrong else ""
        raise ModelError(f"`effects` is one or some of {listed}{hint}; got {effects!r}.")
    return tuple(dict.fromkeys(asked))


def checked_level(conf_level: float) -> float:
    """Return the probability of an interval.

    Raises:
        ModelError: it is none.
    """
    if isinstance(conf_level, bool) or not isinstance(conf_level, (int, float)) or not 0.0 < conf_level < 1.0:
        raise ModelError(f"`conf_level` lies between 0 and 1; got {conf_level!r}.")
    return float(conf_level)


def _terms(variable: ReportedVariable) -> Iterator[Term]:
    name, key = _naming(variable), variable.predictor
    effect = _effect(variable)
    if not effect:
        return
    component = "cond" if key.is_mu or variable.kind == "family" else key.parameter
    residual = variable.kind == "family" and key.dpar == "sigma"
    for place, (index, text) in enumerate(variable.texts):
        group, term = RESIDUAL if residual else (variable.group, name(place, index, text))
        level = variable.coords[0][index[0]] if effect == "ran_vals" else ""
        yield Term(text, effect, key.resp, component, group, level, term)


def _effect(variable: ReportedVariable) -> str:
    if variable.section == COEFFICIENTS:
        return "fixed"
    if variable.kind in ("sd", "cor") and variable.group:
        return "ran_pars"
    if variable.kind == "family" and variable.predictor.dpar == "sigma":
        return "ran_pars"
    if variable.kind == "r":
        return "ran_vals"
    return "other" if variable.section else ""


def _naming(variable: ReportedVariable) -> Callable[[int, tuple[int, ...], str], str]:
    """Return how the elements of a variable are named: from their place, index and text name."""
    start = prefix(variable.predictor)
    if variable.section == COEFFICIENTS:
        return lambda place, index, text: _intercept(text.split("_", 1)[1].removeprefix(f"{start}_" if start else ""))
    if variable.kind == "sd":
        return lambda place, index, text: f"sd__{_intercept(variable.coords[0][index[0]])}"
    if variable.kind == "cor" and variable.pairs:
        return lambda place, index, text: "cor__" + ".".join(_intercept(coef) for coef in variable.pairs[place])
    if variable.kind == "r":
        return lambda place, index, text: _intercept(variable.coords[-1][index[-1]])
    return lambda place, index, text: text


def _intercept(coef: str) -> str:
    return "(Intercept)" if coef == "Intercept" else coef
