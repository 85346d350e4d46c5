"""``bf``: a main formula with formulas of further parameters; sums of these are models of several responses."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, NoReturn, TypeAlias, final

from bayesml.errors import FormulaError
from bayesml.formula.planned import PLANNED_BF_OPTIONS

__all__ = [
    "Formula",
    "JointFormula",
    "ModelFormula",
    "ResidualCorrelation",
    "as_formula",
    "bf",
    "set_mecor",
    "set_rescor",
]

_NAME = re.compile(r"[^\W\d]\w*")
_PARAMETER = re.compile(r"\s*([^\W\d]\w*(?:\s*\+\s*[^\W\d]\w*)*)\s*~(.*)", re.DOTALL)


@final
@dataclass(frozen=True)
class ResidualCorrelation:
    """What ``set_rescor`` returns: whether the residuals of several responses are correlated."""

    value: bool


@final
@dataclass(frozen=True)
class ErrorCorrelation:
    """What ``set_mecor`` returns: whether variables that are measured with error are correlated."""

    value: bool


@final
@dataclass(frozen=True)
class Formula:
    """What ``bf`` returns. ``str(formula)`` shows one formula a line.

    Attributes:
        text: the main formula.
        parameters: ``(name, formula)`` of each further parameter; the formula starts with ``~``.
        nonlinear: the parameters whose formulas are nonlinear, ``mu`` for the main one.
        fixed: ``(name, value)`` of each parameter that is not estimated: a number, or the parameter that it equals.
        family: the family of the response, or None where it is not said here.
        rescor: whether the residuals of ``mvbind(y1, y2)`` are correlated; None where it is not said.
        mecor: whether variables that are measured with error are correlated; None where it is not said.
    """

    text: str
    parameters: tuple[tuple[str, str], ...] = ()
    nonlinear: tuple[str, ...] = ()
    fixed: tuple[tuple[str, float | str], ...] = ()
    family: Any = None
    rescor: bool | None = None
    mecor: bool | None = None

    def __str__(self) -> str:
        lines = [self.text, *(f"{name} {formula}" for name, formula in self.parameters)]
        return "\n".join([*lines, *(f"{name} = {value}" for name, value in self.fixed)])

    def __add__(self, other: object) -> ModelFormula:
        """Join the formulas of several responses, or say with ``set_rescor`` whether residuals are correlated.

        Raises:
            FormulaError: anything else is added.
        """
        if isinstance(other, ResidualCorrelation):
            return replace(self, rescor=other.value)
        if isinstance(other, ErrorCorrelation):
            return replace(self, mecor=other.value)
        return JointFormula((self,)) + other

    def __radd__(self, other: object) -> NoReturn:
        """Refuse what is no formula."""
        raise _no_sum(other)


@final
@dataclass(frozen=True)
class JointFormula:
    """The formulas of several responses, ``bf(...) + bf(...)``.

    Attributes:
        formulas: one for each response.
        rescor: whether their residuals are correlated; None where it is not said.
        mecor: whether variables that are measured with error are correlated; None where it is not said.
    """

    formulas: tuple[Formula, ...]
    rescor: bool | None = None
    mecor: bool | None = None

    def __str__(self) -> str:
        return "\n".join(str(formula) for formula in self.formulas)

    def __add__(self, other: object) -> JointFormula:
        """Add a response, or ``set_rescor``.

        Raises:
            FormulaError: anything else is added.
        """
        if isinstance(other, ResidualCorrelation):
            return replace(self, rescor=other.value)
        if isinstance(other, ErrorCorrelation):
            return replace(self, mecor=other.value)
        added = other.formulas if isinstance(other, JointFormula) else (other,)
        if not all(isinstance(formula, Formula) for formula in added):
            raise _no_sum(other)
        formulas = (*self.formulas, *(formula for formula in added if isinstance(formula, Formula)))
        said = {f.rescor for f in (self, other, *formulas) if isinstance(f, (Formula, JointFormula))} - {None}
        if len(said) > 1:
            raise FormulaError("The formulas say `rescor=True` and `rescor=False`; say it once, + set_rescor(...).")
        errors = {f.mecor for f in (self, other, *formulas) if isinstance(f, (Formula, JointFormula))} - {None}
        if len(errors) > 1:
            raise FormulaError("The formulas say `mecor=True` and `mecor=False`; say it once, + set_mecor(...).")
        bare = tuple(replace(f, rescor=None, mecor=None) for f in formulas)
        return JointFormula(bare, next(iter(said), None), next(iter(errors), None))

    def __radd__(self, other: object) -> NoReturn:
        """Refuse what is no formula."""
        raise _no_sum(other)


ModelFormula: TypeAlias = Formula | JointFormula
"""What a formula text becomes: of one response or of several."""


def set_rescor(rescor: bool = True) -> ResidualCorrelation:
    """Say whether the residuals of several responses are correlated.

    Args:
        rescor: whether they are.

    Returns:
        What is added to the formulas, ``bf("y1 ~ x") + bf("y2 ~ x") + set_rescor(True)``.

    Raises:
        FormulaError: ``rescor`` is not True or False.

    Example:
        >>> (bf("y1 ~ x") + bf("y2 ~ x") + set_rescor(True)).rescor
        True
    """
    if not isinstance(rescor, bool):
        raise FormulaError(f"`rescor` is True or False, not {rescor!r}.")
    return ResidualCorrelation(rescor)


def set_mecor(mecor: bool = True) -> ErrorCorrelation:
    """Say whether variables that are measured with error, ``me(x, sdx)``, are correlated with each other.

    Args:
        mecor: whether they are.

    Returns:
        What is added to the formula, ``bf("y ~ me(x, sx) + me(z, sz)") + set_mecor(False)``.

    Raises:
        FormulaError: ``mecor`` is not True or False.

    Example:
        >>> (bf("y ~ me(x, sx) + me(z, sz)") + set_mecor(False)).mecor
        False
    """
    if not isinstance(mecor, bool):
        raise FormulaError(f"`mecor` is True or False, not {mecor!r}.")
    return ErrorCorrelation(mecor)


def as_formula(formula: str | ModelFormula) -> ModelFormula:
    """Return a formula text as ``bf`` would, and what ``bf`` made as it is.

    Raises:
        FormulaError: it is neither.
    """
    if isinstance(formula, str):
        return Formula(formula)
    if not isinstance(formula, (Formula, JointFormula)):
        raise FormulaError(f"A formula is a text such as 'y ~ x + (1 | g)', not {type(formula).__name__}.")
    return formula


def _no_sum(other: object) -> FormulaError:
    if isinstance(other, str) and "~" in other:
        return FormulaError(f'Formulas of parameters are arguments: write bf("y ~ x", {other!r}).')
    return FormulaError(
        "Nothing but bf(...), set_rescor(...) and set_mecor(...) can be added to bf(...): formulas of parameters and "
        'the family are arguments, bf("y ~ x", sigma="~ x", family="student").'
    )


def bf(
    formula: str,
    *parameters: str,
    family: Any = None,
    nonlinear: bool | str | Sequence[str] = False,
    nl: bool = False,
    rescor: bool | None = None,
    mecor: bool | None = None,
    loop: bool | None = None,
    **formulas: str | float,
) -> Formula:
    """Join a model formula with formulas for further parameters.

    Args:
        formula: the main formula, ``"y ~ x + (1 | g)"``, or of several responses ``"mvbind(y1, y2) ~ x"``.
        parameters: formulas with the parameter on the left, ``"sigma ~ x"``; ``"a + b ~ x"`` for two.
        family: the family of the response, which stands before the one that ``fit`` is given.
        nonlinear: True where the main formula is a function of parameters and columns, ``"y ~ a * exp(-b * x)"``, with
            a formula for each parameter, ``a="~ 1", b="~ 1 + (1 | g)"``; or the names of the parameters of which that
            is so, ``["mu", "sigma"]``.
        nl: brms's word for ``nonlinear=True``.
        rescor: whether the residuals of several responses are correlated.
        mecor: whether variables that are measured with error are correlated; they are unless it is False.
        loop: brms's word for how a nonlinear formula is computed, accepted and without effect: rows are always computed
            together.
        formulas: formulas by keyword, ``sigma="~ x"``, where the left-hand side may be repeated; a number, or the name
            of another parameter, fixes the parameter.

    Returns:
        A Formula, to be used wherever a formula text is. A sum of them, ``bf("y1 ~ x") + bf("y2 ~ z")``, is a model of
        several responses.

    Raises:
        FormulaError: something is not a text, a parameter is given twice or has no ``~``.

    Example:
        >>> print(bf("y ~ x + (1 | g)", sigma="~ x"))
        y ~ x + (1 | g)
        sigma ~ x
    """
    if not isinstance(formula, str):
        raise FormulaError(f"bf() takes the formula as a text, not as {type(formula).__name__}.")
    if loop is not None and not isinstance(loop, bool):
        raise FormulaError(f"`loop` is True or False, not {loop!r}.")
    if rescor is not None:
        rescor = set_rescor(rescor).value
    if mecor is not None:
        mecor = set_mecor(mecor).value
    pairs = [pair for text in parameters for pair in _split(text)]
    fixed: list[tuple[str, float | str]] = []
    for name, given in formulas.items():
        if isinstance(given, str) and "~" in given:
            pairs.append((name, _right_side(name, given)))
        else:
            fixed.append((name, _fixed_value(name, given)))
    _refuse_repeated([name for name, _ in pairs] + [name for name, _ in fixed])
    return Formula(formula, tuple(pairs), _nonlinear(nonlinear, nl), tuple(fixed), family, rescor, mecor)


def _refuse_repeated(names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise FormulaError(f"The parameter `{name}` is given two formulas; keep one.")
        if name == "mu":
            raise FormulaError("The main formula is the formula of `mu`; leave the second one out.")


def _nonlinear(nonlinear: object, nl: object) -> tuple[str, ...]:
    if not isinstance(nl, bool):
        raise FormulaError(f"`nl` is True or False, not {nl!r}; `nonlinear` takes names.")
    several = isinstance(nonlinear, (list, tuple, set, frozenset))
    listed = list(nonlinear) if isinstance(nonlinear, (list, tuple, set, frozenset)) else [nonlinear]
    if not all(isinstance(name, str if several else (bool, str)) for name in listed):
        raise FormulaError(f'`nonlinear` is True, or names of parameters, ["mu", "sigma"]; got {nonlinear!r}.')
    names = [*(["mu"] if nl else []), *("mu" if name is True else name for name in listed if name is not False)]
    return tuple(dict.fromkeys(str(name) for name in names))


def _split(text: object) -> list[tuple[str, str]]:
    match = _PARAMETER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise FormulaError(f"{str(text)[:80]!r} is not the formula of a parameter; write it as `sigma ~ x`.")
    return [(name, "~" + match[2]) for name in _NAME.findall(match[1])]


def _right_side(name: str, text: str) -> str:
    if text.lstrip().startswith("~"):
        return text.strip()
    (left, right), *others = _split(text)
    if left != name or others:
        raise FormulaError(f"The formula {text[:80]!r} is given for the parameter `{name}` but says `{left}`.")
    return right


def _class(name: str) -> str:
    """Return what ``sigma1`` and ``sigma2`` have in common."""
    return name.rstrip("0123456789")


def _fixed_value(name: str, value: object) -> float | str:
    if name in PLANNED_BF_OPTIONS:
        raise FormulaError(f"The option `{name}` of bf() is not available in this version of bayesml.")
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and _NAME.fullmatch(value) and value != name and _class(value) == _class(name):
        return value
    raise FormulaError(
        f"The formula of `{name}` must be a text with `~`, such as {name}='~ x', or a number that fixes it; got "
        f"{str(value)[:80]!r}."
    )
