"""Gaussian processes ``gp(x)``: a function of covariates whose values at any places are jointly normal.

``gp(x)`` is exact: with the covariance matrix K of the different values of x and ``K = C C'``, the function is ``C z``
with z standard normal. ``gp(x, k=20)`` is the Hilbert space approximation by k sines with normal coefficients, whose
standard deviations follow from the length-scale (`bayesml.processes`).

Each level of a factor ``by`` has a process of its own, and is a term of its own here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name, offset_computation, variables_of
from bayesml.distributions import Distribution, flat
from bayesml.errors import DataError, warn_user
from bayesml.formula import Predictor, SpecialCall
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.processes import (
    HilbertBasis,
    Kernel,
    PlaceCovariance,
    Positions,
    Spectrum,
    at_new_points,
    at_points,
    default_prior,
    fit_hilbert,
    fit_positions,
)
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.by import By
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.gather import at_rows
from bayesml.terms.process_call import ProcessCall, read_call
from bayesml.terms.sampled import PROCESS
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["CLAIMS", "GaussianProcess", "collect"]

CLAIMS = ("gp",)
SECTION = "Gaussian Process Hyperparameters"
START = 0.3
"""Where a length-scale starts, by the extent of the data."""
MOST_EXACT = 1000
"""Most places of an exact process; each gradient costs the third power of their number."""


@final
@dataclass(frozen=True)
class Cell:
    """The rows that a process is for, and what it is multiplied by there.

    Attributes:
        by: the factor or the numbers.
        label: ``f[a]``, ``f[Intercept]`` or ``z``.
        level: number of the level of a factor; None for all rows.
    """

    by: By
    label: str
    level: int | None

    def weights(self, frame: Frame, functions: Functions) -> np.ndarray:
        """Return what each row is multiplied by, ``(rows,)``."""
        if self.by.factor is None:
            return self.by.weights(frame, functions)[:, 0]
        cells = self.by.cells(frame)
        return np.ones(frame.n_rows) if self.level is None else cells[:, self.level]


@final
@dataclass(frozen=True)
class GaussianProcess(AbstractTerm):
    """One process.

    Attributes:
        call: the call.
        cell: the rows that it is for; None for all rows.
        positions: the places of the fit.
        basis: the functions of the approximation; None for the exact process.
        lengthscale_priors: the default prior of each length-scale.
        functions: the caller's own functions.
    """

    call: ProcessCall
    cell: Cell | None
    positions: Positions
    basis: HilbertBasis | None
    lengthscale_priors: tuple[Distribution, ...]
    functions: Functions

    @property
    def key(self) -> str:
        """The call with uniform spaces, with the level that it is for."""
        spelling = self.call.written.spelling
        return spelling if self.cell is None or self.cell.by.factor is None else f"{spelling}[{self.cell.label}]"

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the covariates and of ``by``."""
        by = () if self.cell is None else (self.cell.by.expression,)
        return tuple(dict.fromkeys(v for e in (*self.call.covariates, *by) for v in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return the covariates."""
        return tuple(offset_computation(expression, self.functions) for expression in self.call.covariates)

    @property
    def tables(self) -> frozenset[str]:
        """The places of an exact process."""
        return frozenset({"points", "new"}) if self.basis is None else frozenset()

    @property
    def gathered(self) -> int:
        """Number of the places of an exact process."""
        return len(self.positions.points) if self.basis is None else 0

    @property
    def kernel(self) -> Kernel:
        """The covariance function."""
        return self.call.kernel

    @property
    def label(self) -> str:
        """What brms calls the process: ``gpx``, ``gpxf[a]``."""
        return names.process_label(self.call.names, "" if self.cell is None else self.cell.label)

    @property
    def lengthscale_labels(self) -> tuple[str, ...]:
        """The label of the length-scale, or of that along each covariate."""
        return (self.label,) if self.call.isotropic else tuple(self.label + name for name in self.call.names)

    @property
    def size(self) -> int:
        """Number of standard normal variables."""
        return len(self.positions.points) if self.basis is None else self.basis.size

    def variable(self, kind: str) -> str:
        """Return the variable ``sdgp``, ``lscale`` or ``zgp`` of this process."""
        return names.variable(names.special_coefficient(kind, self.label, self.predictor))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Encode rows.

        Returns:
            ``by`` ``(rows,)`` where there is one. Of the approximation its functions, ``X`` ``(rows, functions)``. Of
            the exact process the place of each row, ``index``, the places of the fit, ``points``, and the ``new`` ones.
        """
        values = self.call.values(frame, self.functions)
        weights = {} if self.cell is None else {"by": self.cell.weights(frame, self.functions)}
        if self.basis is not None:
            scaled = self.positions.scaled(values)
            self._warn_outside(scaled, frame)
            X = self.basis.evaluate(scaled)
            return {"X": X if self.cell is None else X * weights["by"][:, None]}
        if self.cell is not None and self.cell.level is not None:  # rows of other levels stand anywhere
            values = np.where(weights["by"][:, None] != 0.0, values, self.positions.points[0] * self.positions.unit)
        index, new = self._placed(values)
        return {"index": index, "points": self.positions.points, "new": new, **weights}

    def _placed(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = self.positions.points
        if not self.call.grouped and np.array_equal(self.positions.scaled(values), points):
            return np.arange(len(points)), points[:0]  # rows of equal covariates have variables of their own
        return self.positions.placed(values)

    def _warn_outside(self, scaled: np.ndarray, frame: Frame) -> None:
        assert self.basis is not None
        outside = np.flatnonzero(self.basis.outside(scaled))
        if outside.size:
            warn_user(
                f"`{self.call.written.spelling}`: {outside.size} row{'s lie' if outside.size > 1 else ' lies'} beyond "
                f"the interval on which the approximation is made, the first is row {frame.rows[outside[0]] + 1}. "
                "Its values there mean nothing. Fit with a larger `c`, or leave `k` out for the exact process."
            )

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the standard deviation, the length-scales, and the standard normal variables."""
        typical, of = scale.group_spread, self.predictor
        start = START * self.positions.extent
        labels, priors = self.lengthscale_labels, self.lengthscale_priors
        several = () if self.call.isotropic else (len(labels),)
        return (
            ParameterSpec(
                self.variable("sdgp"), "sdgp", predictor=of, label=self.label, support=POSITIVE,
                centers=(0.5 * typical,), scales=(typical,),
            ),
            # the middle of the default prior is shorter than most curves: a prior that is narrower moves the start
            ParameterSpec(
                self.variable("lscale"), "lscale", several, of, coefs=labels if several else (),
                label="" if several else labels[0], support=POSITIVE, centers=(start,) * len(labels),
                scales=tuple(0.5 * min(prior.scale, start) for prior in priors),
            ),
            ParameterSpec(self.variable("zgp"), "", (self.size,), of),
        )  # fmt: skip

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the classes ``sdgp`` and ``lscale``, and each process in them."""
        of, positive = self.predictor.target, (0.0, float("inf"))
        yield PriorRow(defaults.group_sd(self.predictor), "sdgp", predictor=of, bounds=positive)
        yield PriorRow(None, "sdgp", self.label, predictor=of, bounds=positive, source="(vectorized)")
        if defaults.style == "brms":
            yield PriorRow(flat(), "lscale", predictor=of, bounds=positive)
        else:
            yield PriorRow(None, "lscale", predictor=of, bounds=positive, source="(per coefficient)")
        for label, prior in zip(self.lengthscale_labels, self.lengthscale_priors, strict=True):
            yield PriorRow(prior, "lscale", label, predictor=of, bounds=positive)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``sdgp``, ``lscale`` and ``zgp``."""
        of, sd, lengthscale, z = self.predictor, *map(self.variable, ("sdgp", "lscale", "zgp"))
        labels, numbers = self.lengthscale_labels, tuple(str(i + 1) for i in range(self.size))
        printed = tuple(f"lscale({names.prefixed(label, of)})" for label in labels)
        texts = tuple(
            (() if self.call.isotropic else (i,), names.special_coefficient("lscale", label, of))
            for i, label in enumerate(labels)
        )
        dims, coords = ((), ()) if self.call.isotropic else ((f"{lengthscale}_covariate",), (self.call.names,))
        text_sd, text_z = (names.special_coefficient(kind, self.label, of) for kind in ("sdgp", "zgp"))
        return (
            ReportedVariable(
                sd, "sdgp", (), (), (((), text_sd),), of, section=SECTION,
                printed=(f"sdgp({names.prefixed(self.label, of)})",),
            ),
            ReportedVariable(lengthscale, "lscale", dims, coords, texts, of, section=SECTION, printed=printed),
            ReportedVariable(
                z, "zgp", (f"{z}_variable",), (numbers,),
                tuple(((i,), f"{text_z}[{number}]") for i, number in enumerate(numbers)), of,
            ),
        )  # fmt: skip

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of its variables."""
        yield from ((self.variable(kind), self.key) for kind in ("sdgp", "lscale", "zgp"))

    def integrated_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the values at the places, or the coefficients of the approximation, normal given scales."""
        lengthscales, isotropic = self.variable("lscale"), self.call.isotropic
        shape: Spectrum | PlaceCovariance
        if self.basis is None:
            points = tuple(tuple(float(x) for x in point) for point in self.positions.points)
            shape = PlaceCovariance(self.kernel, points, lengthscales, isotropic)
        else:
            shape = Spectrum(self.kernel, self.basis.frequencies, lengthscales, isotropic)
        sd, z = self.variable("sdgp"), self.variable("zgp")
        array = "X" if self.basis is not None else "index"
        return (EffectBlock(self.key, self.size, (self.label,), (1,), sd, (sd,), "", ("",), z, z, array, shape=shape),)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Its variables are reported as they are sampled."""
        return {}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the process at the rows, times ``by``.

        At new places of the exact process it is a draw given its values at those of the fit.
        """
        sd, lengthscales, z = (values[self.variable(kind)] for kind in ("sdgp", "lscale", "zgp"))
        if self.basis is not None:
            spectrum = Spectrum(self.kernel, self.basis.frequencies, self.variable("lscale"), self.call.isotropic)
            coefficients = spectrum.profile(values) * z
            return array_namespace(sd, z).asarray(sd)[..., None] * (coefficients @ arrays["X"].T)
        xp = array_namespace(sd, lengthscales, z)
        if self.call.isotropic:
            lengthscales = xp.asarray(lengthscales)[..., None]
        where = arrays["points"], self.call.isotropic
        known = arrays.get(PROCESS)
        process = at_points(self.kernel, *where, sd, lengthscales, z) if known is None else known
        if len(arrays["new"]):
            points, isotropic = where
            beyond = at_new_points(self.kernel, points, arrays["new"], isotropic, sd, lengthscales, z)
            process = np.concatenate([process, beyond], axis=-1)
        at = at_rows(process, arrays)
        return at * arrays["by"] if "by" in arrays else at


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``gp()``.

    Raises:
        FormulaError: a call cannot be understood.
        DataError: its covariates are not numbers, or are the same in all rows.
    """
    return tuple(processes(predictor, frame, functions, nearest=False))


def processes(predictor: Predictor, frame: Frame, functions: Functions, *, nearest: bool) -> Iterator[GaussianProcess]:
    """Yield the processes of a predictor, those with ``neighbours=`` or all others, see ``collect``."""
    for call in predictor.specials:
        if call.name in CLAIMS and (dict(call.options).get("neighbours") is not None) == nearest:
            yield from _processes(call, predictor, frame, functions)


def _processes(
    written: SpecialCall, predictor: Predictor, frame: Frame, functions: Functions
) -> Iterator[GaussianProcess]:
    call = read_call(written, frame)
    values = call.values(frame, functions)
    for cell in _cells(call):
        rows = values if cell is None or cell.level is None else values[cell.weights(frame, functions) != 0.0]
        label = written.spelling if cell is None else f"{written.spelling} for {cell.label}"
        positions = fit_positions(rows, grouped=call.grouped, scaled=call.scaled, label=label)
        if call.k is None and call.neighbours is None and len(positions.points) > MOST_EXACT:
            x = ", ".join(call.names)
            raise DataError(
                f"`{label}` is an exact process at {len(positions.points)} different places, and at each step of the "
                f"sampler costs the third power of that. Write gp({x}, k=20) for its Hilbert space approximation, "
                f"or gp({x}, neighbours=15) for that by nearest neighbours; exact processes may have up to "
                f"{MOST_EXACT} places."
            )
        basis = None if call.k is None else fit_hilbert(positions, call.k, call.c)
        columns = [positions.points] if call.isotropic else [column[:, None] for column in positions.points.T]
        priors = tuple(default_prior(column) for column in columns)
        yield GaussianProcess(predictor.key, call, cell, positions, basis, priors, functions)


def _cells(call: ProcessCall) -> Iterator[Cell | None]:
    """Yield the rows that have a process each."""
    by = call.by
    if by is None:
        yield None
        return
    shown = bare_name(by.expression.text) or by.expression.text
    if by.factor is None:
        yield Cell(by, shown, None)
        return
    for number, level in enumerate(by.every_level):
        if number or call.cell_means:
            yield Cell(by, f"{shown}[{level}]", number)
        else:
            yield Cell(by, f"{shown}[Intercept]", None)
