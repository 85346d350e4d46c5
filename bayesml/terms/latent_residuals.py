"""``ar()``, ``ma()``, ``arma()`` and ``cosy()`` for families without residuals: each row gets a latent one.

The residual of row t is ``sderr z_t`` with z standard normal, and is added to the linear predictor. With ``cov=TRUE``
and for ``cosy()`` those of a series are ``sderr L z``, and L L' is the matrix of the structure. Otherwise, as in brms,
``sum_k (ar_k + ma_k) err_(t-k)`` of the series is added too: earlier residuals themselves, without a recursion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import Computation, variables_of
from bayesml.distributions import flat
from bayesml.errors import DataError, FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Addition, Expression, Predictor, special_fault
from bayesml.frame import Frame
from bayesml.names import of_response
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.response_terms import RESIDUAL_TERMS, residual_addition
from bayesml.response_terms.residuals.columns import LABEL, codes_and_labels, ranked_tables, series_columns
from bayesml.response_terms.residuals.covariances import (
    AbstractCovariance,
    ArmaCovariance,
    CompoundSymmetry,
    bounded_parameter,
)
from bayesml.response_terms.residuals.grid import BY_SERIES, IN_SERIES, to_grid, to_rows
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.sampled import BlockPart, SampledBlock, SeriesShape
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["LatentResiduals", "collect"]

INDEX, ONES = "index", "ones"
MOST_TIMES = 12
"""Most times of series whose residuals, with a covariance matrix of all of them, follow each other in the sampler.

Measured: 8 times, 6 times the effective draws for 4 times the work of each; with 25 times nothing is gained."""


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """The rows of the fit: their series and times.

    Attributes:
        series: what each series is called, by row.
        times: what each time is called, by row.
        by_series: the rows on the grid, see ``grid``.
        in_series: places of the rows.
    """

    series: np.ndarray
    times: np.ndarray
    by_series: np.ndarray
    in_series: np.ndarray

    @classmethod
    def of(cls, addition: Addition, frame: Frame, functions: Functions) -> Cells:
        """Read them."""
        columns = series_columns(addition, frame, functions)
        tables = ranked_tables(columns)
        return cls(_names(addition, frame, functions), columns[LABEL], tables[BY_SERIES], tables[IN_SERIES])

    @property
    def tables(self) -> dict[str, np.ndarray]:
        """Both tables."""
        return {BY_SERIES: self.by_series, IN_SERIES: self.in_series}

    def place(self, series: np.ndarray, times: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the row of the fit with the series and the time of each of other rows.

        Raises:
            DataError: there is none.
        """
        known = {pair: i for i, pair in enumerate(zip(self.series.tolist(), self.times.tolist(), strict=True))}
        wanted = list(zip(series.tolist(), times.tolist(), strict=True))
        unknown = next((i for i, pair in enumerate(wanted) if pair not in known), None)
        if unknown is not None:
            name, time = wanted[unknown]
            where = f" of the series {name}" if name else ""
            raise DataError(
                f"The residual of time {time}{where}, row {rows[unknown] + 1}, is not known: the fit has no such row, "
                "and latent residuals are estimated for its rows alone. Leave them out, incl_autocor=False."
            )
        return np.array([known[pair] for pair in wanted], np.int64)


def _names(addition: Addition, frame: Frame, functions: Functions) -> np.ndarray:
    group = dict(addition.options).get("gr")
    return np.full(frame.n_rows, "") if group is None else codes_and_labels(group, frame, functions, "gr")[1]


@final
@dataclass(frozen=True)
class LatentResiduals(AbstractTerm):
    """The latent residuals of one response.

    Attributes:
        addition: the call.
        text: the call as text.
        covariance: the structure of their correlations; None for lagged residuals.
        ar: order of the autoregressive part of lagged residuals.
        ma: order of their moving average.
        cells: the rows of the fit.
        functions: the caller's own functions.
    """

    addition: Addition
    text: str
    covariance: AbstractCovariance | None
    ar: int
    ma: int
    cells: Cells
    functions: Functions

    @property
    def key(self) -> str:
        """The call."""
        return self.text

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns of time and series."""
        given = [value.text for _, value in self.addition.options if isinstance(value, Expression)]
        return tuple(dict.fromkeys(name for text in given for name in variables_of(text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return nothing: columns are read as they are."""
        return ()

    @property
    def rows_commute(self) -> bool:
        """Rows of a series depend on each other."""
        return False

    @property
    def is_residual(self) -> bool:
        """It stands for residuals."""
        return True

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the residuals; those of long series with a covariance matrix as if they were independent."""
        part = BlockPart(self.predictor, self.key, ONES, (0,), self._of("sderr"), ())
        series = None
        if self.covariance is None:
            places = [(self._of(p.name), k) for p in self._structure() for k in range(p.shape[0])]
            lags = tuple((name, k, lag) for (name, k), lag in zip(places, self._lags(), strict=True))
            series = SeriesShape(lags, self.cells.tables)
        elif len(self.cells.by_series) <= MOST_TIMES:
            series = SeriesShape((), self.cells.tables, self._root)
        site, count = self._of("zerr"), len(self.cells.times)
        return (SampledBlock(site, self.key, count, (1,), ("",), (part,), INDEX, series=series),)

    def bound(self, likelihood: AbstractLikelihood) -> LatentResiduals:
        """Refuse responses with several main parameters."""
        if not self.predictor.is_mu:
            raise FormulaError(
                f"`{self.text}`: residual terms are for responses with one linear predictor `mu`; the family "
                f"{likelihood.family.name} has several."
            )
        return self

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return for each row the row of the fit whose residual it has."""
        columns = series_columns(self.addition, frame, self.functions)
        index = self.cells.place(_names(self.addition, frame, self.functions), columns[LABEL], frame.rows)
        return {INDEX: index, ONES: np.ones((len(index), 1))}

    def _of(self, name: str) -> str:
        return of_response(name, self.predictor.resp)

    def _structure(self) -> tuple[ParameterSpec, ...]:
        if self.covariance is not None:
            return self.covariance.parameters
        orders = (("ar", self.ar), ("ma", self.ma))
        return tuple(bounded_parameter(name, -1.0, 1.0, 0.0, (order,)) for name, order in orders if order)

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the parameters of the structure, the standard deviation, and a standard normal number for each row."""
        typical = scale.group_spread
        structure = tuple(
            ParameterSpec(
                self._of(p.name), p.prior_class, p.shape, self.predictor, coefs=p.coefs, prior_coefs=p.prior_coefs,
                support=p.support, centers=p.centers, scales=p.scales,
            )
            for p in self._structure()
        )  # fmt: skip
        sd = ParameterSpec(
            self._of("sderr"), "sderr", (), self.predictor, support=POSITIVE, centers=(0.5 * typical,),
            scales=(typical,),
        )  # fmt: skip
        return (*structure, sd, ParameterSpec(self._of("zerr"), "", (1, len(self.cells.times)), self.predictor))

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the classes of the structure and of the standard deviation."""
        of = self.predictor.target
        for p in self._structure():
            prior = flat() if defaults.style == "brms" else p.priors[0]
            yield PriorRow(prior, p.prior_class, predictor=of, bounds=p.bounds)
        yield PriorRow(defaults.group_sd(self.predictor), "sderr", predictor=of, bounds=(0.0, float("inf")))

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return the residuals; the parameters of the structure are reported by their class."""
        name, count = self._of("err"), len(self.cells.times)
        numbers = tuple(str(i + 1) for i in range(count))
        texts = tuple(((i,), f"{name}[{number}]") for i, number in enumerate(numbers))
        return (ReportedVariable(name, "err", (f"{name}_row",), (numbers,), texts, self.predictor),)

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of the standard deviation."""
        yield self._of("sderr"), self.key

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the residual of each row, with the earlier ones of its series where these are lagged."""
        tables = self.cells.tables
        grid = to_grid(values[self._of("zerr")][..., 0, :], tables)
        own = {p.name: self._with_rows(values[self._of(p.name)], p.shape) for p in self._structure()}
        if self.covariance is not None:
            grid = self.covariance.factor(own, grid.shape[-2]) @ grid
        else:
            grid = _lagged(grid, [own[name][..., k] for name in own for k in range(own[name].shape[-1])], self._lags())
        return {self._of("err"): values[self._of("sderr")][..., None] * to_rows(grid, tables)}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the residual of each row; models are compiled for the rows of the fit alone."""
        err = values[self._of("err")]
        return err[..., arrays[INDEX]] if array_namespace(err) is np else err

    def _root(self, values: Values) -> Any:
        """Return the factor of the correlations of all times of one series."""
        assert self.covariance is not None
        own = {p.name: self._with_rows(values[self._of(p.name)], p.shape) for p in self._structure()}
        factor, times = self.covariance.factor(own, len(self.cells.by_series)), len(self.cells.by_series)
        return factor.reshape(times, times)

    def _lags(self) -> list[int]:
        return [*range(1, self.ar + 1), *range(1, self.ma + 1)]

    @staticmethod
    def _with_rows(value: Any, shape: tuple[int, ...]) -> Any:
        """Give a value an axis for the rows before its own axes."""
        place = len(value.shape) - len(shape)
        return value.reshape(*value.shape[:place], 1, *value.shape[place:])


def _lagged(grid: Any, coefficients: list[Any], lags: list[int]) -> Any:
    """Return numbers on the grid with earlier ones added."""
    xp, total = array_namespace(grid), grid
    for coefficient, lag in zip(coefficients, lags, strict=True):
        kept = grid[..., : max(grid.shape[-2] - lag, 0), :]
        zeros = xp.zeros((*grid.shape[:-2], grid.shape[-2] - kept.shape[-2], grid.shape[-1]))
        total = total + coefficient[..., None] * xp.concatenate([zeros, kept], axis=-2)
    return total


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of families without residuals; those of all others have become part of the likelihood."""
    return tuple(
        _latent(predictor, frame, functions, residual_addition(call), call)
        for call in predictor.specials
        if call.name in RESIDUAL_TERMS
    )


def _latent(predictor: Predictor, frame: Frame, functions: Functions, addition: Addition, call: Any) -> AbstractTerm:
    given, name = dict(addition.options), addition.name
    if call.others or name in ("unstr", "toep", "fcor", "sar"):
        raise special_fault(f"`{call.term}` is for the families gaussian and student; `cosy()` for all.", call)
    has_ar, has_ma = name in ("ar", "arma"), name in ("ma", "arma")
    covariance: AbstractCovariance | None = None
    if name == "cosy":
        covariance = CompoundSymmetry()
    elif given.get("cov", False):
        covariance = ArmaCovariance(has_ar, has_ma)
    ar, ma = _order(given, "p") if has_ar else 0, _order(given, "q") if has_ma else 0
    cells = Cells.of(addition, frame, functions)
    return LatentResiduals(predictor.key, addition, call.spelling, covariance, ar, ma, cells, functions)


def _order(given: Mapping[str, Any], name: str) -> int:
    return int(given.get(name, 1))
