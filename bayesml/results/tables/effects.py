"""Conditional effects: what the model expects along one predictor, or two, with everything else held fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import ModelError
from bayesml.results.marginal.comparing import transform_of
from bayesml.results.plots.conditional import draw_effects
from bayesml.results.predict.asked_effects import Effect, chosen_effects, condition_rows, is_surface
from bayesml.results.predict.effect_grid import Grid, effect_grid, effects_note, given_values, model_reference
from bayesml.results.predict.evaluate import evaluate
from bayesml.results.predict.prepare import Request, main_parameter
from bayesml.results.predict.quantity import AbstractQuantity, DrawnQuantity, Summary, What
from bayesml.results.predict.reference import Reference
from bayesml.results.record.conditional_effects import AbstractConditionalEffects, inner_columns
from bayesml.results.record.fit import AbstractFit, AbstractPointFit
from bayesml.results.record.one_response import each_response, has_several, of_one, response_name
from bayesml.results.record.without_residual_terms import without_residual_terms
from bayesml.results.tables.effect_looks import (
    Looks,
    categories_shown,
    check_options,
    probabilities,
    transformed,
    transformed_draws,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ConditionalEffects", "conditional_effects"]

Method = Literal["epred", "predict", "linpred"]
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
        rows: the rows of the fit.
        conditions: the values that each condition gives, by its label.
    """

    def plot(
        self, points: bool = False, ax: Axes | None = None, *, rug: bool = False, select_points: float = 0.0
    ) -> Figure:
        """Draw the effects: lines with ribbons along numbers, points with intervals along categories.

        Args:
            points: whether to show the observed response too. Under conditions that name levels a panel shows the rows
                with these levels.
            ax: where to draw a single effect; None makes a figure with one panel for each effect and condition.
            rug: whether to mark the rows of the fit along numeric axes.
            select_points: of conditions that give numbers, a panel shows the rows whose numbers are no further away
                than this share of their range; 0 shows all.

        Raises:
            ModelError: ``ax`` is given for more than one panel, or points for what is not on the response's scale.
        """
        return draw_effects([self], points, ax, rug, select_points)


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

    def plot(self, points: bool = False, *, rug: bool = False, select_points: float = 0.0) -> Figure:
        """Draw the effects on all responses, one panel for each.

        Args:
            points: whether to show the observed responses too, where the effects are on their scale.
            rug: whether to mark the rows of the fit along numeric axes.
            select_points: which rows a panel shows, see ``ConditionalEffects.plot``.
        """
        return draw_effects(list(self.parts.values()), points, None, rug, select_points)


def conditional_effects(
    fit: AbstractFit,
    effects: str | Sequence[str] | None = None,
    *,
    conditions: Any = None,
    int_conditions: Mapping[str, Any] | None = None,
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
    categorical: bool | None = None,
    too_far: float = 0.0,
    transform: Any = None,
) -> ConditionalEffects | EffectsByResponse:
    """Return predictions along each predictor, the others at their mean (numbers) or first level (categories).

    Args:
        fit: the fit.
        effects: names of data columns, or two joined by a colon, ``"x:group"``; the numeric one goes along the axis.
            None takes every predictor and every two-way interaction of the population-level terms.
        conditions: values at which to hold other columns, ``{"x": 3}``, or a table with one row for each panel, whose
            label the column ``cond__`` gives. A list of names makes one (``make_conditions`` of brms): every level of
            categories, and mean - sd, mean and mean + sd of numbers, combined.
        int_conditions: values that a column of ``effects`` takes, ``{"z": [0, 1]}``, or a function that computes them
            of the column. Otherwise a numeric column goes
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
        categorical: False takes the codes of categories in an order as numbers and shows their mean, which may depend
            on two predictors; None, and True, shows the probability of each category.
        too_far: leaves points of a surface out that are further from all rows of the fit than this share of the ranges.
        transform: ``"exp"``, ``"ln"``, or a function of an array, applied to the draws before they are summarised, and
            to the observed responses of the picture: ``np.exp`` shows a model of ``log(y)`` on the scale of y. Needs
            draws.

    Raises:
        ModelError: an effect is not in the model, or an option is impossible.
        DataError: a condition is a level that the fit has not seen.

    Example:
        >>> effects = fit.conditional_effects("Days")
        >>> effects["Days"].head()
        >>> effects.plot(points=True)
    """
    usual = "zero" if isinstance(fit, AbstractPointFit) else "uncertainty"
    policy = usual if new_levels is None else new_levels
    request = Request(None, re_formula, policy, ndraws, seed)
    looks = Looks(
        probabilities(prob), robust, resolution, spaghetti, surface, categorical, too_far, transform_of(transform)
    )

    def of(one: AbstractFit) -> ConditionalEffects:
        one = without_residual_terms(one)
        check_options(one, method, dpar, looks)
        given = given_values(one, {} if int_conditions is None else int_conditions)
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
    """The arguments of ``conditional_effects``, see there."""

    effects: str | Sequence[str] | None
    conditions: Any
    int_conditions: Mapping[str, Sequence[Any]]
    method: Method
    dpar: str | None
    looks: Looks


def _effects_on(fit: AbstractFit, asked: _Asked, request: Request) -> ConditionalEffects:
    """Return the effects on one response."""
    method, dpar = asked.method, asked.dpar
    known = model_reference(fit, request.re_formula)
    chosen = chosen_effects(fit, known, asked.effects, dpar)
    categories = categories_shown(fit, method, dpar, asked.looks.categorical)
    chosen = _along_categories(fit, chosen, asked.effects) if categories else chosen
    rows = condition_rows(fit, known, asked.conditions)
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
        found = found if categories or dpar is not None else _as_numbers(fit, found)
        found = transformed_draws(found, looks.transform)
        left_out += grid.left_out
        table = _table(grid, [found.summary(p, looks.robust) for p in looks.probs], looks, categories)
        tables[effect.name] = _near(fit, effect, table, looks.too_far) if effect.is_surface else table
        shown_effects[effect.name] = replace(effect, is_line=grid.is_line)
        if looks.spaghetti and grid.is_line and not effect.is_surface:
            draws[effect.name] = _lines(found, request)
    note = effects_note(ones and dpar is None and method != "linpred", left_out)
    observed = _observed(fit, ones, looks) if dpar is None and method != "linpred" and not categories else None
    label, probs = looks.label(_label(fit, method, dpar, ones, categories)), looks.probs
    held = {row.label: row.values for row in rows}
    return ConditionalEffects(
        tables, shown_effects, label, observed, probs[-1], note, probs[:-1], draws, fit.frame.to_pandas(), held
    )


def _as_numbers(fit: AbstractFit, found: AbstractQuantity) -> AbstractQuantity:
    """Return the mean of the codes of categories in the place of their probabilities; all else as it is."""
    if not isinstance(found, DrawnQuantity) or not (found.categories or found.levels):
        return found
    if found.levels:
        return replace(found, levels=())
    codes = fit.likelihood.first_category + np.arange(len(found.categories))
    return replace(found, values=found.values @ codes, categories=())


def _near(fit: AbstractFit, effect: Effect, table: pd.DataFrame, too_far: float) -> pd.DataFrame:
    """Return the table of a surface without estimates at points that are too far from the rows of the fit."""
    if not too_far:
        return table
    from scipy.spatial import cKDTree

    names = [effect.axis, effect.moderator]
    low, high = table[names].min().to_numpy(), table[names].max().to_numpy()
    observed = np.column_stack([fit.frame.columns[name].values for name in names])
    scale = np.where(high > low, high - low, 1.0)
    distances, _ = cKDTree((observed - low) / scale).query((table[names].to_numpy() - low) / scale)
    shown = [name for name in table if name.startswith(("estimate", "se_", "lower", "upper")) and name.endswith("__")]
    return table.assign(**{name: table[name].where(distances <= too_far) for name in shown})


def _surface_values(
    known: Reference, effect: Effect, given: Mapping[str, Sequence[Any]], points: int
) -> Mapping[str, Sequence[Any]]:
    """Return the values that columns take: of a surface all of the range along its second axis too."""
    if not effect.is_surface or effect.moderator in given:
        return given
    values = known.frame.columns[effect.moderator].values
    return {**given, effect.moderator: np.linspace(float(values.min()), float(values.max()), points).tolist()}


def _lines(found: AbstractQuantity, request: Request) -> np.ndarray:
    """Return draws of each row, ``(draws, rows)``: all that were requested, or 100 of them."""
    assert isinstance(found, DrawnQuantity)
    if found.levels:
        raise ModelError('Shares of random categories have no draws to show; method="epred" has.')
    values = found.values.reshape(len(found.values), -1)
    few = request.ndraws is not None or len(values) <= MOST_LINES
    return values if few else values[np.linspace(0, len(values) - 1, MOST_LINES).astype(int)]


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
        ModelError: an effect of two predictors was requested.
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


def _table(grid: Grid, summaries: Sequence[Summary], looks: Looks, categories: tuple[str, ...]) -> pd.DataFrame:
    rows, found = _by_category(grid, categories) if categories else grid.to_pandas(), summaries[-1]
    table = rows.assign(estimate__=found.center, se__=found.error, lower__=found.lower, upper__=found.upper)
    for prob, inner in zip(looks.probs[:-1], summaries[:-1], strict=True):
        lower, upper = inner_columns(prob)
        table = table.assign(**{lower: inner.lower, upper: inner.upper})
    return table


def _observed(fit: AbstractFit, ones: bool, looks: Looks) -> pd.DataFrame:
    arrays = fit.problem.design.response.arrays
    trials = np.maximum(arrays["trials"], 1) if ones else 1
    response = transformed(np.asarray(arrays["y"], dtype=float) / trials, looks.transform)
    return fit.frame.to_pandas().assign(response__=response)


def _label(fit: AbstractFit, method: Method, dpar: str | None, ones: bool, categories: tuple[str, ...]) -> str:
    name = fit.parsed.response.name
    of_response = f" of {name}" if response_name(fit) else ""
    if method == "linpred":
        shown = dpar or main_parameter(fit.likelihood)
        link = fit.likelihood.link(shown).name
        return (shown if link == "identity" else f"{link}({shown})") + of_response
    levels = fit.problem.design.response.levels
    if dpar is None and fit.likelihood.traits.two_levels and levels is not None and levels != ("0", "1"):
        return f"P({name} = {levels[1]})"
    if categories:
        return "expected share" if fit.likelihood.response_labels else f"P({name})"
    if dpar is None and fit.likelihood.event_labels:
        return f"code of {name}"
    return dpar + of_response if dpar else f"P({name})" if ones else name
