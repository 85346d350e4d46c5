"""Which form of the posterior NUTS samples, and why: a pure function of the model's description and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, final

from bayesml.engines.base import Problem
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.collapsed import collapse_conditions, collapsed_form
from bayesml.engines.nuts.forms.collapsed.cells import sigma_cells
from bayesml.engines.nuts.forms.collapsed.conditions import joint_priors
from bayesml.engines.nuts.forms.collapsed.model import Split, gaussian_rows, split_of
from bayesml.engines.nuts.forms.gaussian.rotation import rotated_block
from bayesml.engines.nuts.forms.gaussian.statistics import arrange
from bayesml.engines.nuts.forms.level_tables import with_distinct_counts, with_level_tables
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.nuts.forms.preconditioned.blocks import nested_factors
from bayesml.engines.nuts.forms.unique_rows import with_unique_rows
from bayesml.errors import ModelError
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, AbstractTerm, EffectBlock

__all__ = ["BUILDERS", "FactorShape", "ModelShape", "Plan", "build_form", "choose_plan", "model_shape", "plan_for"]

FormName = Literal["collapsed", "preconditioned", "plain"]

LARGEST_WHITENED = 1500
"""Most dimensions beside the chain of nested factors whose Hessian at the mode is formed and factored densely."""
LARGEST_TAIL = 100
"""Most coefficients of crossed factors beside the largest that are factored densely at each gradient (CPU)."""
MOST_OPERATIONS = 3e5
"""Most multiplications of one gradient for which all crossed factors are integrated out: some 50 us.

Beyond, sampling the effects of the smaller factors in coordinates from a pilot is faster: twice the leapfrogs, each a
tenth of the price or less (measured for the same number of draws, 200 x 100 levels: 0.4 s against 3.5 s).
"""
MOST_ENTRIES = 2e7
"""Most entries of the table between the largest factor and the others: each is read at each gradient."""
LARGEST_CURVES = 400
"""Most coefficients of smooths that are factored densely at each gradient."""


@final
@dataclass(frozen=True)
class FactorShape:
    """One grouping factor.

    Attributes:
        name: as brms prints it.
        levels: number of levels.
        columns: effects for each level.
    """

    name: str
    levels: int
    columns: int

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.levels * self.columns


@final
@dataclass(frozen=True)
class ModelShape:
    """What the choice of a form depends on.

    Attributes:
        rows: number of observations.
        dimensions: size of the flat vector of the model as written.
        obstacles: why effects cannot be integrated out exactly; empty where they can.
        chain: the nested factors with the most effects, the innermost first.
        others: the factors that cross it.
        smooths: the smooths; a coefficient for each of their levels.
        slopes: number of slopes with a normal or flat prior.
        without_mode: why there is no usable mode of the joint density; empty where there may be one.
    """

    rows: int
    dimensions: int
    obstacles: tuple[str, ...] = ()
    chain: tuple[FactorShape, ...] = ()
    others: tuple[FactorShape, ...] = ()
    smooths: tuple[FactorShape, ...] = ()
    slopes: int = 0
    without_mode: tuple[str, ...] = ()

    @property
    def tail(self) -> int:
        """Effects of the factors outside the chain."""
        return sum(factor.size for factor in self.others)

    @property
    def curves(self) -> int:
        """Penalised coefficients of the smooths."""
        return sum(smooth.size for smooth in self.smooths)

    @property
    def leaf(self) -> int:
        """Effects of the innermost factor of the chain."""
        return self.chain[0].size if self.chain else 0


@final
@dataclass(frozen=True)
class Plan:
    """How a posterior is sampled; printing it says so in words.

    Attributes:
        form: ``collapsed``, ``preconditioned`` or ``plain``.
        reason: why this form.
        integrated: what is integrated out exactly.
        sampled_effects: grouping factors whose effects stay sampled.
        dimensions: number of dimensions NUTS moves in.
        touches: what one gradient reads.
        scaled: whether what a collapsed form samples is whitened at the mode, effects by way of a pilot fit.
    """

    form: FormName
    reason: str
    integrated: tuple[str, ...]
    sampled_effects: tuple[str, ...]
    dimensions: int
    touches: str
    scaled: bool = True

    @property
    def is_whitened(self) -> bool:
        """Whether the sampler moves in coordinates whitened at the mode, which need little warm-up."""
        return self.form == "preconditioned" or (self.form == "collapsed" and self.scaled)

    def reading(self, rows: int) -> Plan:
        """Return the plan where identical rows are one, so that a gradient reads ``rows`` of them; 0 for sums."""
        return replace(self, touches=f"{rows} different rows") if rows else self

    def __str__(self) -> str:
        integrated = ", ".join(self.integrated) or "nothing"
        lines = [
            f"{self.form} form: {self.reason}",
            f"  integrated out: {integrated}",
            f"  sampled: {self.dimensions} dimension{'s' if self.dimensions != 1 else ''}"
            + (f", among them the effects of {', '.join(self.sampled_effects)}" if self.sampled_effects else ""),
            f"  a gradient reads {self.touches}",
        ]
        return "\n".join(lines)


def choose_plan(
    shape: ModelShape,
    marginalize: bool | None = None,
    precondition: bool | None = None,
    available: frozenset[str] = frozenset({"collapsed", "plain"}),
) -> Plan:
    """Choose the form of a model.

    Collapsed where all is linear and Gaussian and the elimination is cheap, else preconditioned, else plain.

    Args:
        shape: the model's description and sizes.
        marginalize: True requires integrating effects out, False excludes it, None leaves it to the model.
        precondition: the same for the preconditioned form; True without ``marginalize`` forbids integrating.
        available: the forms there are.

    Raises:
        ModelError: what is insisted on is impossible.
    """
    if marginalize and precondition:
        raise ModelError(
            "`marginalize=True` and `precondition=True` exclude each other: the first integrates group effects out, "
            "the second samples them in better coordinates. Set one of them."
        )
    if marginalize or (marginalize is None and not precondition):
        against = _against_collapse(shape)
        if not against:
            return _collapsed(shape, scaled=precondition is not False)
        if marginalize:
            raise ModelError(f"`marginalize=True` is impossible: {'; '.join(against)}. Leave it out.")
    else:
        against = ("marginalize=False" if marginalize is False else "precondition=True",)
    if precondition is False:
        return _plain(shape, (*against, "precondition=False"))
    blocked: tuple[str, ...] = () if "preconditioned" in available else ("the preconditioned form is not available",)
    blocked += shape.without_mode
    if not blocked:
        return _joint("preconditioned", shape, f"not collapsed ({'; '.join(against)}), and the density has a mode")
    if precondition:
        raise ModelError(f"`precondition=True` is impossible: {'; '.join(blocked)}. Leave it out.")
    return _plain(shape, (*against, *blocked))


def _against_collapse(shape: ModelShape) -> tuple[str, ...]:
    """Return why the collapsed form cannot be used; empty where it can."""
    if shape.obstacles:
        return shape.obstacles
    if shape.curves > LARGEST_CURVES:
        return (f"the smooths have {shape.curves} coefficients, more than {LARGEST_CURVES}",)
    if not _is_cheap(shape) and shape.leaf * shape.tail > MOST_ENTRIES:
        names = ", ".join(factor.name for factor in shape.others)
        return (f"{names} cross{'es' if len(shape.others) == 1 else ''} {shape.chain[0].name} in too large a table",)
    return ()


def _is_cheap(shape: ModelShape) -> bool:
    """Whether all factors can be integrated out: there is but a chain, or the rest beside it is small."""
    width = shape.tail + shape.curves
    return not shape.tail or (width <= LARGEST_TAIL and shape.leaf * width**2 <= MOST_OPERATIONS)


def _collapsed(shape: ModelShape, scaled: bool) -> Plan:
    cheap = _is_cheap(shape)
    eliminated = (*shape.chain, *shape.others) if cheap else shape.chain
    reason = "gaussian and linear in effects and slopes"
    if not cheap:
        reason += "; integrating out the effects of all factors would cost too much at each gradient"
    integrated = tuple(f"{f.size} effects of {f.name}" for f in eliminated)
    integrated += tuple(f"{s.size} coefficient{'s' if s.size > 1 else ''} of {s.name}" for s in shape.smooths)
    if shape.slopes:
        integrated += (f"{shape.slopes} slope{'s' if shape.slopes > 1 else ''}",)
    dimensions = shape.dimensions - shape.slopes - shape.curves - sum(f.size for f in eliminated)
    levels = ", ".join(f"{f.levels} levels of {f.name}" for f in (*shape.chain, *shape.others))
    touches = f"sums over the {levels}, no row" if levels else "sums over all rows, formed once, no row"
    kept = () if cheap else tuple(f.name for f in shape.others)
    return Plan("collapsed", reason, integrated, kept, dimensions, touches, scaled)


def _joint(form: FormName, shape: ModelShape, reason: str) -> Plan:
    names = tuple(dict.fromkeys(factor.name for factor in (*shape.chain, *shape.others)))
    return Plan(form, reason, (), names, shape.dimensions, f"{shape.rows} rows")


def _plain(shape: ModelShape, reasons: tuple[str, ...]) -> Plan:
    return _joint("plain", shape, "; ".join(reasons))


def model_shape(problem: Problem) -> ModelShape:
    """Return what the choice of a form depends on."""
    spec = problem.description.spec
    size = layout_of(spec).size
    obstacles_to_mode = (*joint_priors(problem), *_modes(problem), *_too_large(problem, size))
    bare = ModelShape(spec.n_rows, size, without_mode=obstacles_to_mode)
    obstacles = collapse_conditions(problem)
    if obstacles:
        groups = (g for p in problem.design.schema.predictors for g in p.groups())
        return replace(bare, obstacles=obstacles, others=tuple(_factor(g) for g in groups))
    split = split_of(problem)
    rows = gaussian_rows(problem, split)
    arrangement, cells = arrange(rows), sigma_cells(problem)
    turned = rotated_block(rows.blocks, split.alike) if cells is None else None
    dense = [i for i, (_, block) in enumerate(split.blocks) if not block.index and i != turned]
    chain = arrangement.chain if turned is None else (turned,)
    return replace(
        bare,
        chain=tuple(_shape_of(split, i) for i in chain),
        others=tuple(_shape_of(split, i) for i in arrangement.tail if i not in dense and i != turned),
        smooths=tuple(_smooths(split, dense)),
        slopes=len(split.integrated),
    )


def _shape_of(split: Split, place: int) -> FactorShape:
    term, block = split.blocks[place]
    return FactorShape(block.name, block.vectors, len(block.coefs))


def _smooths(split: Split, places: Sequence[int]) -> Iterator[FactorShape]:
    """Yield smooths and other blocks that every row touches."""
    for key, curves in groupby((split.blocks[i] for i in places), key=lambda pair: _printed(*pair)):
        yield FactorShape(key, sum(block.vectors * len(block.coefs) for _, block in curves), 1)


def _printed(term: AbstractTerm, block: EffectBlock) -> str:
    """Return what the coefficients of a block are called: as their term, or as the slopes of its columns."""
    return block.name if isinstance(term, AbstractPopulationTerm) else term.key


def _modes(problem: Problem) -> tuple[str, ...]:
    """Return reasons against whitening at the mode: the density of a mixture has several, others have none."""
    terms = (term for predictor in problem.design.schema.predictors for term in predictor.terms)
    without = tuple(dict.fromkeys(term.without_mode for term in terms if term.without_mode))
    if without:
        return without
    if not problem.likelihood.traits.several_modes or problem.likelihood.ordered:
        return ()
    return (f"the density of the family {problem.family.name} may have several modes",)


def _too_large(problem: Problem, size: int) -> tuple[str, ...]:
    """Return a reason against whitening at the mode: too many dimensions outside the chain of nested factors.

    The Hessian of the chain is eliminated level by level; that of all other dimensions is dense.
    """
    largest = sum(factor.size for factor in nested_factors(problem))
    rest = size - largest
    if rest <= LARGEST_WHITENED and rest * largest <= MOST_ENTRIES:
        return ()
    return (f"{rest} dimensions beside the {largest} effects of nested factors are too many to whiten",)


def _factor(group: AbstractGroupTerm) -> FactorShape:
    return FactorShape(group.name, len(group.levels), len(group.eliminated.coefs))


def plan_for(problem: Problem, marginalize: bool | None = None, precondition: bool | None = None) -> Plan:
    """Choose the form of a problem among those there are.

    Raises:
        ModelError: what is insisted on is impossible.
    """
    return choose_plan(model_shape(problem), marginalize, precondition, frozenset(BUILDERS))


def build_form(problem: Problem, plan: Plan) -> Form:
    """Build the form that a plan names."""
    return BUILDERS[plan.form](problem, plan)


def _tabulated(problem: Problem) -> Problem:
    return with_distinct_counts(with_level_tables(with_unique_rows(problem)))


def _preconditioned(problem: Problem) -> Form:
    """Return the preconditioned form; the largest of them is imported where it is chosen."""
    from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form

    return preconditioned_form(_tabulated(problem))


BUILDERS: Mapping[str, Callable[[Problem, Plan], Form]] = {
    "collapsed": lambda problem, plan: collapsed_form(problem, bool(plan.sampled_effects), plan.scaled),
    "preconditioned": lambda problem, plan: _preconditioned(problem),
    "plain": lambda problem, plan: plain_form(_tabulated(problem)),
}
"""The forms there are."""
