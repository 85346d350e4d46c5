"""Draws from the prior of a fitted model, by forward simulation: a table of them, and the model before the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bayesml.engines import Outcome
from bayesml.errors import ModelError, PriorError, warn_user
from bayesml.posterior import Draws, Timing
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.record.select import Elements, chosen_texts, elements, is_prior_only

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["before_data", "prior_draws", "prior_elements"]

F = TypeVar("F", bound=AbstractSampledFit)
LISTED = 8


def prior_draws(
    fit: AbstractSampledFit,
    variable: str | Sequence[str] | None = None,
    *,
    regex: bool = False,
    ndraws: int | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Return independent draws of the parameters from their priors, one row for each draw.

    They are simulated forwards: first the parameters that have a prior of their own, then what is computed from them.
    There is no Markov chain, and the response is not looked at. Of a fit with ``sample_prior="yes"`` or ``"only"`` they
    are the draws that it holds, unless ``ndraws`` or ``seed`` is given.

    Args:
        fit: the fit.
        variable: names of parameters (``b_Days``) or of whole variables (``r_Subject``); None takes all but the
            group-level effects.
        regex: whether ``variable`` holds regular expressions.
        ndraws: number of draws; None takes that of the fit.
        seed: whole number that makes the draws reproducible; None takes the seed of the fit.

    Returns:
        A column for each parameter under its name in ``fit.draws()``. A parameter with a flat prior, and what is
        computed from it, has none.

    Raises:
        PriorError: a parameter that was named has a flat prior, or depends on one; or no parameter can be drawn.
        ModelError: a name matches nothing, or an option is impossible.

    Warns:
        FitWarning: some parameters cannot be drawn.

    Example:
        >>> fit.prior_draws(["b_Days", "sigma"], ndraws=1000, seed=1).describe()
    """
    import pandas as pd

    found = prior_elements(fit, variable, regex=regex, ndraws=ndraws, seed=seed)
    known = ~np.isnan(found.values).any(axis=(0, 1))
    missing = [name for name, is_known in zip(found.names, known, strict=True) if not is_known]
    if missing and (variable is not None and not regex or not known.any()):
        raise PriorError(_not_drawn(missing))
    if missing:
        warn_user(_not_drawn(missing))
    names = [name for name, is_known in zip(found.names, known, strict=True) if is_known]
    return pd.DataFrame(found.values[..., known].reshape(-1, len(names)), columns=names)


def prior_elements(
    fit: AbstractSampledFit,
    variable: str | Sequence[str] | None = None,
    *,
    regex: bool = False,
    ndraws: int | None = None,
    seed: int | None = None,
) -> Elements:
    """Return draws of single parameters from their priors; what cannot be drawn is NaN. See ``prior_draws``."""
    _check_whole("ndraws", ndraws, 1)
    _check_whole("seed", seed, 0)
    values = _kept(fit) if ndraws is None and seed is None else None
    if values is None:
        values = _simulated(fit, ndraws, seed)
    variables = [v for v in fit.variables if v.name in values and not (variable is None and v.is_many)]
    return elements(values, variables, chosen_texts(variables, variable, regex))


def before_data(fit: F, ndraws: int, seed: int | None) -> F:
    """Return the fit with draws from the prior in the place of those from the posterior, one chain.

    Raises:
        PriorError: a prior is flat, so that the model cannot be simulated.
    """
    from bayesml.engines import from_prior

    _check_whole("ndraws", ndraws, 1)
    _check_whole("seed", seed, 0)
    seed = fit.seed if seed is None else seed
    drawn = from_prior.prior_draws(fit.problem, seed, 1, ndraws)
    return replace(fit, outcome=Outcome(Draws(drawn), Timing(), seed))


def _kept(fit: AbstractSampledFit) -> dict[str, np.ndarray] | None:
    """Return the prior draws that a fit holds; None where it holds none."""
    record = fit.draws_record
    return dict(record.values) if is_prior_only(fit) else dict(record.prior) or None


def _simulated(fit: AbstractSampledFit, ndraws: int | None, seed: int | None) -> dict[str, np.ndarray]:
    from bayesml.engines import from_prior

    record = fit.draws_record
    count = record.n_chains * record.n_draws if ndraws is None else ndraws
    return from_prior.prior_draws(fit.problem, fit.seed if seed is None else seed, 1, count, partly=True)


def _check_whole(option: str, value: object, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least):
        raise ModelError(f"`{option}` is a whole number of at least {least}; got {value!r}.")


def _not_drawn(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    whose = "has a flat prior, or is" if len(names) == 1 else "have flat priors, or are"
    return (
        f"{listed} cannot be drawn: {'it' if len(names) == 1 else 'they'} {whose} computed from parameters that have. "
        'Set a proper prior, prior("normal(0, 10)", class_="b"), or use default_priors="bayesml".'
    )
