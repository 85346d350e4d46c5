"""``pp_average`` and ``posterior_average``: predictions and parameters averaged over models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.checks.bridge import bridge_sampler
from bayesml.results.checks.loo_compare import Model, fit_of, named_models
from bayesml.results.checks.model_weights import loo_model_weights
from bayesml.results.predict.drawn import evaluate_draws
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.prepare import DrawChoice, Request
from bayesml.results.predict.quantity import DrawnQuantity, Kind, What
from bayesml.results.record.one_response import of_one
from bayesml.results.record.select import elements

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["draws_of_models", "posterior_average", "pp_average"]

WeightKind = Literal["stacking", "pseudobma", "bma"]
LISTED = 20
Weights = WeightKind | Sequence[float] | Mapping[str, float]


def pp_average(
    fits: Mapping[str, Model] | Sequence[Model], weights: Weights = "stacking", *, method: Kind = "predict",
    newdata: Any = None, resp: str | None = None, re_formula: Any = None, new_levels: NewLevels = "error",
    ndraws: int | None = None, seed: int = 1, summary: bool = True,
) -> xr.DataArray | pd.DataFrame:  # fmt: skip
    """Return predictions of several models, each with its share of the draws: ``sum_k w_k p_k(y_new | y)``.

    Args:
        fits: a list of two or more fits, or a dict of fits by name; what ``loo()``, ``waic()`` or ``kfold()`` returned
            may stand in their place, whose densities then decide the weights.
        weights: ``"stacking"`` or ``"pseudobma"``, see ``loo_model_weights``; ``"bma"``, the posterior probabilities of
            the models by bridge sampling, each as likely before; or a number of at least 0 for each model, a list in
            the order of the fits or a mapping by name. They are divided by their sum.
        method: ``"predict"`` random responses, ``"epred"`` expected responses, ``"linpred"`` linear predictors.
        newdata: rows to predict; those of the fits if None.
        resp: which of several responses.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws in all; None is that of the fit with the fewest. Model k gets about w_k of them, chosen
            at random.
        seed: seed of the choice and of random responses.
        summary: whether to return mean, standard deviation and 95% interval of each row instead of draws.

    Returns:
        A data frame with Estimate, Est.Error, Q2.5 and Q97.5; or draws with the dimensions (sample, obs), whose
        coordinate ``model`` says where each comes from.

    Raises:
        ModelError: an argument is impossible; the models cannot be compared; or they predict different rows.

    Example:
        >>> bayesml.pp_average({"slopes": fit, "intercepts": other}, method="epred")
    """
    if method not in get_args(Kind):
        listed = ", ".join(f'"{kind}"' for kind in get_args(Kind))
        raise ModelError(f"`method` is one of {listed}; got {method!r}.")
    named = _models(fits, "pp_average")
    counts = draws_of_models(named, _weights(named, weights, seed), ndraws)
    drawn = {}
    for place, (name, one) in enumerate(named.items()):
        if counts[name]:
            request = Request(newdata, re_formula, new_levels, counts[name], seed + place)
            drawn[name] = evaluate_draws(of_one(fit_of(one), resp), request, What(method))
    return _together(drawn).shown(True) if summary else _labelled(drawn)


def posterior_average(
    fits: Mapping[str, Model] | Sequence[Model], variable: str | Sequence[str] | None = None,
    weights: Weights = "stacking", *, missing: float | Mapping[str, float] | None = None,
    ndraws: int | None = None, seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return draws of parameters from several models, each with its share of them.

    Args:
        fits: see ``pp_average``.
        variable: names of the parameters; None takes those that all models have.
        weights: see ``pp_average``.
        missing: the value of a parameter in a model that has none, one for all or by name: 0 of a coefficient says that
            there is no effect.
        ndraws: see ``pp_average``.
        seed: seed of the choice of draws.

    Returns:
        A column for each parameter, and ``model`` with the name of the model.

    Raises:
        ModelError: a model lacks a parameter that ``missing`` says nothing of; see ``pp_average``.

    Example:
        >>> bayesml.posterior_average([fit, other], "b_Days", weights=[0.5, 0.5])
    """
    import pandas as pd

    named = _models(fits, "posterior_average")
    known = {name: _parameters(fit_of(one), variable is not None) for name, one in named.items()}
    chosen = _chosen(known, variable, missing)
    counts = draws_of_models(named, _weights(named, weights, seed), ndraws)
    rng, parts = np.random.default_rng(seed), []
    for name, one in named.items():
        fit = fit_of(one)
        total = fit.draws_record.n_chains * fit.draws_record.n_draws
        places = np.sort(rng.choice(total, counts[name], replace=False))
        found = elements(fit.draws_record.values, fit.variables, frozenset(chosen))
        own = dict(zip(found.names, found.values.reshape(total, -1)[places].T, strict=True))
        columns = {text: own[text] if text in own else np.full(counts[name], _filled(missing, text)) for text in chosen}
        parts.append(pd.DataFrame({**columns, "model": name}))
    return pd.concat(parts, ignore_index=True)


def _models(fits: Any, caller: str) -> dict[str, Model]:
    few = f"{caller}() takes a list of at least two fits, {caller}([fit, other]), or a dict of fits by name"
    if not isinstance(fits, (Mapping, list, tuple)):
        raise ModelError(f"{few}; got {fits!r:.200}.")
    return named_models([fits], few)


def _weights(named: Mapping[str, Model], weights: Weights, seed: int) -> np.ndarray:
    """Return the weights of the models, which sum to 1."""
    if isinstance(weights, str):
        if weights == "bma":
            found = np.array([bridge_sampler(fit_of(one)).logml for one in named.values()])
            powers = np.exp(found - found.max())
            return np.asarray(powers / powers.sum())
        if weights in get_args(WeightKind):
            return loo_model_weights(named, method=weights, seed=seed).to_numpy()
        listed = ", ".join(f'"{kind}"' for kind in get_args(WeightKind))
        raise ModelError(f"`weights` is one of {listed}, or a number for each model; got {weights!r}.")
    given = _in_order(named, weights)
    if given.shape != (len(named),) or given.dtype.kind not in "iuf" or not (given >= 0).all() or not given.sum() > 0:
        raise ModelError(
            f"`weights` has a number of at least 0 for each of the {len(named)} models, not all of them 0; got "
            f"{weights!r:.200}."
        )
    if not np.isfinite(given).all():
        raise ModelError(f"`weights` has finite numbers; got {weights!r:.200}.")
    return np.asarray(given / given.sum())


def _in_order(named: Mapping[str, Model], weights: Any) -> np.ndarray:
    import pandas as pd

    if not isinstance(weights, (Mapping, pd.Series)):
        return np.asarray(weights)
    by_name = dict(weights.items())
    if set(by_name) != set(named):
        listed, got = (", ".join(f"`{name}`" for name in names) for names in (named, by_name))
        raise ModelError(f"`weights` names other models than those given: {got}, in place of {listed}.")
    return np.asarray([by_name[name] for name in named])


def draws_of_models(named: Mapping[str, Model], weights: np.ndarray, ndraws: int | None) -> dict[str, int]:
    """Return how many draws each model gives: its share, rounded so that the sum is right (largest remainders).

    Raises:
        ModelError: there are not that many.
    """
    records = [fit_of(one).draws_record for one in named.values()]
    available = np.array([record.n_chains * record.n_draws for record in records])
    total = int(available.min()) if ndraws is None else ndraws
    if isinstance(total, bool) or not isinstance(total, (int, np.integer)) or total < 1:
        raise ModelError(f"`ndraws` is a whole number of at least 1, or None; got {ndraws!r}.")
    shares = weights * total
    counts = np.floor(shares).astype(int)
    order = np.argsort(counts - shares, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    for name, count, most in zip(named, counts, available, strict=True):
        if count > most:
            raise ModelError(f"Of ndraws={total} the model `{name}` is to give {count} and has {most} draws.")
    return dict(zip(named, counts.tolist(), strict=True))


def _together(drawn: Mapping[str, DrawnQuantity]) -> DrawnQuantity:
    first, *others = drawn.values()
    for name, each in zip(list(drawn)[1:], others, strict=True):
        same = each.values.shape[1:] == first.values.shape[1:] and each.labels.equals(first.labels)
        if not same or (each.categories, each.levels) != (first.categories, first.levels):
            raise ModelError(
                f"The models predict different rows or categories: `{next(iter(drawn))}` has "
                f"{first.values.shape[1:]} numbers for a draw, `{name}` {each.values.shape[1:]}. Fit them to the same "
                "rows, or hand in `newdata`."
            )
    values = np.concatenate([each.values for each in drawn.values()])
    return replace(first, values=values, choice=DrawChoice(np.arange(len(values)), 1, len(values)))


def _labelled(drawn: Mapping[str, DrawnQuantity]) -> xr.DataArray:
    together = _together(drawn)
    models = np.repeat(list(drawn), [len(each.values) for each in drawn.values()])
    array: xr.DataArray = together.shown(False)  # type: ignore[assignment]
    return array.drop_vars(["chain", "draw"]).assign_coords(model=("sample", models))


def _parameters(fit: AbstractSampledFit, with_effects: bool) -> list[str]:
    return [text for each in fit.variables if with_effects or not each.is_many for _, text in each.texts]


def _chosen(
    known: Mapping[str, list[str]], variable: str | Sequence[str] | None, missing: float | Mapping[str, float] | None
) -> list[str]:
    """Return the parameters wanted; a ModelError where a model lacks one and ``missing`` says nothing of it."""
    everywhere = [text for text in next(iter(known.values())) if all(text in own for own in known.values())]
    anywhere = list(dict.fromkeys(text for own in known.values() for text in own))
    if variable is None:
        if isinstance(missing, Mapping):
            return [text for text in anywhere if text in everywhere or text in missing]
        return everywhere if missing is None else anywhere
    wanted = [variable] if isinstance(variable, str) else list(variable)
    for text in wanted:
        if text not in anywhere:
            raise ModelError(
                f"No model has a parameter {text!r}{did_you_mean(str(text), anywhere)}; there are {_listed(anywhere)}."
            )
        lacking = [name for name, own in known.items() if text not in own]
        if lacking and (missing is None or (isinstance(missing, Mapping) and text not in missing)):
            raise ModelError(
                f"The model `{lacking[0]}` has no parameter `{text}`. Say what it is there, for example missing=0; all "
                f"models have {_listed(everywhere)}."
            )
    return wanted


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:LISTED]) + (", ..." if len(names) > LISTED else "")


def _filled(missing: float | Mapping[str, float] | None, text: str) -> float:
    value = missing[text] if isinstance(missing, Mapping) else missing
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ModelError(f"`missing` is a number, or a mapping from names of parameters to numbers; got {missing!r}.")
    return float(value)
