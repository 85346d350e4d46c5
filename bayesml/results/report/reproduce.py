"""The call that makes a fit again, as text."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from bayesml.families import AbstractFamily
from bayesml.formula import Formula, JointFormula, ModelFormula
from bayesml.priors import Prior

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["call_of"]


def call_of(fit: AbstractFit) -> str:
    """Return the call of ``bayesml.fit``; data and matrices stand under the names that they had in the fit."""
    recipe = fit.recipe
    given = [_formula(recipe.formula), recipe.data_name, f"family={_family(recipe.family)}"]
    if recipe.priors:
        given.append(f"prior=[{', '.join(map(_prior, recipe.priors))}]")
    if recipe.default_priors != "bayesml":
        given.append(f"default_priors={recipe.default_priors!r}")
    if recipe.missing != "drop":
        given.append(f"missing={recipe.missing!r}")
    if recipe.functions:
        given.append(f"functions={{{', '.join(f'{n!r}: {n}' for n in recipe.functions)}}}")
    if recipe.data2:
        given.append(f"data2={{{', '.join(f'{n!r}: {n}' for n in recipe.data2)}}}")
    given.append(f"method={_engine(recipe.engine)}")
    inner = ",\n    ".join(given)
    return f"bayesml.fit(\n    {inner},\n)"


def _formula(formula: ModelFormula) -> str:
    """Return the text of a formula, or the calls that make it."""
    parts = formula.formulas if isinstance(formula, JointFormula) else (formula,)
    if len(parts) == 1 and parts[0] == Formula(parts[0].text):
        return repr(parts[0].text)
    calls = [_call("bf", [repr(part.text), *_parameters(part)]) for part in parts]
    for option in ("rescor", "mecor"):
        said = [getattr(each, option) for each in (formula, *parts) if getattr(each, option) is not None]
        calls += [f"bayesml.set_{option}({said[0]})"] if said else []
    return " + ".join(calls)


def _parameters(part: Formula) -> list[str]:
    own = [f"{name}={text!r}" for name, text in (*part.parameters, *part.fixed)]
    nonlinear = ["nonlinear=True"] if part.nonlinear else []
    return [*own, *nonlinear, *([] if part.family is None else [f"family={_written(part.family)}"])]


def _written(family: Any) -> str:
    return repr(family if isinstance(family, str) else family.name)


def _call(name: str, arguments: list[str]) -> str:
    return f"bayesml.{name}({', '.join(arguments)})"


def _prior(prior: Prior) -> str:
    given = [repr(str(prior.distribution)), f"class_={prior.prior_class!r}"]
    texts = ("coef", "group", "resp", "dpar", "nlpar", "tag")
    given += [f"{name}={getattr(prior, name)!r}" for name in texts if getattr(prior, name)]
    bounds = (("lb", prior.lower), ("ub", prior.upper))
    return _call("prior", given + [f"{name}={value!r}" for name, value in bounds if value is not None])


def _family(family: AbstractFamily) -> str:
    """Return the name of a family, or the call that gives it other links than its own."""
    changed = [
        f"{'link' if k == 0 else f'link_{dpar.name}'}={link.name!r}"
        for k, (dpar, link) in enumerate(zip(family.dpars, family.links, strict=False))
        if link.name != dpar.links[0]
    ]
    return _call(family.name, changed) if changed else repr(family.name)


def _engine(engine: Any) -> str:
    """Return the engine with the options that differ from its defaults."""
    usual = type(engine)()
    changed = [f for f in fields(engine) if getattr(engine, f.name) != getattr(usual, f.name)]
    options = ", ".join(f"{f.name}={getattr(engine, f.name)!r}" for f in changed)
    return f"bayesml.{type(engine).__name__}({options})"
