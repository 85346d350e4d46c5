"""Which factors of which term are coded with all their levels: the space of R's ``model.matrix``, without redundancy.

R codes a factor of a term by contrasts where the rest of the term lies within an earlier term, and else with a column
for each level; without an intercept the first factor of the model gets a column for each level (Chambers and Hastie,
Statistical Models in S, 1992, section 2.4.1). A factor with all its levels stands for "with and without its contrasts",
so that a term over a, b, both with all levels, spans the products of the subsets {}, {a}, {b}, {a, b}. Subsets that
earlier terms span already are left out, as in patsy; the rest are merged into as few products as possible, where a
factor that stands for "with and without" takes one column for each level (full) and otherwise its contrasts (reduced).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from bayesml.errors import FormulaError

__all__ = ["Product", "choose_codings"]

Product = tuple[tuple[str, bool], ...]
"""The factors of a product of columns, each with whether it is coded in full."""

MAX_SPANNING = 12


def choose_codings(
    terms: Sequence[tuple[str, ...]], spanning: Collection[str], constants: Collection[str] = (), *, intercept: bool
) -> tuple[tuple[Product, ...], ...]:
    """Return for each term the products of columns that it adds.

    Args:
        terms: the terms without the intercept, in order.
        spanning: the factors whose full coding adds up to a constant: the categorical ones.
        constants: the factors that are constant themselves, ``Intercept`` of ``0 + Intercept + f``. As in brms they
            take the place of an intercept for all terms, wherever they stand.
        intercept: whether there is an intercept.

    Raises:
        FormulaError: a term has more categorical factors than can be expanded.
    """
    has_constant = intercept or any(set(term) <= set(constants) for term in terms)
    spanned: set[frozenset[str]] = {frozenset()} if has_constant else set()
    first = None if has_constant else next((f for term in terms for f in term if f in spanning), None)
    earlier: dict[str, list[frozenset[str]]] = {}  # the terms so far by each of their factors
    chosen: list[tuple[Product, ...]] = []
    for term in terms:
        categorical = [factor for factor in term if factor in spanning]
        if len(categorical) > MAX_SPANNING:
            raise FormulaError(f"`{':'.join(term)}` joins more than {MAX_SPANNING} categorical factors.")
        if set(term) <= set(constants):
            chosen.append((_product(term, spanning, {}),))
            continue
        whole = frozenset(term) - frozenset(constants)
        fixed = whole - frozenset(categorical)
        contrasted = {f for f in categorical if f != first and _lies_within(whole - {f}, earlier)}
        if first in categorical:
            first = None
        for factor in whole:
            earlier.setdefault(factor, []).append(whole)
        subsets = [
            frozenset(subset)
            for size in range(len(categorical) + 1)
            for subset in combinations(categorical, size)
            if contrasted.issubset(subset)
        ]
        fresh = [{factor: False for factor in subset} for subset in subsets if fixed | subset not in spanned]
        spanned.update(fixed | subset for subset in subsets)
        chosen.append(tuple(_product(term, spanning, coded) for coded in _merge(fresh)))
    return tuple(chosen)


def _lies_within(rest: frozenset[str], earlier: Mapping[str, Sequence[frozenset[str]]]) -> bool:
    if not rest:
        return True
    fewest = min((earlier.get(factor, ()) for factor in rest), key=len)
    return any(rest <= term for term in fewest)


def _merge(products: list[dict[str, bool]]) -> list[dict[str, bool]]:
    """Merge ``P`` and ``P:f`` (f reduced) into ``P:f`` with f in full, until nothing merges."""
    while True:
        pair = next(
            (
                (short, long, factor)
                for short in range(len(products))
                for long in range(len(products))
                if (factor := _extra(products[short], products[long])) is not None
            ),
            None,
        )
        if pair is None:
            return products
        short, long, factor = pair
        merged = {**products[long], factor: True}
        products = [merged if i == long else product for i, product in enumerate(products) if i != short]


def _extra(short: dict[str, bool], long: dict[str, bool]) -> str | None:
    if len(long) != len(short) + 1 or any(long.get(factor) != full for factor, full in short.items()):
        return None
    factor = next(name for name in long if name not in short)
    return None if long[factor] else factor


def _product(term: Sequence[str], spanning: Collection[str], coded: dict[str, bool]) -> Product:
    return tuple((f, coded.get(f, False)) for f in term if f not in spanning or f in coded)
