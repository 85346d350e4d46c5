"""Predictive checks: the observed response beside responses that the model draws (Gabry et al. 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError, warn_user
from bayesml.results.checks.kaplan_meier import right_censoring
from bayesml.results.checks.prior_draws import before_data
from bayesml.results.plots.predictive.kinds import KINDS, Kind, read_kind
from bayesml.results.plots.predictive.panels import draw_parts
from bayesml.results.plots.predictive.responses import CheckedRows, compared_parts
from bayesml.results.plots.predictive.statistics import read_statistics
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.record.one_response import of_one
from bayesml.results.record.select import is_prior_only

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["pp_check"]

FROM_PRIOR = 1000
SURVIVAL = "km_overlay"
STATISTICS = ("stat", "stat_freqpoly", "stat_2d")


def pp_check(
    fit: AbstractSampledFit, ndraws: int | None = None, kind: str | None = None, seed: int | None = None, *,
    resp: str | None = None, column: str | None = None, group: Any = None, x: Any = None, stat: Any = None,
    newdata: Any = None, re_formula: Any = None, new_levels: NewLevels = "error", prior: bool = False,
) -> Figure:  # fmt: skip
    """Draw the observed response y beside responses y_rep drawn from the posterior predictive distribution.

    The kinds have the names of bayesplot, with or without ``ppc_``; those of ArviZ are understood too:

    - distributions: ``"dens_overlay"`` densities (default for a continuous response), ``"ecdf_overlay"`` cumulative
      distributions, ``"dens"``, ``"hist"`` and ``"freqpoly"`` one panel each, ``"boxplot"``, ``"violin"``,
      ``"km_overlay"`` survival curves, of y by Kaplan and Meier (default for a response that is censored on the right);
    - counts: ``"bars"`` of each value with 90% intervals (default for a discrete response), ``"rootogram"``;
    - statistics: ``"stat"`` (mean and standard deviation, or ``stat=``), ``"stat_freqpoly"``, ``"stat_2d"``;
    - rows: ``"intervals"`` 50% and 90% intervals of every row, ``"ribbon"``, ``"scatter"``, ``"scatter_avg"``, and with
      each row left out ``"loo_intervals"`` and ``"loo_ribbon"``;
    - errors: ``"error_hist"``, ``"error_scatter"``, ``"error_scatter_avg"``, ``"error_scatter_avg_vs_x"``, and
      ``"error_binned"``, mean errors in bins of the expected response;
    - probabilities: ``"pit_ecdf"``, ``"loo_pit_ecdf"``, ``"loo_pit_overlay"``, ``"loo_pit_qq"`` probability integral
      transforms against the uniform distribution; ``"calibration"`` and ``"loo_calibration"`` how often a response of
      two values, or each category, occurs against its probability.

    Args:
        fit: the fit.
        ndraws: number of draws of the response; None takes some 10 where each is drawn on its own, 1000 where they are
            summarised, and all of them where probabilities are computed.
        kind: what to draw, see above; with ``_grouped`` behind it, it needs ``group``.
        seed: whole number; the same seed gives the same picture.
        resp: which of several responses.
        column: which column of a response of several, ``cbind(a, b, c)``; None takes the first.
        group: a panel for each group of rows: name of a column that the fit uses, or a value for each row.
        x: a number for each row, along the axis of ``"intervals"``, ``"ribbon"`` and ``"error_scatter_avg_vs_x"``: name
            of a column, or values.
        stat: the statistics of ``"stat"`` and its relatives: ``"mean"``, ``"sd"``, ``"median"``, ``"mad"``, ``"min"``,
            ``"max"``, ``"q5"``, ``"q25"``, ``"q75"``, ``"q95"``, ``"prop_zero"``, a function of an array, or a list.
        newdata: rows with their response; those of the fit if None.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        prior: whether the responses come from the prior predictive distribution: parameters are drawn from the prior by
            forward simulation, without a Markov chain.

    Raises:
        ModelError: there is no such kind, column or statistic, the kind does not suit the response, or ``resp`` does
            not say which of several responses.
        PriorError: ``prior=True``, and a prior is flat.
        DataError: see ``linpred``.

    Warns:
        FitWarning: responses are censored, so that a picture other than ``"km_overlay"`` compares what was observed of
            them with whole responses.

    Example:
        >>> fit.pp_check(kind="stat", seed=1)
        >>> fit.pp_check(kind="dens_overlay", group="Dose")
        >>> fit.pp_check(prior=True, seed=1)
    """
    one = of_one(fit, resp)
    name, is_grouped = read_kind(_default_kind(one) if kind is None else kind)
    if is_grouped and group is None:
        raise ModelError(f'kind={kind!r} needs groups: group="f", a column that the fit uses, or a value for each row.')
    _check_needs(fit, name, KINDS[name], newdata, x, prior)
    statistics = read_statistics(("mean", "sd") if stat is None else stat) if name in STATISTICS else ()
    if name != SURVIVAL and _is_censored(one):
        warn_user(
            "Censored responses stand in the picture at the bounds that were observed, y_rep are whole responses."
        )
    if prior:
        one = of_one(before_data(fit, FROM_PRIOR if ndraws is None else ndraws, seed), resp)
    chosen_seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
    asked = CheckedRows(ndraws, chosen_seed, newdata, re_formula, new_levels, column, group, x)
    parts = compared_parts(one, KINDS[name], asked)
    return draw_parts(KINDS[name], [(label, replace(part, statistics=statistics)) for label, part in parts])


def _default_kind(fit: AbstractSampledFit) -> str:
    if _is_censored(fit) and right_censoring(fit) is not None:
        return SURVIVAL
    return "bars" if fit.likelihood.traits.discrete else "dens_overlay"


def _is_censored(fit: AbstractSampledFit) -> bool:
    return any(addition.name == "cens" for addition in fit.parsed.response.additions)


def _check_needs(fit: AbstractSampledFit, name: str, kind: Kind, newdata: Any, x: Any, prior: Any) -> None:
    """Refuse a kind that cannot be drawn of what is given."""
    if not isinstance(prior, bool):
        raise ModelError(f"`prior` is True or False; got {prior!r}.")
    if "weights" in kind.needs and (prior or is_prior_only(fit)):
        raise ModelError(f'kind="{name}" leaves rows out of the posterior; draws from the prior have not seen them.')
    if kind.needs & {"weights", "observed"} and newdata is not None:
        raise ModelError(f'kind="{name}" is of the rows of the fit; leave `newdata` out.')
    if "x" in kind.needs and x is None:
        raise ModelError(f'kind="{name}" needs `x`, the name of a column of numbers, or a number for each row.')
