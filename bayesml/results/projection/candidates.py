"""The terms of a formula as candidates of smaller models, each with the terms that must stand before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, final

from bayesml.errors import ModelError, did_you_mean
from bayesml.formula import GroupCall, Predictor
from bayesml.formula.tokens import quote_name

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Candidate", "candidates_of", "chosen_candidates", "right_hand_side"]


@final
@dataclass(frozen=True)
class Candidate:
    """A term of a formula.

    Attributes:
        text: the term, ``x``, ``a:b``, ``s(x)``, ``(1 | g)``.
        needs: texts of the terms without which it does not stand: ``a`` and ``b`` of ``a:b``.
        replaces: text of the term that it contains: ``(1 | g)`` of ``(1 + x | g)``.
    """

    text: str
    needs: frozenset[str] = frozenset()
    replaces: str = ""

    def may_follow(self, chosen: Iterable[Candidate]) -> bool:
        """Whether all that it needs is there."""
        return self.needs <= {candidate.text for candidate in chosen}


def candidates_of(fit: AbstractSampledFit) -> tuple[Candidate, ...]:
    """Return the terms of ``mu`` in the order of the formula; of ``(1 + x | g)`` also ``(1 | g)``."""
    predictor = _predictor(fit)
    population = tuple(_of_columns(predictor))
    known = frozenset(candidate.text for candidate in population)
    specials = tuple(Candidate(call.term) for call in predictor.specials)
    groups = tuple(candidate for group in predictor.groups for candidate in _of_group(group, known))
    return (*population, *specials, *groups)


def _predictor(fit: AbstractSampledFit) -> Predictor:
    return fit.parsed.responses[0].predictors[0]


def _of_columns(predictor: Predictor) -> Iterable[Candidate]:
    terms = predictor.population.terms
    texts = {frozenset(term): ":".join(term) for term in terms}
    for term in terms:
        smaller = (frozenset(part) for size in range(1, len(term)) for part in combinations(term, size))
        yield Candidate(":".join(term), frozenset(texts[part] for part in smaller if part in texts))


def _of_group(group: GroupCall, population: frozenset[str]) -> tuple[Candidate, ...]:
    """Return the intercepts of a factor alone, and the whole term, which needs the terms of its columns."""
    if group.membership or group.id or group.by or group.cov or group.has_tails or group.specials:
        return (Candidate(group.text),)
    factor = ":".join(quote_name(name) for name in group.factors)
    bar, has_intercept = "|" if group.correlated else "||", group.columns.intercept
    intercepts, columns = f"(1 | {factor})", [":".join(term) for term in group.columns.terms]
    if not columns:
        return (Candidate(intercepts),)
    whole = f"({' + '.join(['1' if has_intercept else '0', *columns])} {bar} {factor})"
    needed = frozenset(columns) & population
    if not has_intercept:
        return (Candidate(whole, needed),)
    return Candidate(intercepts), Candidate(whole, needed | {intercepts}, intercepts)


def chosen_candidates(fit: AbstractSampledFit, terms: str | Sequence[str]) -> tuple[Candidate, ...]:
    """Return the candidates that a user names, in the order given.

    Raises:
        ModelError: a name is no term of the model; lists the terms.
    """
    known = {_bare(candidate.text): candidate for candidate in candidates_of(fit)}
    if not isinstance(terms, Iterable):
        raise ModelError(f"Terms are named as in the formula, a name or a list of names; got {terms!r}.")
    written = [terms] if isinstance(terms, str) else list(terms)
    found = []
    for text in written:
        candidate = known.get(_bare(text)) if isinstance(text, str) else None
        if candidate is None:
            listed = ", ".join(f"`{each.text}`" for each in known.values())
            hint = did_you_mean(text, [each.text for each in known.values()]) if isinstance(text, str) else ""
            raise ModelError(f"{text!r} is not a term of the model{hint}; it has {listed}.")
        found.append(candidate)
    return tuple(dict.fromkeys(found))


def _bare(text: str) -> str:
    bare = "".join(text.split())
    return bare.replace("(1+", "(") if "|" in bare else bare


def right_hand_side(fit: AbstractSampledFit, chosen: Sequence[Candidate]) -> str:
    """Return the right-hand side of the model with some of the terms; its offsets and its intercept stay."""
    predictor = _predictor(fit)
    replaced = {candidate.replaces for candidate in chosen}
    texts = [candidate.text for candidate in chosen if candidate.text not in replaced]
    offsets = [f"offset({offset.text})" for offset in predictor.offsets]
    return " + ".join(["1" if predictor.population.intercept else "0", *texts, *offsets])
