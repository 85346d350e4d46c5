"""``spread_draws()`` and ``gather_draws()``: draws of chosen parameters, with their indices as columns."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.predict.prepare import Request, choose_draws
from bayesml.results.tidy.named_elements import NamedElements, named_elements, typed_labels

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["draw_columns", "gather_draws", "spread_draws"]


def spread_draws(
    fit: AbstractSampledFit, *variables: str, ndraws: int | None = None, seed: int | None = None
) -> pd.DataFrame:
    """Return draws in the long form of R's tidybayes: a column for each variable, and for each index.

    Args:
        fit: the fit.
        variables: names of single numbers, ``"b_x"``, ``"sigma"``, or of variables with names for their indices in
            brackets: ``"r_g[g,term]"`` has the level in the column ``g`` and the coefficient in ``term``.
        ndraws: use that many draws, chosen at random; None uses all.
        seed: whole number; the same seed chooses the same draws.

    Returns:
        ``.chain``, ``.iteration`` (within the chain) and ``.draw`` (over all chains), each counted from 0; the index
        columns; a column for each variable. A row is a draw of one combination of indices. Variables that share an
        index column are joined by it, and others repeated for every combination. Labels that are whole numbers are
        numbers, so that they join with the columns of the data.

    Raises:
        ModelError: nothing has that name, the number of indices is another, or no combination is common to all.

    Example:
        >>> fit.spread_draws("b_Intercept", "r_Subject[Subject,term]")
    """
    import pandas as pd

    found = _found(fit, variables)
    names = [each.name for each in found]
    clash = {name for each in found for name in each.index} & set(names)
    if clash or len(set(names)) < len(names):
        raise ModelError(f"Each column has a name of its own; asked for were {', '.join(f'`{v}`' for v in variables)}.")
    places = [f"\0{k}" for k in range(len(found))]
    tables = [
        pd.DataFrame({**each.index, place: np.arange(each.values.shape[1])})
        for each, place in zip(found, places, strict=True)
    ]
    combined = reduce(_joined, tables)
    if combined.empty:
        raise ModelError(
            f"No combination of indices is common to {', '.join(f'`{v}`' for v in variables)}; ask for them one by one."
        )
    positions = choose_draws(fit, Request(ndraws=ndraws, seed=seed)).positions()
    columns: dict[str, Any] = draw_columns(fit, positions, len(combined))
    for name in combined:
        if name not in places:
            columns[name] = _repeated(list(combined[name]), len(positions))
    for each, place in zip(found, places, strict=True):
        columns[each.name] = each.values[positions][:, combined[place].to_numpy()].T.ravel()
    return pd.DataFrame(columns)


def gather_draws(
    fit: AbstractSampledFit, *variables: str, ndraws: int | None = None, seed: int | None = None
) -> pd.DataFrame:
    """Return draws with one number in each row: the variable's name in ``.variable``, its value in ``.value``.

    Args:
        fit: the fit.
        variables: as in ``spread_draws``.
        ndraws: use that many draws, chosen at random; None uses all.
        seed: whole number; the same seed chooses the same draws.

    Returns:
        ``.chain``, ``.iteration``, ``.draw`` as in ``spread_draws``; the index columns, missing where a variable has no
        such index; ``.variable`` and ``.value``.

    Raises:
        ModelError: nothing has that name, or the number of indices is another.

    Example:
        >>> fit.gather_draws("b_Intercept", "sd_Subject[term]")
    """
    import pandas as pd

    found = _found(fit, variables)
    positions = choose_draws(fit, Request(ndraws=ndraws, seed=seed)).positions()
    parts = []
    for each in found:
        columns: dict[str, Any] = draw_columns(fit, positions, each.values.shape[1])
        columns |= {name: _repeated(labels, len(positions)) for name, labels in each.index.items()}
        columns |= {".variable": each.name, ".value": each.values[positions].T.ravel()}
        parts.append(pd.DataFrame(columns))
    frame = pd.concat(parts, ignore_index=True)
    indices = list(dict.fromkeys(name for each in found for name in each.index))
    for name in indices:
        if pd.api.types.is_float_dtype(frame[name]):  # whole numbers, where some variables have no such index
            frame[name] = frame[name].astype("Int64")
    return frame[[".chain", ".iteration", ".draw", *indices, ".variable", ".value"]]


def draw_columns(fit: AbstractSampledFit, positions: np.ndarray, repeats: int) -> dict[str, np.ndarray]:
    """Return ``.chain``, ``.iteration`` and ``.draw`` of the draws at ``positions``, repeated."""
    chain, iteration = np.divmod(positions, fit.draws_record.n_draws)
    named = {".chain": chain, ".iteration": iteration, ".draw": positions}
    return {name: np.tile(values, repeats) for name, values in named.items()}


def _found(fit: AbstractSampledFit, variables: tuple[str, ...]) -> list[NamedElements]:
    if not variables:
        raise ModelError('Name the variables, for example "b_Intercept" or "r_g[g,term]"; `fit.draws()` has all.')
    return [named_elements(fit, text) for text in variables]


def _joined(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    shared = [name for name in right if name in left]
    return left.merge(right, on=shared) if shared else left.merge(right, how="cross")


def _repeated(labels: list[str], times: int) -> np.ndarray:
    typed = typed_labels(labels)
    return np.repeat(np.array(typed, dtype=int if typed and isinstance(typed[0], int) else object), times)
