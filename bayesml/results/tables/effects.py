"""Conditional effects: what the model expects along one predictor, or two, with everything else held fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import ModelError
from bayesml.results.plots.conditional import draw_effects
from bayesml.results.predict.asked_effects import Effect, chosen_effects, condition_rows, is_surface
from bayesml.results.predict.effect_grid import Grid, effect_grid, effects_note, model_reference
from bayesml.results.predict.evaluate import evaluate
from bayesml.results.predict.prepare import Request, main_parameter
from bayesml.results.predict.quantity import AbstractQuantity, DrawnQuantity, Summary, What
from bayesml.results.predict.reference import Reference
from bayesml.results.record.conditional_effects import AbstractConditionalEffects, inner_columns
from bayesml.results.record.fit import AbstractFit, AbstractPointFit
from bayesml.results.record.one_response import each_response, has_several, of_one, response_name
from bayesml.results.record.without_residual_terms import without_residual_terms

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ConditionalEffects", "conditional_effects"]

Method = Literal["epred", "predict", "linpred"]
LINE_POINTS, SURFACE_POINTS = 100, 30
MOST_LINES = 100
CATEGORIES = "cats__"
"""The column of the categories of the response, as in brms."""


@final
@dataclass(frozen=True, repr=False)
class ConditionalEffects(AbstractConditionalEffects):
    """Conditional effects by name: ``effects["Days"]``, ``effects["x:group"]``.

    Each table holds the predictors, ``cond__`` (which of the ``conditions``), ``effect1__`` and ``effect2__`` (the
    predictors along the axis and in colours), ``estimate__``, ``se__``, ``lower__`` and ``upper__``; with several
    probabilities the others as ``lower50__`` and ``upper50__``.

    Attributes:
        tables: the tables by name.
        effects: which predictors each is about.
        response: label of what is predicted.
        observed: the rows of the fit and their response under the column ``response__``, for ``plot(points=True)``;
            None where the prediction is not on the scale of the response.
        prob: probability of the intervals.
        note: what was assumed, for example one trial for each row.
        inner: probabilities of further intervals within.
        draws: with ``spaghetti`` the draws behind each table, ``(draws, rows)``.
    """

    def plot(self, points: bool = False, ax: Axes | None = None) -> Figure:
        """Draw the effects: lines with ribbons along numbers, points with intervals along categories.

        Args:
            points: whether to show the observed response too.
            ax: where to draw a single effect; None makes a figure with one panel for each effect and condition.

        Raises:
            ModelError: ``ax`` is given for more than one panel, or points for what is not on the response's scale.
        """
        return draw_effects([self], points, ax)


@final
@dataclass(frozen=True, repr=False)
class EffectsByResponse(Mapping[str, ConditionalEffects]):
    """Conditional effects on each of several responses: ``effects["y1"]["x"]``.

    Attributes:
        parts: the effects on each response by its name.
    """

    parts: Mapping[str, ConditionalEffects]

    def __getitem__(self, resp: str) -> ConditionalEffects:
        if resp not in self.parts:
            there = ", ".join(f"`{name}`" for name in self.parts)
            raise ModelError(f"There are no effects on `{resp}` here; there are effects on {there}.")
        return self.parts[resp]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return "\n".join(repr(part) for part in self.parts.values())

    def plot(self, points: bool = False) -> Figure:
        """Draw the effects on all responses, one panel for each.

        Args:
            points: whether to show the observed responses too, where the effects are on their scale.
        """
        return draw_effects(list(self.parts.values()), points, None)


def conditional_effects(
    fit: AbstractFit,
    effects: str | Sequence[str] | None = None,
    *,
    conditions: Any = None,
    int_conditions: Mapping[str, Sequence[Any]] | None = None,
    re_formula: Any = "NA",
    prob: float | Sequence[float] = 0.95,
    robust: bool = True,
    method: Method = "epred",
    dpar: str | None = None,
    resp: str | None = None,
    resolution: int | None = None,
    ndraws: int | None = None,
    new_levels: str | None = None,
    seed: int | None = None,
    spaghetti: bool = False,
    surface: bool = False,
) -> ConditionalEffects | EffectsByResponse:
    """Return predictions along each predictor, the others at their mean (numbers) or first level (categories).

    Args:
        fit: the fit.
        effects: names of data columns, or two joined by a colon, ``"x:group"``; the numeric one goes along the axis.
            None takes every predictor and every two-way interaction of the population-level terms.
        conditions: values at which to hold other columns, ``{"x": 3}``, or a table with one row for each panel.
        int_conditions: values that a column of ``effects`` takes, ``{"z": [0, 1]}``. Otherwise a numeric column goes
            from its smallest to its largest value along the axis, and takes mean - sd, mean and mean + sd in colours.
        re_formula: which group-level effects, see ``linpred``; ``"NA"`` leaves them out. Those that are used belong to
            an unseen level, unless ``conditions`` says which.
        prob: probability of the intervals; several give intervals within each other, ``(0.5, 0.95)``.
        robust: median and scaled mad of the draws instead of mean and standard deviation. Estimates have standard
            errors by the delta method.
        method: ``"epred"`` the expected response, ``"predict"`` the response with its residual variation, ``"linpred"``
            the linear predictor. Of a response of categories ``"epred"`` shows the probability of each with its
            interval, ``"predict"`` the share of random responses in each, which has none.
        dpar: a distributional parameter to show instead of the response.
        resp: which of several responses; None takes all that have these effects: ``effects["y1"]["x"]``.
        resolution: number of points along a numeric axis; None takes 100, for surfaces 30 along each.
        ndraws: number of draws, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``; None is ``"uncertainty"`` for draws, ``"zero"`` for
            estimates.
        seed: seed, see ``linpred``.
        spaghetti: whether the picture shows a line for each draw, at most 100 unless ``ndraws`` says how many, in the
            place of an interval.
        surface: whether two numbers joined by a colon span a surface, shown by colours, in the place of three lines.

    Raises:
        ModelError: an effect is not in the model, or an option is impossible.
        DataError: a condition is a level that the fit has not seen.

    Example:
        >>> effects = fit.conditional_effects("Days")
        >>> effects["Days"].head()
        >>> effects.plot(points=True)
    """
    policy = new_levels or ("zero" if isinstance(fit, AbstractPointFit) else "uncertainty")
    request, given = Request(None, re_formula, policy, ndraws, seed), {} if int_conditions is None else int_conditions

    looks = _Looks(_probabilities(prob), robust, resolution, spaghetti, surface)

    def of(one: AbstractFit) -> ConditionalEffects:
        one = without_residual_terms(one)
        _check_options(one, method, dpar, resolution, spaghetti)
        return _effects_on(one, _Asked(effects, conditions, given, method, dpar, looks), request)

    if resp is not None or not has_several(fit):
        return of(of_one(fit, resp))
    return EffectsByResponse(_where_there_are(of, each_response(fit)))


def _where_there_are(
    of: Callable[[AbstractFit], ConditionalEffects], fits: Mapping[str, AbstractFit]
) -> dict[str, ConditionalEffects]:
    """Return the effects on every response that has them.

    Raises:
        ModelError: none has; the error is that of the first.
    """
    found, errors = {}, []
    for name, one in fits.items():
        try:
            found[name] = of(one)
        except ModelError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


@final
@dataclass(frozen=True)
class _Asked:
    """What was asked of ``conditional_effects``, see there."""

    effects: str | Sequence[str] | None
    conditions: Any
    int_conditions: Mapping[str, Sequence[Any]]
    method: Method
    dpar: str | None
    looks: _Looks


@final
@dataclass(frozen=True)
class _Looks:
    """How effects are shown.

    Attributes:
        probs: probabilities of the intervals, the widest last.
        robust: whether median and scaled mad stand for mean and standard deviation.
        resolution: number of points along a numeric axis; None for the default.
        spaghetti: whether draws are shown.
        surface: whether two numbers span a surface.
    """

    probs: tuple[float, ...]
    robust: bool
    resolution: int | None
    spaghetti: bool
    surface: bool

    def points(self, effect: Effect) -> int:
        """Return the number of points along an axis."""
        return self.resolution or (SURFACE_POINTS if effect.is_surface else LINE_POINTS)


def _effects_on(fit: AbstractFit, asked: _Asked, request: Request) -> ConditionalEffects:
    """Return the effects on one response."""
    method, dpar = asked.method, asked.dpar
    known = model_reference(fit, request.re_formula)
    chosen = chosen_effects(fit, known, asked.effects, dpar)
    categories = fit.likelihood.event_labels if dpar is None and method != "linpred" else ()
    chosen = _along_categories(fit, chosen, asked.effects) if categories else chosen
    rows = condition_rows(fit, asked.conditions)
    ones = _single_trials(fit, rows[0].values)
    shown = dpar or (main_parameter(fit.likelihood) if method == "linpred" else None)
    what = What(method, shown, one_trial=ones)
    looks, draws = asked.looks, {}
    tables, shown_effects, left_out = {}, {}, 0
    for each in chosen:
        effect = replace(each, is_surface=looks.surface and is_surface(known, each) and not categories)
        of_columns = replace(effect, moderator="") if categories else effect
        given = _surface_values(known, effect, asked.int_conditions, looks.points(effect))
        grid = effect_grid(fit, known, of_columns, rows, given, looks.points(effect))
        found = evaluate(fit, replace(request, newdata=grid.columns), what)
        left_out += grid.left_out
        tables[effect.name] = _table(grid, [found.summary(p, looks.robust) for p in looks.probs], looks, categories)
        shown_effects[effect.name] = replace(effect, is_line=grid.is_line)
        if looks.spaghetti and grid.is_line and not effect.is_surface:
            draws[effect.name] = _lines(found, request)
    note = effects_note(ones and dpar is None and method != "linpred", left_out)
    observed = _observed(fit, ones) if dpar is None and method != "linpred" and not categories else None
    label, probs = _label(fit, method, dpar, ones), looks.probs
    return ConditionalEffects(tables, shown_effects, label, observed, probs[-1], note, probs[:-1], draws)


def _surface_values(
    known: Reference, effect: Effect, given: Mapping[str, Sequence[Any]], points: int
) -> Mapping[str, Sequence[Any]]:
    """Return the values that columns take: of a surface all of the range along its second axis too."""
    if not effect.is_surface or effect.moderator in given:
        return given
    values = known.frame.columns[effect.moderator].values
    return {**given, effect.moderator: np.linspace(float(values.min()), float(values.max()), points).tolist()}


def _lines(found: AbstractQuantity, request: Request) -> np.ndarray:
    """Return draws of each row, ``(draws, rows)``: all that were asked for, or 100 of them."""
    assert isinstance(found, DrawnQuantity)
    if found.levels:
        raise ModelError('Shares of random categories have no draws to show; method="epred" has.')
    values = found.values.reshape(len(found.values), -1)
    few = request.ndraws is not None or len(values) <= MOST_LINES
    return values if few else values[np.linspace(0, len(values) - 1, MOST_LINES).astype(int)]


def _probabilities(prob: Any) -> tuple[float, ...]:
    """Return the probabilities of the intervals, the widest last.

    Raises:
        ModelError: one is none.
    """
    given = tuple(prob) if isinstance(prob, (list, tuple)) else (prob,)
    wrong = [p for p in given if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0.0 < p < 1.0]
    if wrong or not given:
        raise ModelError(f"`prob` lies between 0 and 1; got {prob!r}.")
    return tuple(sorted(dict.fromkeys(float(p) for p in given)))


def _check_options(fit: AbstractFit, method: str, dpar: str | None, resolution: int | None, spaghetti: bool) -> None:
    if method not in ("epred", "predict", "linpred"):
        raise ModelError(f'`method` is "epred", "predict" or "linpred"; got {method!r}.')
    if dpar is not None:
        known = [p.key.parameter for p in fit.problem.design.schema.predictors if not p.key.nlpar]
        if dpar not in known:
            raise ModelError(
                f"`dpar` is a parameter with a formula, one of {', '.join(f'`{k}`' for k in known)}; got {dpar!r}."
            )
        if method == "predict":
            raise ModelError(
                'A distributional parameter has no random part: use method="epred" or "linpred" with dpar.'
            )
    if spaghetti and isinstance(fit, AbstractPointFit):
        raise ModelError("A point estimate has no draws to show one by one; fit.to_normal_draws() makes some.")
    if resolution is not None and (isinstance(resolution, bool) or not isinstance(resolution, int) or resolution < 2):
        raise ModelError(f"`resolution` is a whole number of at least 2; got {resolution!r}.")


def _single_trials(fit: AbstractFit, given: Mapping[str, Any]) -> bool:
    """Return whether one trial stands for the number of trials of each row: no condition says how many."""
    for addition in fit.parsed.response.additions:
        if addition.name == "trials":
            variables = variables_of(addition.arguments[0].text)
            return bool(variables) and not any(v in given for v in variables)
    return False


def _along_categories(
    fit: AbstractFit, chosen: tuple[Effect, ...], effects: str | Sequence[str] | None
) -> tuple[Effect, ...]:
    """Return the effects of one predictor each, with a colour for each category of the response.

    Raises:
        ModelError: an effect of two predictors was asked for.
    """
    pairs = [effect.name for effect in chosen if effect.moderator]
    if pairs and effects is not None:
        raise ModelError(
            f"`{pairs[0]}`: the colours show the categories of the response. Ask for one predictor and hold the other "
            "at values with `conditions`."
        )
    legend = "column" if fit.likelihood.response_labels else fit.parsed.response.name
    return tuple(replace(effect, moderator=CATEGORIES, legend=legend) for effect in chosen if not effect.moderator)


def _by_category(grid: Grid, categories: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    table = grid.to_pandas()
    repeated = table.loc[np.repeat(np.arange(len(table)), len(categories))].reset_index(drop=True)
    shown = pd.Categorical(list(categories) * len(table), categories)
    return repeated.assign(**{CATEGORIES: shown, "effect2__": shown})


def _table(grid: Grid, summaries: Sequence[Summary], looks: _Looks, categories: tuple[str, ...]) -> pd.DataFrame:
    rows, found = _by_category(grid, categories) if categories else grid.to_pandas(), summaries[-1]
    table = rows.assign(estimate__=found.center, se__=found.error, lower__=found.lower, upper__=found.upper)
    for prob, inner in zip(looks.probs[:-1], summaries[:-1], strict=True):
        lower, upper = inner_columns(prob)
        table = table.assign(**{lower: inner.lower, upper: inner.upper})
    return table


def _observed(fit: AbstractFit, ones: bool) -> pd.DataFrame:
    arrays = fit.problem.design.response.arrays
    trials = np.maximum(arrays["trials"], 1) if ones else 1
    return fit.frame.to_pandas().assign(response__=np.asarray(arrays["y"], dtype=float) / trials)


def _label(fit: AbstractFit, method: Method, dpar: str | None, ones: bool) -> str:
    name = fit.parsed.response.name
    of_response = f" of {name}" if response_name(fit) else ""
    if method == "linpred":
        shown = dpar or main_parameter(fit.likelihood)
        link = fit.likelihood.link(shown).name
        return (shown if link == "identity" else f"{link}({shown})") + of_response
    levels = fit.problem.design.response.levels
    if dpar is None and fit.likelihood.traits.two_levels and levels is not None and levels != ("0", "1"):
        return f"P({name} = {levels[1]})"
    if dpar is None and fit.likelihood.event_labels:
        return "expected share" if fit.likelihood.response_labels else f"P({name})"
    return dpar + of_response if dpar else f"P({name})" if ones else name
