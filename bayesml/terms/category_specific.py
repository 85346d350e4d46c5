"""``cs(x)``: effects that differ between the thresholds of an ordinal response.

The k-th threshold becomes tau_k - x b_k: each column has a coefficient for each threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, Encoding, computations, encode, replay
from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Expression, LinearPart, Predictor, SpecialCall, parse, special_fault
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.effect_block import SlopeColumns
from bayesml.terms.left_of_bar import CATEGORY_SPECIFIC
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float

    from bayesml.shapes import DataArrays, Numbers, Values

__all__ = ["CategorySpecific", "collect"]


@final
@dataclass(frozen=True)
class CategorySpecific(AbstractTerm):
    """All category specific effects of a response.

    Attributes:
        encoding: how columns come from data, behind an intercept that is left out; they are not centred.
        spreads: typical size of each column.
        text: the terms as written, for messages.
        thresholds: number of thresholds of the response; 0 before it is known.
    """

    encoding: Encoding
    spreads: tuple[float, ...]
    text: str
    thresholds: int = 0

    @property
    def key(self) -> str:
        """One term holds all category specific effects."""
        return "category_specific"

    @property
    def place(self) -> PredictorKey:
        """They move the thresholds rather than mu."""
        return replace(self.predictor, dpar="cs")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self.encoding.labels[1:]

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns inside the calls."""
        return self.encoding.variables

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of the terms."""
        return computations(self.encoding)

    def bound(self, likelihood: AbstractLikelihood) -> CategorySpecific:
        """Return the term with its number of thresholds.

        Raises:
            FormulaError: the response has none.
        """
        if not likelihood.thresholds or not self.predictor.is_mu:
            raise FormulaError(
                f"`{self.text}`: category specific effects belong to the main formula of an ordinal family such as "
                f"cumulative; the family is {likelihood.family.name}."
            )
        if likelihood.threshold_labels != tuple(str(k + 1) for k in range(likelihood.thresholds)):
            raise FormulaError(
                f"`{self.text}`: category specific effects need the same thresholds in all rows; leave `thres(gr=)` "
                "out."
            )
        return replace(self, thresholds=likelihood.thresholds)

    def slope_columns(self) -> SlopeColumns:
        """Return its columns, with a coefficient for each threshold."""
        labels = tuple(f"{label}[{k + 1}]" for label in self.labels for k in range(self.thresholds))
        texts = tuple(names.special_coefficient("bcs", label, self.predictor) for label in labels)
        variable = names.special_variable("bcs", self.predictor)
        return SlopeColumns(variable, labels, texts, "X", width=self.thresholds)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``X``, ``(rows, coefs)``."""
        return {"X": replay(self.encoding, frame)[:, 1:]}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the coefficients of each column, ``(thresholds,)``, class ``b``."""
        k = self.thresholds
        return tuple(
            ParameterSpec(
                self._site(label), "b", (k,), self.predictor, coefs=(label,) * k, centers=(0.0,) * k,
                scales=(scale.spread / spread,) * k,
            )
            for label, spread in zip(self.labels, self.spreads, strict=True)
        )  # fmt: skip

    def _site(self, label: str) -> str:
        return names.variable(names.special_coefficient("bcs", label, self.predictor))

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the class ``b`` and each column, whose prior holds at every threshold."""
        return coefficient_rows(self.predictor, self.labels, self.spreads, defaults)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``bcs``, ``(coefs, thresholds)``."""
        of, numbers = self.predictor, tuple(str(k + 1) for k in range(self.thresholds))
        cells = [(i, k, f"{label}[{n}]") for i, label in enumerate(self.labels) for k, n in enumerate(numbers)]
        texts = tuple(((i, k), names.special_coefficient("bcs", text, of)) for i, k, text in cells)
        printed = tuple(names.prefixed(text, of) for _, _, text in cells)
        dims = (names.prefixed("bcs_coef", of), names.prefixed("threshold", of))
        name, section = names.special_variable("bcs", of), COEFFICIENTS
        return (
            ReportedVariable(name, "bcs", dims, (self.labels, numbers), texts, of, section=section, printed=printed),
        )

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``bcs``."""
        rows = [values[self._site(label)] for label in self.labels]
        return {names.special_variable("bcs", self.predictor): array_namespace(rows[0]).stack(rows)}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the coefficients of each column."""
        b = values[names.special_variable("bcs", self.predictor)]
        return {self._site(label): b[..., i, :] for i, label in enumerate(self.labels)}

    def contribution(self, values: Values, arrays: DataArrays) -> Float[ArrayLike, "*draws rows thresholds"]:
        """Return ``X b``, ``(..., rows, thresholds)``."""
        return arrays["X"] @ values[names.special_variable("bcs", self.predictor)]


def _terms_inside(call: SpecialCall) -> tuple[tuple[str, ...], ...]:
    """Return the terms of the sum inside ``cs(x + z)``."""
    if call.others or call.factors:
        raise special_fault("`cs()` is not multiplied by other terms: write the product inside it, `cs(x:z)`.", call)
    if len(call.arguments) != 1 or call.options:
        raise special_fault("`cs(x)` takes one column, or a sum of columns.", call)
    inside = parse(f"y ~ {call.arguments[0].text}").predictors[0]
    if inside.groups or inside.offsets or not inside.population.terms:
        raise special_fault("`cs()` takes columns, such as `cs(x)`.", call)
    return inside.population.terms


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the terms with ``cs()``."""
    calls = tuple(call for call in predictor.specials if call.name in CATEGORY_SPECIFIC)
    if not calls:
        return ()
    terms = [term for call in calls for term in _terms_inside(call)]
    text = " + ".join(call.spelling for call in calls)
    part = LinearPart(True, tuple(dict.fromkeys(terms)), Expression(text, text, 0))
    encoding, matrix = encode(part, frame, functions)
    spreads = matrix[:, 1:].std(axis=0, ddof=1) if len(matrix) > 1 else np.ones(matrix.shape[1] - 1)
    spreads = np.where(spreads > 0, spreads, 1.0)
    return (CategorySpecific(predictor.key, encoding, tuple(spreads.tolist()), text),)
