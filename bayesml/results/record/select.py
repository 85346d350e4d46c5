"""Elements of the posterior by name: from ``b_Days`` or ``r_Subject`` to arrays, data frames and labelled arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.names import prior_name
from bayesml.results.record.reduced import require_effects
from bayesml.variables import ReportedVariable, find_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = [
    "Elements",
    "chosen_texts",
    "dimensions",
    "draws",
    "elements",
    "find_element",
    "get",
    "is_prior_only",
    "each_of",
    "labelled",
    "unknown_parameter",
    "with_prior",
]


@final
@dataclass(frozen=True)
class Elements:
    """Single numbers of the posterior, side by side.

    Attributes:
        names: text name of each.
        values: ``(chains, draws, elements)``.
    """

    names: tuple[str, ...]
    values: np.ndarray


def is_prior_only(fit: AbstractSampledFit) -> bool:
    """Whether the draws of the fit come from the prior alone (``sample_prior="only"``)."""
    return fit.engine.samples_prior_only


def elements(
    values: Mapping[str, np.ndarray], variables: Iterable[ReportedVariable], keep: frozenset[str] | None = None
) -> Elements:
    """Return the elements of some variables side by side.

    Args:
        values: draws of each variable, ``(chains, draws, *shape)``.
        variables: the variables requested, in this order.
        keep: text names to keep; None keeps all.
    """
    names: list[str] = []
    parts = [np.empty((*next(iter(values.values())).shape[:2], 0))]
    for variable in variables:
        chosen = [(index, text) for index, text in variable.texts if keep is None or text in keep]
        if not chosen:
            continue
        drawn = values[variable.name]
        names += [text for _, text in chosen]
        parts.append(_flat(drawn)[:, :, _positions([index for index, _ in chosen], drawn.shape[2:])])
    return Elements(tuple(names), np.concatenate(parts, axis=2))


def _flat(drawn: np.ndarray) -> np.ndarray:
    return drawn.reshape(*drawn.shape[:2], -1)


def _positions(indices: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> np.ndarray:
    if not shape:
        return np.zeros(1, dtype=int)
    return np.ravel_multi_index(tuple(np.asarray(indices).T), shape)


def dimensions(variables: Iterable[ReportedVariable]) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of each variable by name, so that all fit into one data set.

    A dimension that has the name of a variable, or of a dimension with other labels, gets an underscore behind it: with
    ``(1 | sigma)`` the levels and the residual sd would otherwise have one name.
    """
    variables = tuple(variables)
    taken: dict[str, tuple[str, ...] | None] = {v.name: None for v in variables}
    named = {}
    for variable in variables:
        own = []
        for wanted, labels in zip(variable.dims, variable.coords, strict=True):
            name = wanted
            while taken.setdefault(name, labels) != labels:
                name += "_"
            own.append(name)
        named[variable.name] = tuple(own)
    return named


def labelled(variable: ReportedVariable, drawn: np.ndarray, dims: tuple[str, ...]) -> xr.DataArray:
    """Return a variable with its labels; ``drawn`` is ``(chains, draws, *shape)``, ``dims`` names the axes of shape."""
    import xarray as xr

    coords = {dim: np.asarray(labels, dtype=object) for dim, labels in zip(dims, variable.coords, strict=True)}
    sampled = {"chain": np.arange(drawn.shape[0]), "draw": np.arange(drawn.shape[1])}
    return xr.DataArray(drawn, sampled | coords, ("chain", "draw", *dims), name=variable.name)


def get(fit: AbstractSampledFit, name: str) -> xr.DataArray:
    """Return one element or one whole variable of the posterior.

    Args:
        fit: the fit.
        name: a text name (``b_Days``, ``r_Subject[308,Days]``), also in brms's spelling, or the name of a variable
            (``r_Subject``).

    Returns:
        An array with the dimensions ``chain`` and ``draw``, followed by those of the variable if it is a whole one.

    Raises:
        ModelError: nothing has that name.

    Example:
        >>> fit["b_Days"].mean()
        >>> fit["r_Subject"].sel(Subject="308", Subject_coef="Days")
    """
    import xarray as xr

    variables, values = with_prior(fit)
    found = find_element(variables, name)
    if found is None:
        if any(name == kept or name.startswith(f"{kept}[") for kept in fit.draws_record.reduced):
            require_effects(fit, f"`{name}`")
        variable = _find_variable(variables, name)
        return labelled(variable, values[variable.name].copy(), dimensions(variables)[variable.name])
    variable, text = found
    drawn = elements(values, [variable], frozenset([text])).values[:, :, 0].copy()
    coords = {"chain": np.arange(drawn.shape[0]), "draw": np.arange(drawn.shape[1])}
    return xr.DataArray(drawn, coords, ("chain", "draw"), name=text)


def with_prior(fit: AbstractSampledFit) -> tuple[tuple[ReportedVariable, ...], Mapping[str, np.ndarray]]:
    """Return the variables of the posterior and their draws, and prior draws without group effects where there are."""
    record = fit.draws_record
    if not record.prior:
        return fit.variables, record.values
    drawn = [v for v in fit.variables if not v.is_many]
    priors = (
        replace(v, name=prior_name(v.name), texts=tuple((index, prior_name(text)) for index, text in v.texts))
        for v in drawn
    )
    return (*fit.variables, *priors), {**record.values, **{prior_name(v.name): record.prior[v.name] for v in drawn}}


def find_element(variables: Sequence[ReportedVariable], name: str) -> tuple[ReportedVariable, str] | None:
    """Return the single number of that name, or None where it is the name of a whole variable or of none."""
    if not isinstance(name, str):
        raise ModelError(f'A parameter is asked for by its name, for example fit["b_Intercept"]; got {name!r}.')
    return find_text(variables, name)


def _find_variable(variables: Sequence[ReportedVariable], name: str) -> ReportedVariable:
    found = next((v for v in variables if v.name == name), None)
    if found is None:
        raise unknown_parameter(variables, name)
    return found


def unknown_parameter(variables: Sequence[ReportedVariable], name: str) -> ModelError:
    """Return the error that lists what there is."""
    known = [v.name for v in variables]
    texts = [text for v in variables for _, text in v.texts if not v.is_many]
    few = ", ".join(f"`{text}`" for text in texts[:12]) + (", ..." if len(texts) > 12 else "")
    whole = ", ".join(f"`{k}`" for k in known)
    return ModelError(
        f"The posterior has no parameter `{name}`{did_you_mean(name, [*texts, *known])}. It has {few}; whole "
        f"variables are {whole}."
    )


def draws(fit: AbstractSampledFit, variable: str | Sequence[str] | None = None, regex: bool = False) -> pd.DataFrame:
    """Return the draws as a data frame, one row for each draw and one column for each parameter.

    Args:
        fit: the fit.
        variable: names of parameters (``b_Days``) or of whole variables (``r_Subject``); None returns all.
        regex: whether ``variable`` holds regular expressions, searched for in the text names.

    Returns:
        Columns ``.chain`` and ``.draw`` (both from 0), then one column for each parameter under its text name. With
        ``sample_prior="yes"`` the prior draws follow, ``prior_b_Days``, ``prior_sd_Subject__Days``, ``prior_sigma``, of
        all but the group-level effects. They belong to no chain: a row only places them beside the posterior.

    Raises:
        ModelError: a name or an expression matches nothing, or an expression cannot be read.

    Example:
        >>> fit.draws(["b_Days", "sigma"])
        >>> fit.draws("^sd_", regex=True)
    """
    import pandas as pd

    variables, values = with_prior(fit)
    chosen = elements(values, variables, chosen_texts(variables, variable, regex))
    chains, length = chosen.values.shape[:2]
    frame = pd.DataFrame(chosen.values.reshape(chains * length, -1), columns=list(chosen.names))
    frame.insert(0, ".chain", np.repeat(np.arange(chains), length))
    frame.insert(1, ".draw", np.tile(np.arange(length), chains))
    return frame


def chosen_texts(
    variables: Sequence[ReportedVariable], variable: str | Sequence[str] | None, regex: bool = False
) -> frozenset[str] | None:
    """Return the text names that are requested, see ``draws``; None where all are.

    Raises:
        ModelError: a name or an expression matches nothing, or an expression cannot be read.
    """
    wanted = None if variable is None else _listed(variable)
    return None if wanted is None else frozenset((_searched if regex else _named)(variables, wanted))


def _listed(variable: object) -> tuple[str, ...]:
    listed = (variable,) if isinstance(variable, str) or not isinstance(variable, Iterable) else tuple(variable)
    if not listed or not all(isinstance(name, str) for name in listed):
        raise ModelError(f'`variable` is a name or a list of names such as ["b_Intercept"]; got {variable!r}.')
    return listed


def _named(variables: Sequence[ReportedVariable], wanted: Sequence[str]) -> Iterable[str]:
    for name in wanted:
        found = find_element(variables, name)
        if found is not None:
            yield found[1]
        else:
            yield from (text for _, text in _find_variable(variables, name).texts)


def _searched(variables: Sequence[ReportedVariable], wanted: Sequence[str]) -> Iterable[str]:
    texts = [text for variable in variables for _, text in variable.texts]
    for pattern in wanted:
        try:
            matches = [text for text in texts if re.search(pattern, text)]
        except re.error as error:
            raise ModelError(f"`{pattern}` is not a regular expression: {error}.") from error
        if not matches:
            raise ModelError(f"No parameter matches the regular expression `{pattern}`.")
        yield from matches


def each_of(asked: Any) -> tuple[Any, ...]:
    """Return what was requested as a tuple, be it one name or several; what is neither is one thing, unknown later."""
    return tuple(asked) if isinstance(asked, Iterable) and not isinstance(asked, str) else (asked,)
