"""``fit.project(terms)``: the posterior of a smaller model that predicts as the fit does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.projection.candidates import candidates_of, chosen_candidates
from bayesml.results.projection.reference import Reference, reference_of
from bayesml.results.projection.submodel import Projected, Submodel, submodel
from bayesml.results.record.select import elements
from bayesml.results.tables.statistics import summarise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Projection", "project"]


@final
@dataclass(frozen=True, repr=False)
class Projection:
    """A smaller model with a projection of each of some draws of the reference model.

    Attributes:
        terms: the terms of the smaller model.
        formula: its formula.
        kl: Kullback-Leibler divergence of its predictions from those of the reference model, an average over draws and
            rows.
    """

    terms: tuple[str, ...]
    formula: str
    kl: float
    _reference: Reference
    _submodel: Submodel
    _projected: Projected

    def draws(self) -> pd.DataFrame:
        """Return the projected parameters, a row for each draw: ``b_x``, ``sd_g__Intercept``, ``r_g[...]``, ``sigma``.

        Example:
            >>> fit.project(["Days"]).draws().mean()
        """
        import pandas as pd

        estimates = [estimate.values for estimate in self._projected.estimates]
        values = {name: np.array([own[name] for own in estimates])[None] for name in estimates[0] if name != "sigma"}
        if self._reference.has_variance:
            values["sigma"] = np.sqrt(self._projected.variance)[None]
        found = elements(values, [v for v in self._submodel.fit.variables if v.name in values])
        return pd.DataFrame(found.values[0], columns=list(found.names))

    def summary(self, *, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975)) -> pd.DataFrame:
        """Return Estimate, Est.Error and quantiles of the projected parameters, without single group effects.

        Args:
            robust: median and mad in the place of mean and standard deviation.
            probs: probabilities of the quantiles.
        """
        import pandas as pd

        many = {text for v in self._submodel.fit.variables if v.is_many for _, text in v.texts}
        table = self.draws()
        table = table[[name for name in table.columns if name not in many]]
        return summarise(table.to_numpy(), pd.Index(table.columns), robust, probs)

    def linpred(self, newdata: Any = None, *, re_formula: Any = None) -> xr.DataArray:
        """Return draws of the linear predictor of the smaller model, (sample, obs).

        Args:
            newdata: rows; those of the fit if None. Levels that the fit has not seen have no effect.
            re_formula: which group-level effects; ``"NA"`` for none.
        """
        return self._labelled(self._eta(newdata, re_formula), newdata, "linpred")

    def epred(self, newdata: Any = None, *, re_formula: Any = None) -> xr.DataArray:
        """Return draws of the inverse link of the linear predictor, of a binomial response the probability.

        Args:
            newdata: as in ``linpred``.
            re_formula: as in ``linpred``.
        """
        inverse = self._reference.fit.likelihood.link("mu").inverse
        return self._labelled(np.asarray(inverse(self._eta(newdata, re_formula))), newdata, "epred")

    def _eta(self, newdata: Any, re_formula: Any) -> np.ndarray:
        if newdata is None and re_formula is None:
            return self._projected.eta
        given = self._reference.fit.frame.to_pandas() if newdata is None else newdata
        return self._submodel.eta_at(self._projected, given, re_formula)

    def _labelled(self, values: np.ndarray, newdata: Any, name: str) -> xr.DataArray:
        import pandas as pd

        labels = self._reference.rows.labels if newdata is None else pd.RangeIndex(values.shape[1], name="obs")
        if newdata is not None and isinstance(newdata, pd.DataFrame):
            labels = newdata.index
        return self._reference.choice.label(values, labels, name)

    def __repr__(self) -> str:
        head = f"Projection onto {self.formula}\n  {len(self._projected.estimates)} draws, KL divergence {self.kl:.4g}"
        return f"{head}\n\n{self.summary().round(2)}"


def project(
    fit: AbstractSampledFit, terms: str | Sequence[str] = (), *, ndraws: int = 400, latent: bool | None = None
) -> Projection:
    """Project the posterior onto a model with some of the terms.

    Each draw of the fit says what responses to expect. Its projection is the parameter of the smaller model that
    predicts these best: it minimises the Kullback-Leibler divergence of the smaller model's predictions from those of
    the draw. For gaussian, poisson, bernoulli and binomial models that is a maximum likelihood fit to expected
    responses, with group effects and smooths estimated as ``method="laplace"`` does, and sigma^2 = that of the draw +
    the mean squared distance. Of other families, and where further parameters have formulas, the linear predictor of
    mu is projected as if it were a gaussian response (the latent projection); the further parameters stay as they are.

    Piironen, Paasiniemi and Vehtari (2020), Projective inference in high-dimensional problems, Electronic Journal of
    Statistics 14; Catalina, Buerkner and Vehtari (2022), Projection predictive inference for generalized linear and
    additive multilevel models, AISTATS; Catalina, Buerkner and Vehtari (2021), Latent space projection, arXiv
    2109.04702.

    Args:
        fit: the fit, the reference model.
        terms: the terms of the smaller model as the formula has them, ``["x", "(1 | g)"]``; none is the intercept
            alone. ``(1 + x | g)`` is there as ``(1 | g)`` too. Offsets stay.
        ndraws: how many draws are projected, spread evenly over the posterior.
        latent: whether the linear predictor is projected; None decides by the family.

    Returns:
        The smaller model: ``draws()``, ``summary()``, ``linpred()``, ``epred()``, ``kl``.

    Raises:
        ModelError: a term is not in the formula, or the model cannot be projected (several responses, categories,
            nonlinear formulas, residual correlation).

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, seed=1)
        >>> fit.project(["Days", "(1 | Subject)"]).summary()
    """
    chosen = chosen_candidates(fit, terms)
    there = {text for each in chosen for text in (each.text, each.replaces)}
    missing = {text for each in chosen for text in each.needs} - there
    if missing:
        raise ModelError(f"The chosen terms contain {_listed(sorted(missing))}, which must be chosen too.")
    reference = reference_of(fit, ndraws, latent, "project()")
    ordered = [each for each in candidates_of(fit) if each in chosen]
    model = submodel(reference, ordered)
    targets = reference.draw_by_draw()
    projected = model.project(targets)
    kl = float(targets.weights @ projected.distance)
    texts = tuple(each.text for each in ordered)
    return Projection(texts, model.fit.formula, kl, reference, model, projected)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)
