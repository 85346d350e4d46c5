"""``me(x, sdx)``: a predictor that was measured with error of known standard deviation.

The measured value is x_i ~ normal(X_i, s_i) and the unobserved one X_i ~ normal(meanme, sdme); several of them are
multivariate normal with a correlation matrix, as in brms. With ``gr=`` there is one X for each level.

Instead of X the standard normal z is sampled, where X is the mean of its distribution given x and the hyperparameters
plus z times its standard deviation. For one variable, with v^2 = sdme^2 + s^2,

    X = meanme + sdme^2 / v^2 (x - meanme) + sdme s / v z,
    p(X) p(x | X) dX = normal(x; meanme, v) normal(z; 0, 1) dz,

so that no direction of the density narrows where sdme or s is small. The k-th of several correlated variables is
normal given the deviations u of those before it from their means, in units of their standard deviations, with mean
meanme_k + sdme_k sum_j<k L_kj u_j and standard deviation sdme_k L_kk, L the Cholesky factor of the correlations; these
stand in the place of meanme and sdme then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import log, pi
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation
from bayesml.distributions import LKJ, Distribution, flat, student_t
from bayesml.distributions.lkj import cholesky_factor
from bayesml.errors import DataError, FormulaError
from bayesml.frame import Frame
from bayesml.frame.values import value_texts
from bayesml.keys import MU, PredictorKey
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE, CorrCholesky
from bayesml.terms.base import AbstractTerm
from bayesml.terms.context import ModelContext
from bayesml.terms.measured import Measured, true_variance
from bayesml.terms.sampled import LatentValues
from bayesml.terms.special_factor import AbstractFactor
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["MeasuredVariables", "variables_of_calls"]

SECTION = "Measurement Error Hyperparameters"


@final
@dataclass(frozen=True)
class MeasuredVariables(AbstractTerm):
    """The true values of variables that are measured with error, of rows or of the levels of one factor.

    They belong to the whole model and add nothing to a predictor themselves.

    Attributes:
        calls: one call for each variable.
        correlated: whether they are correlated.
        levels: labels of the values.
        centers: a typical value of each variable.
        spreads: about the standard deviation of each.
    """

    calls: tuple[Measured, ...]
    correlated: bool = True
    levels: tuple[str, ...] = ()
    centers: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()

    @property
    def group(self) -> str:
        """The factor whose levels have one value each; empty for rows."""
        return self.calls[0].group

    @property
    def key(self) -> str:
        """One term for each factor, and one for rows."""
        return f"measured {self.group}".strip()

    @property
    def labels(self) -> tuple[str, ...]:
        """The variables."""
        return tuple(call.label for call in self.calls)

    @property
    def variables(self) -> tuple[str, ...]:
        """New data need nothing for it."""
        return ()

    def computations(self) -> tuple[Computation, ...]:
        """Nothing is computed from new data."""
        return ()

    @property
    def tables(self) -> frozenset[str]:
        """What was measured is not indexed by row."""
        return frozenset({"measured", "noise"})

    @property
    def rows_commute(self) -> bool:
        """The values of rows stand in the order of the rows."""
        return bool(self.group)

    @property
    def holds(self) -> str:
        """The true values of its variables."""
        return f"the true values of {', '.join(f'`{label}`' for label in self.labels)}"

    @property
    def without_mode(self) -> str:
        """True values may fit the response exactly, so that the density grows without bound as its sigma falls."""
        return f"the density has no mode in the true values of {', '.join(self.labels)}"

    @property
    def is_correlated(self) -> bool:
        """Whether there are correlations."""
        return self.correlated and len(self.calls) > 1

    def in_model(self, model: ModelContext) -> MeasuredVariables:
        """Return the term with what the data say of its size, and where its variables lie."""
        frame, tables = model.frame, self.own_arrays(model)
        levels = frame.factor(self.group)[1] if self.group else value_texts((frame.rows + 1).tolist())
        spreads = [np.sqrt(true_variance(x, s)) for x, s in zip(tables["measured"], tables["noise"], strict=True)]
        centers = tuple(float(np.median(x)) for x in tables["measured"])
        of_data = replace(self, levels=tuple(levels), centers=centers, spreads=tuple(float(s) for s in spreads))
        return replace(of_data, correlated=model.correlated_errors)

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm | None:
        """Return the term with the variables of all others of the same factor; None for all but the first of them.

        Raises:
            FormulaError: one variable has two standard deviations.
        """
        alike = [t for t in terms if isinstance(t, MeasuredVariables) and t.group == self.group]
        if alike[0] is not self:
            return None
        calls: dict[str, Measured] = {}
        everywhere = [call for t in terms if isinstance(t, MeasuredVariables) for call in t.calls]
        for call in everywhere:
            other = calls.setdefault(call.label, call)
            if other.spelling != call.spelling:
                raise FormulaError(
                    f"`{other.spelling}` and `{call.spelling}` are two measurement errors of the same variable; "
                    "write one of them everywhere, or give the variable two columns."
                )
        return replace(self, calls=tuple(call for call in calls.values() if call.group == self.group))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """New data have no true values to estimate."""
        return {}

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return ``measured`` and ``noise``, ``(variables, values)``, and of levels the ``index`` of each row."""
        frame = model.frame
        index = {"index": self.calls[0].places(frame)} if self.group else {}
        return index | {
            "measured": np.stack([self._of_values(call.measured(frame), call, frame) for call in self.calls]),
            "noise": np.stack([self._of_values(call.noises(frame), call, frame) for call in self.calls]),
        }

    def latent_values(self) -> LatentValues:
        """Return the standard normal variables behind the true values."""
        return LatentValues(self._name("zme"), len(self.calls), "index" if self.group else "")

    def _of_values(self, numbers: np.ndarray, call: Measured, frame: Frame) -> np.ndarray:
        """Return one number for each value; of a level those of its rows, which are all the same.

        Raises:
            DataError: they are not.
        """
        if not self.group:
            return np.asarray(numbers, dtype=float)
        places = call.places(frame)
        first = np.unique(places, return_index=True)[1]
        of_level = np.asarray(numbers, dtype=float)[first]
        wrong = np.flatnonzero(numbers != of_level[places])
        if wrong.size:
            row = int(wrong[0])
            level = frame.factor(self.group)[1][places[row]]
            raise DataError(
                f"`{call.spelling}` has one value for each level of `{self.group}`, but level `{level}` has "
                f"{of_level[places[row]]:g} and, in row {frame.rows[row] + 1} (counting from 1), {numbers[row]:g}. "
                "Leave `gr=` out where each row was measured."
            )
        return of_level

    def _name(self, kind: str) -> str:
        """Return the name of a parameter: ``sdme``, of the levels of a factor ``sdme_g``."""
        return names.variable(f"{kind}_{self.group}") if self.group else kind

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return means, standard deviations, the factor of the correlations, and standard normal variables."""
        k, n = len(self.calls), len(self.levels)
        mean = ParameterSpec(
            self._name("meanme"), "meanme", (k,), MU, coefs=self.labels, centers=self.centers, scales=self.spreads
        )
        sd = ParameterSpec(
            self._name("sdme"), "sdme", (k,), MU, coefs=self.labels, support=POSITIVE, centers=self.spreads,
            scales=self.spreads,
        )  # fmt: skip
        factor = ParameterSpec(self._name("Lme"), "corme", (k, k), MU, support=CorrCholesky())
        z = ParameterSpec(self._name("zme"), "", (k, n), MU)
        return (mean, sd, factor, z) if self.is_correlated else (mean, sd, z)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield means, standard deviations and correlations; those of brms are flat but for the correlations."""
        positive = POSITIVE.bounds
        if defaults.style == "brms":
            yield PriorRow(flat(), "meanme")
            yield PriorRow(flat(), "sdme", bounds=positive)
            for label in self.labels:
                yield PriorRow(None, "meanme", label, source="(vectorized)")
                yield PriorRow(None, "sdme", label, bounds=positive, source="(vectorized)")
        else:
            yield PriorRow(None, "meanme", source="(per coefficient)")
            yield PriorRow(None, "sdme", bounds=positive, source="(per coefficient)")
            for label, center, spread in zip(self.labels, self.centers, self.spreads, strict=True):
                yield PriorRow(_prior(center, spread), "meanme", label)
                yield PriorRow(_prior(0.0, spread), "sdme", label, bounds=positive)
        if self.is_correlated:
            yield PriorRow(defaults.correlation(), "corme", whole=LKJ)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``meanme``, ``sdme``, ``corme`` and the true values ``Xme_me(x)``."""
        of, suffix = PredictorKey(), f"_{self.group}" if self.group else ""
        variables = []
        for kind in ("meanme", "sdme"):
            texts = tuple(((i,), f"{kind}_{label}") for i, label in enumerate(self.labels))
            printed = tuple(f"{kind}({label})" for label in self.labels)
            dims, coords = (names.variable(f"me{suffix}"),), (self.labels,)
            variables.append(
                ReportedVariable(self._name(kind), kind, dims, coords, texts, of, section=SECTION, printed=printed)
            )
        if self.is_correlated:
            pairs = tuple(combinations(self.labels, 2))
            texts = tuple(((i,), f"corme__{a}__{b}") for i, (a, b) in enumerate(pairs))
            printed = tuple(f"corme({a},{b})" for a, b in pairs)
            dims, labels = (names.variable(f"corme{suffix}_pair"),), (tuple(f"{a}__{b}" for a, b in pairs),)
            variables.append(
                ReportedVariable(
                    self._name("corme"), "corme", dims, labels, texts, of, section=SECTION, printed=printed
                )
            )
        dims = (names.variable(f"me{suffix}_value"),)
        for call, label in zip(self.calls, self.labels, strict=True):
            texts = tuple(((i,), f"Xme_{label}[{level}]") for i, level in enumerate(self.levels))
            site = call.site(label, of)
            variables.append(ReportedVariable(site, "latent", dims, (self.levels,), texts, of))
        return tuple(variables)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the correlations."""
        if not self.is_correlated:
            return {}
        factor = values[self._name("Lme")]
        rows, columns = np.triu_indices(len(self.calls), 1)
        return {self._name("corme"): (factor @ factor.T)[rows, columns]}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the factor of the correlations."""
        if not self.is_correlated:
            return {}
        pairs, k = np.asarray(values[self._name("corme")]), len(self.calls)
        matrix = np.zeros((*pairs.shape[:-1], k, k)) + np.eye(k)
        rows, columns = np.triu_indices(k, 1)
        matrix[..., rows, columns] = matrix[..., columns, rows] = pairs
        return {self._name("Lme"): cholesky_factor(matrix)}

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Return the correlations, and the true values of each variable."""
        return self.derive(values) | {
            call.site(call.label, self.predictor): true
            for call, (true, _) in zip(self.calls, self._chain(values, arrays), strict=True)
        }

    def log_density(self, values: Values, arrays: DataArrays) -> Numbers:
        """Return the log density of the measured values, each given those of the variables before it."""
        total: Numbers = 0.0
        for _, density in self._chain(values, arrays):
            total = total + density
        return total

    def _chain(self, values: Values, arrays: DataArrays) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield the true values of each variable and the log density of its measured ones."""
        mean, sd, z = (values[self._name(kind)] for kind in ("meanme", "sdme", "zme"))
        xp = array_namespace(mean, sd, z)
        factor = values[self._name("Lme")] if self.is_correlated else None
        before: list[Numbers] = []
        for k in range(len(self.calls)):
            center, spread = mean[k], sd[k]
            if factor is not None:
                for j, u in enumerate(before):
                    center = center + sd[k] * factor[k, j] * u
                spread = spread * factor[k, k]
            x, noise = arrays["measured"][k], arrays["noise"][k]
            total = xp.sqrt(spread**2 + noise**2)
            away = (x - center) / total
            u = spread / total * away + noise / total * z[k]
            before.append(u)
            density = -0.5 * xp.sum(away**2) - xp.sum(xp.log(total)) - 0.5 * log(2 * pi) * len(self.levels)
            yield center + spread * u, density

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Nothing: coefficients multiply the true values elsewhere."""
        return 0.0


def _prior(center: float, spread: float) -> Distribution:
    """Return a wide prior in units of the measured values, four digits kept."""
    return student_t(3, float(f"{center:.4g}"), float(f"{2.5 * spread:.4g}"))


def variables_of_calls(predictor: PredictorKey, calls: Sequence[AbstractFactor]) -> Iterator[MeasuredVariables]:
    """Yield the terms that hold the true values of calls, one for each factor and one for rows."""
    measured = [call for call in calls if isinstance(call, Measured)]
    for group in dict.fromkeys(call.group for call in measured):
        yield MeasuredVariables(predictor, tuple(call for call in measured if call.group == group))
