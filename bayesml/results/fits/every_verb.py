"""The verbs that every fit has, as methods."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayesml.lazy import lazy_module
from bayesml.results.fits.verb import Verb
from bayesml.results.record.fit import AbstractFit

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.marginal import effects as marginal
    from bayesml.results.plots import groups, smooths
    from bayesml.results.questions import contrast, emmeans
    from bayesml.results.report import report
    from bayesml.results.storage import exported, saving
    from bayesml.results.tables import effects, equation, tables
    from bayesml.results.tidy import for_maketables
else:  # a fit and its table should not wait for imports of its methods
    contrast = lazy_module("bayesml.results.questions.contrast")
    effects = lazy_module("bayesml.results.tables.effects")
    emmeans = lazy_module("bayesml.results.questions.emmeans")
    exported = lazy_module("bayesml.results.storage.exported")
    for_maketables = lazy_module("bayesml.results.tidy.for_maketables")
    equation = lazy_module("bayesml.results.tables.equation")
    groups = lazy_module("bayesml.results.plots.groups")
    marginal = lazy_module("bayesml.results.marginal.effects")
    report = lazy_module("bayesml.results.report.report")
    saving = lazy_module("bayesml.results.storage.saving")
    smooths = lazy_module("bayesml.results.plots.smooths")
    tables = lazy_module("bayesml.results.tables.tables")

__all__ = ["AbstractFitVerbs"]


@dataclass(frozen=True, repr=False)
class AbstractFitVerbs(AbstractFit):
    """The methods of fits with draws and of those with estimates."""

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return str(self._table()._repr_html_())

    @abstractmethod
    def _table(self) -> Any:
        """Return the summary that is shown."""

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """The population-level coefficients as the package maketables reads them."""
        return for_maketables.coefficients(self)

    @property
    def __maketables_depvar__(self) -> str:
        """The name of the response."""
        return for_maketables.response(self)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        """The numbers about the whole model that are shown."""
        return for_maketables.default_statistics(self)

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        """Labels of numbers about the whole model."""
        return dict(for_maketables.LABELS)

    def __maketables_stat__(self, key: str) -> Any:
        """Return a number about the whole model by its key there, such as ``N``, or None."""
        return for_maketables.statistic(self, key)

    prior_summary = Verb(lambda: tables.prior_summary)
    contrast = Verb(lambda: contrast.contrast)
    emmeans = Verb(lambda: emmeans.emmeans)
    emtrends = Verb(lambda: emmeans.emtrends)
    predictions = Verb(lambda: marginal.predictions)
    avg_predictions = Verb(lambda: marginal.avg_predictions)
    comparisons = Verb(lambda: marginal.comparisons)
    avg_comparisons = Verb(lambda: marginal.avg_comparisons)
    slopes = Verb(lambda: marginal.slopes)
    avg_slopes = Verb(lambda: marginal.avg_slopes)
    conditional_effects = Verb(lambda: effects.conditional_effects)
    ranef_plot = Verb(lambda: groups.ranef_plot)
    plot_smooths = Verb(lambda: smooths.plot_smooths)
    equation = Verb(lambda: equation.equation)
    report = Verb(lambda: report.report)
    export = Verb(lambda: exported.export)
    save = Verb(lambda: saving.save)
