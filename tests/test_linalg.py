"""The block algebra against dense matrices over rows, for every kind of design and every storage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayesml.errors import DataError, ModelError
from bayesml.linalg import (
    GroupBlock,
    ThetaLayout,
    adjoint,
    coupling,
    cross_products,
    dense_cross_products,
    factorise,
    mixed_model_inverse,
    orthogonalise,
    row_blocks,
    substitute,
    variance_scores,
)
from bayesml.linalg.crossproducts import with_response
from bayesml.linalg.dense import components
from bayesml.linalg.nesting import elimination_chain

ROWS = 160


def _group(name, codes, n_levels, columns, blocks):
    return GroupBlock(name, codes, n_levels, np.stack(columns, axis=1), blocks)


def _designs(rng):
    """Every kind of design, all over the same rows."""
    one, x, w = np.ones(ROWS), rng.normal(size=ROWS), rng.normal(size=ROWS) + 1.0
    leaf = rng.integers(0, 23, ROWS)
    middle, top = leaf % 6, leaf % 2
    other, third = rng.integers(0, 7, ROWS), rng.integers(0, 4, ROWS)
    return {
        "scalar": [_group("leaf", leaf, 23, [one], (1,))],
        "slope": [_group("leaf", leaf, 23, [one, x], (2,))],
        "three": [_group("leaf", leaf, 23, [one, x, w], (3,))],
        "independent": [_group("leaf", leaf, 23, [one, x], (1, 1))],
        "mixed blocks": [_group("leaf", leaf, 23, [one, x, w, x * w], (2, 1, 1))],
        "nested": [_group("middle", middle, 6, [one, x], (2,)), _group("leaf", leaf, 23, [one], (1,))],
        "nested thrice": [
            _group("top", top, 2, [one], (1,)),
            _group("middle", middle, 6, [one], (1,)),
            _group("leaf", leaf, 23, [one, x], (2,)),
        ],
        "crossed": [_group("leaf", leaf, 23, [one], (1,)), _group("other", other, 7, [one], (1,))],
        "crossed slopes": [_group("other", other, 7, [one, x], (2,)), _group("leaf", leaf, 23, [one, w], (2,))],
        "nested and crossed": [
            _group("leaf", leaf, 23, [one, x], (2,)),
            _group("other", other, 7, [one], (1,)),
            _group("middle", middle, 6, [one, w], (2,)),
            _group("top", top, 2, [one], (1,)),
        ],
        "three crossed": [
            _group("leaf", leaf, 23, [one], (1,)),
            _group("other", other, 7, [one], (1,)),
            _group("third", third, 4, [one, x], (1, 1)),
        ],
        "levels without rows": [
            _group("leaf", leaf + 3, 29, [one], (1,)),
            _group("middle", middle + 2, 9, [one], (1,)),
        ],
    }


DESIGNS = tuple(_designs(np.random.default_rng(0)))
STORAGES = ("dense", "pair table", "sparse product")


@pytest.fixture(params=STORAGES)
def storage(request, monkeypatch):
    """Force one storage of the block between the largest factor and the others, whatever is quicker."""
    if request.param != "dense":
        monkeypatch.setattr(row_blocks, "DENSE_ELEMENTS", (0, 0))
        monkeypatch.setattr(row_blocks, "DENSE_SHARE", (2.0, 2.0))
        monkeypatch.setattr(coupling, "CHUNK_ELEMENTS", 60)  # several chunks of levels
    if request.param == "sparse product":
        monkeypatch.setattr(coupling, "LARGEST_PAIR_TABLE", 0)
    return request.param


@pytest.fixture(params=DESIGNS)
def model(request, rng, storage):
    """Groups, X, y, weights, cross-products, rows, and a theta at which to look."""
    groups = _designs(rng)[request.param]
    X = np.stack([np.ones(ROWS), rng.normal(size=ROWS) + 3.0, rng.normal(size=ROWS)], axis=1)
    y, weights = rng.normal(size=ROWS) + 5.0, rng.uniform(0.5, 2.0, ROWS)
    products, rows = cross_products(groups, X, y, weights)
    layout = ThetaLayout.of([group.blocks for group in groups])
    theta = 0.5 * rng.normal(size=layout.size) + layout.is_diagonal
    if products.matrix.arrow.tail:
        assert (products.matrix.coupling is not None) == (storage != "dense")
    return groups, X, y, weights, products, rows, layout, theta


def _covariance(groups, weights, lambdas, bases):
    """V over the rows, in units of the residual variance."""
    V = np.diag(1.0 / weights)
    for group, lam, T in zip(groups, lambdas, bases, strict=True):
        half = group.Z @ np.linalg.solve(T, lam)
        V += half @ half.T * (group.codes[:, None] == group.codes[None, :])
    return V


def _value(products, layout, theta):
    """A criterion with weight on every part: log |K| + log |M_XX| + 100 log r^2."""
    fact = factorise(products, layout.matrices(theta))
    return fact.log_determinant + fact.log_fixed + 100.0 * np.log(fact.residual_sum)


def _weights(fact):
    inverse = np.linalg.inv(np.tril(fact.reduced_cholesky))
    return inverse.T @ np.diag([1.0] * fact.products.p + [100.0]) @ inverse


def test_factorisation_equals_dense_determinants_and_generalised_least_squares(model):
    groups, X, y, weights, products, _, layout, theta = model
    lambdas = layout.matrices(theta)
    V = _covariance(groups, weights, lambdas, products.bases)
    W = np.column_stack([X, y])
    M = W.T @ np.linalg.solve(V, W)
    beta = np.linalg.solve(M[:3, :3], M[:3, 3])
    fact = factorise(products, lambdas)
    assert fact.log_determinant - products.log_weights == pytest.approx(np.linalg.slogdet(V)[1], abs=1e-9)
    log_fixed = fact.log_fixed + products.fixed.log_determinant
    assert log_fixed == pytest.approx(np.linalg.slogdet(M[:3, :3])[1], abs=1e-9)
    assert fact.residual_sum == pytest.approx(M[3, 3] - M[3, :3] @ beta, rel=1e-9)
    gamma = np.linalg.solve(fact.reduced[:3, :3], fact.reduced[:3, 3])
    np.testing.assert_allclose(products.fixed.coefficients(gamma + products.shift), beta, rtol=1e-9)


def test_gradient_equals_central_differences(model):
    *_, products, _, layout, theta = model
    fact = factorise(products, layout.matrices(theta))
    gradient = layout.gather(adjoint(fact, _weights(fact)).slopes)
    step = 1e-5 * np.eye(layout.size)
    differences = [(_value(products, layout, theta + h) - _value(products, layout, theta - h)) / 2e-5 for h in step]
    # Central differences: truncation 1e-10 f''' and rounding 1e-13 / 1e-5.
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6)


def test_variance_scores_give_the_gradient(model):
    """With C = df / d(Lambda Lambda'), df / dLambda = 2 C Lambda: two routes to one number."""
    *_, products, _, layout, theta = model
    fact = factorise(products, layout.matrices(theta))
    scores = variance_scores(fact, _weights(fact))
    through = [2.0 * score @ lam for score, lam in zip(scores, fact.lambdas, strict=True)]
    gradient = layout.gather(adjoint(fact, _weights(fact)).slopes)
    np.testing.assert_allclose(layout.gather(through), gradient, rtol=1e-8, atol=1e-8)


def test_variance_score_at_zero_is_the_slope_in_the_variance(model):
    *_, products, _, layout, theta = model
    lambdas = list(layout.matrices(theta))
    for place in range(len(lambdas)):
        zeroed = [np.zeros_like(lam) if i == place else lam for i, lam in enumerate(lambdas)]
        fact = factorise(products, zeroed)
        score = variance_scores(fact, _weights(fact))[place][0, 0]
        small = np.zeros_like(lambdas[place])
        small[0, 0] = 1e-3
        moved = factorise(products, [small if i == place else lam for i, lam in enumerate(zeroed)])
        value = [f.log_determinant + f.log_fixed + 100.0 * np.log(f.residual_sum) for f in (fact, moved)]
        # The next term of the expansion is of relative order variance x (sum of squares of a level), 1e-6 x 100.
        assert (value[1] - value[0]) / 1e-6 == pytest.approx(score, rel=1e-2, abs=0.05)


def test_dense_cross_products_are_the_matrix_products(model):
    groups, X, y, weights, products, rows, *_ = model
    matrix, places = dense_cross_products(products)
    columns = np.zeros((ROWS, len(matrix)))
    columns[:, -len(rows.W) :] = rows.W.T
    for group, order, place, T in zip(groups, rows.orders, places, products.bases, strict=True):
        Z = group.Z @ np.linalg.inv(T)
        for a in range(group.q):
            columns[np.arange(ROWS), place[a][order.codes]] = np.sqrt(weights) * Z[:, a]
    np.testing.assert_allclose(matrix, columns.T @ columns, atol=1e-10)
    np.testing.assert_allclose(rows.W[:-1] @ rows.W[:-1].T, np.eye(3), atol=1e-12)


def test_components_have_the_determinant_of_the_whole(model):
    *_, products, _, layout, theta = model
    total = 0.0
    for component in components(products):
        size = component.ZZ.shape[1]
        lam = np.zeros((size, size))
        for place, block in zip(component.positions, layout.matrices(theta), strict=True):
            lam[place[:, None, :], place[None, :, :]] = block[:, :, None]
        total += np.linalg.slogdet(lam.T @ component.ZZ @ lam + np.eye(size))[1].sum()
    assert factorise(products, layout.matrices(theta)).log_determinant == pytest.approx(total, rel=1e-12)


def test_substitution_solves_the_mixed_model_equations(model):
    *_, products, _, layout, theta = model
    lambdas = layout.matrices(theta)
    matrix, places = dense_cross_products(products)
    size = len(matrix) - products.p - 1
    lam = np.zeros((size, size))
    for place, block in zip(places, lambdas, strict=True):
        lam[place[:, None, :], place[None, :, :]] = block[:, :, None]
    ZZ, ZW = matrix[:size, :size], matrix[:size, size:]
    effects = lam @ np.linalg.solve(lam.T @ ZZ @ lam + np.eye(size), lam.T @ ZW)
    found = substitute(factorise(products, lambdas))
    for place, effect, projected in zip(places, found.effects, found.projected, strict=True):
        np.testing.assert_allclose(effect.transpose(0, 2, 1), effects[place], atol=1e-10)
        np.testing.assert_allclose(projected.transpose(0, 2, 1), (ZW - ZZ @ effects)[place], atol=1e-9)


def test_faces_of_the_adjoint_are_blocks_of_the_inverse(model):
    """With S = 0 they are the diagonal blocks of Lambda K^-1 Lambda'."""
    *_, products, _, layout, theta = model
    lambdas = layout.matrices(theta)
    matrix, places = dense_cross_products(products)
    size = len(matrix) - products.p - 1
    lam = np.zeros((size, size))
    for place, block in zip(places, lambdas, strict=True):
        lam[place[:, None, :], place[None, :, :]] = block[:, :, None]
    inverse = lam @ np.linalg.inv(lam.T @ matrix[:size, :size] @ lam + np.eye(size)) @ lam.T
    fact = factorise(products, lambdas)
    blocks = mixed_model_inverse(fact, np.zeros_like(fact.reduced))
    for stage, face in zip(products.matrix.arrow.stages, blocks.faces, strict=True):
        place = places[stage.block]
        np.testing.assert_allclose(face[:, : stage.q], inverse[place[:, None, :], place[None, :, :]], atol=1e-11)
    m = products.matrix.arrow.width
    np.testing.assert_allclose(blocks.corner[:m, :m], inverse[size - m :, size - m :], atol=1e-11)


def test_with_response_equals_starting_afresh(model, rng):
    groups, X, _, weights, products, rows, layout, theta = model
    y = 100.0 + 7.0 * rng.normal(size=ROWS)
    fresh, fresh_rows = cross_products(groups, X, y, weights)
    changed, changed_rows = with_response(products, rows, y)
    np.testing.assert_allclose(changed_rows.W, fresh_rows.W, atol=1e-10)
    np.testing.assert_allclose(changed.shift, fresh.shift, rtol=1e-12)
    assert _value(changed, layout, theta) == pytest.approx(_value(fresh, layout, theta), rel=1e-12)


def test_the_chain_eliminates_as_many_coefficients_as_possible(rng):
    designs = _designs(rng)
    assert elimination_chain(designs["nested thrice"]) == (2, 1, 0)
    assert elimination_chain(designs["nested and crossed"]) == (0, 2, 3)
    assert elimination_chain(designs["crossed slopes"]) == (1,)
    # `leaf` is nested in both `middle` and `crossing`, which cross: only the larger of the two joins it.
    leaf = designs["scalar"][0]
    crossing = _group("crossing", leaf.codes % 5, 5, [np.ones(ROWS)], (1,))
    assert elimination_chain([leaf, designs["nested"][0], crossing]) == (0, 1)


def test_theta_is_column_major_within_each_block():
    layout = ThetaLayout.of([(2, 1), (3,)])
    first, second = layout.matrices(np.arange(1.0, 11.0))
    np.testing.assert_array_equal(first, [[1, 0, 0], [2, 3, 0], [0, 0, 4]])
    np.testing.assert_array_equal(second, [[5, 0, 0], [6, 8, 0], [7, 9, 10]])
    np.testing.assert_array_equal(layout.gather([first, second]), np.arange(1.0, 11.0))


def test_dependent_columns_are_dropped_in_order(rng):
    """The rule of R's qr(): keep a column unless the columns before it explain it."""
    a, b = rng.normal(size=(2, 50))
    X = np.column_stack([np.ones(50), a, 2.0 * a - 1.0, b, np.zeros(50), a + b])
    basis, fixed = orthogonalise(X)
    np.testing.assert_array_equal(fixed.kept, [0, 1, 3])
    np.testing.assert_array_equal(fixed.dropped, [2, 4, 5])
    np.testing.assert_allclose(basis @ fixed.R, X[:, fixed.kept], atol=1e-12)
    assert fixed.log_determinant == pytest.approx(np.linalg.slogdet(X[:, [0, 1, 3]].T @ X[:, [0, 1, 3]])[1])


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_rank_does_not_depend_on_scale_and_near_collinearity_survives(rng, scale):
    year = 2000.0 + rng.integers(0, 10, 80)
    X = np.column_stack([np.ones(80), scale * year, scale * (year - 2000.0) ** 2])
    basis, fixed = orthogonalise(X)
    assert len(fixed.dropped) == 0
    np.testing.assert_allclose(basis @ fixed.R, X, rtol=1e-10, atol=1e-10 * scale)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-6)


def test_groups_that_do_not_fit_their_rows_are_refused(rng):
    group = _designs(rng)["slope"][0]
    for bad in (replace(group, blocks=(1,)), replace(group, Z=group.Z[1:]), replace(group, codes=group.codes + 1)):
        with pytest.raises(DataError, match="`leaf`"):
            bad.check(ROWS)


def test_a_tail_that_cannot_be_held_is_refused_with_its_size(rng, monkeypatch):
    monkeypatch.setattr(row_blocks, "LARGEST_DENSE", 10)
    with pytest.raises(ModelError, match="`other`.* GiB"):
        cross_products(_designs(rng)["crossed"], np.ones((ROWS, 1)), rng.normal(size=ROWS))
