"""Single term deletions of the population-level part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesml.columns import encode
from bayesml.errors import ModelError, did_you_mean
from bayesml.formula import LinearPart
from bayesml.results.frequentist.anova import anova
from bayesml.results.frequentist.degrees_of_freedom import Ddf, NormalTests, tests_of
from bayesml.results.frequentist.deletion_table import deletion_table
from bayesml.results.frequentist.submodels import require_likelihood, require_one_predictor

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["drop1", "droppable"]


def drop1(
    fit: AbstractPointFit,
    scope: str | Sequence[str] | None = None,
    test: Literal["Chisq", "F"] | None = "Chisq",
    ddf: Ddf = "default",
) -> pd.DataFrame:
    """Leave out each population-level term in turn that stands in no larger one, as R's ``drop1``.

    Args:
        fit: the fit.
        scope: the terms to leave out, ``["x", "a:b"]``; None takes every one that stands in no larger one.
        test: ``"Chisq"`` likelihood-ratio tests, the smaller models fitted by maximum likelihood, after REML the full
            model too (lme4's ``drop1``); None leaves out the test; ``"F"`` the F test of each term given all others
            (lmerTest's ``drop1``), for linear mixed models.
        ddf: degrees of freedom of ``"F"``: ``"satterthwaite"`` or ``"kenward-roger"``.

    Returns:
        A row ``<none>`` and one for each term: npar (parameters of the smaller model), logLik, AIC, LRT, Df,
        Pr(>Chisq). With ``test="F"`` a row for each term: Sum Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F).

    Raises:
        ModelError: a name in ``scope`` is no term or stands in a larger one, the model is a posterior mode, or it has
            no F tests.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml").drop1()
    """
    if test not in ("Chisq", "F", None):
        raise ModelError(f'`test` is "Chisq", "F" or None; got {test!r}.')
    require_one_predictor(fit, "drop1()")
    chosen = _chosen(fit, scope)
    if test == "F":
        return _f_tests(fit, chosen, ddf)
    return _deletions(fit, chosen, test is not None)


def droppable(part: LinearPart) -> tuple[int, ...]:
    """Return the places of the terms that stand in no larger one."""
    return tuple(i for i, own in enumerate(part.terms) if not any(set(own) < set(other) for other in part.terms))


def _chosen(fit: AbstractPointFit, scope: str | Sequence[str] | None) -> dict[str, int]:
    """Return the places of the terms to leave out, by name."""
    population = fit.estimate.arrays.population
    names = population.encoding.terms if population else ()
    free = [i for i in droppable(fit.parsed.predictors[0].population) if names[i] != "Intercept"]
    if not free:
        raise ModelError("The model has no population-level term to leave out.")
    if scope is None:
        return {names[i]: i for i in free}
    known = {frozenset(name.split(":")): i for i, name in enumerate(names)}
    if not isinstance(scope, (str, Sequence)) or not scope:
        raise ModelError(f'`scope` is the name of a term, "a:b", or a list of names; got {scope!r}.')
    found: dict[str, int] = {}
    for asked in (scope,) if isinstance(scope, str) else scope:
        place = known.get(frozenset(str(asked).split(":")))
        if place is None:
            listed = ", ".join(f"`{n}`" for n in names)
            raise ModelError(f"`{asked}` is not a term of the model{did_you_mean(str(asked), names)}; it has {listed}.")
        if place not in free:
            raise ModelError(f"`{asked}` stands in a larger term and cannot be left out by itself.")
        found[names[place]] = place
    return found


def _deletions(fit: AbstractPointFit, chosen: dict[str, int], tested: bool) -> pd.DataFrame:
    require_likelihood(fit, "drop1()")
    full = fit.with_estimate(fit.estimate.by_maximum_likelihood())
    blocks = full.estimate.arrays.blocks
    smaller = [(name, full.estimate.refit_columns(_without(fit, place), blocks)) for name, place in chosen.items()]
    table = deletion_table(full, smaller, f"Single term deletions of {fit.formula} (maximum likelihood)")
    return table if tested else table.drop(columns="Pr(>Chisq)")


def _without(fit: AbstractPointFit, place: int) -> np.ndarray:
    """Return the population-level columns without one term, the others coded anew: ``0 + f`` in full."""
    part, population = fit.parsed.predictors[0].population, fit.estimate.arrays.population
    assert population is not None
    rest = replace(part, terms=tuple(term for i, term in enumerate(part.terms) if i != place))
    if not (rest.intercept or rest.terms):
        return fit.estimate.arrays.further
    return np.hstack([encode(rest, fit.frame, population.encoding.functions)[1], fit.estimate.arrays.further])


def _f_tests(fit: AbstractPointFit, chosen: dict[str, int], ddf: Ddf) -> pd.DataFrame:
    if isinstance(tests_of(fit, ddf), NormalTests):
        raise ModelError('F tests are for linear mixed models, and ddf is not None; use test="Chisq".')
    # Given all terms but those that contain it, of which a term that can be left out has none: type II.
    table = anova(fit, 2, ddf)
    kept = table.loc[[name for name in chosen if name in table.index]]
    kept.attrs["heading"] = f"Single term deletions of {fit.formula}, each term given all others"
    return kept
