"""Several responses, nonlinear predictors, special calls and group calls: what is read, and that it is read back."""

from __future__ import annotations

import json
import random
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import bayesml
from bayesml.errors import FormulaError
from bayesml.formula import (
    Addition,
    Expression,
    Formula,
    GroupCall,
    JointFormula,
    Language,
    Membership,
    ModelFormula,
    ParsedFormula,
    ResponseTerm,
    SpecialCall,
    bf,
    bind_arguments,
    formula_of,
    formula_variables,
    grouping_variables,
    parse,
    set_rescor,
    update_formula,
)
from bayesml.keys import MU, PredictorKey
from bayesml.results.record.encoded import formula_from_json, formula_to_json

LANGUAGE = Language(
    frozenset({"s", "mo", "cs", "ar", "gp", "mmc"}),
    {
        "se": ResponseTerm("se", keywords=("sigma",), truths=frozenset({"sigma"})),
        "trials": ResponseTerm("trials"),
        "weights": ResponseTerm("weights"),
        "cens": ResponseTerm("cens", keywords=("y2",)),
        "trunc": ResponseTerm("trunc", least=0, most=0, keywords=("lb", "ub")),
        "vint": ResponseTerm("vint", most=None),
        "thres": ResponseTerm("thres", least=0, keywords=("gr",)),
    },
)


def read(formula: str | ModelFormula, columns: Any = None) -> ParsedFormula:
    return parse(formula, columns, LANGUAGE)


def specials(right: str) -> tuple[SpecialCall, ...]:
    return read(f"y ~ {right}").predictors[0].specials


def group(right: str) -> GroupCall:
    (found,) = read(f"y ~ {right}").predictors[0].groups
    return found


def meaning(value: Any) -> Any:
    """Return a value without what tells only where it stood and how it was spaced."""
    if isinstance(value, Expression):
        return "".join(value.text.split())
    if is_dataclass(value):
        skipped = {"start", "text", "expression"} if isinstance(value, (GroupCall, SpecialCall)) else {"text", "start"}
        if type(value).__name__ == "LinearPart":
            skipped = {"expression"}
        return {f.name: meaning(getattr(value, f.name)) for f in fields(value) if f.name not in skipped}
    return [meaning(each) for each in value] if isinstance(value, (tuple, list)) else value


# Special calls ---------------------------------------------------------------------------------------------------

# right-hand side: the terms that are columns, those with special calls
SPECIALS: dict[str, tuple[list[tuple[str, ...]], list[str]]] = {
    "mo(x)": ([], ["mo(x)"]),
    "z + mo( x )": ([("z",)], ["mo(x)"]),
    "mo(x):z": ([], ["mo(x):z"]),
    "z:mo(x)": ([], ["z:mo(x)"]),
    "mo(x) * z": ([("z",)], ["mo(x)", "mo(x):z"]),
    "mo(x) * z - mo(x)": ([("z",)], ["mo(x):z"]),
    "mo(x) * z - mo( x ):z": ([("z",)], ["mo(x)"]),
    "mo(a):mo(b)": ([], ["mo(a):mo(b)"]),
    "mo(a) * mo(b)": ([], ["mo(a)", "mo(b)", "mo(a):mo(b)"]),
    "(mo(a) + z)^2": ([("z",)], ["mo(a)", "mo(a):z"]),
    "mo(x) + mo(x)": ([], ["mo(x)"]),
    "log(x) + s(x)": ([("log(x)",)], ["s(x)"]),
    "mo": ([("mo",)], []),
}


@pytest.mark.parametrize("right", SPECIALS)
def test_special_calls_take_part_in_the_algebra(right: str) -> None:
    predictor = read(f"y ~ {right}").predictors[0]
    assert (list(predictor.population.terms), [call.term for call in predictor.specials]) == SPECIALS[right]


def test_special_calls_keep_their_arguments() -> None:
    (call,) = specials("s(log(x), z, k=-5, bs='cr', by=f, m=c(1, 2), fx=TRUE, c=5/4, id=NA)")
    assert [argument.text for argument in call.arguments] == ["log(x)", "z"]
    options = dict(call.options)
    by = options.pop("by")
    assert options == {"k": -5, "bs": "cr", "m": (1, 2), "fx": True, "c": 1.25, "id": None}
    assert isinstance(by, Expression) and by.text == "f" and by.source[by.start] == "f"
    assert call.expression.source[call.expression.start :] == call.expression.text


def test_special_calls_know_what_they_are_multiplied_by() -> None:
    (call,) = specials("z:mo(a):log(w):mo(b)")
    assert (call.name, call.factors, [other.spelling for other in call.others]) == ("mo", ("z", "log(w)"), ["mo(b)"])


def test_unclaimed_calls_are_functions_or_nothing() -> None:
    assert parse("y ~ mu(x)").predictors[0].population.terms == (("mu(x)",),)
    language = Language({"mo", "s"}, functions={"log"})
    with pytest.raises(
        FormulaError, match=r"`sm\(...\)` is not a function.*Terms of their own are `mo\(...\)`, `s\(...\)"
    ):
        parse("y ~ log(x) + sm(x)", language=language)
    with pytest.raises(FormulaError, match="`mo.*` is a term of its own and cannot stand inside a function"):
        parse("y ~ log(mo(x))", language=language)
    with pytest.raises(FormulaError, match="stands outside of the right-hand side"):
        parse("y ~ nlf(x)", language=language)


def test_arguments_are_bound_as_in_r() -> None:
    (call,) = specials("ar(day, g, 2, cov=TRUE)")
    bound = bind_arguments(call, ("time", "gr", "p", "cov"))
    assert bound["p"] == 2 and bound["cov"] is True
    assert [e.text for e in (bound["time"], bound["gr"]) if isinstance(e, Expression)] == ["day", "g"]
    for right, message in (
        ("ar(a, b, c, d, e)", "too many"),
        ("ar(a, tme=b)", "did you mean `time`"),
        ("ar(a, time=b)", "twice"),
    ):
        with pytest.raises(FormulaError, match=message) as caught:
            bind_arguments(specials(right)[0], ("time", "gr", "p", "cov"))
        assert str(caught.value).splitlines()[-1].count("^") == len(right)


# Group calls -----------------------------------------------------------------------------------------------------


def test_group_calls_carry_what_they_say() -> None:
    assert group("(1 | p | g)").id == "p" and group("(1 | 2 | g)").id == "2" and group("(1 | g)").id == ""
    assert (group("(x || p || g)").correlated, group("(x || p || g)").id) == (False, "p")
    call = group("(x | gr(g:h, by=f, cor=FALSE, id=q, cov=A, dist='student', pw=w))")
    assert (call.factors, call.correlated, call.id, call.by, call.cov) == (("g", "h"), False, "q", "f", "A")
    assert (call.dist, call.prior_weights, call.membership) == ("student", "w", None)
    assert meaning(group("(x | gr(g))")) == meaning(group("(x | g)"))
    call = group("(1 | mm(a, `b c`, weights=cbind(u, v / 2), scale=FALSE))")
    assert call.factors == ("a", "b c") and isinstance(call.membership, Membership)
    assert [w.text for w in call.membership.weights] == ["u", "v / 2"] and not call.membership.scale
    assert [c.term for c in group("(1 + mmc(u, v) | mm(a, b))").specials] == ["mmc(u, v)"]
    several = read("y ~ (1 | gr(g, by=f) + a/b)").predictors[0].groups
    assert [(g.factors, g.by) for g in several] == [(("g",), "f"), (("a",), ""), (("a", "b"), "")]


def test_effects_of_special_calls_are_no_duplicates() -> None:
    assert len(read("y ~ (1 | g) + (0 + mo(x) | g) + (1 | mm(g, h)) + (1 | g:h)").predictors[0].groups) == 4
    with pytest.raises(FormulaError, match="Two group terms"):
        read("y ~ (mo(x) | g) + (0 + mo(x) | p | g)")


def test_columns_of_all_calls_are_known() -> None:
    parsed = read(
        "y | cens(cc, y2 = u) + vint(v1, v2) ~ s(x, by=f) + mo(a):z + (0 + mo(b) | gr(g, by=h, cov=A, pw=w))"
        " + (1 | mm(m1, m2, weights=cbind(w1, w2)))"
    )
    names = ("y", "cc", "u", "v1", "v2", "x", "f", "a", "z", "b", "w1", "w2", "g", "h", "w", "m1", "m2")
    assert formula_variables(parsed) == names
    assert grouping_variables(parsed) == ("g", "h", "m1", "m2")


def test_terms_with_one_identifier_have_the_same_levels() -> None:
    read(bf("y ~ (1 | p | g) + (0 + x | p | g) + (1 | q | h)", sigma="~ (1 | p | g)"))
    for formula in (
        bf("y ~ (1 | p | g)", sigma="~ (x | p | h)"),
        bf("y ~ (1 | p | g)") + bf("z ~ (1 | p | gr(g, by=f))"),
        "y ~ x + (1 | p | a/b)",
        "y ~ x + (1 | p | g) + (0 + x || p || g)",
    ):
        with pytest.raises(FormulaError, match="differ right of the bar") as caught:
            read(formula)
        shown, carets = str(caught.value).splitlines()[-2:]
        assert shown[carets.index("^") : carets.rindex("^") + 1].startswith("(")


# Response terms ------------------------------------------------------------------------------------------------


def addition(left: str) -> Addition:
    (found,) = read(f"{left} ~ x").response.additions
    return found


def test_response_terms_are_taught() -> None:
    cens = addition("y | cens(c, y2 = z)")
    assert [e.text for e in cens.arguments] == ["c"] and meaning(cens.options) == [["y2", "z"]]
    assert meaning(addition("y | cens(c, z)").options) == [["y2", "z"]]
    assert (
        addition("y | trunc(lb = 0, ub = 5)").options == addition("y | trunc(0, 5)").options == (("lb", 0), ("ub", 5))
    )
    assert meaning(addition("y | thres(3, gr = g)")) == {"name": "thres", "arguments": ["3"], "options": [["gr", "g"]]}
    assert len(addition("y | vint(a, b, c)").arguments) == 3
    assert read("cbind(a, b, c) ~ x").response.columns[2].text == "c"


@pytest.mark.parametrize(
    ("left", "culprit", "message"),
    [
        ("y | cens()", "cens()", "takes one column and `y2=`"),
        ("y | cens(a, b, c)", "cens(a, b, c)", "takes one column and `y2=`"),
        ("y | cens(a, b, y2=c)", "cens(a, b, y2=c)", "twice"),
        ("y | cens(a, yy2=c)", "yy2=c", "did you mean `y2`"),
        ("y | cens(y2=c, a)", "a", "behind one with a name"),
        ("y | cens(a, y2=)", "cens(a, y2=)", "is empty"),
        ("y | cens(a,)", "cens(a,)", "is empty"),
        ("y | trunc(1, 2, 3)", "trunc(1, 2, 3)", "takes `lb=` and `ub=`"),
        ("y | vint()", "vint()", "one column or more"),
    ],
)
def test_response_terms_that_are_wrong(left: str, culprit: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        read(f"{left} ~ x")
    shown, carets = str(caught.value).splitlines()[-2:]
    assert shown[carets.index("^") :].startswith(culprit) and carets.count("^") == len(culprit)


# Several responses ---------------------------------------------------------------------------------------------


def test_responses_have_names_and_keys() -> None:
    for formula in (
        bf("mvbind(y_1, log(y2)) | weights(w) ~ x", sigma="~ z"),
        bf("y_1 | weights(w) ~ x", sigma="~ z") + bf("log(y2) | weights(w) ~ x", sigma="~ z"),
    ):
        parsed = read(formula)
        assert [f.name for f in parsed.responses] == ["y1", "logy2"]
        assert [f.response.name for f in parsed.responses] == ["y_1", "log(y2)"]
        assert all(f.response.additions[0].name == "weights" for f in parsed.responses)
        assert [p.key for p in parsed.predictors] == [
            PredictorKey(resp, dpar) for resp in ("y1", "logy2") for dpar in ("mu", "sigma")
        ]
        assert formula_variables(parsed) == ("y_1", "w", "x", "z", "y2")
        with pytest.raises(FormulaError, match=r"several responses \(`y1`, `logy2`\)"):
            _ = parsed.response
    assert read("y ~ x").responses[0].name == "" and read("y ~ x").predictors[0].key == MU


def test_rescor_is_said_once() -> None:
    first, second = bf("y1 ~ x"), bf("y2 ~ z")
    assert read(first + second).rescor is None
    assert read(first + second + set_rescor(True)).rescor is True
    assert read(bf("mvbind(y1, y2) ~ x", rescor=False)).rescor is False
    assert (bf("y1 ~ x", rescor=True) + second + bf("y3 ~ x")).rescor is True
    with pytest.raises(FormulaError, match="say it once"):
        bf("y1 ~ x", rescor=True) + bf("y2 ~ x", rescor=False)
    with pytest.raises(FormulaError, match="several responses"):
        read(bf("y ~ x") + set_rescor(True))
    with pytest.raises(FormulaError, match="True or False"):
        set_rescor("yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", [bf("y_1 ~ x") + bf("y1 ~ x"), "mvbind(y, y) ~ x", "mvbind(`-`, y) ~ x"])
def test_responses_that_cannot_be_told_apart(formula: Any) -> None:
    with pytest.raises(FormulaError, match="by its letters and digits"):
        read(formula)


def test_errors_of_several_formulas_point_into_the_right_one() -> None:
    with pytest.raises(FormulaError, match="`q` is not a column") as caught:
        read(bf("y1 ~ x") + bf("y2 ~ x", sigma="~ q"), ["y1", "y2", "x"])
    assert str(caught.value).splitlines()[-2].strip() == "~ q"
    with pytest.raises(FormulaError, match="`y2` stands among the predictors of `mu`"):
        read(bf("y1 ~ y2") + bf("y2 ~ x + y2"), ["y1", "y2", "x"])
    assert read(bf("y1 ~ y2") + bf("y2 ~ x"), ["y1", "y2", "x"]).responses
    assert read("mvbind(y1, y2) ~ .", ["y1", "y2", "x", "z"]).predictors[1].population.terms == (("x",), ("z",))


# Nonlinear formulas --------------------------------------------------------------------------------------------


def test_nonlinear_formulas_name_parameters_and_columns() -> None:
    formula = bf("y ~ a * exp(-b * x)", "a + b ~ 1 + (1 | g)", sigma="~ z", nonlinear=True)
    assert formula == bf("y ~ a * exp(-b * x)", "a + b ~ 1 + (1 | g)", sigma="~ z", nl=True)
    parsed = read(formula, ["y", "x", "z", "g"])
    assert [p.key for p in parsed.predictors] == [
        *(MU, PredictorKey(nlpar="a"), PredictorKey(nlpar="b"), PredictorKey(dpar="sigma"))
    ]
    nonlinear = parsed.predictors[0].nonlinear
    assert nonlinear is not None
    assert (nonlinear.parameters, nonlinear.covariates) == (("a", "b"), ("x",))
    assert parsed.predictors[0].population.terms == () and not parsed.predictors[0].population.intercept
    assert formula_variables(parsed) == ("y", "x", "z", "g")


def test_nonlinear_formulas_of_other_parameters() -> None:
    parsed = read(bf("y ~ x", sigma="~ exp(c * z)", c="~ d + w", d="~ 1", nonlinear=["sigma", "c"]))
    keys = [(p.key.dpar, p.key.nlpar, p.nonlinear is not None) for p in parsed.predictors]
    assert keys == [("mu", "", False), ("sigma", "", True), ("mu", "c", True), ("mu", "d", False)]


@pytest.mark.parametrize(
    ("formula", "message", "culprit"),
    [
        (bf("y ~ a * b * x", a="~ 1", nl=True), "`b` is neither a column of the data nor a parameter", "b"),
        (bf("y ~ aa * x", aaa="~ 1", nl=True), r"`aa` is neither .*did you mean|`aa` is neither", "aa"),
        (bf("y ~ a + (1 | g)", a="~ 1", nl=True), "neither", "g"),
        (bf("y ~ a:x", a="~ 1", nl=True), "cannot be computed with", ":"),
        (bf("y ~ a + .", a="~ 1", nl=True), "cannot be computed with", "."),
        (bf("y ~ a * y", a="~ 1", nl=True), "explain itself", "y"),
        (bf("y ~ a", a="~ b", b="~ a", nonlinear=["mu", "a", "b"]), "in a circle", ""),
        (bf("y ~ a", a="~ a + x", nonlinear=["mu", "a"]), "in a circle", ""),
        (bf("y ~ x", nonlinear=["sigma"]), "`sigma` has no formula", ""),
    ],
)
def test_nonlinear_formulas_that_are_wrong(formula: Formula, message: str, culprit: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        read(formula, ["y", "x"])
    if culprit:
        shown, carets = str(caught.value).splitlines()[-2:]
        assert shown[carets.index("^") : carets.rindex("^") + 1] == culprit


# What bf says ------------------------------------------------------------------------------------------------


def test_fixed_values_and_families_are_kept() -> None:
    formula = bf("y ~ x", sigma=0.5, nu=3, sigma2="sigma1", family="student")
    assert formula.family == "student"
    assert [(f.key.dpar, f.value) for f in read(formula).responses[0].fixed] == [
        *(("sigma", 0.5), ("nu", 3.0), ("sigma2", "sigma1"))
    ]
    assert str(formula) == "y ~ x\nsigma = 0.5\nnu = 3.0\nsigma2 = sigma1"
    assert [p.key.dpar for p in read(bf("y ~ x", "mu2 + theta1 ~ z", disc="~ 1")).predictors] == [
        *("mu", "mu2", "theta1", "disc")
    ]


def test_the_family_of_a_formula_stands_first() -> None:
    data = {"y": [0, 1, 3, 2, 5, 7], "x": [0.1, 0.5, 1.0, 0.7, 1.5, 2.0]}
    fit = bayesml.fit(bf("y ~ x", family="poisson"), data, method="laplace")
    assert fit.family.name == "poisson" and fit.update(". ~ 1").family.name == "poisson"
    assert fit.update(bf(". ~ .", family="gaussian")).family.name == "gaussian"
    with pytest.raises(bayesml.ModelError, match="poison"):
        bayesml.fit(bf("y ~ x", family="poison"), data)


# What the language has and no stage can fit yet says so, whatever the data are.
DATA = {name: [1.0, 2.0, 4.0, 3.0, 5.0, 9.0] for name in ("y", "y2", "x", "w")} | {
    name: list("aabbcc") for name in ("g", "h")
}


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x + (1 | mm(g, h, pw=w))",
    ],
)
def test_what_is_not_there_yet_is_said(formula: str | Formula) -> None:
    with pytest.raises(FormulaError, match="not available in this version"):
        bayesml.fit(formula, DATA, method="ml")


# Round trips -------------------------------------------------------------------------------------------------


class Writer:
    """Writes random formulas of the language, the new constructs among them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def name(self) -> str:
        return self.pick("x", "z", "w", "`my col`", "v.1", "höhe")

    def factor(self) -> str:
        calls = [f"log({self.name()})", f"poly({self.name()}, 2)", f"I({self.name()}^2)", f"({self.name()} > 0)"]
        return self.pick(self.name(), *calls, self.special())

    def special(self) -> str:
        smooth = f"s({self.name()}, k={self.random.randint(3, 9)}, bs='cr')"
        return self.pick(f"mo({self.name()})", smooth, "s(x, by=f)", "gp(x, z, c=5/4)", f"cs({self.name()})")

    def term(self) -> str:
        one, other = self.factor(), self.factor()
        joined = [f"{one}:{other}", f"{one} * {other}", f"({one} + {other})^2", f"{one} / {self.name()}"]
        return self.pick(one, one, *joined)

    def groups(self, count: int) -> list[str]:
        left = self.pick("1", "x", "1 + x", "0 + x + mo(z)", "1 + `my col`*z")
        middle = self.pick("", "", " p |", " q |")
        sides = [f"{letter}{i}" for i in range(count) for letter in "g"]
        texts = []
        for side in sides:
            called = [f"gr({side}, by=f)", f"gr({side}, cor=FALSE)", f"gr({side}, cov=A, dist='student')"]
            right = self.pick(side, side, f"{side}/b", f"{side}:b", *called, f"mm({side}, h, weights=cbind(w, v.1))")
            single = middle or self.random.random() < 0.7
            texts.append(f"({left} |{middle} {right})" if single else f"({left} || {right})")
        return texts

    def right(self) -> str:
        parts = [self.term() for _ in range(self.random.randint(0, 3))]
        parts += ["offset(log(e))"] * (self.random.random() < 0.2) + self.groups(self.random.randint(0, 2))
        self.random.shuffle(parts)
        return self.pick("", "0 + ", "1 + ") + " + ".join(parts or ["1"])

    def left(self, name: str) -> str:
        terms = self.pick("", "", " | weights(w)", " | trunc(lb=0) + weights(w)", " | cens(cc, y2=u)", " | vint(u, w)")
        return self.pick(name, f"log({name})", f"`{name}`", f"cbind({name}, {name}b, {name}c)") + terms

    def formula(self, name: str = "y") -> Formula:
        left = f"mvbind({name}, log({name}2))" if self.random.random() < 0.15 else self.left(name)
        if self.random.random() < 0.25:
            body = self.pick("a * exp(-b * x)", "a + (x > 2) * b^2", "inv_logit(a) / (1 + `my col`)")
            return bf(f"{left} ~ {body}", f"a ~ {self.right()}", f"b ~ {self.right()}", nl=True)
        others = {"sigma": f"~ {self.right()}"} if self.random.random() < 0.3 else {}
        return bf(f"{left} ~ {self.right()}", **others)

    def model(self) -> ModelFormula:
        if self.random.random() < 0.2:
            return self.formula("y") + self.formula("u") + set_rescor(self.random.random() < 0.5)
        return self.formula()


@pytest.mark.parametrize("seed", range(40))
def test_formulas_are_read_back(seed: int) -> None:
    """Written again from what was read, changed without a change, spaced otherwise, as JSON: the same model."""
    writer = Writer(seed)
    for _ in range(10):
        formula = writer.model()
        try:
            parsed = read(formula)
        except FormulaError as error:
            assert "Two group terms" in str(error) or "differ right of the bar" in str(error), formula
            continue
        assert meaning(read(formula_of(parsed))) == meaning(parsed)
        changed = meaning(read(update_formula(parsed, ". ~ .", LANGUAGE)))
        assert _sorted_terms(changed) == _sorted_terms(meaning(parsed)), formula
        assert meaning(read(_spaced(formula, writer.random))) == meaning(parsed)
        assert formula_from_json(json.loads(json.dumps(formula_to_json(parsed)))) == parsed
        if isinstance(formula, Formula) and not formula.parameters and len(parsed.responses) == 1:
            assert parse(str(parsed), language=LANGUAGE) == parsed


def _sorted_terms(value: Any) -> Any:
    """Return a meaning without the order of terms and factors, which an update may change."""
    if isinstance(value, dict):
        unordered = {"terms", "specials", "groups", "factors"}
        return {
            k: sorted(json.dumps(_sorted_terms(e)) for e in v) if k in unordered else _sorted_terms(v)
            for k, v in value.items()
        }
    if isinstance(value, list):
        flat = all(isinstance(each, str) for each in value)
        return sorted(value) if flat else [_sorted_terms(each) for each in value]
    return value


def _spaced(formula: ModelFormula, rng: random.Random) -> ModelFormula:
    if isinstance(formula, JointFormula):
        return JointFormula(tuple(_respaced(f, rng) for f in formula.formulas), formula.rescor)
    return _respaced(formula, rng)


def _respaced(formula: Formula, rng: random.Random) -> Formula:
    def text(written: str) -> str:
        pieces = [f"{c}{' ' * rng.randint(0, 2)}" if c in "(),:^" else c for c in written]
        return "".join(pieces).replace(" + ", rng.choice([" +\n ", "+", "  +\t"]))

    return Formula(text(formula.text), tuple((n, text(t)) for n, t in formula.parameters), formula.nonlinear)


# Hostile input -----------------------------------------------------------------------------------------------

SCRAPS = (
    *("(", ")", "|", "||", "~", "+", "-", "*", "/", ":", "^", "**", "%in%", ",", "=", "[", "]", ".", "`", "'", '"'),
    *("x", "1", "0", "mo(", "s(", "gr(", "mm(", "cbind(", "mvbind(", "offset(", "NA", "é", "\0", "\n", "\u202e"),
    *("1e999", "<", "==", "!", "&", "c(", "by=", "weights=cbind(", "{", ";", "\\", "💥"),
)


@pytest.mark.parametrize("seed", range(10))
def test_damaged_formulas_are_refused_with_a_formula_error(seed: int) -> None:
    rng = random.Random(seed)
    writer = Writer(seed + 1000)
    for _ in range(60):
        formula = writer.formula()
        text = formula.text
        for _ in range(rng.randint(1, 5)):
            place = rng.randrange(len(text) + 1)
            damage = rng.random()
            if damage < 0.5:
                text = text[:place] + rng.choice(SCRAPS) + text[place:]
            elif damage < 0.8:
                text = text[:place] + text[place + rng.randint(1, 4) :]
            else:
                text = text[:place] + text[place // 2 :]
        try:
            parsed = read(Formula(text, formula.parameters, formula.nonlinear))
            update_formula(parsed, ". ~ . + q", LANGUAGE)
        except FormulaError as error:
            assert len(str(error)) < 2000


LARGE = {
    "specials": "y ~ " + "+".join(f"mo(x{i})" for i in range(3000)),
    "a product of specials": "y ~ " + "*".join(f"mo(x{i})" for i in range(200)),
    "nested specials": "y ~ " + "mo(" * 5000 + "x" + ")" * 5000,
    "arguments": "y ~ s(" + ",".join(["x"] * 20_000) + ")",
    "a long literal": "y ~ s(x, k=c(" + ",".join(["1"] * 20_000) + "))",
    "nested literals": "y ~ s(x, k=" + "c(" * 39 + "1" + ")" * 39 + ")",
    "signs": "y ~ s(x, k=" + "-" * 50_000 + "1)",
    "members": "y ~ (1 | mm(" + ",".join(f"g{i}" for i in range(20_000)) + "))",
    "bars": "y ~ (1 " + "| p " * 20_000 + "| g)",
    "responses": "mvbind(" + ",".join(f"y{i}" for i in range(300)) + ") ~ x",
    "response terms": "y | vint(" + ",".join(["a"] * 20_000) + ") ~ x",
}


@pytest.mark.parametrize("case", LARGE)
def test_large_formulas_are_read_or_refused(case: str) -> None:
    try:
        assert isinstance(read(LARGE[case]), ParsedFormula)
    except FormulaError as error:
        assert len(str(error)) < 2000
