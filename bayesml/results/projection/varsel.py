"""``fit.varsel()`` and ``fit.cv_varsel()``: which terms are needed to predict as the fit does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.folds import fold_of_rows
from bayesml.results.checks.loo import left_out
from bayesml.results.checks.psis import smoothed_weights
from bayesml.results.fits.refitting import without_rows
from bayesml.results.projection.candidates import Candidate, candidates_of, chosen_candidates
from bayesml.results.projection.performance import Performance, averaged, of_draws
from bayesml.results.projection.reference import Reference, reference_of, similar_draws
from bayesml.results.projection.search import Submodels, forward_search, submodels_of
from bayesml.results.projection.selection import VariableSelection
from bayesml.results.projection.submodel import Projected

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["cv_varsel", "varsel"]

LARGEST = 19
Path = tuple[Candidate, ...]


@final
@dataclass(frozen=True)
class _Search:
    """What is searched, and how.

    Attributes:
        candidates: the terms.
        largest: how many terms at most.
        nclusters: number of groups of similar draws that the search projects.
        ndraws: number of draws whose projections predict.
        latent: whether linear predictors are projected.
        seed: seed of the groups.
        verb: for messages.
    """

    candidates: Path
    largest: int
    nclusters: int
    ndraws: int
    latent: bool | None
    seed: int
    verb: str

    def reference(self, fit: AbstractSampledFit) -> Reference:
        """Return the draws of a fit that predict."""
        return reference_of(fit, self.ndraws, self.latent, self.verb)

    def groups(self, reference: Reference) -> np.ndarray:
        """Return groups of similar draws."""
        return similar_draws(reference, self.nclusters, self.seed)

    def path(
        self, reference: Reference, submodels: Submodels, groups: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[Path, tuple[float, ...]]:
        """Return the order of the terms and the divergence of each size."""
        return forward_search(submodels, self.candidates, reference.grouped(groups, weights), self.largest)


def varsel(
    fit: AbstractSampledFit, *, nterms_max: int | None = None, search_terms: Sequence[str] | None = None,
    nclusters: int = 20, ndraws_pred: int = 400, latent: bool | None = None, seed: int = 1,
) -> VariableSelection:  # fmt: skip
    """Order the terms by how much nearer they bring a smaller model to the fit, without cross-validation.

    The predictions are judged with the responses that the fit has seen, which is optimistic; ``cv_varsel()`` is not.
    See there for the method.

    Args:
        fit: the fit, the reference model.
        nterms_max: see ``cv_varsel``.
        search_terms: see ``cv_varsel``.
        nclusters: see ``cv_varsel``.
        ndraws_pred: see ``cv_varsel``.
        latent: see ``project``.
        seed: see ``cv_varsel``.

    Raises:
        ModelError: see ``cv_varsel``.

    Example:
        >>> fit.varsel().ranking
    """
    search = _search(fit, search_terms, nterms_max, nclusters, ndraws_pred, latent, seed, "varsel()")
    reference = search.reference(fit)
    submodels = submodels_of(reference, search.candidates)
    path, distances = search.path(reference, submodels, search.groups(reference))
    models = [_in_sample(reference, projected) for projected in _projections(reference, submodels, path)]
    own = of_draws(reference.log_lik, _shown_mean(reference, reference.eta), leaves_out=False)
    return _selection(reference, path, distances, None, models, own, "judged with the responses of the fit")


def cv_varsel(
    fit: AbstractSampledFit, *, cv: Literal["loo", "kfold"] = "loo", validate_search: bool = True, K: int = 5,
    nterms_max: int | None = None, search_terms: Sequence[str] | None = None,
    nclusters: int = 20, ndraws_pred: int = 400, latent: bool | None = None, seed: int = 1,
) -> VariableSelection:  # fmt: skip
    """Select the terms that are needed to predict as well as the fit does, by projection and cross-validation.

    The search begins with the intercept and adds at each step the term whose model is nearest to the fit: its
    projections (see ``project``) have the smallest Kullback-Leibler divergence from it. Then the models of each size
    predict responses that they have not seen. As in R's projpred.

    With ``cv="loo"`` draws are reweighted by Pareto-smoothed importance sampling, row by row; with ``cv="kfold"`` the
    fit is fitted again without each of K parts of the rows. ``validate_search=True`` searches anew without each row or
    part, so that what the choice of the terms owes to a row is not counted in its favour; this takes as many searches
    as there are rows or parts. ``validate_search=False`` judges the terms found with all rows, and is quick and
    optimistic.

    Args:
        fit: the fit, the reference model: the largest model, with all terms.
        cv: ``"loo"`` or ``"kfold"``.
        validate_search: whether the search is cross-validated too.
        K: number of parts of ``"kfold"``.
        nterms_max: how many terms at most; None for all, at most 19.
        search_terms: the terms to choose from, as the formula has them; None takes all of mu.
        nclusters: number of groups of similar draws (k-means of the linear predictors) that the search projects.
        ndraws_pred: number of draws whose projections predict.
        latent: see ``project``.
        seed: seed of the groups and of the division into parts.

    Returns:
        ``summary()``, ``plot()``, ``suggest_size()``, ``ranking``, ``cv_proportions()``.

    Raises:
        ModelError: an argument is impossible, or the model cannot be projected, see ``project``.

    Warns:
        FitWarning: leave-one-out cross-validation of the fit is unreliable for some rows, see ``loo``.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("kidiq")
        >>> fit = bayesml.fit("kid_score ~ mom_hs + mom_iq + mom_age", data, seed=1)
        >>> selection = fit.cv_varsel(validate_search=False)
        >>> selection.suggest_size()
        >>> fit.project(selection.ranking[:2]).summary()
    """
    search = _search(fit, search_terms, nterms_max, nclusters, ndraws_pred, latent, seed, "cv_varsel()")
    if cv not in ("loo", "kfold"):
        raise ModelError(f'`cv` is "loo" or "kfold"; got {cv!r}.')
    if not isinstance(validate_search, bool):
        raise ModelError(f"`validate_search` is True or False; got {validate_search!r}.")
    if cv == "loo":
        return _leave_one_out(fit, search, validate_search)
    return _by_parts(fit, search, fold_of_rows(fit.nobs, K, "random", None, seed), validate_search)


def _search(
    fit: AbstractSampledFit, terms: Sequence[str] | None, nterms_max: int | None, nclusters: int, ndraws: int,
    latent: bool | None, seed: int, verb: str,
) -> _Search:  # fmt: skip
    candidates = candidates_of(fit) if terms is None else chosen_candidates(fit, terms)
    if not candidates:
        raise ModelError(f"The formula of mu has no term to choose; {verb} needs at least one.")
    largest = min(len(candidates), LARGEST)
    if nterms_max is not None:
        whole = isinstance(nterms_max, (int, np.integer)) and not isinstance(nterms_max, bool)
        if not whole or not 0 <= nterms_max <= len(candidates):
            raise ModelError(f"`nterms_max` is a whole number from 0 to {len(candidates)}; got {nterms_max!r}.")
        largest = int(nterms_max)
    return _Search(candidates, largest, nclusters, ndraws, latent, seed, verb)


def _leave_one_out(fit: AbstractSampledFit, search: _Search, validate: bool) -> VariableSelection:
    reference = search.reference(fit)
    submodels, groups = submodels_of(reference, search.candidates), search.groups(reference)
    path, distances = search.path(reference, submodels, groups)
    weights = smoothed_weights(-reference.log_lik.T)[0].T
    own = averaged(weights, reference.log_lik, _shown_mean(reference, reference.eta))
    own = Performance(left_out(fit).found.elpd, own.mean)
    if not validate:
        found = [_left_out(reference, projected) for projected in _projections(reference, submodels, path)]
        return _selection(reference, path, distances, None, found, own, "leave-one-out without its search")
    paths = [search.path(reference, submodels, groups, np.exp(column))[0] for column in weights.T]
    models = _of_each_row(reference, submodels, paths, weights, search.largest)
    return _selection(reference, path, distances, paths, models, own, "leave-one-out cross-validation")


def _of_each_row(
    reference: Reference, submodels: Submodels, paths: Sequence[Path], weights: np.ndarray, largest: int
) -> list[Performance]:
    """Return the predictions of each size, of each row by the terms that were found without it."""
    models = []
    for size in range(largest + 1):
        density, mean = np.empty(len(paths)), np.empty(len(paths))
        chosen = [frozenset(path[:size]) for path in paths]
        for terms in set(chosen):
            rows = np.array([own == terms for own in chosen])
            [projected] = _projections(reference, submodels, tuple(terms), (len(terms),))
            log_lik = reference.log_lik_at(projected.eta, _sigma(reference, projected))
            found = averaged(weights[:, rows], log_lik[:, rows], _shown_mean(reference, projected.eta)[:, rows])
            density[rows], mean[rows] = found.density, found.mean
        models.append(Performance(density, mean))
    return models


def _by_parts(fit: AbstractSampledFit, search: _Search, folds: np.ndarray, validate: bool) -> VariableSelection:
    whole = search.reference(fit)
    submodels = submodels_of(whole, search.candidates)
    path, distances = search.path(whole, submodels, search.groups(whole))
    sizes = range(search.largest + 1)
    found = [Performance(np.empty(fit.nobs), np.empty(fit.nobs)) for _ in (*sizes, None)]
    paths = []
    for fold in range(int(folds.max()) + 1):
        rows = np.flatnonzero(folds == fold)
        reference = search.reference(without_rows(fit, rows))
        own = submodels_of(reference, search.candidates)
        chosen = search.path(reference, own, search.groups(reference))[0] if validate else path
        paths.append(chosen)
        newdata = fit.frame.select(rows).to_pandas()
        away = reference.at(newdata)
        parts = [of_draws(away.log_lik, _shown_mean(away, away.eta), leaves_out=False)]
        for size, projected in zip(sizes, _projections(reference, own, chosen), strict=True):
            model = own(frozenset(chosen[:size]))
            assert model is not None
            eta = model.eta_at(projected, newdata)
            log_lik = away.log_lik_at(eta, _sigma(reference, projected))
            parts.append(of_draws(log_lik, _shown_mean(away, eta), leaves_out=False))
        for whole_rows, part in zip((found[-1], *found[:-1]), parts, strict=True):
            whole_rows.density[rows], whole_rows.mean[rows] = part.density, part.mean
    said = f"{len(paths)}-fold cross-validation" + ("" if validate else " without its search")
    return _selection(whole, path, distances, paths if validate else None, found[:-1], found[-1], said)


def _projections(
    reference: Reference, submodels: Submodels, path: Path, sizes: Sequence[int] | None = None
) -> Iterator[Projected]:
    targets = reference.draw_by_draw()
    for size in range(len(path) + 1) if sizes is None else sizes:
        model = submodels(frozenset(path[:size]))
        assert model is not None
        yield model.project(targets)


def _sigma(reference: Reference, projected: Projected) -> np.ndarray | None:
    return np.sqrt(projected.variance) if reference.has_variance else None


def _in_sample(reference: Reference, projected: Projected) -> Performance:
    log_lik = reference.log_lik_at(projected.eta, _sigma(reference, projected))
    return of_draws(log_lik, _shown_mean(reference, projected.eta), leaves_out=False)


def _left_out(reference: Reference, projected: Projected) -> Performance:
    log_lik = reference.log_lik_at(projected.eta, _sigma(reference, projected))
    return of_draws(log_lik, _shown_mean(reference, projected.eta), leaves_out=True)


def _shown_mean(reference: Reference, eta: np.ndarray) -> np.ndarray:
    """Return the inverse link: the expected response, of trials their probability."""
    return np.asarray(reference.fit.likelihood.link("mu").inverse(eta))


def _selection(
    reference: Reference, path: Path, distances: tuple[float, ...], paths: Sequence[Path] | None,
    models: Sequence[Performance], own: Performance, validation: str,
) -> VariableSelection:  # fmt: skip
    data, weights = reference.rows.data, reference.rows.weights
    trials = np.asarray(data.get("trials", np.ones(reference.rows.count)), dtype=float)
    traits = reference.fit.likelihood.traits
    is_share = traits.two_levels or traits.trials
    shares = np.full(len(trials), 1.0) if weights is None else np.asarray(weights, dtype=float)
    foldwise = None if paths is None else tuple(tuple(each.text for each in one) for one in paths)
    y = np.asarray(data["y"], dtype=float) / (trials if is_share else 1.0)
    return VariableSelection(
        tuple(each.text for each in path), distances, foldwise, tuple(models), own, y, trials,
        shares / shares.sum(), is_share, validation,
    )  # fmt: skip
