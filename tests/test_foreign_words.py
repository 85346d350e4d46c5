"""Words of brms, lme4 and Bambi: each is taken for ours or answered, and every answer is true."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml.errors import ArgumentError, BayesmlError, FitWarning, ModelError, PriorError, UnknownNameError
from bayesml.families import FAMILIES, get_family
from bayesml.foreign import FAMILY_ADVICE, FAMILY_ALIASES, PLANNED_FAMILIES
from bayesml.foreign.arguments import FIT_ARGUMENTS, METHOD_ARGUMENTS, PRIOR_ARGUMENTS
from bayesml.foreign.functions import MODULE
from bayesml.foreign.verbs import POINT, SAMPLED
from bayesml.foreign.word import Word
from bayesml.results.fits.fit_object import PointFit

DOCS = Path(__file__).resolve().parents[1] / "docs"
DATA = {"y": [1.0, 2.0, 4.0, 3.0, 5.5, 6.0, 2.5, 3.5], "x": [0.0, 1, 2, 3, 4, 5, 6, 7], "g": list("aabbccdd")}
FORMULA = "y ~ x + (1 | g)"
FIT_CLASSES = (bayesml.Fit, PointFit)
WORDS = (*FIT_ARGUMENTS, *PRIOR_ARGUMENTS, *METHOD_ARGUMENTS, *SAMPLED, *POINT, *MODULE)


@pytest.fixture(scope="module")
def point() -> PointFit:
    return bayesml.fit(FORMULA, DATA, method="ml")  # type: ignore[return-value]


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def methods() -> Iterator[Any]:
    for cls in FIT_CLASSES:
        yield from (value for name, value in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_"))


# The table ------------------------------------------------------------------------------------------------------------


def test_every_word_is_answered() -> None:
    for word in WORDS:
        assert word.word.isidentifier()
        assert word.origin
        assert bool(word.here) != bool(word.alias), word


def test_aliases_are_names_of_ours() -> None:
    every = set.union(*(parameters(method) for method in methods()))
    assert {word.alias for word in FIT_ARGUMENTS} - {""} <= parameters(bayesml.fit)
    assert {word.alias for word in PRIOR_ARGUMENTS} - {""} <= parameters(bayesml.prior)
    assert {word.alias for word in METHOD_ARGUMENTS} - {""} <= every
    assert {word.alias for word in SAMPLED} - {""} <= set(dir(bayesml.Fit))
    assert {word.alias for word in POINT} - {""} <= set(dir(PointFit))
    for word in MODULE:
        if word.alias:
            assert getattr(bayesml, word.word) is eval(f"bayesml.{word.alias}")


def code_of(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def check_our_code(code: str) -> None:
    """Every name behind ``fit.`` and ``bayesml.`` exists, and every argument of ``bayesml.fit`` is one."""
    for name in re.findall(r"\bfit\.(\w+)", code):
        assert name == "nc" or any(name in dir(cls) or name in cls.__dataclass_fields__ for cls in FIT_CLASSES), code
    for path in re.findall(r"\bbayesml\.([A-Za-z][\w.]*)", code):
        found: Any = bayesml
        for part in path.split("."):
            assert part in dir(found) or part in vars(found), code
            found = getattr(found, part)
    for call in re.findall(r"bayesml\.fit\((.*)\)$", code):
        written = f"f({call})".replace("...,", "").replace("(...)", "()")
        node = ast.parse(written, mode="eval").body
        assert isinstance(node, ast.Call)
        assert {keyword.arg for keyword in node.keywords} <= parameters(bayesml.fit), code


def test_what_the_answers_say_exists() -> None:
    for word in WORDS:
        for code in code_of(word.here):
            check_our_code(code)


# The phrase books -----------------------------------------------------------------------------------------------------

R_ITSELF = {"list", "paste0", "c", "plot", "rds", "data", "formula", "character"}
IN_FORMULAS = {
    "I",
    "log",
    "poly",
    "offset",
    "trials",
    "weights",
    "se",
    "cbind",
    "x",
    "y",
    "sigma",
    "binomial",
    "poisson",
}


def phrases() -> list[tuple[str, str, str]]:
    """Return page, their code and ours of each row of the phrase books; what stands in formulas is formula language."""
    rows, heading = [], ""
    for page in ("for_brms_users", "for_lme4_users", "for_bambi_users"):
        for line in (DOCS / f"{page}.md").read_text().splitlines():
            heading = line if line.startswith("## ") else heading
            if line.startswith("| `") and heading != "## Formulas":
                left, right = re.split(r"(?<!\\)\|", line.strip("| "))[:2]
                rows.append((page, left.replace("\\|", "|"), right.replace("\\|", "|")))
    return rows


def test_phrase_books_and_table_agree() -> None:
    words = {word.word for word in WORDS}
    known = words | set(dir(bayesml)) | set(dir(bayesml.Fit)) | set(dir(PointFit)) | R_ITSELF | IN_FORMULAS
    known |= set(FAMILIES) | parameters(bayesml.fit) | parameters(bayesml.prior) | {"class", "s", "sd", "max_treedepth"}
    known |= set().union(*(parameters(method) for method in methods()))
    known |= parameters(bayesml.R2D2) | parameters(bayesml.horseshoe)
    for page, theirs, ours in phrases():
        for code in code_of(theirs):
            bare = re.sub(r'"[^"]*"', '""', code).replace("az.", "").replace("bmb.", "").replace("interpret.", "")
            bare = re.sub(r"\b(model|idata)\.", "", bare)
            names = re.findall(r"([A-Za-z][\w.]*)\(", bare) + re.findall(r"([A-Za-z][\w.]*)\s*=(?!=)", bare)
            for name in names:
                assert name.replace(".", "_") in known, f"{page}: `{name}` of {code} is not in the table"
        for code in code_of(ours):
            check_our_code(code)


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [word for word in FIT_ARGUMENTS if word.here], ids=lambda word: word.word)
def test_fit_names_our_argument(word: Word) -> None:
    with pytest.raises(ArgumentError, match=f"no argument `{word.word}`") as caught:
        bayesml.fit(FORMULA, DATA, method="ml", **{word.word: 1})
    assert word.here in str(caught.value)
    assert isinstance(caught.value, (ModelError, TypeError))


@pytest.mark.parametrize("word", [word for word in FIT_ARGUMENTS if word.alias], ids=lambda word: word.word)
def test_fit_takes_what_means_the_same(word: Word) -> None:
    if word.alias == "prior":
        with pytest.raises(PriorError, match="`prior` takes"):
            bayesml.fit(FORMULA, DATA, method="ml", **{word.word: 1})
        return
    with pytest.raises(ModelError, match=f'method="ml" has no option `{word.alias}`'):
        bayesml.fit(FORMULA, DATA, method="ml", **{word.word: 1})


def test_fits_with_draws_take_what_means_the_same(point: PointFit) -> None:
    fit = point.to_normal_draws(ndraws=40, seed=1)
    np.testing.assert_array_equal(
        fit.posterior_epred(re_form="NA", nsamples=5, random_seed=1), fit.epred(re_formula="NA", ndraws=5, seed=1)
    )
    np.testing.assert_array_equal(fit.posterior_predict(data=DATA, random_seed=1), fit.predict(DATA, seed=1))
    assert fit.as_draws_df().equals(fit.draws())
    assert fit.VarCorr().keys() == fit.varcorr().keys()
    assert fit.traces is fit.idata
    with pytest.raises(UnknownNameError, match=r"fit.loo\(subsample"):
        fit.loo_subsample()
    with pytest.raises(UnknownNameError, match=r"fit.aic"):
        fit.AIC()
    with pytest.raises(ArgumentError, match="uncertainty"):
        fit.predict(DATA, allow_new_levels=True)
    assert copy.copy(fit).nobs == 8


def test_options_of_an_engine_are_arguments_of_fit() -> None:
    assert bayesml.NUTS(tune=100, num_chains=2, adapt_delta=0.9) == bayesml.NUTS(
        warmup=100, chains=2, target_accept=0.9
    )
    with pytest.raises(ArgumentError, match=r"^NUTS\(\): .*`iter` \(brms\). Write `warmup=1000, draws=1000`"):
        bayesml.NUTS(iter=2000)
    with pytest.raises(ArgumentError, match=r"^Laplace\(\): .*quadrature_points=9"):
        bayesml.Laplace(nAGQ=9)


def test_what_comes_by_place_is_counted(point: PointFit) -> None:
    with pytest.raises(ArgumentError, match=r"Got 4 arguments by position, .* 3 \(`formula`, `data`, `family`\). Name"):
        bayesml.fit(FORMULA, DATA, "gaussian", [])
    with pytest.raises(ArgumentError, match=r"^predict\(\): Got 2 .* 1 \(`newdata`\)"):
        point.predict(DATA, "NA")
    with pytest.raises(TypeError, match="data"):
        bayesml.fit(FORMULA)


def test_typing_errors_are_answered() -> None:
    with pytest.raises(ArgumentError, match=r"`drws` \(did you mean `draws`\?\); there are `formula`, `data`"):
        bayesml.fit(FORMULA, DATA, drws=1)
    with pytest.raises(ArgumentError, match=r"`itr` \(did you mean `iter` of brms\? Write `warmup=1000, draws=1000`"):
        bayesml.fit(FORMULA, DATA, itr=1)
    with pytest.raises(ArgumentError, match="`iter`.*`cores`"):
        bayesml.fit(FORMULA, DATA, iter=1, cores=4)
    with pytest.raises(ArgumentError, match="`seed` are the same; give one"):
        bayesml.fit(FORMULA, DATA, random_seed=1, seed=2)
    with pytest.raises(ArgumentError, match="are the same; give one"):
        bayesml.fit(FORMULA, DATA, tune=1, num_warmup=2)
    with pytest.raises(ArgumentError, match="priors are always checked"):
        bayesml.prior("normal(0, 1)", check=True)
    assert bayesml.set_prior("normal(0, 1)", cls="b") == bayesml.prior("normal(0, 1)", class_="b")


POINT_CALLS = {
    "re_form": (lambda fit: fit.predict(re_form="NA"), lambda fit: fit.predict(re_formula="NA")),
    "data": (lambda fit: fit.predict(data=DATA), lambda fit: fit.predict(newdata=DATA)),
    "se_fit": (lambda fit: fit.predict(se_fit=True), lambda fit: fit.predict(se=True)),
    "level": (
        lambda fit: fit.predict(interval="confidence", level=0.9),
        lambda fit: fit.predict(interval="confidence", prob=0.9),
    ),
    "prob": (lambda fit: fit.confint(prob=0.9), lambda fit: fit.confint(level=0.9)),
    "nsim": (lambda fit: fit.simulate(nsim=2, seed=1), lambda fit: fit.simulate(2, seed=1)),
    "avg_margins": (
        lambda fit: fit.avg_margins("x")["estimate"],
        lambda fit: fit.avg_slopes("x")["estimate"],
    ),
    "resid": (lambda fit: fit.resid(), lambda fit: fit.residuals()),
}


@pytest.mark.parametrize("case", POINT_CALLS)
def test_point_estimates_take_what_means_the_same(case: str, point: PointFit) -> None:
    theirs, ours = POINT_CALLS[case]
    np.testing.assert_array_equal(np.asarray(theirs(point)), np.asarray(ours(point)))


REFUSED = {
    "allow_new_levels": (lambda fit: fit.predict(DATA, allow_new_levels=True), 'new_levels="zero"'),
    "type": (lambda fit: fit.linpred(type="link"), "fit.linpred()"),
    "ndraws": (lambda fit: fit.predict(ndraws=3), "to_normal_draws"),
    "probs": (lambda fit: fit.summary(probs=(0.1, 0.9)), "prob=0.9"),
    "newdat": (lambda fit: fit.predict(newdat=DATA), "did you mean `newdata`"),
    "AIC": (lambda fit: fit.AIC(), "`fit.aic`"),
    "isSingular": (lambda fit: fit.isSingular(), "`fit.is_singular`"),
    "tab_model": (lambda fit: fit.tab_model(), "`fit.summary()`"),
    "hypothesis": (lambda fit: fit.hypothesis("x > 0"), "fit.contrast"),
    "posterior_predict": (lambda fit: fit.posterior_predict(), "fit.simulate(10)"),
    "typing error": (lambda fit: fit.fixeff(), "did you mean `fixef`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_point_estimates_say_how_to_write_it(case: str, point: PointFit) -> None:
    call, said = REFUSED[case]
    with pytest.raises(BayesmlError, match=re.escape(said)) as caught:
        call(point)
    assert isinstance(caught.value, (AttributeError, TypeError))


# Names ----------------------------------------------------------------------------------------------------------------


def test_protocols_are_left_alone(point: PointFit) -> None:
    for name in ("__getstate_of_mine__", "_ipython_display_", "_repr_png_", "__array__"):
        with pytest.raises(AttributeError) as caught:
            getattr(point, name)
        assert not isinstance(caught.value, BayesmlError)
    assert copy.copy(point).logLik == point.logLik
    assert not hasattr(point, "VarCor")
    assert not {word.word for word in (*SAMPLED, *POINT)} & (set(vars(point)) - set(dir(PointFit)))
    bare = object.__new__(PointFit)
    with pytest.raises(AttributeError):
        _ = bare.problem
    assert pickle.loads(pickle.dumps(UnknownNameError("text"))).args == ("text",)


def test_what_a_value_raises_is_not_hidden(point: PointFit) -> None:
    class Broken:
        posterior = None

    broken = copy.copy(point)
    object.__setattr__(broken, "outcome", Broken())
    with pytest.raises(AttributeError, match="log_likelihood"):
        _ = broken.logLik


def test_names_are_not_listed() -> None:
    for word in MODULE:
        try:
            getattr(bayesml, word.word)
        except UnknownNameError:
            assert word.here
    assert not {"Gamma", "VarCorr", "brm", "get_prior", "lmer"} & set(dir(bayesml))
    assert {"families", "fit", "prior"} <= set(dir(bayesml))
    assert not {"VarCorr", "posterior_predict"} & {*dir(bayesml.Fit), *dir(PointFit)}


@pytest.mark.parametrize(
    ("name", "said"),
    {
        "lmer": 'method="reml"',
        "Model": "bayesml.fit(",
        "VarCorr": "fit.varcorr()",
        "AIC": "fit.aic",
        "posterior_predict": "fit.predict()",
        min(PLANNED_FAMILIES): "not there yet",
        "gam": "s(x)",
        "loo": "fit.loo()",
        "loadd": "did you mean `load`",
    }.items(),
)
def test_the_package_says_how_to_write_it(name: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(said)) as caught:
        getattr(bayesml, name)
    assert isinstance(caught.value, AttributeError)


def test_the_package_takes_what_means_the_same() -> None:
    assert bayesml.brm is bayesml.fit
    assert bayesml.get_prior is bayesml.default_prior
    assert bayesml.Gamma is bayesml.families.gamma
    assert bayesml.Beta is bayesml.families.beta
    assert bayesml.load_data is bayesml.load_dataset


# Families, priors and methods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FAMILIES, *FAMILY_ALIASES])
def test_families_in_any_case(name: str) -> None:
    own = FAMILY_ALIASES.get(name, name)
    for text in (name, name.upper(), name.capitalize(), f" {name} ", name.replace("_", "-"), f"{name}()"):
        assert get_family(text).name == own
    with pytest.raises(ModelError, match=rf'bayesml\.families\.{own}\(link="log"\)'):
        get_family(f'{name}(link="log")')


@pytest.mark.parametrize("name", ["truncated_poisson", "truncated_nbinom1", "truncated_nbinom2", "truncated_compois"])
def test_truncated_families_of_glmmtmb_are_a_response_term(name: str) -> None:
    with pytest.raises(ModelError, match=r"trunc\(lb = 1\)"):
        get_family(name)


@pytest.mark.parametrize("name", sorted(PLANNED_FAMILIES))
def test_families_that_are_not_there_yet(name: str) -> None:
    with pytest.raises(ModelError, match="not there yet. There are gaussian") as caught:
        get_family(name.replace("_", "."))
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", ["BetaBinomial2"])
def test_families_that_are_not_there_yet_as_bambi_writes_them(name: str) -> None:
    with pytest.raises(ModelError, match="not there yet") as caught:
        get_family(name)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("HurdleNegativeBinomial", "hurdle_negbinomial"),
        ("ZeroInflatedNegativeBinomial", "zero_inflated_negbinomial"),
        ("ZeroInflatedBinomial", "zero_inflated_binomial"),
        ("BetaBinomial", "beta_binomial"),
        ("DirichletMultinomial", "dirichlet_multinomial"),
        ("HurdleGamma", "hurdle_gamma"),
        ("StudentT", "student"),
        ("AsymmetricLaplace", "asym_laplace"),
        ("Wald", "inverse_gaussian"),
        ("VonMises", "von_mises"),
    ],
)
def test_families_as_bambi_writes_them(name: str, ours: str) -> None:
    assert get_family(name).name == ours


@pytest.mark.parametrize(
    ("name", "hint"),
    [("binom", "`binomial`"), ("gausian", "`gaussian`"), ("poison", "`poisson`"), ("negbinom", "`neg")],
)
def test_families_misspelled(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=f"did you mean {hint}"):
        get_family(name)


@pytest.mark.parametrize("name", ["bellpoisson", "halfgaussian", "gammalog"])
def test_another_family_is_not_suggested(name: str) -> None:
    with pytest.raises(ModelError, match="There is no family") as caught:
        get_family(name)
    assert "did you mean" not in str(caught.value)


def test_names_of_families_have_one_meaning() -> None:
    groups = (set(FAMILIES), set(FAMILY_ALIASES), set(PLANNED_FAMILIES), set(FAMILY_ADVICE))
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert set(FAMILY_ALIASES.values()) <= set(FAMILIES)


NAMESAKES = {
    "lognormal": bayesml.lognormal(0, 1),
    "gamma": bayesml.gamma(2, 1),
    "beta": bayesml.beta(1, 2),
    "exponential": bayesml.exponential(1),
    "weibull": bayesml.weibull(1, 2),
    "normal": bayesml.normal(0, 1),
    "student_t": bayesml.student_t(3, 0, 1),
}


@pytest.mark.parametrize("name", NAMESAKES)
def test_a_prior_is_no_family(name: str) -> None:
    said = {"normal": 'family="gaussian"', "student_t": 'family="student"'}
    for family in (getattr(bayesml, name), NAMESAKES[name]):
        with pytest.raises(ModelError, match="`family` got .*, the prior distribution") as caught:
            bayesml.fit(FORMULA, DATA, family=family)
        assert said.get(name, f'family="{name}"') in str(caught.value)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_no_prior(name: str) -> None:
    family = FAMILIES[name]
    for given in (family, family()):
        with pytest.raises(PriorError, match=f"got the family {name}, which is for `family=`"):
            bayesml.prior(given)  # type: ignore[arg-type]
        with pytest.raises(PriorError, match=f"got the family {name}"):
            bayesml.fit(FORMULA, DATA, prior=[given])


@pytest.mark.parametrize("family", [print, np.array, 3, None, bayesml.fit, bayesml.families, object(), "", "xyz"])
def test_what_is_no_family_ends_in_our_error(family: Any) -> None:
    with pytest.raises(ModelError, match="famil"):
        get_family(family)


def test_methods_in_any_case() -> None:
    from bayesml.engines import get_engine

    assert get_engine("REML") == get_engine(" reml ") == get_engine(bayesml.REML) == bayesml.REML()
    assert get_engine("MCMC") == get_engine("NUTS") == bayesml.NUTS()
    assert get_engine("Laplace").method == "laplace"
    with pytest.raises(ModelError, match='a family: write family="poisson"'):
        get_engine("poisson")
    with pytest.raises(ModelError, match="a method: write method="):
        get_family("REML")
    for wrong in ("vi", 3, None, bayesml.fit, "remll"):
        with pytest.raises(ModelError, match='`method` is "nuts", "reml"'):
            get_engine(wrong)  # type: ignore[arg-type]


def test_warnings_point_at_the_line_of_the_user() -> None:
    with pytest.warns(FitWarning, match="missing value") as caught:
        bayesml.fit(FORMULA, {**DATA, "x": [None, *DATA["x"][1:]]}, method="ml")
    assert all(warning.filename == __file__ for warning in caught)


# Words of the other kind of fit, and what is close to none ------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled(point: PointFit) -> bayesml.Fit:
    return point.to_normal_draws(ndraws=8, seed=1)


def sought(fit: Any, name: str) -> str:
    """Return what is said of a name; nothing where it is taken."""
    try:
        getattr(fit, name)
    except BayesmlError as error:
        return str(error)
    return ""


def test_each_kind_of_fit_answers_the_words_of_the_other(point: PointFit, sampled: bayesml.Fit) -> None:
    for name in {word.word for word in (*SAMPLED, *POINT)}:
        for fit in (point, sampled):
            said = sought(fit, name)
            assert not said.endswith(f"has no `{name}`.") and "did you mean" not in said, name
            for code in code_of(said):
                check_our_code(code)
                for verb in re.findall(r"to_normal_draws\(\)\.(\w+)", code):
                    assert verb in {*dir(bayesml.Fit), *bayesml.Fit.__dataclass_fields__}, code


def test_words_of_draws_lead_from_a_point_estimate_to_draws(point: PointFit, sampled: bayesml.Fit) -> None:
    assert "`fit.to_normal_draws().forest`" in sought(point, "mcmc_plot")
    assert '`fit.to_normal_draws().idata["posterior"]`' in sought(point, "as_draws_array")
    assert "`fit.to_normal_draws().spread_draws()`" in sought(point, "spread_draws")
    assert "`fit.contrast`" not in sought(point, "contest")
    assert "It belongs to point estimates" in sought(sampled, "REMLcrit")
    assert "It belongs to point estimates" in sought(sampled, "rand")
    assert '`fit.fixef()["Est.Error"]`' in sought(sampled, "bse")
    assert '`fit.fixef()["Std.Error"]`' in sought(point, "bse")


@pytest.mark.parametrize(
    ("name", "said"),
    [("lattice", "no `lattice`."), ("brms", "no `brms`."), ("sumary", "`summary`?")],
)
def test_only_what_is_close_is_suggested(name: str, said: str, point: PointFit) -> None:
    assert said in sought(point, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: fit.residuals(newdata=DATA),
        lambda fit: fit.varcorr(sigma=1),
        lambda fit: fit.vcov(pars="x"),
        lambda fit: fit.influence(newdata=DATA),
        lambda fit: fit.emtrends("x", specs="x"),
    ],
)
def test_arguments_that_are_not_there_are_not_suggested(call: Any, point: PointFit) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(point)
    suggested = re.findall(r"did you mean `(\w+)`\?", str(caught.value))
    assert set(suggested) <= set(re.findall(r"`(\w+)`", str(caught.value).partition("there are ")[2]))


def test_fits_with_draws_are_not_told_of_point_estimates_alone(sampled: bayesml.Fit) -> None:
    with pytest.raises(ArgumentError, match="There is no choice here"):
        sampled.varcorr(summary=True)  # type: ignore[call-arg]


def test_what_stands_in_formulas_is_no_function_of_the_package() -> None:
    for name in ("s", "mo", "gp", "poly", "offset", "weights", "gr"):
        with pytest.raises(UnknownNameError, match="stands within the text of a formula"):
            getattr(bayesml, name)


def test_answers_that_lead_to_other_fits_are_true() -> None:
    point = bayesml.fit("Reaction ~ Days + (1 | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
    point = point.update(method="ml")  # refitML
    assert point.method == "ml"
    assert len(bayesml.anova(point, point.update(". ~ . + I(Days^2)"))) == 2  # add1
    assert "studentised" in point.influence()  # rstudent
    assert not point.emmeans("Days", at={"Days": [0, 1]}).contrasts(adjust="holm").empty
