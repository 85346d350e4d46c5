"""Column expressions: matrices equal formulaic's, replay repeats them, and nothing but the allowed is computed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import formulaic
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayesml.columns import Encoding, bare_name, encode, evaluate, replay, variables_of
from bayesml.columns.contrasts import CONTRASTS, Contrast, reduced_coding
from bayesml.errors import BayesmlError, DataError, FormulaError
from bayesml.formula import Expression, bf, formula_variables, parse
from bayesml.frame import Frame, read_frame

ROWS = 60


def make_data() -> dict[str, Any]:
    rng = np.random.default_rng(20240601)
    return {
        "y": rng.normal(size=ROWS),
        "x": rng.normal(size=ROWS),
        "z": rng.uniform(1.0, 3.0, ROWS),
        "a": np.array(["p", "q", "r"])[rng.integers(0, 3, ROWS)].tolist(),
        "b": np.array(["u", "v"])[rng.integers(0, 2, ROWS)].tolist(),
        "c": np.array(["k", "l", "m", "n"])[rng.integers(0, 4, ROWS)].tolist(),
        "t": rng.integers(0, 2, ROWS).astype(bool),
        "i": rng.integers(1, 5, ROWS),
    }


DATA = make_data()
FRAME = read_frame(DATA, list(DATA))
Functions = Mapping[str, Callable[..., Any]]


def design(right: str, frame: Frame = FRAME, functions: Functions | None = None) -> tuple[Encoding, np.ndarray]:
    return encode(parse(f"y ~ {right}").predictors[0].population, frame, functions)


def read(data: Mapping[str, Any]) -> Frame:
    return read_frame(data, list(data))


# What formulaic spells the same way; labels of interactions follow the order of R, which is tested apart.
FORMULAIC = (
    *("1", "x", "a", "t", "i", "0+x", "0+a", "0+a+b", "0+a*b", "0+x+a", "0+x:a", "a*b", "a:b", "a:x", "a+a:x", "x*a"),
    *("a*b*c", "a*b*c-a:b:c", "(a+b+c)**2", "a:b:c", "0+a:b:c", "a+b:c", "b:c+a", "a/b", "a/x", "x:z", "a:x:b+x:z"),
    *("poly(x, 2)", "poly(x, 3)*a", "bs(x, df=5)", "bs(x, df=5, include_intercept=True)"),
    *("0+bs(x, df=5, include_intercept=True)", "bs(x, knots=[0.1], degree=2)", "cr(x, df=4)", "cc(x, df=4)"),
    *("scale(x)", "center(x)", "standardize(x)", "scale(x, scale=False)", "scale(log(z))", "scale(x)*a", "log(z)*a"),
    *("np.log(z)", "exp(x)", "log2(z)", "log10(z)", "I(x > 0)", "I(x**2)", "I(x + 2*z)", "I(-x / z)"),
    *("C(i)", "C(a, contr.sum)", "C(a, contr.helmert)", "C(c, contr.poly)", "C(a, contr.diff)", "C(a, contr.SAS)"),
    *("C(a, contr.treatment('q'))", "C(a, contr.treatment(base='q'))", "C(a, Treatment(reference='q'))", "C(a, Sum)"),
    *("C(a, levels=['r', 'p', 'q'])", "C(a, contr.sum)*C(b, contr.sum)", "0+C(a, contr.sum)", "C(i, contr.sum):x"),
)


@pytest.mark.parametrize("right", FORMULAIC)
def test_matrices_are_those_of_formulaic(right: str) -> None:
    encoding, matrix = design(right)
    theirs = formulaic.Formula(right).get_model_matrix(pd.DataFrame(DATA), context={})
    assert matrix.dtype == np.float64
    # The two evaluate the same formulas in double precision.
    np.testing.assert_allclose(matrix, np.asarray(theirs, dtype=float), rtol=1e-10, atol=1e-10)
    plain = [label.replace(" ", "") for label in theirs.columns]
    # A truth value is a number there and a factor here, with the same column.
    plain = [f"{label}[True]" if label in ("t", "I(x>0)") else label for label in plain]
    for prefix in ("T.", "S.", "H.", "D."):
        plain = [label.replace(f"[{prefix}", "[") for label in plain]
    assert [label.replace(" ", "") for label in encoding.labels] == plain


REPLAYED = (
    *FORMULAIC,
    *("0 + Intercept + x", "I((x > 0) | (z > 2))", "I(~t)", "I(a == 'p')", "where(x > 0, x, z)", "I(x^2)"),
    *(
        "I(x^2)",
        "I(scale(x)^2)",
        "poly(log(z), 2)",
        "scale(center(x))",
        "factor(i)*x",
        "C(t)",
        "round(x, 1)",
        "minimum(x, 0)",
    ),
    *("x*a*b*t", "a:i + poly(i, 2):b"),
)


@pytest.mark.parametrize("right", REPLAYED)
def test_replay_repeats_the_encoding(right: str, rng: np.random.Generator) -> None:
    encoding, matrix = design(right)
    assert matrix.shape == (ROWS, len(encoding.labels))
    np.testing.assert_allclose(replay(encoding, FRAME), matrix, rtol=0, atol=1e-12)
    some = rng.permutation(ROWS)[:17]
    np.testing.assert_allclose(replay(encoding, FRAME.select(some)), matrix[some], rtol=0, atol=1e-12)
    # New data come with the levels they happen to have; here a single row, read afresh.
    for row in some[:3]:
        alone = read({name: np.asarray(values)[[row]] for name, values in DATA.items()})
        np.testing.assert_allclose(replay(encoding, alone), matrix[[row]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("right", REPLAYED)
def test_encoding_says_which_term_a_column_is_of(right: str) -> None:
    encoding, _ = design(right)
    assert len(encoding.assign) == len(encoding.labels) == len(set(encoding.labels))
    assert set(encoding.assign) == {*range(len(encoding.terms)), *([-1] if encoding.has_intercept else [])}
    assert (encoding.labels[:1] == ("Intercept",)) == (encoding.has_intercept or "Intercept" in right)
    assert set(encoding.variables) == set(formula_variables(parse(f"y ~ {right}"))) - {"y"}


def test_labels() -> None:
    encoding, _ = design("x + a + a:x + poly(x,2) + I( x^2 )")
    assert encoding.labels == (
        *("Intercept", "x", "a[q]", "a[r]", "poly(x, 2)[1]", "poly(x, 2)[2]", "I(x^2)", "x:a[q]", "x:a[r]"),
    )
    assert encoding.terms == ("x", "a", "poly(x, 2)", "I(x^2)", "x:a")
    assert encoding.assign == (-1, 0, 1, 1, 2, 2, 3, 4, 4)
    assert encoding.variables == ("x", "a")


def test_containers_give_the_same_matrix() -> None:
    _, matrix = design("poly(x, 2)*a + t + C(i)")
    for container in (pd.DataFrame, pl.DataFrame, pa.table):
        np.testing.assert_array_equal(
            design("poly(x, 2)*a + t + C(i)", read_frame(container(DATA), list(DATA)))[1], matrix
        )


def test_raw_polynomials_are_powers() -> None:
    np.testing.assert_allclose(design("0 + poly(x, 3, raw=TRUE)")[1], DATA["x"][:, None] ** [1, 2, 3], rtol=1e-14)


def test_dot_matrix() -> None:
    parsed = parse("y ~ . - c - i", list(DATA))
    encoding, _ = encode(parsed.predictors[0].population, FRAME)
    assert encoding.labels == ("Intercept", "x", "z", "a[q]", "a[r]", "b[v]", "t[True]")


# contr.poly(3), contr.helmert(3), contr.sum(3), contr.SAS(3), MASS::contr.sdif(3) in R 4.3
R_CODINGS = {
    "poly": [
        [-0.7071067811865475, 0.4082482904638630],
        [0, -0.8164965809277260],
        [0.7071067811865475, 0.4082482904638630],
    ],
    "helmert": [[-1, -1], [1, -1], [0, 2]],
    "sum": [[1, 0], [0, 1], [-1, -1]],
    "sas": [[1, 0], [0, 1], [0, 0]],
    "treatment": [[0, 0], [1, 0], [0, 1]],
    "diff": [[-2 / 3, -1 / 3], [1 / 3, -1 / 3], [1 / 3, 2 / 3]],
}


@pytest.mark.parametrize("kind", R_CODINGS)
def test_codings_are_those_of_r(kind: str) -> None:
    coding, names = reduced_coding("g", Contrast(kind), ("a", "b", "c"))
    np.testing.assert_allclose(coding, R_CODINGS[kind], atol=1e-15)
    assert len(names) == 2


@pytest.mark.parametrize("kind", sorted(set(CONTRASTS.values())))
@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_codings_span_the_levels_beside_an_intercept(kind: str, count: int) -> None:
    coding, names = reduced_coding("g", Contrast(kind), tuple(f"l{i}" for i in range(count)))
    assert coding.shape == (count, count - 1) == (count, len(set(names)))
    assert np.linalg.matrix_rank(np.column_stack([np.ones(count), coding])) == count


def test_ordered_categories_get_polynomial_contrasts_as_in_r() -> None:
    sizes = pd.Categorical(["s", "m", "l", "s"], ["s", "m", "l"], ordered=True)
    encoding, matrix = design("size", read({"y": np.zeros(4), "size": sizes}))
    assert encoding.labels == ("Intercept", "size[.L]", "size[.Q]")
    np.testing.assert_allclose(matrix[:3, 1:], R_CODINGS["poly"], atol=1e-15)
    plain, _ = design("C(size, contr.treatment)", read({"y": np.zeros(4), "size": sizes}))
    assert plain.labels[1:] == ("C(size, contr.treatment)[m]", "C(size, contr.treatment)[l]")


def test_column_names_of_any_kind_work_everywhere() -> None:
    data = {
        "the y": [1.0, 2.0, 3.0],
        "my col": [1.0, 2.0, 4.0],
        "a/b": ["p q", "ü", "p q"],
        "c[1]": [1, 2, 2],
        "été": [3, 2, 1],
        "class": [1, 5, 2],
        "Sepal.Length": [1, 5, 4],
        "s": [2, 1, 1],
        "n n": [4, 5, 6],
    }
    parsed = parse(
        bf(
            "log(`the y`) | trials(`n n`) ~ log(`my col`) + `a/b` + `c[1]`*été + class + Sepal.Length + s "
            "+ offset(`my col` / 2) + (1 + `my col` | `a/b`:`c[1]`)",
            sigma="~ `c[1]`",
        ),
        list(data),
    )
    frame = read_frame(data, formula_variables(parsed))
    encoding, _ = encode(parsed.predictors[0].population, frame)
    assert encoding.labels == (
        *("Intercept", "log(`my col`)", "a/b[ü]", "c[1]", "été", "class", "Sepal.Length", "s", "c[1]:été"),
    )
    group = parsed.predictors[0].groups[0]
    assert encode(group.columns, frame)[0].labels == ("Intercept", "my col")
    assert frame.interaction(group.factors)[1].labels == ("p q_1", "p q_2", "ü_2")
    np.testing.assert_allclose(evaluate(parsed.response.expression, frame), np.log(data["the y"]))
    np.testing.assert_allclose(evaluate(parsed.response.additions[0].arguments[0], frame), data["n n"])
    np.testing.assert_allclose(evaluate(parsed.predictors[0].offsets[0], frame), [0.5, 1.0, 2.0])


def test_evaluate() -> None:
    def value(text: str) -> np.ndarray:
        return evaluate(Expression(text, text, 0), FRAME)

    np.testing.assert_array_equal(value("10"), np.full(ROWS, 10.0))
    np.testing.assert_array_equal(value("x"), DATA["x"])
    np.testing.assert_array_equal(value("t"), DATA["t"].astype(float))
    np.testing.assert_allclose(
        value("log(z) + x^2 / 3 - i %  2"), np.log(DATA["z"]) + DATA["x"] ** 2 / 3 - DATA["i"] % 2
    )
    np.testing.assert_array_equal(value("(x > 0) & ~(z < 2)"), ((DATA["x"] > 0) & (DATA["z"] >= 2)).astype(float))
    np.testing.assert_array_equal(value("0 < x < 1"), ((DATA["x"] > 0) & (DATA["x"] < 1)).astype(float))
    np.testing.assert_array_equal(value("-i^2"), -(DATA["i"].astype(float) ** 2))


@pytest.mark.parametrize("text", ["a", "poly(x, 2)", "scale(x)", "'a'", "C(x)", "None", "[1, 2]", "TRUE + a"])
def test_evaluate_wants_one_column_of_numbers(text: str) -> None:
    with pytest.raises(FormulaError, match="`"):
        evaluate(Expression(text, text, 0), FRAME)


def test_names() -> None:
    assert bare_name("`my col`") == "my col"
    assert bare_name(" x ") == "x"
    assert bare_name("log(x)") is None
    assert variables_of("log(x) + `my col`") == ("x", "my col")


FORBIDDEN = (
    *("__import__('os')", "eval('1')", "open('f')", "getattr(x, 'T')", "print(x)", "np.linalg.inv(x)", "np.load('f')"),
    *("I(x.T)", "I(x.__class__)", "I((x).T)", "I(x[0])", "I([x for x in z])", "I((lambda: 1)())", "I(f'{x}')", "I(*x)"),
    *("log(**x)", "I(x := 3)", "I(x if z else y)", "I(x and z)", "I(not x)", "I(x in z)", "I(x is z)", "I(x @ z)"),
    *("I(log(x)(z))", "I({1: 2})", "I({1})", "I(...)", "I(1j)", "I(x; z)", "I(await x)", "log(x, out=x)", "exp(x, x)"),
    *("I([x])", "I((x, z))", "I('a' + 'b')", "I(x == 'a')", "unknown(x)", "Treatment('a')(x)", "I(x ? z)", "I(`x)"),
    *("scale(x, foo=1)", "poly(x, degree=[2])", "bs(x, df=10**9)", "poly(x, 100000)", "C(a, 'nonsense')", "C(a, x)"),
    *("C(a, contr.sum('q'))", "I()", "log()", "bs()", "C()", "I(x, z)", "scale(a)", "center('x')", "contr.sum(a)"),
    *("I(a + 1)", "exp(a)", "I(a < 'q')", "I(x | z)", "I(1e999)", "I(" + "x+" * 5000 + "x)"),
)


@pytest.mark.parametrize("right", FORBIDDEN)
def test_what_a_formula_may_not_do(right: str) -> None:
    with pytest.raises(FormulaError):
        design(right)


def test_own_functions_must_be_handed_in() -> None:
    with pytest.raises(FormulaError, match=r'functions=\{"twice": f\}') as caught:
        design("x + twice(x)")
    assert str(caught.value).splitlines()[-1].index("^") == 4 + len("y ~ x + ")
    encoding, matrix = design("twice(x)", functions={"twice": lambda x: 2 * x})
    np.testing.assert_array_equal(matrix[:, 1], 2 * DATA["x"])
    np.testing.assert_array_equal(replay(encoding, FRAME), matrix)
    assert design("log(x)", functions={"log": lambda x: x**2})[1][:, 1].min() >= 0
    assert design("two(x)", functions={"two": lambda x: np.column_stack([x, x**2])})[0].labels[1:] == (
        "two(x)[1]",
        "two(x)[2]",
    )
    assert design("is_p(a)", functions={"is_p": lambda a: a == "p"})[1][:, 1].sum() == DATA["a"].count("p")


def refuse(*_: Any) -> None:
    raise RuntimeError("several\nlines")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (refuse, "RuntimeError: several$"),
        (lambda x: x[:3], "3 values for 60 rows"),
        (lambda x: "text", "must return numbers"),
        (lambda x: None, "must return numbers"),
        (lambda x: np.zeros((ROWS, 2, 2)), "must return numbers"),
        (lambda x: x / 0, r"`f\(x\)` is -?inf in row 1"),
        (lambda: 1, "TypeError"),
    ],
)
def test_own_functions_that_fail_are_named(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        design("f(x)", functions={"f": function})
    assert "\n" not in str(caught.value)


def test_own_functions_cannot_change_the_data() -> None:
    def spoil(x: np.ndarray) -> np.ndarray:
        x[:] = 0.0
        return x

    _, matrix = design("spoil(x) + x", functions={"spoil": spoil})
    np.testing.assert_array_equal(matrix[:, 2], DATA["x"])


IMPOSSIBLE = {
    "log(x)": r"`log\(x\)` is nan in row \d+, where `x` = -",
    "log(i - 1)": r"is -inf in row \d+, where `i` = 1",
    "I(x / 0)": "inf in row 1",
    "I(9**9**9**9)": "inf in row 1",
    "scale(i * 0)": "constant column",
    "poly(t, 2)": "more than 2 different values",
    "poly(log(x), 2)": "inside `poly` are nan in row",
    "C(a, contr.treatment('zz'))": "no level 'zz'",
    "C(a, levels=['p', 'q'])": "level 'r'",
    "I(a == 'zz')": "none of the levels 'p', 'q', 'r'",
    "C(log(x))": "finite",
}


@pytest.mark.parametrize("right", IMPOSSIBLE)
def test_what_these_data_do_not_give(right: str) -> None:
    with pytest.raises(DataError, match=IMPOSSIBLE[right]) as caught:
        design(right)
    assert "\n" not in str(caught.value)


def test_products_that_overflow_are_refused() -> None:
    with pytest.raises(DataError, match="`x:z` is too large"):
        design("x:z", read({"y": [1.0, 2.0], "x": [1.0, 1e120], "z": [1.0, 1e120]}))


def test_row_numbers_count_in_the_data_given() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = read_frame({"x": [None, 1.0, None, 0.0]}, ["x"])
    with pytest.raises(DataError, match="in row 4, where `x` = 0"):
        design("log(x)", frame)


def test_one_level_and_reserved_names() -> None:
    frame = read({"y": [1.0, 2.0], "g": ["a", "a"]})
    with pytest.raises(DataError, match="`g` has the single level 'a'"):
        design("g", frame)
    assert design("0 + g", frame)[0].labels == ("g[a]",)
    with pytest.raises(FormulaError, match="0 \\+ Intercept"):
        design("Intercept + x")
    encoding, matrix = design("0 + Intercept + x")
    assert (encoding.labels, encoding.has_intercept) == (("Intercept", "x"), False)
    np.testing.assert_array_equal(matrix[:, 0], np.ones(ROWS))
    own = read({"y": [1.0, 2.0], "Intercept": [3.0, 4.0]})
    np.testing.assert_array_equal(design("0 + Intercept", own)[1][:, 0], [3.0, 4.0])


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(FormulaError, match=r"both be called `g\[b\]`"):
        design("g + `g[b]`", read({"y": [1.0, 2.0], "g": ["a", "b"], "g[b]": [1.0, 2.0]}))


def test_a_matrix_that_cannot_be_held_is_refused() -> None:
    many = read({"y": np.zeros(30_000), "g": [f"l{i}" for i in range(30_000)]})
    with pytest.raises(DataError, match=r"29,999 columns .*\(1 \| factor\)"):
        design("g", many)


@pytest.mark.parametrize(
    ("right", "new", "message"),
    [
        ("a", {"a": ["p", "zz"]}, "`a` of the new data has the level 'zz', unknown to the model"),
        ("a", {"a": [1, 2]}, "`a` held categories"),
        ("x", {"x": ["1"]}, "`x` held numbers"),
        ("x", {"z": [1.0]}, "`x` is not a column"),
        ("C(i)", {"i": [9]}, "level '9', which is none of '1', '2', '3', '4'"),
        (
            "bs(x, df=4)",
            {"x": [100.0]},
            r"the value 100 in row 1 lies outside the range of the spline, -2\.3.* to 3\.8",
        ),
        ("log(z)", {"z": [0.0]}, "-inf in row 1"),
    ],
)
def test_new_data_that_do_not_fit(right: str, new: dict[str, Any], message: str) -> None:
    encoding, _ = design(right)
    with pytest.raises(BayesmlError, match=message):
        replay(encoding, read(new))


def test_constant_new_data_are_fine() -> None:
    encoding, _ = design("scale(x) + poly(z, 2) + bs(x, df=5)")
    new = replay(encoding, read({"x": [0.5, 0.5], "z": [2.0, 2.0]}))
    np.testing.assert_array_equal(new[0], new[1])
    expected = (0.5 - DATA["x"].mean()) / DATA["x"].std(ddof=1)
    np.testing.assert_allclose(new[0, 1], expected, rtol=1e-14)


def test_replay_leaves_the_encoding_as_it_is() -> None:
    encoding, matrix = design("scale(x) + poly(z, 2)")
    replay(encoding, FRAME.select(np.arange(5)))
    np.testing.assert_array_equal(replay(encoding, FRAME), matrix)
