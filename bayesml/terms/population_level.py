"""What population-level coefficients answer to the engines: columns, labels, and whether there is an Intercept."""

from __future__ import annotations

from dataclasses import dataclass, field

from bayesml import names
from bayesml.columns import Encoding
from bayesml.keys import PredictorKey
from bayesml.terms.base import AbstractTerm
from bayesml.terms.effect_block import SlopeColumns
from bayesml.terms.sampled import SampledSlopes
from bayesml.variables import COEFFICIENTS, ReportedVariable

__all__ = ["AbstractPopulationTerm", "threshold_variables"]


@dataclass(frozen=True)
class AbstractPopulationTerm(AbstractTerm):
    """All population-level coefficients of one predictor; its array ``X`` ``(rows, coefs)`` is not centred.

    Attributes:
        encoding: how columns come from data.
        means: mean of each column without the Intercept, over the rows of the fit; zeros without an Intercept.
        threshold_labels: labels of the thresholds of the response, which stand for the Intercept; empty where there are
            none.
        is_ordinary: whether the Intercept is a coefficient like all others, as in the formula of a nonlinear
            parameter, where no column is centred.
    """

    encoding: Encoding
    means: tuple[float, ...]
    threshold_labels: tuple[str, ...] = field(default=(), kw_only=True)
    is_ordinary: bool = field(default=False, kw_only=True)

    @property
    def thresholds(self) -> int:
        """Number of thresholds."""
        return len(self.threshold_labels)

    @property
    def key(self) -> str:
        """One population term for each predictor."""
        return "population"

    @property
    def coefs(self) -> tuple[str, ...]:
        """Labels of all coefficients, ``Intercept`` first where there is one."""
        return self.encoding.labels[1:] if self.thresholds else self.encoding.labels

    def slope_columns(self) -> SlopeColumns:
        """Return all of its columns, the Intercept among them."""
        texts = tuple(names.coefficient(coef, self.predictor) for coef in self.coefs)
        center = self.means if self.thresholds else ()
        return SlopeColumns(names.population_variable(self.predictor), self.coefs, texts, "X", center=center)

    def sampled_slopes(self) -> tuple[SampledSlopes, ...]:
        """Return the Intercept of centred columns, and the slopes."""
        of, blocks = self.predictor, []
        if self.has_intercept:
            blocks.append(SampledSlopes(names.intercept_variable(of), of, self.key, "X", slice(0, 1)))
        if self.slopes:
            means = self.means if self.has_intercept else ()
            columns = slice(int(self.has_intercept), None)
            blocks.append(SampledSlopes(names.slopes_variable(of), of, self.key, "X", columns, means))
        return tuple(blocks)

    @property
    def has_intercept(self) -> bool:
        """Whether the model itself has an Intercept (not the reserved variable of ``0 + Intercept``)."""
        return self.encoding.has_intercept and not self.thresholds and not self.is_ordinary

    @property
    def slopes(self) -> tuple[str, ...]:
        """Labels without the Intercept."""
        return self.coefs[1:] if self.has_intercept else self.coefs


def threshold_variables(of: PredictorKey, labels: tuple[str, ...]) -> tuple[ReportedVariable, ...]:
    """Return the reported thresholds of a predictor; nothing where there are none."""
    if not labels:
        return ()
    name, dims = names.thresholds_variable(of), (names.prefixed("threshold", of),)
    texts = tuple(((k,), f"{name}[{label}]") for k, label in enumerate(labels))
    printed = tuple(f"{names.prefixed('Intercept', of)}[{label}]" for label in labels)
    return (ReportedVariable(name, "thresholds", dims, (labels,), texts, of, section=COEFFICIENTS, printed=printed),)
