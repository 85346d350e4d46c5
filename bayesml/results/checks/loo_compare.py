"""``loo_compare(...)``: models side by side by their expected log predictive density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.engines.weighting import weights_are_precisions
from bayesml.errors import ModelError, warn_user
from bayesml.results.checks.elpd import AbstractElpd, KFold, standard_error
from bayesml.results.checks.loo import left_out
from bayesml.results.checks.loo_result import Evidence, LooResult
from bayesml.results.record.fit import AbstractPointFit, AbstractSampledFit
from bayesml.results.record.same_values import same_column, same_numbers

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "Model",
    "check_same_observations",
    "compared_models",
    "fit_of",
    "kind_of",
    "loo_compare",
    "named_models",
    "stacking_weights",
]

Model = AbstractSampledFit | AbstractElpd | LooResult
"""A fit, or what ``loo()``, ``waic()`` or ``kfold()`` returned of it."""

FEW = (
    "loo_compare() takes at least two fits, loo_compare(fit, other), or a dict of fits by name; or what loo(), waic() "
    "or kfold() returned in their place"
)


@final
@dataclass(frozen=True)
class Compared:
    """A model with what its observations contribute.

    Attributes:
        elpd: the log predictive densities.
        p: the effective number of parameters.
        ddof: 0 for variances over n, as ArviZ's loo has them, 1 for n - 1, as in R.
    """

    elpd: np.ndarray
    p: float
    ddof: int

    def standard_error(self, contributions: np.ndarray) -> float:
        """Return the standard error of a sum of contributions."""
        if self.ddof:
            return standard_error(contributions)
        return float(np.sqrt(len(contributions) * contributions.var()))


def loo_compare(
    *fits: AbstractSampledFit | AbstractElpd | LooResult | Mapping[str, Any] | Sequence[Any],
) -> pd.DataFrame:
    """Compare models by their expected log predictive density.

    Args:
        fits: two or more fits of the same observations, or one dict of fits by name; without names the table says
            ``fit1``, ``fit2``, ... in the order given. What ``loo()`` returned, with any options, may stand in the
            place of a fit, and what ``waic()`` or ``kfold()`` returned in the place of all of them.

    Returns:
        One row for each model, the best first, unrounded. ``elpd_loo``: the sum of log p(y_i | y without y_i);
        ``se_elpd_loo``: its standard error; ``p_loo``: effective number of parameters; ``elpd_diff``: the difference to
        the best model, 0 for the best and negative for others, as in R's loo; ``se_diff``: its standard error, from
        the differences of the observations; ``weight``: stacking weights (Yao, Vehtari, Simpson & Gelman 2018). The
        first three are ``elpd_waic``, ... and ``elpd_kfold``, ... of ``waic()`` and ``kfold()``; their standard errors
        have the n - 1 of R's loo.

    Raises:
        ModelError: fewer than two models; different kinds; one of them has draws from the prior alone; or fits of
            different responses, of different rows, or with different likelihood weights, whose densities cannot be
            compared; or the folds of ``kfold()`` differ.

    Warns:
        FitWarning: the estimate is unreliable for some observations of a model, which is named; a discrete is compared
            with a continuous distribution; or it is not known whether rows are the same.

    Example:
        >>> bayesml.loo_compare({"slopes": fit, "intercepts": other})
        >>> bayesml.loo_compare({"slopes": fit.loo(reloo=True), "intercepts": other.loo(reloo=True)})
        >>> bayesml.loo_compare({"slopes": fit.kfold(), "intercepts": other.kfold()})
    """
    import pandas as pd

    named = named_models(fits, FEW)
    kind = kind_of(named)
    found = compared_models(named)
    order = sorted(found, key=lambda name: -found[name].elpd.sum())
    rows = [_row(found[name], found[order[0]], kind) for name in order]
    table = pd.DataFrame(rows, index=pd.Index(order, dtype=object))
    table["weight"] = stacking_weights(np.stack([found[name].elpd for name in order], axis=1))
    return table


def compared_models(named: Mapping[str, Model]) -> dict[str, Compared]:
    """Return what the observations of each model contribute, after checks that they can be compared."""
    fits = {name: fit_of(one) for name, one in named.items()}
    for (first, one), (second, other) in combinations(fits.items(), 2):
        check_same_observations(f"`{first}` and `{second}`", one, other)
        _check_same_rows(f"`{first}` and `{second}`", one, other)
        _check_same_folds(f"`{first}` and `{second}`", named[first], named[second])
        _check_same_units(f"`{first}` and `{second}`", _evidence(named[first]), _evidence(named[second]))
    _warn_about_measures(fits)
    return {name: _compared(name, one) for name, one in named.items()}


def fit_of(one: Model) -> AbstractSampledFit:
    """Return the fit that a result is of."""
    if isinstance(one, LooResult):
        return one.evidence.fit
    return one.fit if isinstance(one, AbstractElpd) else one


def _compared(name: str, one: Model) -> Compared:
    if isinstance(one, AbstractElpd):
        return Compared(one.contributions, one.p, 1)
    found = one.evidence.found if isinstance(one, LooResult) else left_out(one, name).found
    return Compared(found.elpd, float(found.lppd.sum() - found.elpd.sum()), 0)


def kind_of(named: Mapping[str, Model]) -> str:
    """Return what models are compared by, ``loo``, ``waic`` or ``kfold``; a ModelError where they differ."""
    kinds = {name: one.kind if isinstance(one, AbstractElpd) else "loo" for name, one in named.items()}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"`{name}` is {'a fit (loo)' if kind == 'loo' else kind}" for name, kind in kinds.items())
        raise ModelError(
            f"Different estimates of the predictive density cannot be compared: {listed}. Give fits or what loo() "
            "returned, waic() of all, or kfold() of all."
        )
    return next(iter(kinds.values()))


def _check_same_folds(who: str, one: Any, other: Any) -> None:
    if not isinstance(one, KFold) or not isinstance(other, KFold):
        return
    if one.joint != other.joint or not one.pointwise.index.equals(other.pointwise.index):
        raise ModelError(
            f"The densities of {who} are taken jointly for different rows (joint={one.joint!r} and {other.joint!r}, "
            f"{len(one.pointwise)} and {len(other.pointwise)} densities). Call kfold() of both in the same way."
        )
    if not np.array_equal(one.folds, other.folds):
        raise ModelError(
            f"The folds of {who} differ, {one.K} and {other.K} of them, so that what they left out differs. Call "
            "kfold() of both with the same `K`, `folds`, `group` and `seed`."
        )


def _evidence(one: Model) -> Evidence | None:
    return one.evidence if isinstance(one, LooResult) else None


def _check_same_units(who: str, one: Evidence | None, other: Evidence | None) -> None:
    """Refuse densities of rows beside joint densities of groups, or of other groups."""
    units = [each.unit if each else "obs" for each in (one, other)]
    if units[0] != units[1] or (units[0] != "obs" and one and other and not one.labels.equals(other.labels)):
        said = [f"of the levels of `{unit}`" if unit != "obs" else "of single rows" for unit in units]
        raise ModelError(
            f"The densities of {who} cannot be compared: they are {said[0]} and {said[1]}. Call loo() of both with the "
            "same `unit` and `group`."
        )


def _row(model: Compared, best: Compared, kind: str) -> dict[str, float]:
    difference = model.elpd - best.elpd
    return {
        f"elpd_{kind}": float(model.elpd.sum()),
        f"se_elpd_{kind}": model.standard_error(model.elpd),
        f"p_{kind}": model.p,
        "elpd_diff": float(difference.sum()),
        "se_diff": model.standard_error(difference),
    }


def stacking_weights(log_densities: np.ndarray) -> np.ndarray:
    """Return the weights w on the simplex that maximise sum_i log sum_k w_k exp(l_ik).

    Args:
        log_densities: ``(rows, models)`` leave-one-out log densities.
    """
    from scipy.optimize import minimize

    density = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))
    rows, models = density.shape
    # The density of the mixture stays above 0 while the optimiser tries weights on the edge.
    floor = np.finfo(float).tiny

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        mixture = np.maximum(density @ w, floor)
        return -float(np.log(mixture).mean()), -(density / mixture[:, None]).mean(axis=0)

    best = minimize(
        loss,
        np.full(models, 1.0 / models),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(models)},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    weights = np.clip(best.x, 0.0, None)
    return weights / weights.sum()


def named_models(fits: Sequence[Any], few: str) -> dict[str, Any]:
    """Return models by name: given as a dict, as a list, or one after the other.

    Args:
        fits: the arguments as given.
        few: what the function takes, for its errors.
    """
    single = fits[0] if len(fits) == 1 else None
    if isinstance(single, Mapping):
        named = {str(name): fit for name, fit in single.items()}
    else:
        listed = single if isinstance(single, (list, tuple)) else fits
        named = {f"fit{i + 1}": fit for i, fit in enumerate(listed)}
    for name, fit in named.items():
        if not isinstance(fit, (AbstractSampledFit, AbstractElpd, LooResult)):
            raise ModelError(f"{few}; {_stranger(name, fit)}.")
    if len(named) < 2:
        raise ModelError(f"{few}.")
    return named


def _stranger(name: str, fit: Any) -> str:
    if isinstance(fit, AbstractPointFit):
        return f"`{name}` is a point estimate without draws. compare_models() compares point estimates"
    return f"got {fit!r:.200}"


def check_same_observations(who: str, one: AbstractSampledFit, other: AbstractSampledFit) -> None:
    """Raise a ModelError where two fits are of different responses, numbers of rows or weights."""
    first, second = one.problem.design, other.problem.design
    if first.n_rows != second.n_rows:
        raise ModelError(
            f"The fits {who} have different numbers of observations, {first.n_rows} and {second.n_rows}. Fit them to "
            "the same rows; one with a missing value in a column that only one model uses is dropped by that model "
            "alone."
        )
    _check_same_response(who, one, other)
    ours, theirs = (np.ones(first.n_rows) if d.weights is None else d.weights for d in (first, second))
    if not same_numbers(ours, theirs):
        raise ModelError(
            f"The fits {who} have different likelihood weights, which multiply the log densities, so that their sums "
            "cannot be compared. Fit them with the same `weights()`."
        )
    meanings = {weights_are_precisions(fit.engine.method, fit.likelihood) for fit in (one, other)}
    if first.weights is not None and len(meanings) > 1:
        raise ModelError(
            f"The weights of {who} mean different things: of draws around an estimate by likelihood they divide the "
            "residual variance, of a posterior they are powers of the densities, so that they cannot be compared."
        )


def _check_same_response(who: str, one: AbstractSampledFit, other: AbstractSampledFit) -> None:
    first, second = one.problem.design.response.arrays, other.problem.design.response.arrays
    shared = [key for key in ("y", "trials") if key in first and key in second]
    if all(same_numbers(first[key], second[key]) for key in shared):
        return
    texts = [", ".join(each.response.expression.text for each in fit.parsed.responses) for fit in (one, other)]
    different = f"`{texts[0]}` and `{texts[1]}`" if texts[0] != texts[1] else f"other values of `{texts[0]}`"
    advice = (
        " A density of a transformed response is one on another scale: for log(y) write y with family lognormal."
        if texts[0] != texts[1]
        else " Fit them to the same rows, in the same order."
    )
    raise ModelError(
        f"The fits {who} have different responses, {different}, so that their densities cannot be compared.{advice}"
    )


def _check_same_rows(who: str, one: AbstractSampledFit, other: AbstractSampledFit) -> None:
    """Refuse fits of other rows whose responses happen to agree; the index of the data and shared columns tell.

    Data without an index of their own, and data whose index was reset, have the positions of their rows as labels:
    where these differ, or a column that both models use, the rows may be others, and a warning says so.
    """
    differing = next((name for name in _shared_predictors(one, other) if not _agree(one, other, name)), None)
    column = f"the column `{differing}` has other values" if differing else ""
    if one.frame.labels().equals(other.frame.labels()):
        signs = column
    else:
        signs = f"the index of their data differs{f', and {column}' if column else ''}"
        if differing or (one.frame.index is not None and other.frame.index is not None):
            raise ModelError(
                f"The fits {who} have the same response, but on different rows: {signs}. Fit them to the same rows."
            )
    if signs:
        warn_user(
            f"The fits {who} have the same response, but {signs}. If they belong to different rows, the comparison "
            "means nothing."
        )


def _shared_predictors(one: AbstractSampledFit, other: AbstractSampledFit) -> list[str]:
    response = {name for fit in (one, other) for text in _response_texts(fit) for name in variables_of(text)}
    return [name for name in one.frame.columns if name in other.frame.columns and name not in response]


def _response_texts(fit: AbstractSampledFit) -> list[str]:
    return [
        text
        for each in fit.parsed.responses
        for text in (
            each.response.expression.text,
            *(a.text for addition in each.response.additions for a in addition.arguments),
        )
    ]


def _agree(one: AbstractSampledFit, other: AbstractSampledFit, name: str) -> bool:
    return same_column(one.frame.columns[name], other.frame.columns[name])


def _warn_about_measures(fits: Mapping[str, AbstractSampledFit]) -> None:
    discrete = [name for name, fit in fits.items() if fit.likelihood.traits.discrete]
    continuous = [name for name in fits if name not in discrete]
    if discrete and continuous:
        warn_user(
            f"Probabilities of a discrete response ({_listed(discrete)}) are compared with densities of a continuous "
            f"one ({_listed(continuous)}). That makes sense only where the possible values are 1 apart, as counts are."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
