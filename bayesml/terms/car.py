"""Spatial effects of areas, ``car(W, gr=area)``: conditional autoregression, see ``areas``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name
from bayesml.distributions import Uniform, beta, flat
from bayesml.errors import DataError
from bayesml.formula import Expression, Predictor, SpecialCall, bind_arguments, quote_name, special_fault
from bayesml.frame import Frame, Levels, match_codes
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE, Interval
from bayesml.terms.area_field import AreaField
from bayesml.terms.areas import KINDS, AreaGraph
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.car_by_neighbours import CarByNeighbours
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.gather import at_rows
from bayesml.terms.row_spread import RowSpread
from bayesml.terms.sampled import BlockPart, SampledBlock
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["CLAIMS", "Car", "collect"]

CLAIMS = ("car",)
SECTION = "Correlation Structures"
FURTHER = {"escar": "car", "bym2": "rhocar"}
"""The further parameter of each kind that has one."""
FEW_AREAS = 100
"""Up to so many areas a dense matrix of them is factored at each gradient."""
STARTS = {"escar": 0.9, "bym2": 0.5}
"""Where it starts, and where it is held for the coordinates of the sampler: most maps have a strong dependence."""


@final
@dataclass(frozen=True, eq=False)
class AreaEffects:
    """What turns standard normal coefficients into effects of areas, for engines."""

    root: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class AreaSpectrum:
    """The standard deviations of the coefficients of B, for the sampler.

    Attributes:
        graph: the areas.
        lengthscales: the further parameter.
    """

    graph: AreaGraph
    lengthscales: str
    beside: ClassVar[tuple[str, ...]] = ()

    def factor(self, sd: Numbers, values: Mapping[str, Any]) -> Numbers:
        """Return them, ``(vectors,)``."""
        return sd * self.graph.weights(values[self.lengthscales])


@final
@dataclass(frozen=True)
class Car(AbstractTerm):
    """The spatial effects of one predictor.

    Attributes:
        call: the call.
        graph: the areas and their neighbours.
        area: the column of the areas; empty where every row is one.
        levels: the areas as levels of that column; None where every row is one.
    """

    call: SpecialCall
    graph: AreaGraph
    area: str
    levels: Levels | None

    @property
    def key(self) -> str:
        """The call with uniform spaces."""
        return self.call.spelling

    @property
    def variables(self) -> tuple[str, ...]:
        """The column of the areas."""
        return (self.area,) if self.area else ()

    def computations(self) -> tuple[Computation, ...]:
        """Return nothing: which area a row belongs to is not computed with."""
        return ()

    @property
    def tables(self) -> frozenset[str]:
        """B, and the root of the coefficients where the further parameter is held."""
        return frozenset({"basis", "root"})

    @property
    def gathered(self) -> int:
        """Number of areas."""
        return len(self.graph.labels)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``index`` of the area of each row, ``Z`` of ones, B, and the root ``B diag(w)``.

        Raises:
            DataError: an area is new.
        """
        index = np.arange(frame.n_rows) if self.levels is None else match_codes(frame, (self.area,), self.levels)
        if self.levels is None and frame.n_rows != self.gathered:
            raise DataError(
                f"`{self.key}` has an area for each row of the fit, so that it cannot predict other rows. Say which "
                "area a row belongs to, car(W, gr=area)."
            )
        if (index < 0).any():
            _, levels = frame.interaction((self.area,))
            new = next(label for label in levels.labels if label not in self.graph.labels)
            raise DataError(
                f"`{new}` of `{self.area}` is an area that `{self.key}` has not seen in the fit; effects of new areas "
                "cannot be predicted."
            )
        root = self.graph.basis * np.asarray(self.graph.weights(self._start))
        return {"index": index, "Z": np.ones((frame.n_rows, 1)), "basis": self.graph.basis, "root": root}

    # Parameters -----------------------------------------------------------------------------------------------------

    def _name(self, stem: str) -> str:
        return names.special_variable(stem, self.predictor)

    @property
    def _start(self) -> float:
        return STARTS.get(self.graph.kind, 0.0)

    @property
    def _further(self) -> str:
        return FURTHER.get(self.graph.kind, "")

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the standard deviation, the further parameter and standard normal coefficients."""
        typical = scale.group_spread
        sd = ParameterSpec(
            self._name("sdcar"), "sdcar", (), self.predictor, support=POSITIVE, centers=(0.5 * typical,),
            scales=(typical,),
        )  # fmt: skip
        z = ParameterSpec(self._name("zcar"), "", (self.graph.size,), self.predictor)
        if not self._further:
            return (sd, z)
        further = ParameterSpec(
            self._name(self._further), self._further, (), self.predictor, support=Interval(0.0, 1.0),
            centers=(self._start,), scales=(0.3,),
        )  # fmt: skip
        return (sd, further, z)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield a row for each parameter."""
        of = self.predictor.target
        yield PriorRow(defaults.group_sd(self.predictor), "sdcar", predictor=of, bounds=(0.0, float("inf")))
        if self._further == "rhocar":
            yield PriorRow(beta(1, 1), "rhocar", predictor=of, bounds=(0.0, 1.0))
        elif self._further:
            prior = flat() if defaults.style == "brms" else Uniform(0.0, 1.0)
            yield PriorRow(prior, self._further, predictor=of, bounds=(0.0, 1.0))

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of its standard deviation."""
        yield self._name("sdcar"), self.key

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``car`` or ``rhocar``, ``sdcar``, and the effects of the areas."""
        shown = (*((self._further,) if self._further else ()), "sdcar")
        single = tuple(
            ReportedVariable(
                self._name(stem), "autocor", (), (), (((), self._name(stem)),), self.predictor, section=SECTION,
                printed=(names.prefixed(stem, self.predictor),),
            )
            for stem in shown
        )  # fmt: skip
        effects = self._name("rcar")
        texts = tuple(((i,), f"{effects}[{i + 1}]") for i in range(self.gathered))
        areas = ReportedVariable(effects, "s", (f"{effects}_area",), (self.graph.labels,), texts, self.predictor)
        return (*single, areas)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the effects, ``r = sdcar B (w * z)``."""
        return self.derived(values, {"basis": self.graph.basis})

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Return the effects, B an argument of the program."""
        further = values[self._name(self._further)] if self._further else 0.0
        coefficients = self.graph.weights(further) * values[self._name("zcar")]
        return {self._name("rcar"): values[self._name("sdcar")] * (arrays["basis"] @ coefficients)}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the effect of each row's area."""
        return at_rows(values[self._name("rcar")], arrays)

    # For engines ----------------------------------------------------------------------------------------------------

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the coefficients where all but their standard deviation is known."""
        return () if self._further else (self._block(RowSpread(self.graph.size, of_levels=False)),)

    def integrated_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the coefficients, of few areas with the further parameter in their standard deviations."""
        if not self._is_shaped:
            return self.effect_blocks()
        spread = RowSpread(self.graph.size, of_levels=False, table="basis")
        return (replace(self._block(spread), shape=self._spectrum),)

    @property
    def _is_shaped(self) -> bool:
        return bool(self._further) and not self._is_large

    @cached_property
    def _spectrum(self) -> AreaSpectrum:
        return AreaSpectrum(self.graph, self._name(self._further))

    def _block(self, spread: RowSpread) -> EffectBlock:
        sd, root = self._name("sdcar"), self.graph.basis * np.asarray(self.graph.weights(0.0))
        return EffectBlock(
            self.key, self.graph.size, (sd,), (1,), sd, (sd,), "", ("",), self._name("zcar"), self._name("rcar"), "Z",
            spread=spread, known=AreaEffects(root),
        )  # fmt: skip

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the coefficients; of many areas the further parameter is held at its start."""
        if self._is_shaped:
            return tuple(SampledBlock.of(block, self.place, self.key) for block in self.integrated_blocks())
        part = BlockPart(self.predictor, self.key, "Z", (0,), self._name("sdcar"), ())
        spread, field = RowSpread(self.graph.size, of_levels=False), self._field if self._is_large else None
        size, z = self.graph.size, self._name("zcar")
        return (SampledBlock(z, self.key, size, (1,), ("",), (part,), spread=spread, field=field),)

    @property
    def _is_large(self) -> bool:
        return self.graph.size > FEW_AREAS

    @cached_property
    def _field(self) -> AreaField:
        return AreaField(self.graph, self._name("sdcar"), self._name(self._further) if self._further else "")

    def for_sampler(self) -> AbstractTerm:
        """Return effects of many areas from latent variables whose prior reads neighbours alone."""
        if not self._is_large:
            return self
        return CarByNeighbours(self.predictor, self, self._field, self._name("zcar"), self._name("rcar"))


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim a call of ``car()``.

    Raises:
        FormulaError: the call cannot be understood.
        DataError: the matrix does not fit the areas.
    """
    calls = [call for call in predictor.specials if call.name in CLAIMS]
    product = next((call for call in calls if call.factors or call.others), None)
    if product is not None:
        raise special_fault(f"`{product.term}`: `car()` stands alone.", product)
    if len(calls) > 1:
        raise special_fault("A predictor has one `car()` term.", calls[1])
    return tuple(_car(call, predictor, frame) for call in calls)


def _car(call: SpecialCall, predictor: Predictor, frame: Frame) -> Car:
    given: Mapping[str, Any] = bind_arguments(call, ("M", "gr", "type"))
    matrix, gr, kind = given.get("M"), given.get("gr"), given.get("type", "escar")
    if not isinstance(matrix, Expression):
        raise special_fault("`car()` takes the name of a matrix of neighbours, `car(W, gr=area)`.", call)
    if isinstance(kind, Expression):
        kind = kind.text
    if kind not in KINDS:
        listed = ", ".join(f'"{each}"' for each in KINDS)
        raise special_fault(f"`type` of `car()` is one of {listed}, not {kind!r}.", call)
    area = "" if gr is None else bare_name(gr.text) if isinstance(gr, Expression) else None
    if area is None or (area and area not in frame.columns):
        raise special_fault("`gr` of `car()` is the column that says which area a row belongs to.", call)
    found = frame.matrices[bare_name(matrix.text) or matrix.text]
    if area:
        _, levels = frame.interaction((area,))
        if len(levels) < 3:
            raise DataError(f"`{call.spelling}` needs three areas or more; {quote_name(area)} has {len(levels)}.")
        graph = AreaGraph.of(found, levels.labels, kind, call.spelling, named=True)
        return Car(predictor.key, call, graph, area, levels)
    if found.size <= int(frame.rows.max()):
        raise DataError(
            f"`{call.spelling}` has an area for each row of the data, and `{found.name}` has {found.size} rows for "
            f"{int(frame.rows.max()) + 1}. Say which area a row belongs to, car({found.name}, gr=area)."
        )
    labels = tuple(str(row + 1) for row in frame.rows)
    return Car(
        predictor.key,
        call,
        AreaGraph.of(found.selected(frame.rows), labels, kind, call.spelling, named=False),
        "",
        None,
    )
