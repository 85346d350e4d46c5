"""The formula stage: what is read from which text, and where the carets of a refusal stand."""

from __future__ import annotations

import formulaic
import pytest

from bayesml.errors import FormulaError
from bayesml.formula import Formula, GroupCall, LinearPart, ParsedFormula, bf, check_names, formula_variables, parse
from bayesml.formula.names import names_in
from bayesml.formula.planned import PLANNED_ADDITIONS, PLANNED_TERMS
from bayesml.formula.tokens import canonical, quote_name, scan
from bayesml.keys import PredictorKey

COLUMNS = ("y", "a", "b", "c", "d", "x")


def population(formula: str) -> LinearPart:
    return parse(formula).predictors[0].population


def groups(formula: str) -> tuple[GroupCall, ...]:
    return parse(formula).predictors[0].groups


def labels(part: LinearPart) -> list[str]:
    return ["1"] * part.intercept + [":".join(term) for term in part.terms]


# attr(terms(y ~ ...), "term.labels") and "intercept" in R 4.3
TERMS = {
    "1": ["1"],
    "0": [],
    "-1": [],
    "x": ["1", "x"],
    "x - 1": ["x"],
    "0 + x": ["x"],
    "-1 + x": ["x"],
    "0 + 1 + x": ["1", "x"],
    "x - 1 + 1": ["1", "x"],
    "x + 0": ["x"],
    "- x": ["1"],
    "a + b + a": ["1", "a", "b"],
    "a * b": ["1", "a", "b", "a:b"],
    "a:b": ["1", "a:b"],
    "b + a + b:a": ["1", "b", "a", "b:a"],
    "a + b + b:a": ["1", "a", "b", "a:b"],
    "a:b + b:a": ["1", "a:b"],
    "a:a": ["1", "a"],
    "a * b * c": ["1", "a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"],
    "a * b * c - a:b:c": ["1", "a", "b", "c", "a:b", "a:c", "b:c"],
    "(a + b + c)^2": ["1", "a", "b", "c", "a:b", "a:c", "b:c"],
    "(a + b + c)**2 - a:b": ["1", "a", "b", "c", "a:c", "b:c"],
    "(a + b)^7": ["1", "a", "b", "a:b"],
    "a / b": ["1", "a", "a:b"],
    "a / b / c": ["1", "a", "a:b", "a:b:c"],
    "(a + b) / c": ["1", "a", "b", "a:b:c"],
    "a / (b + c)": ["1", "a", "a:b", "a:c"],
    "a + b %in% a": ["1", "a", "a:b"],
    "a * (b + c)": ["1", "a", "b", "c", "a:b", "a:c"],
    "a:b + c": ["1", "c", "a:b"],
    "(1 + a + b)^2": ["1", "a", "b", "a:b"],
    "(0 + a)": ["a"],
}


@pytest.mark.parametrize("right", TERMS)
def test_terms_are_those_of_r(right: str) -> None:
    assert labels(population(f"y ~ {right}")) == TERMS[right]


@pytest.mark.parametrize(
    "right",
    [*(right for right in TERMS if "%in%" not in right and "(1" not in right and "(0" not in right), "log(a)*b"],
)
def test_terms_are_those_of_formulaic(right: str) -> None:
    part = population(f"y ~ {right}")
    theirs = [frozenset(str(f) for f in t.factors) - {"1"} for t in formulaic.Formula(right)]
    assert sorted(map(sorted, [frozenset[str]()] * part.intercept + list(map(frozenset, part.terms)))) == sorted(
        map(sorted, theirs)
    )


FACTORS = {
    "poly( x,2 )": "poly(x, 2)",
    "poly(x,degree = 2)": "poly(x, degree=2)",
    "I(x^2)": "I(x^2)",
    "I( x+b )": "I(x + b)",
    "I(-x * 2)": "I(-x * 2)",
    "log( `my col` )": "log(`my col`)",
    "`my col`": "`my col`",
    "`x`": "x",
    "Sepal.Length": "Sepal.Length",
    "höhe": "höhe",
    "C(x,contr.treatment( 'b c' ))": "C(x, contr.treatment('b c'))",
    "s": "s",
    "bs(x, knots=[1,2])": "bs(x, knots=[1, 2])",
}


@pytest.mark.parametrize("written", FACTORS)
def test_factors_have_one_spelling(written: str) -> None:
    assert population(f"y ~ {written}").terms == ((FACTORS[written],),)
    assert canonical(scan(FACTORS[written])) == FACTORS[written]


def test_spellings_of_one_factor_are_one_term() -> None:
    assert population("y ~ poly(x,2) + poly( x, 2 )").terms == (("poly(x, 2)",),)


GROUPS = {
    "(1 | g)": [(["1"], ("g",), True)],
    "(1|g)": [(["1"], ("g",), True)],
    "(x | g)": [(["1", "x"], ("g",), True)],
    "(x || g)": [(["1", "x"], ("g",), False)],
    "(0 + x | g)": [(["x"], ("g",), True)],
    "(x - 1 | g)": [(["x"], ("g",), True)],
    "(1 | a/b)": [(["1"], ("a",), True), (["1"], ("a", "b"), True)],
    "(1 | a/b/c)": [(["1"], ("a",), True), (["1"], ("a", "b"), True), (["1"], ("a", "b", "c"), True)],
    "(1 | a:b)": [(["1"], ("a", "b"), True)],
    "(x || a:b/c)": [(["1", "x"], ("a", "b"), False), (["1", "x"], ("a", "b", "c"), False)],
    "(1 | a + b)": [(["1"], ("a",), True), (["1"], ("b",), True)],
    "(1 + x*z | g)": [(["1", "x", "z", "x:z"], ("g",), True)],
    "(log(x) + `my col` | `the g`)": [(["1", "log(x)", "`my col`"], ("the g",), True)],
    "(1 | g) + (0 + x | g)": [(["1"], ("g",), True), (["x"], ("g",), True)],
    "(1 | g) + (1 | h)": [(["1"], ("g",), True), (["1"], ("h",), True)],
    "((1 | g))": [(["1"], ("g",), True)],
    "(I((x > 0) | (z > 1)) | g)": [(["1", "I((x > 0) | (z > 1))"], ("g",), True)],
}


@pytest.mark.parametrize("right", GROUPS)
def test_group_terms(right: str) -> None:
    found = [(labels(part.columns), part.factors, part.correlated) for part in groups(f"y ~ 1 + {right}")]
    assert found == GROUPS[right]


@pytest.mark.parametrize("right", GROUPS)
def test_group_terms_leave_the_population_terms_alone(right: str) -> None:
    assert labels(population(f"y ~ x + {right} + z")) == ["1", "x", "z"]
    assert labels(population(f"y ~ {right}")) == ["1"]


def test_group_term_knows_its_place() -> None:
    text = "y ~ x + (1 | a/b)"
    for part in groups(text):
        assert text[part.start :] == part.text == "(1 | a/b)"


def test_offsets_are_lifted() -> None:
    predictor = parse("y ~ x + offset(log(n)) + offset(z)").predictors[0]
    assert [offset.text for offset in predictor.offsets] == ["log(n)", "z"]
    assert labels(predictor.population) == ["1", "x"]


RESPONSES: dict[str, tuple[str, str, list[tuple[str, str, tuple[tuple[str, object], ...]]]]] = {
    "y": ("y", "y", []),
    "log(y)": ("log(y)", "log(y)", []),
    "`my y`": ("`my y`", "my y", []),
    "y | trials(n)": ("y", "y", [("trials", "n", ())]),
    "y | trials(10)": ("y", "y", [("trials", "10", ())]),
    "y | weights(w) + trials(n + 1)": ("y", "y", [("weights", "w", ()), ("trials", "n + 1", ())]),
    "y | resp_weights(w)": ("y", "y", [("weights", "w", ())]),
    "y | se(s)": ("y", "y", [("se", "s", ())]),
    "y | se(s, sigma=TRUE)": ("y", "y", [("se", "s", (("sigma", True),))]),
    "y | se(s, sigma = False)": ("y", "y", [("se", "s", (("sigma", False),))]),
    "y | se(s, TRUE)": ("y", "y", [("se", "s", (("sigma", True),))]),
    "y | trials(`n of t`)": ("y", "y", [("trials", "`n of t`", ())]),
    "cbind(s, n - s)": ("s", "cbind(s, n - s)", [("trials", "n", ())]),
    "cbind(s, 2 * (n + 1) - s)": ("s", "cbind(s, 2 * (n + 1) - s)", [("trials", "2 * (n + 1)", ())]),
    "cbind(s, n - 2 * s)": ("s", "cbind(s, n - 2 * s)", [("trials", "(s) + (n - 2 * s)", ())]),
    "cbind(s, (n - s))": ("s", "cbind(s, (n - s))", [("trials", "(s) + ((n - s))", ())]),
    "cbind(s - u, n - s - u)": ("s - u", "cbind(s - u, n - s - u)", [("trials", "(s - u) + (n - s - u)", ())]),
    "cbind(s, f) | weights(w)": ("s", "cbind(s, f)", [("trials", "(s) + (f)", ()), ("weights", "w", ())]),
}


@pytest.mark.parametrize("left", RESPONSES)
def test_responses(left: str) -> None:
    response = parse(f"{left} ~ x").response
    additions = [(a.name, a.arguments[0].text, a.options) for a in response.additions]
    assert (response.expression.text, response.name, additions) == RESPONSES[left]


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("y ~ .", [("a",), ("b",), ("c",), ("d",), ("x",)]),
        ("log(y) | weights(x) ~ . - d", [("a",), ("b",), ("c",)]),
        ("y ~ . + a:b - c - d - x", [("a",), ("b",), ("a", "b")]),
        ("cbind(a, b - a) ~ .", [("y",), ("c",), ("d",), ("x",)]),
    ],
)
def test_dot_is_every_other_column(formula: str, terms: list[tuple[str, ...]]) -> None:
    assert list(parse(formula, COLUMNS).predictors[0].population.terms) == terms


def test_dot_quotes_names_that_need_it() -> None:
    assert parse("y ~ .", ["y", "my col", "TRUE", "a"]).predictors[0].population.terms == (
        ("`my col`",),
        ("`TRUE`",),
        ("a",),
    )


@pytest.mark.parametrize("name", ["x", "my col", "a/b", "y[1]", "1st", "TRUE", "ü.2", "a\\b", "for", "x\ny"])
def test_quoted_names_read_back(name: str) -> None:
    assert names_in(quote_name(name)) == (name,)


def test_bf_joins_formulas() -> None:
    parsed = parse(bf("y ~ x + (1|g)", "nu ~ 1", sigma="~ z + (1|g)", phi="phi ~ 0 + x"))
    assert [p.key.dpar for p in parsed.predictors] == ["mu", "nu", "sigma", "phi"]
    assert labels(parsed.predictors[2].population) == ["1", "z"]
    assert parsed.predictor(PredictorKey(dpar="phi")) is parsed.predictors[3]
    assert parsed.predictor(PredictorKey(dpar="kappa")) is None


def test_printed_bf_says_what_was_given() -> None:
    assert str(bf("y ~ x", sigma="sigma ~ z", nu="~ 1")) == "y ~ x\nsigma ~ z\nnu ~ 1"
    assert bf("y ~ x", "sigma ~ z") == Formula("y ~ x", (("sigma", "~ z"),))


def test_variables_in_order_of_appearance() -> None:
    parsed = parse(
        bf("log(y) | trials(n) ~ 0 + Intercept + a*poly(x, 2) + offset(log(e)) + (1 + z | g:h)", sigma="~ w")
    )
    assert formula_variables(parsed) == ("y", "n", "a", "x", "z", "e", "w", "g", "h")
    assert "Intercept" in formula_variables(parsed, ["Intercept"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("C(x, contr.treatment('b'))", ("x",)),
        ("C(x, Sum)", ("x",)),
        ("C(Sum)", ("Sum",)),
        ("log(Sum)", ("Sum",)),
        ("bs(x, df=df, knots=[1])", ("x", "df")),
        ("np.log(x) + TRUE", ("x",)),
        ("`log`", ("log",)),
        ("10", ()),
    ],
)
def test_names_in_expressions(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


# formula: the text under the carets ("" where they stand at a position), a part of the message
REFUSED = {
    "": ("", "no `~`"),
    "y x": ("y x", "no `~`"),
    "~ x": ("~", "response is missing"),
    "1 ~ x": ("1", "response is missing"),
    "y ~": ("~", "Nothing stands right"),
    "y ~~ x": ("~", "second `~`"),
    "y ~ x ~ z": ("~", "second `~`"),
    "y ~ (x": ("(", "never closed"),
    "y ~ x)": (")", "closes nothing"),
    "y ~ (x]": ("]", "closes nothing"),
    "y ~ `x": ("`", "never closed"),
    "y ~ f('x)": ("'", "never closed"),
    "y ~ x | g": ("|", "brackets of its own"),
    "y ~ x +": ("", "missing"),
    "y ~ x z": ("z", "missing"),
    "y ~ 1x": ("1x", "backticks"),
    "y ~ 2*x": ("2", "I(...)"),
    "y ~ x:1": ("1", "I(...)"),
    "y ~ 3": ("3", "I(...)"),
    "y ~ z + x > 2": ("+", "`z + (x > 5)`"),
    "y ~ x > 2 + (1 | g)": ("+", "`z + (x > 5)`"),
    "y ~ !x:z": (":", "brackets of its own"),
    "y ~ x[1]": ("[", "in the data first"),
    "y ~ 'x'": ("'x'", "backticks"),
    "y ~ a^b": ("^b", "whole number"),
    "y ~ a^0": ("^0", "whole number"),
    "y ~ ()": ("()", "nothing between"),
    "y ~ data$x": ("$", "'$'"),
    "y ~ {x}": ("{", "I(...)"),
    "y ~ x\0": ("?", "no meaning"),
    "y ~ .": (".", "name the columns"),
    "y ~ `x`(z)": ("`x`", "cannot be called"),
    "y ~ (1 | g):x": ("(", "only be added"),
    "y ~ x*(1 | g)": ("(", "only be added"),
    "y ~ (1 | g)^2": ("(", "only be added"),
    "y ~ x - (1 | g)": ("(", "only be added"),
    "y ~ x:offset(z)": ("offset", "only be added"),
    "y ~ log((1 | g))": ("(", "inside a function"),
    "y ~ log((x || g))": ("||", "inside a function"),
    "y ~ ((1 | g) | h)": ("(", "inside a group term"),
    "y ~ (offset(x) | h)": ("offset", "inside a group term"),
    "y ~ (. | h)": (".", "inside a group term"),
    "y ~ offset()": ("", "takes one"),
    "y ~ (| g)": ("|", "left of the bar"),
    "y ~ (1 |)": (")", "grouping factor is missing"),
    "y ~ (1 | g:)": (")", "grouping factor is missing"),
    "y ~ (0 | g)": ("0", "no column"),
    "y ~ (1 | g*h)": ("*", "`:`, `/` or `+`"),
    "y ~ (1 | log(g))": ("log(", "in the data first"),
    "y ~ (1 | 3)": ("3", "not a column name"),
    "y ~ (1 | g:g)": ("g", "crossed with itself"),
    "y ~ (1 | g) + (1 | g)": ("(1 | g)", "(1 + x | g)"),
    "y ~ (1 | g) + (x | g)": ("(x | g)", "the intercept"),
    "y ~ (x | g:h) + (0 + x | h:g)": ("(0 + x | h:g)", "x an effect"),
    "y ~ (1 | g) + (1 | g/h)": ("(1 | g/h)", "the intercept"),
    "y | foo(n) ~ x": ("foo(n)", "`trials(...)`"),
    "y | trial(n) ~ x": ("trial(n)", "did you mean `trials`"),
    "y | trials ~ x": ("trials", "`trials(...)`"),
    "y | ~ x": ("", "response term is missing"),
    "y | trials(n) + ~ x": ("", "response term is missing"),
    "y | trials() ~ x": ("trials()", "one column"),
    "y | trials(n, m) ~ x": ("trials(n, m)", "one column"),
    "y | trials(n) + trials(n) ~ x": ("trials(n)", "twice"),
    "y | trials(n) | weights(w) ~ x": ("|", "second bar"),
    "y || trials(n) ~ x": ("||", "one bar"),
    "y | se(s, sigma=2) ~ x": ("sigma=2", "TRUE or FALSE"),
    "y | weights(w, scale=2) ~ x": ("scale=2", "TRUE or FALSE"),
    "y | weights(w, mean=1) ~ x": ("mean=1", "no option"),
    "cbind(s) ~ x": ("cbind(s)", "successes and failures"),
    "y ~ (x | a | b | g)": ("|", "third bar"),
    "y ~ (x | a || g)": ("||", "both bars alike"),
    "y ~ (x | a + b | g)": ("| a + b |", "one name"),
    **{f"y ~ {name}(x)": (name, "stands outside") for name in sorted(PLANNED_TERMS)},
    "y ~ (1 | gr())": ("gr()", "one grouping factor first"),
    "y ~ (1 | gr(g/h))": ("g/h", "a term for each"),
    "y ~ (1 | gr(g, dis=f))": ("dis=f", "did you mean `dist`"),
    "y ~ (1 | gr(g, by=f > 1))": ("by=f > 1", "given by name"),
    "y ~ (1 | gr(g, f, by=f))": ("by=f", "twice"),
    "y ~ (1 | gr(g, cor=1))": ("cor=1", "TRUE or FALSE"),
    "y ~ (1 | gr(g, dist='cauchy'))": ("dist='cauchy'", "'gaussian' or 'student'"),
    "y ~ (1 | gr(g):h)": ("gr", "stands alone"),
    "y ~ (1 | mm(g))": ("mm(g)", "two or more columns"),
    "y ~ (1 | mm(g, h, weights=w))": ("weights=w", "`weights=cbind(w1, w2)`"),
    "y ~ (1 | p | gr(g, id=q))": ("(1 | p | gr(g, id=q))", "two identifiers"),
    **{f"y | {name}(x) ~ 1": (name, "not available") for name in sorted(PLANNED_ADDITIONS)},
    "mvbind(y) ~ x": ("mvbind(y)", "two or more responses"),
    "mvbind(y, mvbind(z, w)) ~ x": ("mvbind", "around the responses"),
    "y ~ mvbind(x, z)": ("mvbind", "left of `~`"),
    "y ~ gr(g) + x": ("gr", "right of the bar"),
    "y ~ x:mm(g, h)": ("mm", "right of the bar"),
    "offset(y) ~ x": ("offset", "right of `~`"),
}


@pytest.mark.parametrize("formula", REFUSED)
def test_refusals_point_at_the_culprit(formula: str) -> None:
    culprit, message = REFUSED[formula]
    with pytest.raises(FormulaError) as caught:
        parse(formula)
    assert message in str(caught.value)
    said, shown, carets = str(caught.value).rsplit("\n", 2)
    assert said.strip()
    start = carets.index("^")
    assert shown[4:] == formula.replace("\0", "?")
    if culprit:
        assert shown[start : start + len(culprit)] == culprit
        assert carets.count("^") == len(culprit)


@pytest.mark.parametrize("formula", [None, 3, b"y ~ x", ["y ~ x"], ("y", "x")])
def test_formula_must_be_a_text(formula: object) -> None:
    with pytest.raises(FormulaError, match="text"):
        parse(formula)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("y ~ x", "sigma ~ x"), {"sigma": "~ z"}, "two formulas"),
        (("y ~ x",), {"mu": "~ z"}, "main formula"),
        (("y ~ x",), {"sigma": "nu ~ z"}, "says `nu`"),
        (("y ~ x",), {"sigma": "z"}, "with `~`"),
        (("y ~ x",), {"sigma": 0.5, "nu": float("nan")}, "with `~`.* or a number"),
        (("y ~ x", "sigma ~ x"), {"sigma": 0.5}, "two formulas"),
        (("y ~ x",), {"nl": "a"}, "`nl` is True or False"),
        (("y ~ x",), {"nonlinear": 3}, "`nonlinear` is True"),
        (("y ~ x",), {"rescor": "yes"}, "`rescor` is True or False"),
        (("y ~ x",), {"center": False}, "`center` of bf.* not available"),
        (("y ~ x", "~ z"), {}, "sigma ~ x"),
        ((3,), {}, "text"),
    ],
)
def test_bf_refuses(arguments: tuple[str, ...], options: dict[str, str], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        bf(*arguments, **options)


def test_unknown_names_are_pointed_at() -> None:
    with pytest.raises(FormulaError, match=r"`Dyas` is not a column of the data \(did you mean `Days`\?\)") as caught:
        parse("Reaction ~ log(Dyas) + (1 | Subject)", ["Reaction", "Days", "Subject"])
    assert str(caught.value).splitlines()[-1].index("^") == 4 + len("Reaction ~ log(")
    with pytest.raises(FormulaError, match="`z`") as caught:
        check_names(parse(bf("y ~ x", sigma="~ x + z")), ["y", "x"])
    assert "~ x + z" in str(caught.value)


# What would take for ever, exhaust memory or overflow the stack in a careless reader.
LARGE = {
    "a sum": "y ~ " + "+".join(["x"] * 50_000),
    "a sum of many": "y ~ " + "+".join(f"x{i}" for i in range(20_000)),
    "a product": "y ~ " + "*".join(f"x{i}" for i in range(10_000)),
    "an interaction": "y ~ " + ":".join(f"x{i}" for i in range(10_000)),
    "a power": "y ~ (a+b+c+d+e+f+g+h+i+j+k+l+m+n+o)^14",
    "a large power": "y ~ a^" + "9" * 5000,
    "powers of powers": "y ~ x" + "^2" * 20_000,
    "a pile of brackets": "y ~ " + "(" * 50_000 + "x" + ")" * 50_000,
    "a pile of signs": "y ~ " + "-" * 100_000 + "x",
    "a pile of groups": "y ~ (1|" + "+".join(f"x{i}" for i in range(20_000)) + ")",
    "a long word": "x" * 100_000,
    "a long call": "y ~ I(" + "x+" * 50_000 + "1)",
    "beyond reading": "y ~ " + "x" * 10**6,
}


@pytest.mark.parametrize("case", LARGE)
def test_large_formulas_are_read_or_refused(case: str) -> None:
    try:
        assert isinstance(parse(LARGE[case]), ParsedFormula)
    except FormulaError as error:
        assert len(str(error)) < 2000


def test_predictors_keep_their_text() -> None:
    parsed = parse("y ~ x +\n  (1 | g)")
    assert parsed.predictors[0].text == "x +   (1 | g)"
    assert parsed.text[parsed.predictors[0].population.expression.start :] == parsed.predictors[0].text
