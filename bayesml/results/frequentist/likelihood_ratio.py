"""Several fits beside each other: likelihood-ratio tests and information criteria."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincc

from bayesml.errors import ModelError, warn_user
from bayesml.results.frequentist.same_data import check_same_data
from bayesml.results.frequentist.submodels import require_likelihood
from bayesml.results.frequentist.variance_explained import r2
from bayesml.results.record.fit import AbstractPointFit
from bayesml.results.record.same_values import same_numbers

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["anova_fits", "chi_square_p", "compare_models"]


def chi_square_p(statistic: float, df: int) -> float:
    """Upper tail probability of chi-square; NaN without degrees of freedom."""
    return float(gammaincc(df / 2.0, max(statistic, 0.0) / 2.0)) if df > 0 else float("nan")


def anova_fits(*fits: AbstractPointFit, refit: bool = True, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare nested models by likelihood-ratio tests, each with the next smaller one.

    Twice the rise of the log-likelihood is held against chi-square with as many degrees of freedom as parameters were
    added (Wilks 1938). Where the smaller model lies on the boundary of the larger one that is conservative, since half
    of the distribution lies at 0 (Self and Liang 1987): a variance cannot be negative, nor can 1 / shape, which is 0
    for a poisson model within a negbinomial one. For a single such parameter halve the p value.

    Args:
        fits: two or more fits of the same response. REML fits are refitted by maximum likelihood first, with a warning
            that says so: likelihoods by REML with different predictors cannot be compared.
        refit: False compares REML likelihoods as they are; right where only the group-level terms differ.
        names: names of the rows; the formulas by default.

    Returns:
        One row for each fit, smallest first: npar, AIC, BIC, logLik, -2*log(L), Chisq, Df, Pr(>Chisq).

    Raises:
        ModelError: fewer than two fits, other responses, families or approximations, or posterior modes.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> small = bayesml.fit("Reaction ~ Days + (1 | Subject)", data, method="ml")
        >>> large = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="ml")
        >>> bayesml.anova(small, large)
    """
    import pandas as pd

    _check_comparable(fits, refit)
    labels = _labels(fits, names)
    compared = [_by_maximum_likelihood(f) for f in fits] if refit else list(fits)
    if changed := [label for label, old, new in zip(labels, fits, compared, strict=True) if old is not new]:
        warn_user(
            f"Refitted by maximum likelihood (instead of REML) for the comparison: {', '.join(changed)}. Fit with "
            'method="ml", or use refit=False where only the group-level terms differ.'
        )
    order = sorted(range(len(fits)), key=lambda i: compared[i].df)
    _check_families([compared[i] for i in order])
    rows = []
    for place, i in enumerate(order):
        now, before = compared[i], compared[order[place - 1]] if place else None
        rows.append((now.df, now.aic, now.bic, now.logLik, -2.0 * now.logLik, *_step(now, before)))
    columns = ["npar", "AIC", "BIC", "logLik", "-2*log(L)", "Chisq", "Df", "Pr(>Chisq)"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index([labels[i] for i in order], dtype=object))


def _step(now: AbstractPointFit, before: AbstractPointFit | None) -> tuple[float, float, float]:
    if before is None:
        return float("nan"), float("nan"), float("nan")
    rise, df = 2.0 * (now.logLik - before.logLik), now.df - before.df
    return max(rise, 0.0), float(df), chi_square_p(rise, df)


def _labels(fits: Sequence[AbstractPointFit], names: Sequence[str] | None) -> list[str]:
    given = [f.formula for f in fits] if names is None else [str(n) for n in names]
    if len(given) != len(fits):
        raise ModelError(f"{len(given)} names for {len(fits)} fits.")
    seen: dict[str, int] = {}
    out = []
    for label in given:
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return out


def _check_comparable(fits: Sequence[AbstractPointFit], refit: bool = True) -> None:
    if len(fits) < 2:
        raise ModelError("A comparison needs at least two fits; fit.anova() tests the terms of one.")
    first = fits[0]
    for fit in fits:
        if not isinstance(fit, AbstractPointFit):
            raise ModelError(
                "anova() and compare_models() are for point estimates (reml, ml, laplace); draws of a posterior are "
                "compared by loo_compare()."
            )
        require_likelihood(fit, "anova()")
        check_same_data(first, fit)
    if len({how for fit in fits if (how := fit.estimate.approximation) is not None}) > 1:
        raise ModelError("The fits approximate the likelihood in different ways; use the same quadrature points.")
    if not refit and len({f.estimate.is_reml for f in fits}) > 1:
        raise ModelError("REML and ML likelihoods cannot be compared; leave out refit=False.")


def _check_families(smallest_first: Sequence[AbstractPointFit]) -> None:
    """Raise a ModelError unless each family is that of the next larger fit or a limit of it."""
    for small, large in pairwise(smallest_first):
        name, larger = small.family.name, large.family.name
        if name != larger and not (small.family.limit_of == larger and _have_one_link(small, large)):
            raise ModelError(
                f"A {name} and a {larger} model are not nested in one another with these predictors and links; "
                "compare_models() ranks them by information criteria."
            )


def _have_one_link(small: AbstractPointFit, large: AbstractPointFit) -> bool:
    names = (small.likelihood.dpars[0].name, large.likelihood.dpars[0].name)
    return small.likelihood.link(names[0]).name == large.likelihood.link(names[1]).name


def _by_maximum_likelihood(fit: AbstractPointFit) -> AbstractPointFit:
    """Return a REML fit refitted by maximum likelihood, any other fit as it is."""
    return fit.with_estimate(fit.estimate.by_maximum_likelihood()) if fit.estimate.is_reml else fit


def compare_models(*fits: AbstractPointFit, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare fits of the same response by information criteria.

    Args:
        fits: two or more fits, by maximum likelihood where their predictors differ; families may differ.
        names: names of the rows; the formulas by default.

    Returns:
        One row for each fit, best AIC first: df, logLik, AIC, BIC, dAIC, dBIC (differences to the smallest), weight
        (Akaike weights, exp(-dAIC / 2) normalised), R2 marginal, R2 conditional, which are NaN where more than ``mu``
        has a formula.

    Raises:
        ModelError: fewer than two fits, other responses, posterior modes, REML fits whose predictors differ.

    Example:
        >>> bayesml.compare_models(small, large, names=["intercepts", "slopes"])
    """
    import pandas as pd

    _check_criteria(fits)
    labels = _labels(fits, names)
    aic, bic = np.array([f.aic for f in fits]), np.array([f.bic for f in fits])
    weight = np.exp(-(aic - aic.min()) / 2.0)
    unknown = {"marginal": float("nan"), "conditional": float("nan")}
    explained = [r2(f) if f.estimate.has_one_predictor else unknown for f in fits]
    table = pd.DataFrame(
        {
            "df": [f.df for f in fits],
            "logLik": [f.logLik for f in fits],
            "AIC": aic,
            "BIC": bic,
            "dAIC": aic - aic.min(),
            "dBIC": bic - bic.min(),
            "weight": weight / weight.sum(),
            "R2 marginal": [e["marginal"] for e in explained],
            "R2 conditional": [e["conditional"] for e in explained],
        },
        index=pd.Index(labels, dtype=object),
    )
    return table.sort_values("AIC", kind="stable")


def _check_criteria(fits: Sequence[AbstractPointFit]) -> None:
    if len(fits) < 2:
        raise ModelError("A comparison needs at least two fits.")
    for fit in fits:
        if not isinstance(fit, AbstractPointFit):
            raise ModelError("compare_models() is for point estimates; draws are compared by loo_compare().")
        require_likelihood(fit, "compare_models()")
        check_same_data(fits[0], fit)
    reml = {f.estimate.is_reml for f in fits}
    if len(reml) > 1:
        raise ModelError('REML and ML criteria cannot be compared; fit all of them with method="ml".')
    if True in reml and not all(_same_columns(fits[0], f) for f in fits):
        raise ModelError('REML criteria of models with different predictors cannot be compared; fit with method="ml".')


def _same_columns(a: AbstractPointFit, b: AbstractPointFit) -> bool:
    return same_numbers(a.estimate.arrays.X[:, a.estimate.kept], b.estimate.arrays.X[:, b.estimate.kept])
