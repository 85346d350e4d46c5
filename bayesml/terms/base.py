"""What a term kind answers; every kind is one file and one line in ``terms/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.columns import Computation
from bayesml.families import AbstractLikelihood
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms.context import ModelContext
from bayesml.terms.effect_block import AbstractEffects, EffectBlock, SlopeColumns
from bayesml.terms.gather import level_rows
from bayesml.terms.row_groups import RowGroups
from bayesml.terms.sampled import LatentValues, SampledBlock, SampledSlopes, ThresholdBlock
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class AbstractTerm(ABC):
    """One encoded term of one linear predictor: its frozen encoding and everything that follows from it.

    Attributes:
        predictor: the predictor that this is part of.
    """

    predictor: PredictorKey

    @property
    @abstractmethod
    def key(self) -> str:
        """Name of the term within its predictor; addresses its arrays."""

    @property
    @abstractmethod
    def variables(self) -> tuple[str, ...]:
        """Data columns the term needs on new data."""

    @property
    def covariates(self) -> tuple[str, ...]:
        """Data columns whose values enter the term; a column that only says which group a row belongs to is not one."""
        return self.variables

    @abstractmethod
    def computations(self) -> tuple[Computation, ...]:
        """Return the expressions that the term computes from its covariates."""

    @property
    def tables(self) -> frozenset[str]:
        """Names of those of its arrays that are not indexed by row, such as knots."""
        return frozenset()

    @property
    def is_function(self) -> bool:
        """Whether it is no addend but the whole predictor, a function of the predictors that it ``takes``."""
        return False

    @property
    def takes(self) -> tuple[PredictorKey, ...]:
        """The predictors that it is a function of."""
        return ()

    def computed(self, predictors: Mapping[PredictorKey, Numbers], arrays: DataArrays) -> PerRow:
        """Return the predictor, ``(..., rows)``, where it ``is_function`` of others, which are among ``predictors``."""
        raise NotImplementedError

    @property
    def gathered(self) -> int:
        """Number of values, such as those of levels, of which each row takes one by ``index``; 0 for no such thing."""
        return 0

    @property
    def orders_rows(self) -> bool:
        """Whether each row has one level, by which rows may be ordered."""
        return True

    def with_tables(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arrays with what ``at_rows`` needs about the rows of each level."""
        index = arrays["index"]
        return {**arrays, "index": index.astype(np.int32), **level_rows(index, self.gathered)}

    @property
    def rows_commute(self) -> bool:
        """Whether the rows may stand in any order; not so where a row depends on the rows before it."""
        return True

    @property
    def reads(self) -> frozenset[str]:
        """Variables of unobserved responses that it multiplies, ``Ymi_x``."""
        return frozenset()

    @property
    def follows_mean(self) -> bool:
        """Whether what it holds is computed from the mean of its response, see ``around``."""
        return False

    def around(self, values: Values, mean: Numbers, sd: Numbers, arrays: DataArrays) -> tuple[str, Numbers, Numbers]:
        """Return name and values of what it holds, and what that adds to the log density.

        ``mean`` and ``sd`` are those of the response in each row, ``values`` the sampled variables.
        """
        raise NotImplementedError

    @property
    def holds(self) -> str:
        """What nobody observed and it holds as parameters, ``the missing values of x``; empty for nothing."""
        return ""

    @property
    def unobserved_responses(self) -> str:
        """The variable that holds the responses that are not observed; empty where the term holds none."""
        return ""

    @property
    def without_mode(self) -> str:
        """Why the joint density has no usable mode beside the term, a clause; empty where it may have one."""
        return ""

    @property
    def is_residual(self) -> bool:
        """Whether it stands for residuals, which questions about the regression leave out."""
        return False

    @property
    def grouping(self) -> tuple[str, ...]:
        """Data columns that only say which group a row belongs to."""
        return ()

    @property
    def is_estimated(self) -> bool:
        """Whether there is something to estimate; a known addend to the predictor is not estimated."""
        return True

    def slope_columns(self) -> SlopeColumns | None:
        """Return the columns whose coefficients have no distribution but their priors; None where there are none."""
        return None

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the coefficients that are normal given hyperparameters.

        What a term adds to the predictor is known, or all in ``slope_columns`` and ``effect_blocks``, or neither.
        """
        return ()

    def integrated_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the coefficients that can be integrated out of a gaussian model given hyperparameters.

        Beside ``effect_blocks`` these are coefficients whose covariance depends on more than standard deviations and
        correlations: those of a Gaussian process on its length-scale.
        """
        return self.effect_blocks()

    def joint_effects(self) -> tuple[AbstractEffects, ...]:
        """Return ``effect_blocks`` and, at the first of several predictors, the effects that they share."""
        return self.effect_blocks()

    @property
    def is_linear(self) -> bool:
        """Whether what it adds is known, or all in its columns and blocks."""
        return not self.is_estimated or self.slope_columns() is not None or bool(self.effect_blocks())

    @property
    def is_linear_jointly(self) -> bool:
        """Whether what it adds is known, or all in its columns and in ``joint_effects`` of it and of other terms."""
        return self.is_linear

    @property
    def obstacle(self) -> str:
        """What it is, for engines that take linear terms alone: ``monotonic terms``."""
        return f"{type(self).__name__.lower()} terms"

    def sampled_slopes(self) -> tuple[SampledSlopes, ...]:
        """Return the sampled coefficients of columns.

        A term that is only near to a linear one may say which: the sampler's coordinates need no more.
        """
        columns = self.slope_columns()
        if columns is None or columns.width > 1:
            return ()
        return (SampledSlopes(columns.variable, self.place, self.key, columns.array, slice(None)),)

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the effects whose standard normal variables are sampled; terms may share a block.

        What a term adds to the predictor is all in ``sampled_slopes`` and ``sampled_blocks``, or it has none of them.
        """
        return tuple(SampledBlock.of(block, self.place, self.key) for block in self.integrated_blocks())

    def threshold_block(self) -> ThresholdBlock | None:
        """Return the effects of levels of which some differ between thresholds; None where the term has none."""
        return None

    def latent_values(self) -> LatentValues | None:
        """Return the variables behind values of single rows or levels that responses tell something of; None for none.

        The sampler moves them along with what the responses say, see ``engines.nuts.forms.followed``.
        """
        return None

    def for_sampler(self) -> AbstractTerm:
        """Return the same term from other latent variables where a gradient costs less with these; else itself."""
        return self

    def rearranged(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arrays of the term from which this one was made ``for_sampler``, as this one reads them."""
        return dict(arrays)

    def parameter(self, parameter: ParameterSpec) -> ParameterSpec:
        """Return a parameter of the model as it is with this term."""
        return parameter

    @abstractmethod
    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Encode the rows of ``frame`` with the frozen schema."""

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Encode the rows of the fit; a term of unobserved values holds more than their columns."""
        return self.arrays(model.frame)

    def without_rows(self) -> AbstractTerm:
        """Return the term without what it keeps of the rows of the fit for ``own_arrays`` alone."""
        return self

    def in_model(self, model: ModelContext) -> AbstractTerm:
        """Return the term as it stands in the model; raise ``FormulaError`` where it refers to what is not there."""
        return self

    def log_density(self, values: Values, arrays: DataArrays) -> Numbers | None:
        """Return what the term adds to the log density beside its priors: that of measurements; None for nothing.

        Args:
            values: all variables, those of ``derived`` among them.
            arrays: its arrays.
        """
        return None

    @abstractmethod
    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the sampled parameters, without priors."""

    @property
    def place(self) -> PredictorKey:
        """The predictor to which it contributes; names go by ``predictor``."""
        return self.predictor

    def bound(self, likelihood: AbstractLikelihood) -> AbstractTerm:
        """Return the term for a response whose likelihood is known: how many thresholds it has.

        Raises:
            FormulaError: the term has no meaning for such a response.
        """
        return self

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm | None:
        """Return the term beside all others of the model, with what it shares with them; None where one has it all.

        Args:
            terms: all terms of all predictors, itself among them.
        """
        return self

    @abstractmethod
    def prior_rows(self, defaults: DefaultPriors) -> Iterable[PriorRow]:
        """Return a row for everything a prior can be set on, with its default.

        Terms of one predictor share the row of a class; it may be returned by each of them.
        """

    @abstractmethod
    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return the variables that a posterior reports about the term."""

    def spellings(self) -> Iterable[tuple[str, str]]:
        """Return names of its parameters, each with a text that differs for every other part of the model.

        Two parts of a model that would share a name are refused.
        """
        return ()

    def level_counts(self) -> tuple[tuple[str, int], ...]:
        """Return each grouping factor with its number of levels, for the summary."""
        return ()

    def check_identified(self, spec: ModelSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Look for parameters that the data cannot tell apart.

        Raises:
            PriorError: neither data nor priors determine them.

        Warns:
            FitWarning: the prior alone determines them.
        """
        return

    def known_addend(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Return what the term adds to the predictor without any parameter, ``(rows,)``; None where that is nothing."""
        return None

    @abstractmethod
    def derive(self, values: Values) -> dict[str, Numbers]:
        """Compute the reported variables (``b``, ``r_Subject``) from the sampled ones; no leading axes."""

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Compute the reported variables where they depend on ``tables`` too; it is ``derive`` where they do not.

        Args:
            values: the sampled variables.
            arrays: the arrays of the term, or its tables alone.
        """
        return self.derive(values)

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute sampled variables that have a prior from the reported ones, the way back of ``derive``.

        ``values`` holds draws, ``(chains, draws, ...)``. Variables that are reported as they are sampled are left out.
        """
        return {}

    def standardised(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute Cholesky factors and standard normal variables behind reported effects, as far as these tell them.

        ``values`` holds draws, ``(chains, draws, ...)``, of reported variables, and what ``sampled`` returns.
        """
        return {}

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[AbstractTerm, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the term for some rows alone, with as few reported variables as these rows need.

        Args:
            arrays: the arrays of the term at these rows.
            values: draws of the reported variables, ``(chains, draws, ...)``.

        Returns:
            The term, its arrays, and those of the reported variables that become smaller.
        """
        return self, dict(arrays), {}

    def prior_warnings(self, arrays: Mapping[str, np.ndarray]) -> Iterable[str]:
        """Return a sentence for each prior that means something else for these data than a user would expect."""
        return ()

    @abstractmethod
    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the addend to the linear predictor, ``(..., rows)``.

        ``values`` holds the reported variables, which may have leading axes for draws.
        """

    def averaged(self, values: Values, arrays: DataArrays, groups: RowGroups) -> np.ndarray | None:
        """Return weighted sums of ``contribution`` over groups of rows, ``(draws, groups)``, without each row's.

        It is None where the term is not linear in its columns. ``values`` are draws of the reported variables.
        """
        return None


def rows_of(term: AbstractTerm, arrays: Mapping[str, np.ndarray], rows: np.ndarray | slice) -> dict[str, np.ndarray]:
    """Return the arrays of a term at some rows; its tables stay whole."""
    tables = term.tables
    return {name: array if name in tables else array[rows] for name, array in arrays.items()}
