"""How a model is fitted: all arguments of ``fit`` but the data, and a model that is read and waits for its engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

from bayesml.families import AbstractFamily, get_family, several
from bayesml.formula import JointFormula, ModelFormula, response_count
from bayesml.frozen import FrozenMapping

if TYPE_CHECKING:
    from bayesml.engines import AbstractEngine, Outcome, Problem
    from bayesml.frame import Frame
    from bayesml.priors import Prior, Style
    from bayesml.terms import Functions

__all__ = ["FittedModel", "Missing", "PreparedModel", "Recipe", "family_of"]

Missing = Literal["drop", "error"]


def family_of(formula: ModelFormula, family: str | AbstractFamily | Sequence[Any]) -> AbstractFamily:
    """Return the family of a model; what ``bf(..., family=)`` says stands before what ``fit`` is given, as in brms.

    Raises:
        ModelError: there is no such family, or there are more or fewer families than responses.
        FormulaError: a left-hand side cannot be read.
    """
    given = get_family(family)
    parts = formula.formulas if isinstance(formula, JointFormula) else (formula,)
    if len(parts) == 1:
        return given if parts[0].family is None else get_family(parts[0].family)
    if all(part.family is None for part in parts):
        return given
    counts = [response_count(part.text) for part in parts]
    is_asked = any(part.family is None for part in parts)
    defaults = given.of_responses(sum(counts)) if is_asked else ()
    found: list[AbstractFamily] = []
    for part, count in zip(parts, counts, strict=True):
        start = len(found)
        own = defaults[start : start + count] if part.family is None else get_family(part.family).of_responses(count)
        found += own
    return several(found)


@final
@dataclass(frozen=True)
class Recipe:
    """How a model is fitted to data: what refits it to the same, other or fewer rows.

    Attributes:
        formula: the formula as written, ``bf(...)``.
        family: the response family with its links; of several responses the families of all.
        engine: the engine with its options; of a finished fit with every option that the run filled in.
        priors: the priors that the user set.
        default_priors: which defaults fill the rest.
        missing: what is done with rows that have a missing value.
        functions: the user's own functions that the formula may call.
        data_name: how the summary names the data.
        data2: matrices beside the table, by name; of a prepared model those that it uses, as they were read.
    """

    formula: ModelFormula
    family: AbstractFamily
    engine: AbstractEngine
    priors: tuple[Prior, ...] = ()
    default_priors: Style = "bayesml"
    missing: Missing = "drop"
    functions: Functions = field(default_factory=lambda: FrozenMapping({}))
    data_name: str = "data"
    data2: Mapping[str, Any] = field(default_factory=lambda: FrozenMapping({}))


@final
@dataclass(frozen=True)
class PreparedModel:
    """All there is before an engine runs.

    Attributes:
        problem: the described model with its data, encoded.
        frame: the data.
        recipe: how it is fitted.
    """

    problem: Problem
    frame: Frame
    recipe: Recipe


@final
@dataclass(frozen=True)
class FittedModel:
    """A model after its engine ran.

    Attributes:
        problem: the described model with its data, encoded.
        frame: the data.
        outcome: what the engine returned.
        recipe: how it was fitted, with every option of the engine that the run filled in.
    """

    problem: Problem
    frame: Frame
    outcome: Outcome
    recipe: Recipe
