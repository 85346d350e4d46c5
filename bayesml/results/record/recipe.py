"""How a model is fitted: all that ``fit`` was told but the data, and a model that is read and waits for its engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, final

from bayesml.engines import AbstractEngine, Outcome, Problem
from bayesml.families import AbstractFamily, get_family
from bayesml.formula import Formula, ModelFormula
from bayesml.frame import Frame
from bayesml.frozen import FrozenMapping
from bayesml.priors import Prior, Style
from bayesml.terms import Functions

__all__ = ["FittedModel", "Missing", "PreparedModel", "Recipe", "family_of"]

Missing = Literal["drop", "error"]


def family_of(formula: ModelFormula, family: str | AbstractFamily) -> AbstractFamily:
    """Return the family of a model; what ``bf(..., family=)`` says stands before what ``fit`` is given, as in brms."""
    given = formula.family if isinstance(formula, Formula) else None
    return get_family(family if given is None else given)


@final
@dataclass(frozen=True)
class Recipe:
    """How a model is fitted to data: what refits it to the same, other or fewer rows.

    Attributes:
        formula: the formula as written, ``bf(...)``.
        family: the response family with its links.
        engine: the engine with its options; of a finished fit with every option that the run filled in.
        priors: the priors that the user set.
        default_priors: which defaults fill the rest.
        missing: what is done with rows that have a missing value.
        functions: the user's own functions that the formula may call.
        data_name: how the summary names the data.
    """

    formula: ModelFormula
    family: AbstractFamily
    engine: AbstractEngine
    priors: tuple[Prior, ...] = ()
    default_priors: Style = "bayesml"
    missing: Missing = "drop"
    functions: Functions = field(default_factory=lambda: FrozenMapping({}))
    data_name: str = "data"


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
