"""All inner products that a Gaussian mixed model needs, formed once in O(n)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesml.errors import ModelError
from bayesml.linalg.blocks import GroupBlock
from bayesml.linalg.coupling import SparseCoupling, sparse_coupling
from bayesml.linalg.fixed_effects import FixedEffects, level_columns, orthogonalise
from bayesml.linalg.nesting import LevelOrder, elimination_chain, level_orders, parents

__all__ = ["CrossProducts", "Lead", "Rows", "Tail", "cross_products", "with_response"]

DENSE_ELEMENTS = 20_000  # a coupling this small is stored dense whatever its pattern
DENSE_SHARE = 0.2
LARGEST_DENSE = 250_000_000  # doubles in one dense array, 2 GB


@dataclass(frozen=True)
class Lead:
    """A factor that stays block-diagonal when it is eliminated.

    Attributes:
        group: index of the factor.
        faces: ``(q, width, J)``; the columns are its own q, those of its parent, grandparent, ... , then the border.
        starts: for each later lead factor, the first child of each of its levels.
        ancestors: for each later lead factor, the level of it that each level here belongs to.
        levels: ``(J,)`` the factor's own level number at each place.
    """

    group: int
    faces: np.ndarray
    starts: tuple[np.ndarray, ...]
    ancestors: tuple[np.ndarray, ...]
    levels: np.ndarray

    @property
    def q(self) -> int:
        """Coefficients per level."""
        return self.faces.shape[0]


@dataclass(frozen=True)
class Tail:
    """A factor in the dense tail, its coefficients level by level from row ``offset``."""

    group: int
    q: int
    levels: np.ndarray
    offset: int

    @property
    def rows(self) -> slice:
        """Its rows of the tail."""
        return slice(self.offset, self.offset + self.q * len(self.levels))


@dataclass(frozen=True)
class CrossProducts:
    """``[Z X y]' W [Z X y]`` in blocks, in scaled coordinates, as plain arrays.

    The columns of Z are replaced by ``Z T^-1``, orthonormal over the rows within each correlated block (``bases`` T);
    X is replaced by an orthonormal basis ``Q`` (``fixed``), y by its residual ``y - offset - Q shift``, so that nothing
    cancels. T is lower triangular, so ``T Lambda`` has the shape of Lambda. The *border* is the tail columns (absent
    from the first lead's faces where ``coupling`` holds them), then the columns of Q, then the response.

    Attributes:
        n: number of rows.
        leads: factors eliminated one after the other, the leaf of the chain first.
        tail: all other factors.
        coupling: the sparse block between the first lead and the tail, or None where it is dense.
        corner: ``(m + p + 1, m + p + 1)`` products of the tail columns, Q and the response.
        bases: for each factor the lower-triangular ``(q, q)`` T.
        fixed: ``X = Q R`` and what was dropped.
        shift: ``(p,)`` least-squares coefficients of the response on Q.
        log_weights: sum of the logarithms of the weights.
    """

    n: int
    leads: tuple[Lead, ...]
    tail: tuple[Tail, ...]
    coupling: SparseCoupling | None
    corner: np.ndarray
    bases: tuple[np.ndarray, ...]
    fixed: FixedEffects
    shift: np.ndarray
    log_weights: float

    @property
    def p(self) -> int:
        """Rank of the fixed effects."""
        return len(self.shift)

    @property
    def tail_size(self) -> int:
        """Number of tail coefficients."""
        return sum(part.q * len(part.levels) for part in self.tail)


@dataclass(frozen=True)
class Rows:
    """The row-wise arrays behind the cross-products, kept to replace the response and to map results back to rows.

    Attributes:
        orders: levels and codes of each factor.
        columns: for each factor ``(q, n)`` orthonormal columns ``Z T^-1`` times the root weights.
        W: ``(p + 1, n)`` rows of Q then the response residual, times the root weights.
        root_weights: ``(n,)`` or None.
    """

    orders: tuple[LevelOrder, ...]
    columns: tuple[np.ndarray, ...]
    W: np.ndarray
    root_weights: np.ndarray | None


def cross_products(
    groups: Sequence[GroupBlock], X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[CrossProducts, Rows]:
    """Form the cross-products of a mixed model, and the row-wise arrays they came from.

    Args:
        groups: the grouping factors.
        X: ``(n, p)`` fixed-effects columns, of any rank.
        y: ``(n,)`` response, offset already subtracted.
        weights: ``(n,)`` positive precision weights.
    """
    root = None if weights is None else np.sqrt(weights)
    basis, fixed = orthogonalise(X, root)
    weighted_y = y if root is None else y * root
    shift = np.linalg.solve(basis.T @ basis, basis.T @ weighted_y)
    W = np.concatenate([basis.T, (weighted_y - basis @ shift)[None]])
    chain = elimination_chain(groups)
    orders = level_orders(groups, chain)
    weighted = [group.Z if root is None else group.Z * root[:, None] for group in groups]
    pairs = [level_columns(Z, group.blocks) for Z, group in zip(weighted, groups, strict=True)]
    columns, bases = tuple(Q for Q, _ in pairs), tuple(T for _, T in pairs)
    rows = Rows(orders, columns, W, root)
    tail = _tail(groups, orders, chain)
    leads, coupling = _leads(chain, tail, rows)
    log_weights = 0.0 if weights is None else float(np.log(weights).sum())
    corner = _corner(tail, rows)
    return CrossProducts(len(y), leads, tail, coupling, corner, bases, fixed, shift, log_weights), rows


def with_response(products: CrossProducts, rows: Rows, y: np.ndarray) -> tuple[CrossProducts, Rows]:
    """Return the same cross-products for another response; only its column is formed anew."""
    weighted_y = y if rows.root_weights is None else y * rows.root_weights
    basis = rows.W[:-1]
    shift = np.linalg.solve(basis @ basis.T, basis @ weighted_y)
    residual = weighted_y - shift @ basis
    leads = []
    for lead in products.leads:
        faces = lead.faces.copy()
        codes, size = rows.orders[lead.group].codes, len(lead.levels)
        for a, column in enumerate(rows.columns[lead.group]):
            faces[a, -1] = np.bincount(codes, column * residual, minlength=size)
        leads.append(replace(lead, faces=faces))
    corner = products.corner.copy()
    tail = [_tail_by(part, rows, residual) for part in products.tail]
    last = np.concatenate([*tail, basis @ residual, [residual @ residual]])
    corner[-1], corner[:, -1] = last, last
    new_rows = replace(rows, W=np.concatenate([basis, residual[None]]))
    return replace(products, leads=tuple(leads), corner=corner, shift=shift), new_rows


def _tail(groups: Sequence[GroupBlock], orders: Sequence[LevelOrder], chain: Sequence[int]) -> tuple[Tail, ...]:
    others = [i for i in range(len(groups)) if i not in chain]
    others.sort(key=lambda i: -groups[i].q * len(orders[i].levels))
    tail, offset = [], 0
    for i in others:
        tail.append(Tail(i, groups[i].q, orders[i].levels, offset))
        offset += groups[i].q * len(orders[i].levels)
    if offset**2 > LARGEST_DENSE:
        needed = offset**2 * 8 / 2**30
        names = ", ".join(f"`{groups[i].name}`" for i in others)
        raise ModelError(
            f"the crossed factors {names} have {offset} coefficients besides those of the largest factor: this needs "
            f"{needed:.1f} GiB per matrix. Write fewer crossed factors, or merge rare levels of the smaller ones"
        )
    return tuple(tail)


def _leads(chain: Sequence[int], tail: Sequence[Tail], rows: Rows) -> tuple[tuple[Lead, ...], SparseCoupling | None]:
    leads, coupling = [], None
    for place, i in enumerate(chain):
        border, sparse = _border(i, tail, rows, may_be_sparse=place == 0)
        coupling = sparse if place == 0 else coupling
        order, size = rows.orders[i], len(rows.orders[i].levels)
        later = chain[place + 1 :]
        sides = [column for j in (i, *later) for column in rows.columns[j]]
        products = _symmetric_products(order.codes, rows.columns[i], sides, size)
        faces = np.concatenate([products, border], axis=1)
        ancestors = tuple(_ancestors(order, rows.orders[j], size) for j in later)
        starts = tuple(np.searchsorted(up, np.arange(up[-1] + 1)) for up in ancestors)
        leads.append(Lead(i, faces, starts, ancestors, order.levels))
    return tuple(leads), coupling


def _ancestors(child: LevelOrder, parent: LevelOrder, size: int) -> np.ndarray:
    found = parents(child.codes, parent.codes, size)
    assert found is not None  # the chain was chosen so
    return found


def _products(codes: np.ndarray, left: np.ndarray, right: Sequence[np.ndarray] | np.ndarray, size: int) -> np.ndarray:
    """Sums over the rows of each level of ``left[a] * right[c]``, ``(q, c, size)``."""
    out = np.empty((len(left), len(right), size))
    for a, first in enumerate(left):
        for c, second in enumerate(right):
            out[a, c] = np.bincount(codes, first * second, minlength=size)
    return out


def _symmetric_products(codes: np.ndarray, left: np.ndarray, right: Sequence[np.ndarray], size: int) -> np.ndarray:
    """As `_products`, where the first columns of ``right`` are ``left`` itself."""
    q = len(left)
    out = np.empty((q, len(right), size))
    for a in range(q):
        out[a, a:] = _products(codes, left[a : a + 1], right[a:], size)
        out[a + 1 :, a] = out[a, a + 1 : q]
    return out


def _border(
    group: int, tail: Sequence[Tail], rows: Rows, may_be_sparse: bool
) -> tuple[np.ndarray, SparseCoupling | None]:
    order, left = rows.orders[group], rows.columns[group]
    size = len(order.levels)
    ends = _products(order.codes, left, rows.W, size)
    width = sum(part.q * len(part.levels) for part in tail)
    if not tail:
        return ends, None
    if may_be_sparse and size * width > DENSE_ELEMENTS:
        pattern = [_pattern(order, rows.orders[part.group]) for part in tail]
        filled = sum(len(cells) * part.q for (cells, _), part in zip(pattern, tail, strict=True))
        if filled < DENSE_SHARE * size * width or len(left) * size * width > LARGEST_DENSE:
            return ends, _sparse(left, tail, rows, pattern, size, width)
    dense = np.empty((len(left), width, size))
    for part in tail:
        _fill_dense(dense, order.codes, left, part, rows)
    return np.concatenate([dense, ends], axis=1), None


def _fill_dense(dense: np.ndarray, codes: np.ndarray, left: np.ndarray, part: Tail, rows: Rows) -> None:
    size, levels = dense.shape[2], len(part.levels)
    key = rows.orders[part.group].codes * size + codes
    for a, first in enumerate(left):
        for d, second in enumerate(rows.columns[part.group]):
            table = np.bincount(key, first * second, minlength=size * levels)
            dense[a, part.rows][d :: part.q] = table.reshape(levels, size)


def _pattern(order: LevelOrder, other: LevelOrder) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of levels that occur together, as sorted keys, and the pair of each row."""
    key = order.codes * len(other.levels) + other.codes
    cells_possible = len(order.levels) * len(other.levels)
    if cells_possible > 20 * len(key) + 1_000_000:
        return np.unique(key, return_inverse=True)
    occurs = np.bincount(key, minlength=cells_possible) > 0
    cells = np.flatnonzero(occurs)
    return cells, (np.cumsum(occurs) - 1)[key]


def _sparse(
    left: np.ndarray,
    tail: Sequence[Tail],
    rows: Rows,
    pattern: Sequence[tuple[np.ndarray, np.ndarray]],
    size: int,
    width: int,
) -> SparseCoupling:
    levels, columns, values = [], [], []
    for part, (cells, pair) in zip(tail, pattern, strict=True):
        products = _products(pair, left, rows.columns[part.group], len(cells))
        values.append(products.reshape(len(left), -1))
        level, other = np.divmod(cells, len(part.levels))
        levels.append(np.tile(level, part.q))
        columns.append(np.concatenate([part.offset + other * part.q + d for d in range(part.q)]))
    all_levels, all_columns = np.concatenate(levels), np.concatenate(columns)
    all_values = np.concatenate(values, axis=1)
    if len(tail) > 1 or tail[0].q > 1:
        order = np.lexsort((all_columns, all_levels))
        all_levels, all_columns, all_values = all_levels[order], all_columns[order], all_values[:, order]
    return sparse_coupling(all_values, all_levels, all_columns, (size, width))


def _corner(tail: Sequence[Tail], rows: Rows) -> np.ndarray:
    m = sum(part.q * len(part.levels) for part in tail)
    corner = np.empty((m + len(rows.W), m + len(rows.W)))
    for place, part in enumerate(tail):
        for other in tail[place:]:
            block = _tail_block(part, other, rows)
            corner[part.rows, other.rows] = block
            corner[other.rows, part.rows] = block.T
        for c, column in enumerate(rows.W):
            corner[part.rows, m + c] = corner[m + c, part.rows] = _tail_by(part, rows, column)
    corner[m:, m:] = rows.W @ rows.W.T
    return corner


def _tail_by(part: Tail, rows: Rows, column: np.ndarray) -> np.ndarray:
    codes, levels = rows.orders[part.group].codes, len(part.levels)
    sums = [np.bincount(codes, z * column, minlength=levels) for z in rows.columns[part.group]]
    return np.stack(sums, axis=1).ravel()


def _tail_block(part: Tail, other: Tail, rows: Rows) -> np.ndarray:
    first, second = rows.orders[part.group].codes, rows.orders[other.group].codes
    n_first, n_second = len(part.levels), len(other.levels)
    block = np.zeros((n_first, part.q, n_second, other.q))
    each, key = np.arange(n_first), first * n_second + second
    for a, left in enumerate(rows.columns[part.group]):
        for d, right in enumerate(rows.columns[other.group]):
            if part is other:
                block[each, a, each, d] = np.bincount(first, left * right, minlength=n_first)
            else:
                table = np.bincount(key, left * right, minlength=n_first * n_second)
                block[:, a, :, d] = table.reshape(n_first, n_second)
    return block.reshape(n_first * part.q, n_second * other.q)
