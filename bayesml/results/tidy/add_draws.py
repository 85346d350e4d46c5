"""``add_epred_draws()`` and its relatives: rows of data, each repeated for every draw of what is predicted there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.marginal.datagrid import given_rows
from bayesml.results.predict import predict
from bayesml.results.predict.new_levels import NewLevels

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["add_epred_draws", "add_linpred_draws", "add_predicted_draws"]


def add_epred_draws(
    fit: AbstractSampledFit, newdata: Any = None, *, dpar: str | None = None, resp: str | None = None,
    re_formula: Any = None, new_levels: NewLevels = "error", ndraws: int | None = None, seed: int | None = None,
    value: str = ".epred",
) -> pd.DataFrame:  # fmt: skip
    """Return rows of data with the draws of their expected response, in the long form of R's tidybayes.

    Args:
        fit: the fit.
        newdata: the rows, as any data frame or ``datagrid``; None takes those of the fit.
        dpar: a distributional parameter instead, see ``epred``.
        resp: which of several responses; without it the name of the response is in ``.category``.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: use that many draws, chosen at random; None uses all. The result has a row for each row and draw.
        seed: whole number; the same seed gives the same result.
        value: name of the column of draws.

    Returns:
        The columns of ``newdata``; ``.row``, the position of the row; ``.category`` where a row has a probability for
        each category; ``.chain``, ``.iteration`` and ``.draw`` as in ``spread_draws``; and ``.epred``.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``; or a column of ``newdata`` has the name of a new one.

    Example:
        >>> bayesml.median_qi(fit.add_epred_draws(bayesml.datagrid(Days=[0, 9]), re_formula="NA"))
    """
    rows = _rows(fit, newdata, value)
    drawn = predict.epred(
        fit, _given(newdata, rows), dpar=dpar, resp=resp, re_formula=re_formula, new_levels=new_levels, ndraws=ndraws,
        seed=seed,
    )  # fmt: skip
    return _long(fit, rows, drawn, value)


def add_predicted_draws(
    fit: AbstractSampledFit, newdata: Any = None, *, resp: str | None = None, re_formula: Any = None,
    new_levels: NewLevels = "error", ndraws: int | None = None, seed: int | None = None, value: str = ".prediction",
) -> pd.DataFrame:  # fmt: skip
    """Return rows of data with draws of the response itself: one random response for each draw.

    Args:
        fit: the fit.
        newdata: the rows, see ``add_epred_draws``.
        resp: which of several responses, see ``add_epred_draws``.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``add_epred_draws``.
        seed: seed, see ``add_epred_draws``.
        value: name of the column of draws.

    Returns:
        As ``add_epred_draws``, with ``.prediction``, which of a response of categories holds their labels.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``add_epred_draws``.

    Example:
        >>> fit.add_predicted_draws({"Days": [10], "Subject": [308]}, ndraws=100, seed=1)
    """
    rows = _rows(fit, newdata, value)
    drawn = predict.predict(
        fit, _given(newdata, rows), resp=resp, re_formula=re_formula, new_levels=new_levels, ndraws=ndraws, seed=seed
    )
    return _long(fit, rows, drawn, value)


def add_linpred_draws(
    fit: AbstractSampledFit, newdata: Any = None, *, dpar: str | None = None, nlpar: str | None = None,
    resp: str | None = None, transform: bool = False, re_formula: Any = None, new_levels: NewLevels = "error",
    ndraws: int | None = None, seed: int | None = None, value: str = ".linpred",
) -> pd.DataFrame:  # fmt: skip
    """Return rows of data with the draws of a linear predictor.

    Args:
        fit: the fit.
        newdata: the rows, see ``add_epred_draws``.
        dpar: the distributional parameter; None is ``mu``.
        nlpar: a nonlinear parameter instead.
        resp: which of several responses, see ``add_epred_draws``.
        transform: whether to apply the inverse link.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``add_epred_draws``.
        seed: seed, see ``add_epred_draws``.
        value: name of the column of draws.

    Returns:
        As ``add_epred_draws``, with ``.linpred``.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``add_epred_draws``.

    Example:
        >>> fit.add_linpred_draws({"Days": [0, 9], "Subject": [308, 308]})
    """
    rows = _rows(fit, newdata, value)
    drawn = predict.linpred(
        fit, _given(newdata, rows), dpar=dpar, nlpar=nlpar, resp=resp, transform=transform, re_formula=re_formula,
        new_levels=new_levels, ndraws=ndraws, seed=seed,
    )  # fmt: skip
    return _long(fit, rows, drawn, value)


def _rows(fit: AbstractSampledFit, newdata: Any, value: str) -> pd.DataFrame:
    rows = given_rows(fit, newdata)
    added = (".row", ".category", ".chain", ".iteration", ".draw", value)
    taken = [name for name in added if name in rows]
    if taken or not isinstance(value, str):
        raise ModelError(
            f"The rows have a column `{taken[0] if taken else value}`, which the draws need for themselves: they add "
            f"{', '.join(f'`{name}`' for name in added)}. Rename it, or name the column of draws with `value=`."
        )
    return rows


def _given(newdata: Any, rows: pd.DataFrame) -> pd.DataFrame | None:
    return None if newdata is None else rows


def _long(fit: AbstractSampledFit, rows: pd.DataFrame, drawn: Any, value: str) -> pd.DataFrame:
    """Return the rows with their draws: rows first, categories within them, draws within these."""
    import pandas as pd

    if isinstance(drawn, dict):
        listed = " or ".join(f'resp="{name}"' for name in drawn)
        raise ModelError(f"The responses have different categories; ask for one of them: {listed}.")
    chosen = "sample" in drawn.dims
    shape = drawn.shape[1:] if chosen else drawn.shape[2:]
    values = drawn.to_numpy().reshape(-1, *shape)
    chain, iteration = _positions(drawn, chosen)
    draws, count, *rest = values.shape
    columns: dict[str, Any] = {".row": np.repeat(np.arange(count), draws * (rest[0] if rest else 1))}
    repeated = rows.iloc[columns[".row"]].reset_index(drop=True)
    if rest:
        labels = drawn.coords[drawn.dims[-1]].to_numpy()
        coded = pd.Categorical.from_codes(np.tile(np.repeat(np.arange(rest[0]), draws), count), list(labels))
        columns[".category"] = coded
    repeats = len(repeated) // draws
    named = {".chain": chain, ".iteration": iteration, ".draw": chain * fit.draws_record.n_draws + iteration}
    columns |= {name: np.tile(own, repeats) for name, own in named.items()}
    columns[value] = _with_categories(np.moveaxis(values, 0, -1).ravel(), drawn.attrs)
    return repeated.assign(**columns)


def _positions(drawn: Any, chosen: bool) -> tuple[np.ndarray, np.ndarray]:
    chain, draw = (drawn.coords[name].to_numpy() for name in ("chain", "draw"))
    return (chain, draw) if chosen else (np.repeat(chain, len(draw)), np.tile(draw, len(chain)))


def _with_categories(values: np.ndarray, attributes: Any) -> Any:
    """Return random codes as their categories."""
    import pandas as pd

    if "categories" not in attributes:
        return values
    codes = np.where(np.isnan(values), -1, values - attributes["first"]).astype(int)
    return pd.Categorical.from_codes(codes, list(attributes["categories"]), ordered=True)
