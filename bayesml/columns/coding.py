"""Choosing between full and reduced coding for each factor of each term, so that no columns are redundant.

The columns span the same space as those of R's ``model.matrix``. A factor has full coding (a column for each level) or
reduced coding (contrasts, one column less). R reduces a factor of a term if the rest of the term is contained in an
earlier term; without an intercept the first factor of the model stays full (Chambers and Hastie, Statistical Models in
S, 1992, section 2.4.1).

The full coding of a factor f spans the same as a constant and its contrasts together. So a term with two full factors
a and b spans what the products of contrasts over the subsets {}, {a}, {b} and {a, b} span together. The algorithm,
which is patsy's, works with these subsets. Subsets that an earlier term spans are removed. The others are merged into
as few products as possible: P and P:f, the latter with f reduced, together are P:f with f full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from bayesml.errors import FormulaError

__all__ = ["Product", "choose_codings"]

Product = tuple[tuple[str, bool], ...]
"""The factors that are multiplied to give columns, each with whether its coding is full."""

MAX_SPANNING = 12


def choose_codings(
    terms: Sequence[tuple[str, ...]], spanning: Collection[str], constants: Collection[str] = (), *, intercept: bool
) -> tuple[tuple[Product, ...], ...]:
    """Return for each term the products of columns that it adds.

    Args:
        terms: the terms without the intercept, in order.
        spanning: the categorical factors; the columns of their full coding add up to a constant.
        constants: the factors that are constant, as ``Intercept`` in ``0 + Intercept + f``. As in brms they serve as
            the intercept for all terms, wherever they are in the formula.
        intercept: whether there is an intercept.

    Raises:
        FormulaError: a term has more categorical factors than can be expanded.
    """
    has_constant = intercept or any(set(term) <= set(constants) for term in terms)
    spanned: set[frozenset[str]] = {frozenset()} if has_constant else set()
    first = None if has_constant else next((f for term in terms for f in term if f in spanning), None)
    earlier: dict[str, list[frozenset[str]]] = {}  # for each factor the terms so far that contain it
    products: list[tuple[Product, ...]] = []
    for term in terms:
        categorical = [factor for factor in term if factor in spanning]
        if len(categorical) > MAX_SPANNING:
            raise FormulaError(f"`{':'.join(term)}` joins more than {MAX_SPANNING} categorical factors.")
        if set(term) <= set(constants):
            products.append((_product(term, spanning, {}),))
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
        new = [{factor: False for factor in subset} for subset in subsets if fixed | subset not in spanned]
        spanned.update(fixed | subset for subset in subsets)
        products.append(tuple(_product(term, spanning, is_full) for is_full in _merge(new)))
    return tuple(products)


def _lies_within(rest: frozenset[str], earlier: Mapping[str, Sequence[frozenset[str]]]) -> bool:
    """Whether one of the earlier terms contains all these factors."""
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
    """Return the factor by which a product is longer than another, if it is the only one and reduced."""
    if len(long) != len(short) + 1 or any(long.get(factor) != full for factor, full in short.items()):
        return None
    factor = next(name for name in long if name not in short)
    return None if long[factor] else factor


def _product(term: Sequence[str], spanning: Collection[str], is_full: dict[str, bool]) -> Product:
    return tuple((f, is_full.get(f, False)) for f in term if f not in spanning or f in is_full)
