"""Bases of smooths: brms's and mgcv's columns (``facts/smooths.R``), laws of every kind, and what is refused."""

from __future__ import annotations

import json
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, t

from bayesml.errors import BayesmlError, DataError, FormulaError
from bayesml.smooths import SMOOTHS, SmoothBasis
from tests.conftest import shared_path
from tests.smooths import Columns, as_columns, facts, fit_basis, read_call

BASES = facts()["bases"]
CALLS = [fact["call"] for fact in BASES]
# mgcv's eigenvectors of the matrix of distances are found by Lanczos' method, in two dimensions to about 1e-10.
LANCZOS = 1e-8


def rows_of_facts() -> dict[str, np.ndarray]:
    return as_columns(facts()["rows"])


def matrix(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=float)


def rotation(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(found, wanted, rcond=None)[0]


def assert_rotated(found: np.ndarray, wanted: np.ndarray) -> None:
    """``found @ Q = wanted`` with an orthogonal Q."""
    assert found.shape == wanted.shape
    Q = rotation(found, wanted)
    np.testing.assert_allclose(Q.T @ Q, np.eye(len(Q)), atol=LANCZOS)
    np.testing.assert_allclose(found @ Q, wanted, atol=LANCZOS * np.abs(wanted).max())


@pytest.mark.parametrize("fact", BASES, ids=CALLS)
def test_penalised_columns_are_those_of_brms_up_to_a_rotation(fact: dict[str, Any]) -> None:
    rows = rows_of_facts()
    blocks = read_call(fact["call"], rows)
    assert len(blocks) == len(fact["Zs"])
    for block, wanted in zip(blocks, fact["Zs"], strict=True):
        assert_rotated(block.columns(rows)[1], matrix(wanted))


@pytest.mark.parametrize("fact", BASES, ids=CALLS)
def test_unpenalised_columns_span_those_of_brms(fact: dict[str, Any]) -> None:
    rows = rows_of_facts()
    found = np.column_stack([block.columns(rows)[0] for block in read_call(fact["call"], rows)])
    wanted = matrix(fact["Xs"]) if fact["Xs"] else np.empty((len(rows["x"]), 0))
    assert found.shape == wanted.shape
    # Where several functions of one smooth are free of the penalty, mgcv's are an arbitrary mixture of them.
    np.testing.assert_allclose(
        found @ rotation(found, wanted), wanted, atol=LANCZOS * max(np.abs(wanted).max(initial=0), 1)
    )
    np.testing.assert_allclose(np.sum(found**2, axis=0), np.sum(wanted**2, axis=0), rtol=LANCZOS)
    if found.shape[1] == len(fact["Zs"]):  # one each: the straight line
        np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=LANCZOS * np.abs(wanted).max())


@pytest.mark.parametrize(
    "fact", [f for f in BASES if f["new_columns"]], ids=[f["call"] for f in BASES if f["new_columns"]]
)
def test_new_rows_get_mgcvs_columns(fact: dict[str, Any]) -> None:
    # Q is found on the rows of the fit and has to serve new ones.
    (block,) = read_call(fact["call"], rows_of_facts())
    found, wanted = np.column_stack(block.columns(rows_of_facts())), matrix(fact["fit_columns"])
    new = np.column_stack(block.columns(as_columns(facts()["fresh"])))
    expected = matrix(fact["new_columns"])
    np.testing.assert_allclose(new @ rotation(found, wanted), expected, atol=LANCZOS * np.abs(expected).max())


@pytest.mark.parametrize("fact", [f for f in BASES if "cr" in f["call"] or "cc" in f["call"]], ids=lambda f: f["call"])
def test_cubic_splines_have_mgcvs_scale_of_the_penalty(fact: dict[str, Any]) -> None:
    basis = read_call(fact["call"], rows_of_facts())[0].basis
    assert basis.penalty_scale == pytest.approx(fact["scale"], rel=1e-12)


def test_joint_density_is_brms() -> None:
    """brms's program for ``y ~ s(x, k = 6)``, at its three points; its draws map to ours by the rotation alone."""
    model = json.loads(shared_path("reference", "brms_density.json").read_text())["models"]["spline"]
    data = {key: matrix(value) for key, value in model["data"].items()}
    x = data["X"][:, 0] if data["X"].std() > 0 else column_of_shared_data("x")
    basis = fit_basis({"x": x}, k=6)
    free, penalised = basis.columns({"x": x})
    sign = np.sign(free[:, 0] @ data["Xs"][:, 0])
    Q = rotation(penalised, data["Zs_1_1"])
    assert_rotated(penalised, data["Zs_1_1"])
    for point in model["points"]:
        par = point["par"]
        z = Q @ matrix(par["zs_1_1"])
        mu = par["Intercept"] + free[:, 0] * sign * par["bs"][0] + penalised @ (par["sds_1_1"] * z)
        density = (
            norm.logpdf(data["Y"], mu, par["sigma"]).sum()
            + norm.logpdf(z).sum()
            + t.logpdf(par["Intercept"], 3, 1.8, 2.5)
            + sum(t.logpdf(par[name], 3, 0, 2.5) + np.log(2) for name in ("sds_1_1", "sigma"))
        )
        assert density == pytest.approx(point["lp"], rel=1e-9)


def column_of_shared_data(name: str) -> np.ndarray:
    path = shared_path("data", "brms_density_data.csv")
    header = path.read_text().splitlines()[0].replace('"', "").split(",")
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=header.index(name))


# Laws of every kind ---------------------------------------------------------------------------------------------------

ROWS = 120
CASES: list[tuple[str, dict[str, Any], int]] = [
    *(("tp", {}, 1), ("tp", {"k": 25}, 1), ("tp", {"order": 1}, 1), ("tp", {"order": 3}, 1), ("tp", {"k": 3}, 1)),
    *(("tp", {}, 2), ("tp", {"k": 30}, 3), ("ts", {}, 1), ("ts", {"k": 20}, 2), ("cr", {}, 1), ("cr", {"k": 3}, 1)),
    *(("cr", {"knots": (-1.0, 0.0, 0.5, 2.0)}, 1), ("cc", {}, 1), ("cc", {"k": 4}, 1), ("cc", {"knots": (-4, 5)}, 1)),
    *(("cs", {}, 1), ("cs", {"k": 5}, 1), ("ps", {}, 1), ("ps", {"order": (2, 1)}, 1), ("ds", {}, 1)),
    ("ds", {"order": (1, 0.5)}, 2),
    *(("cp", {}, 1), ("cp", {"k": 6, "order": (1, 2)}, 1), ("bs", {}, 1), ("bs", {"k": 7, "order": (3, 1)}, 1)),
    *(("gp", {}, 1), ("gp", {"order": (2, 1.0, 1.5), "k": 8}, 1), ("gp", {"order": -4, "k": 14}, 2)),
    ("gp", {"k": 12}, 3),
]
IDS = [f"{kind}-{options}-{dimensions}" for kind, options, dimensions in CASES]
every_kind = pytest.mark.parametrize(("kind", "options", "dimensions"), CASES, ids=IDS)
Case = tuple[dict[str, np.ndarray], SmoothBasis]


def case(kind: str, options: dict[str, Any], dimensions: int, centred: bool = True) -> Case:
    return cached_case(kind, tuple(options.items()), dimensions, centred)


@cache
def cached_case(kind: str, options: tuple[tuple[str, Any], ...], dimensions: int, centred: bool) -> Case:
    random = np.random.default_rng(5)
    covariates = {name: np.round(random.normal(size=ROWS), 2) for name in "xzw"[:dimensions]}
    return covariates, fit_basis(covariates, kind, **dict(options), centred=centred)


def test_cases_cover_the_registry() -> None:
    assert {kind for kind, _, _ in CASES} == set(SMOOTHS)


@pytest.mark.parametrize("kind", ["tp", "cr", "cc", "ps", "gp"])
def test_columns_are_zero_at_a_point(kind):
    rows, at = {"x": np.random.default_rng(3).normal(size=ROWS)}, {"x": np.array([0.2])}
    basis = fit_basis(rows, kind, point=(0.2,))
    plain = fit_basis(rows, kind)
    for columns in basis.columns(at):
        np.testing.assert_allclose(columns, 0.0, atol=1e-10)
    assert (basis.null_dimension, basis.rank) == (plain.null_dimension, plain.rank)


@every_kind
def test_columns_sum_to_zero(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    for columns in basis.columns(covariates):
        np.testing.assert_allclose(columns.mean(axis=0), 0.0, atol=1e-10 * np.abs(columns).max(initial=1.0))


@every_kind
@pytest.mark.parametrize("centred", [True, False])
def test_penalty_is_the_identity_and_free_functions_have_none(
    kind: str, options: dict[str, Any], dimensions: int, centred: bool
) -> None:
    _, basis = case(kind, options, dimensions, centred=centred)
    penalty = basis.spline.penalty / basis.penalty_scale
    P, N = basis.penalised_map, basis.unpenalised_map
    np.testing.assert_allclose(P.T @ penalty @ P, np.eye(basis.rank), atol=1e-8)
    scale = np.abs(penalty).max() * np.abs(N).max(initial=1.0)
    np.testing.assert_allclose(penalty @ N, 0.0, atol=1e-12 * scale)
    # Together they are all functions that the constraint allows.
    assert basis.rank + basis.null_dimension == len(penalty) - centred
    assert np.linalg.matrix_rank(np.column_stack([N, P])) == len(penalty) - centred


@every_kind
def test_columns_of_some_rows_are_rows_of_the_columns(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    some = np.arange(ROWS)[::-7]
    for all_rows, part in zip(
        basis.columns(covariates), basis.columns({k: v[some] for k, v in covariates.items()}), strict=True
    ):
        np.testing.assert_allclose(part, all_rows[some], rtol=0, atol=1e-12 * np.abs(all_rows).max(initial=1.0))


@every_kind
def test_order_of_rows_changes_nothing(kind: str, options: dict[str, Any], dimensions: int, rng: Any) -> None:
    covariates, basis = case(kind, options, dimensions)
    order = rng.permutation(ROWS)
    shuffled = fit_basis({k: v[order] for k, v in covariates.items()}, kind, **options)
    for expected, found in zip(basis.columns(covariates), shuffled.columns(covariates), strict=True):
        # Neighbouring eigenvalues are this much closer to each other than to 0 at least.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max(initial=1.0))


@every_kind
def test_unit_and_origin_change_nothing(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    knots = options.get("knots")
    moved = {k: 1000 * v + 7000 for k, v in covariates.items()}
    rest = {} if knots is None else {"knots": tuple(1000 * knot + 7000 for knot in knots)}
    other = fit_basis(moved, kind, **(options | rest))
    # In two dimensions the radial function holds log r: which functions are kept depends on the unit, as in mgcv.
    if dimensions != 2 and kind not in ("ds", "gp"):  # which mgcv measures in the unit given
        for expected, found in zip(basis.columns(covariates), other.columns(moved), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max(initial=1.0))


@pytest.mark.parametrize("kind", sorted(set(SMOOTHS) - {"ds", "gp"}))  # mgcv measures them in the unit given
def test_columns_of_equal_size_have_directions(kind: str) -> None:
    # Equally many rows in each month: sines and cosines of a cyclic smooth have equal singular values, so that rounding
    # errors, here those of another unit, would turn them into each other.
    months = np.tile(np.arange(1.0, 13.0), 5)
    basis = fit_basis({"month": months}, kind, k=8)
    other = fit_basis({"month": months / 12.34}, kind, k=8)
    for expected, found in zip(basis.columns({"month": months}), other.columns({"month": months / 12.34}), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max(initial=1.0))


@pytest.mark.parametrize("side", [7, 23])  # all eigenvectors, and the leading ones of more sites
def test_grids_have_one_basis(side: int, rng: Any) -> None:
    # The functions of a square grid come in pairs of equal eigenvalues, of which k takes some and leaves others.
    x, z = (axis.ravel() for axis in np.meshgrid(np.arange(float(side)), np.arange(float(side))))
    basis = fit_basis({"x": x, "z": z}, k=17)
    order = rng.permutation(side * side)
    other = fit_basis({"x": x[order] + 0.1, "z": z[order] - 3.3}, k=17)
    columns, found = basis.columns({"x": x, "z": z}), other.columns({"x": x + 0.1, "z": z - 3.3})
    for expected, again in zip(columns, found, strict=True):
        np.testing.assert_allclose(again, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


@every_kind
def test_penalised_columns_are_orthogonal_beside_the_free_ones(
    kind: str, options: dict[str, Any], dimensions: int
) -> None:
    covariates, basis = case(kind, options, dimensions)
    free, penalised = basis.columns(covariates)
    fixed = np.column_stack([np.ones(ROWS), free])
    beside = penalised - fixed @ rotation(fixed, penalised)
    cross = beside.T @ beside
    sizes = np.diag(cross)
    np.testing.assert_allclose(cross, np.diag(sizes), atol=1e-10 * sizes[0])
    assert (np.diff(sizes) <= 1e-10 * sizes[0]).all()


@every_kind
def test_free_columns_are_as_large_as_the_penalised(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    by = np.linspace(-1.0, 3.0, ROWS)
    for weights, used in ((np.ones(ROWS), basis), (by, basis.multiplied_by(covariates, by))):
        free, penalised = (columns * weights[:, None] for columns in used.columns(covariates))
        np.testing.assert_allclose(np.sum(free**2, axis=0), np.mean(np.sum(penalised**2, axis=0)), rtol=1e-12)


@every_kind
def test_bases_can_be_pickled(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    again = pickle.loads(pickle.dumps(basis))
    for expected, found in zip(basis.columns(covariates), again.columns(covariates), strict=True):
        np.testing.assert_array_equal(found, expected)


@every_kind
def test_without_a_penalty_the_functions_are_the_same(kind: str, options: dict[str, Any], dimensions: int) -> None:
    covariates, basis = case(kind, options, dimensions)
    every, nothing = fit_basis(covariates, kind, **options, penalised=False).columns(covariates)
    assert nothing.shape == (ROWS, 0)
    both = np.column_stack(basis.columns(covariates))
    assert both.shape == every.shape
    np.testing.assert_allclose(every @ rotation(every, both), both, atol=1e-8 * np.abs(both).max())


@pytest.mark.parametrize("kind", ["tp", "cr"])
def test_penalty_is_the_integrated_squared_second_derivative(kind: str) -> None:
    # By differences on a fine grid: for f = columns @ u the integral is u'u, times a constant.
    x = np.linspace(0.0, 1.0, 40) ** 1.5
    basis = fit_basis({"x": x}, kind, k=7)
    grid = np.linspace(0.0, 1.0, 20_001)
    values = basis.penalised({"x": grid})
    bends = np.diff(values, 2, axis=0) / (grid[1] - grid[0]) ** 2
    integral = bends.T @ bends * (grid[1] - grid[0])
    np.testing.assert_allclose(integral / integral[0, 0], np.eye(basis.rank), atol=1e-3)


@pytest.mark.parametrize("kind", ["tp", "cr"])
def test_beyond_the_data_curves_are_straight(kind: str) -> None:
    covariates, basis = case(kind, {}, 1)
    for beyond in (np.linspace(5.0, 50.0, 9), np.linspace(-50.0, -5.0, 9)):
        for columns in basis.columns({"x": beyond}):
            np.testing.assert_allclose(np.diff(columns, 2, axis=0), 0.0, atol=1e-9 * np.abs(columns).max())
    step = 1e-6  # and go on in the direction in which they left
    edge = float(covariates["x"].max())
    before, at, after = basis.penalised({"x": np.array([edge - step, edge, edge + step])})
    np.testing.assert_allclose(after - at, at - before, atol=1e-4 * np.abs(after - at).max())


def test_cyclic_smooth_begins_again() -> None:
    basis = fit_basis({"x": np.linspace(0.0, 7.0, 50)}, "cc", knots=(0.0, 10.0))
    start = np.array([0.0, 1.3, 9.9])
    for turns in (1, -3):
        np.testing.assert_allclose(
            basis.penalised({"x": start + 10 * turns}), basis.penalised({"x": start}), atol=1e-12
        )
    step = 1e-5
    around = basis.penalised({"x": np.array([10 - 2 * step, 10 - step, 10.0, step, 2 * step])})
    slopes = np.diff(around, axis=0)
    np.testing.assert_allclose(slopes, np.repeat(slopes[:1], 4, axis=0), atol=1e-3 * np.abs(slopes).max())


def test_thin_plate_splines_are_cubic_between_the_data() -> None:
    # of order 2 and one covariate; the same functions by the sum over all sites are what other orders take
    from bayesml.smooths.base import Request
    from bayesml.smooths.cubic import CubicSpline
    from bayesml.smooths.thin_plate import build_thin_plate, plate_of

    x = np.random.default_rng(3).normal(size=(60, 1))
    request = Request("s(x)", ("x",), "tp", 8)
    cubic, plate = build_thin_plate(x, request), plate_of(x, request)
    assert isinstance(cubic, CubicSpline)
    new = np.linspace(-6.0, 6.0, 50)[:, None]
    heights = np.sqrt(np.mean(plate.evaluate(x) ** 2, axis=0))
    expected = plate.evaluate(new) / heights
    np.testing.assert_allclose(cubic.evaluate(new), expected, atol=1e-11 * np.abs(expected).max())


def test_many_different_values_are_thinned() -> None:
    x = np.random.default_rng(1).normal(size=4200)
    basis = fit_basis({"x": x}, k=8)
    assert len(pickle.dumps(basis)) < 8 * 2000 * 20  # values and second derivatives of 8 functions at 2,000 sites
    all_sites = fit_basis({"x": x[:2000]}, k=8)
    # A smooth curve is in the space of either; functions of 2,000 and of 4,200 sites differ little.
    free, penalised = basis.columns({"x": x[:2000]})
    target = np.column_stack([np.ones(2000), *all_sites.columns({"x": x[:2000]})])[:, :4]
    own = np.column_stack([np.ones(2000), free, penalised])
    left = target - own @ rotation(own, target)
    assert np.sqrt(np.mean(left**2, axis=0) / np.mean(target**2, axis=0)).max() < 0.02
    surface = fit_basis({"x": x[:2100], "z": x[2100:]}, k=10)
    assert surface.penalised({"x": x[:5], "z": x[5:10]}).shape == (5, 7)


def test_levels_without_rows_keep_finite_columns() -> None:
    covariates, basis = case("tp", {}, 1)
    empty = basis.multiplied_by(covariates, np.zeros(ROWS))
    assert all(np.isfinite(columns).all() for columns in empty.columns(covariates))


# What is refused ------------------------------------------------------------------------------------------------------

X = np.linspace(0.0, 1.0, 30)
FEW = np.repeat(np.arange(5.0), 6)
REFUSED: list[tuple[Columns, dict[str, Any], type[BayesmlError], str]] = [
    ({"x": FEW}, {}, DataError, r"`s\(x\)` has k=10 basis functions \(the default\), but `x` has 5 different values\."),
    ({"x": FEW}, {}, DataError, "Write k=5 or less, at least 3"),
    ({"x": X}, {"k": 31}, DataError, "`x` has 30 different values. Write k=30 or less, at least 3"),
    ({"x": X}, {"kind": "cr", "k": 31}, DataError, "Write k=30 or less, at least 3"),
    ({"x": X}, {"kind": "cc", "k": 31}, DataError, "Write k=30 or less, at least 4"),
    ({"x": X, "z": X**2}, {"k": 31}, DataError, "`x` and `z` have 30 different combinations of values"),
    ({"x": np.ones(30)}, {}, DataError, "has 1 different value. A constant column has no effect"),
    ({"x": np.ones(30)}, {"kind": "cr", "k": 3}, DataError, "A constant column has no effect"),
    ({"x": FEW % 2}, {"k": 3}, DataError, r"too few for a smooth; write x for a straight line, or C\(x\)"),
    ({"x": X}, {"k": 2}, FormulaError, "at least 3 basis functions. Write k=3 or more; for a straight line write x "),
    ({"x": X}, {"kind": "cr", "k": 2}, FormulaError, "Write k=3 or more"),
    ({"x": X}, {"kind": "cc", "k": 3}, FormulaError, "Write k=4 or more"),
    ({"x": X, "z": X**2}, {"k": 3}, FormulaError, "Write k=4 or more; .* write x \\+ z"),
    ({"x": X}, {"order": 3, "k": 3}, FormulaError, "Write k=4 or more"),
    ({"x": X}, {"k": 4.5}, FormulaError, "`k` is a whole number, not 4.5"),
    ({"x": X}, {"k": "ten"}, FormulaError, "`k` is a whole number, not 'ten'"),
    ({"x": X}, {"k": True}, FormulaError, "`k` is a whole number, not True"),
    ({"x": X}, {"k": -1}, FormulaError, "`k` lies between 1 and 1000, not -1"),
    ({"x": X}, {"k": float("nan")}, FormulaError, "`k` is a whole number, not nan"),
    ({"x": X}, {"k": 10**9}, FormulaError, "`k` lies between 1 and 1000"),
    ({"x": X}, {"order": 0}, FormulaError, "`m` lies between 1 and 10, not 0"),
    ({"x": X, "z": X**2}, {"order": 1}, FormulaError, "a smooth of 2 covariates needs m=2 or more"),
    ({"x": X}, {"kind": "cr", "order": 2}, FormulaError, 'm is for bs="tp"'),
    ({"x": X}, {"kind": "ad"}, FormulaError, 'bs=\'ad\' is not known; bs is one of "tp", "ts", "cr", "cs", "cc"'),
    ({"x": X}, {"kind": "tpp"}, FormulaError, "did you mean `tp`"),
    ({"x": X}, {"kind": "re"}, FormulaError, r"write \(1 \| g\)"),
    ({"x": X}, {"kind": 3}, FormulaError, "bs=3 is not known"),
    ({"x": X, "z": X**2}, {"kind": "cr"}, FormulaError, 'has 2 covariates, and bs="cr" is for one'),
    ({"x": X, "z": 2 * X + 1}, {}, DataError, "lie on a line or a curve"),
    ({"x": X, "z": 2 * X + 1}, {"kind": "gp", "k": 8}, DataError, "lie on a line or a plane"),
    ({"x": np.where(X > 0.5, np.nan, X)}, {}, DataError, "`x` is nan in row 15"),
    ({"x": np.where(X > 0.5, -np.inf, X)}, {"kind": "cr"}, DataError, "`x` is -inf in row 15"),
    ({"x": np.array(["a", "b"] * 15)}, {}, DataError, r"`x` is not a numeric column.*s\(x, by=x\)"),
    ({"x": X > 0.5}, {}, DataError, "`x` is not a numeric column"),
    ({"x": X}, {"knots": (0.0, 0.5, 1.0)}, FormulaError, 'has no knots; write bs="cr"'),
    ({"x": X}, {"kind": "cr", "knots": (0.0, 0.5)}, FormulaError, "needs at least 3 different knots; 2 were given"),
    ({"x": X}, {"kind": "cr", "k": 5, "knots": (0.0, 0.5, 1.0)}, FormulaError, "needs 5 different knots; 3 were given"),
    ({"x": X}, {"kind": "cr", "knots": (0.0, np.nan, 1.0)}, FormulaError, "knots are finite numbers"),
    ({"x": X}, {"kind": "cc", "knots": (0.0, 0.8)}, DataError, "Give outer knots that enclose it"),
    ({"x": X * 1e-200}, {}, DataError, "Measure `x` in another unit"),
    ({"x": X * 1e200}, {"kind": "cr"}, DataError, "Measure `x` in another unit"),
]  # fmt: skip


@pytest.mark.parametrize(("covariates", "options", "error", "message"), REFUSED)
def test_impossible_smooths_are_refused(
    covariates: Columns, options: dict[str, Any], error: type[BayesmlError], message: str
) -> None:
    with pytest.raises(error, match=message):
        fit_basis(covariates, **options)


def test_messages_name_the_call_as_it_was_written() -> None:
    with pytest.raises(DataError, match=r'`s\(log\(x\), bs = "cr", k = 99\)` has k=99'):
        fit_basis({"log(x)": X}, "cr", 99, label='s(log(x), bs = "cr", k = 99)')


@pytest.mark.parametrize("wrong", [{"x": [0.5, np.nan]}, {"z": [0.5]}, {"x": ["a"]}])
def test_new_rows_are_checked_too(wrong: dict[str, list[Any]]) -> None:
    basis = fit_basis({"x": X})
    with pytest.raises(DataError, match="`x`"):
        basis.columns({name: np.array(values) for name, values in wrong.items()})


@pytest.mark.parametrize("kind", ["tp", "cr"])
@pytest.mark.parametrize(
    "x", [np.r_[X, 1e6], X + 1e9, 10.0 ** np.linspace(0, 12, 30), np.arange(30), np.arange(1990, 2020, dtype=np.int16)]
)
def test_odd_covariates_give_finite_columns_or_a_message(kind: str, x: np.ndarray) -> None:
    try:
        columns = fit_basis({"x": x}, kind).columns({"x": x})
    except DataError as error:
        assert "Write a smaller k" in str(error)
    else:
        assert all(np.isfinite(part).all() for part in columns)
        assert np.linalg.matrix_rank(np.column_stack(columns)) > 1
