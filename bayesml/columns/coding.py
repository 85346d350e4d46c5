"""Which factors of which term are coded with all their levels: the structural-rank rule of patsy and formulaic.

A term over factors a, b spans all products of subsets {}, {a}, {b}, {a, b}. Subsets that earlier terms span already
are left out; the rest are merged into as few products as possible, where a factor that stands for "with and without"
takes one column for each level (full) and otherwise its contrasts (reduced).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from bayesml.errors import FormulaError

__all__ = ["Product", "choose_codings"]

Product = tuple[tuple[str, bool], ...]
"""The factors of a product of columns, each with whether it is coded in full."""

MAX_SPANNING = 12


def choose_codings(
    terms: Sequence[tuple[str, ...]], spanning: Collection[str], *, intercept: bool
) -> tuple[tuple[Product, ...], ...]:
    """Return for each term the products of columns that it adds.

    Args:
        terms: the terms without the intercept, in order.
        spanning: the factors whose full coding adds up to a constant: the categorical ones.
        intercept: whether there is an intercept.

    Raises:
        FormulaError: a term has more categorical factors than can be expanded.
    """
    spanned: set[frozenset[str]] = {frozenset()} if intercept else set()
    chosen = []
    for term in terms:
        categorical = [factor for factor in term if factor in spanning]
        if len(categorical) > MAX_SPANNING:
            raise FormulaError(f"`{':'.join(term)}` joins more than {MAX_SPANNING} categorical factors.")
        fixed = frozenset(term) - frozenset(categorical)
        subsets = [frozenset(s) for size in range(len(categorical) + 1) for s in combinations(categorical, size)]
        fresh = [{factor: False for factor in subset} for subset in subsets if fixed | subset not in spanned]
        spanned.update(fixed | subset for subset in subsets)
        chosen.append(tuple(_product(term, spanning, coded) for coded in _merge(fresh)))
    return tuple(chosen)


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
