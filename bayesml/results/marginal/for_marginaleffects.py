"""A point estimate for the package marginaleffects, through its ``ModelAbstract``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.errors import ModelError
from bayesml.results.marginal.changes import known_variables
from bayesml.results.marginal.question import Question
from bayesml.results.predict.estimated import function_of_rows
from bayesml.results.predict.quantity import What

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["to_marginaleffects"]

POPULATION = Question(What("epred", one_trial=True), "population", "error", None, None)
"""What is predicted: the expected response without group-level effects; of a binomial response a probability."""


def to_marginaleffects(fit: AbstractPointFit) -> Any:
    """Return a fit as the Python package marginaleffects takes it, for its predictions, comparisons and slopes.

    Predictions are expected responses at the population level, as ``fit.epred(newdata, re_formula="NA")`` gives them
    (probabilities of a binomial response), functions of the population-level coefficients with their covariance
    matrix. The same is in ``fit.predictions(groups="population")`` and its relatives, which also take group-level
    effects, draws, and models with several formulas.

    Args:
        fit: the fit.

    Returns:
        An object for the first argument of ``marginaleffects.avg_comparisons`` and all other functions there.

    Raises:
        ModelError: the package is not installed, or the model has more than one linear predictor.

    Example:
        >>> import marginaleffects
        >>> marginaleffects.avg_comparisons(fit.to_marginaleffects(), variables="Days")
    """
    if isinstance(fit.estimate, SeveralEstimate):
        raise ModelError(
            "The package marginaleffects is given models with one linear predictor; this one has several. Ask "
            "fit.avg_comparisons(), fit.avg_predictions() and fit.avg_slopes() instead."
        )
    try:
        classes = import_module("marginaleffects.classes")
        polars = import_module("polars")
    except ImportError:
        raise ModelError(
            "The package marginaleffects is not installed: `pip install marginaleffects`. The same questions are "
            "answered by fit.avg_comparisons(), fit.avg_predictions() and fit.avg_slopes()."
        ) from None
    own = _Predictor(fit, polars)
    _, names = known_variables(fit)
    frame = polars.from_pandas(fit.frame.to_pandas())
    strings = [name for name in frame.columns if frame[name].dtype == polars.String]
    frame = frame.with_columns([polars.col(name).cast(polars.Enum(sorted(frame[name].unique()))) for name in strings])
    vault = classes.ModelVault(
        coef=np.asarray(fit.estimate.beta),
        coefnames=np.array([fit.estimate.labels[k] for k in fit.estimate.kept]),
        vcov=fit.estimate.vcov,
        modeldata=frame,
        formula=lambda data: (None, data),  # a function: the package is not to read the formula
        variable_names=[fit.parsed.response.name, *names],
        package="bayesml",
    )
    members = {"get_predict": own.predicted, "get_exog": own.encoded}
    kind = type("BayesmlModel", (classes.ModelAbstract,), {name: _method(f) for name, f in members.items()})
    return kind(fit, vault)


def _method(function: Any) -> Any:
    return lambda self, *arguments, **named: function(*arguments, **named)


@final
@dataclass(frozen=True)
class _Rows:
    """Rows of a prediction, encoded once for all values of the coefficients."""

    X: np.ndarray
    eta: np.ndarray
    function: Any

    def __getitem__(self, places: slice) -> _Rows:
        """Return some of the rows."""
        return _Rows(self.X[places], self.eta[places], self.function)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the matrix."""
        return self.X.shape


@final
@dataclass(frozen=True)
class _Predictor:
    """Predictions for coefficients near the estimates."""

    fit: AbstractPointFit
    polars: Any

    def encoded(self, newdata: Any) -> _Rows:
        """Return the rows of a polars data frame."""
        given = newdata.to_pandas()
        rows, function = function_of_rows(self.fit, POPULATION.request(given), POPULATION.what)
        return _Rows(np.asarray(rows.rows.X)[:, self.fit.estimate.kept], rows.eta, function)

    def predicted(self, params: Any, newdata: Any) -> Any:
        """Return ``rowid`` and ``estimate`` of each row: eta + X (params - estimates) through the inverse link."""
        rows = newdata if isinstance(newdata, _Rows) else self.encoded(newdata)
        beta = np.asarray(self.fit.estimate.beta)
        found = np.asarray(rows.function(rows.eta + rows.X @ (np.asarray(params, dtype=float) - beta)), dtype=float)
        return self.polars.DataFrame({"rowid": np.arange(len(found), dtype=np.int32), "estimate": found})
