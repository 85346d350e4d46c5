"""What the documentation shows exists and runs: phrase books, code blocks, example scripts."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.engines import NUTS, AbstractEngine, get_engine
from bayesml.engines.nuts.forms import plan
from bayesml.engines.nuts.forms.collapsed.cells import MOST_CELLS
from bayesml.engines.nuts.forms.collapsed.conditions import MOST_COLUMNS
from bayesml.families import get_family
from bayesml.fit import describe_problem
from bayesml.formula import parse
from bayesml.smooths import SMOOTHS

ROOT = Path(__file__).resolve().parents[1]
BRMS, LME4 = (ROOT / "docs" / f"for_{peer}_users.md" for peer in ("brms", "lme4"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PREDICTIONS = (bayesml.Fit.epred, bayesml.Fit.predict)


def rows(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the two cells of each row of the tables of a phrase book."""
    for line in page.read_text().splitlines():
        if line.startswith("| ") and "---" not in line:
            left, right = re.split(r"(?<!\\)\|", line.strip("|"))
            yield left.replace("\\|", "|"), right.replace("\\|", "|")


def spans(cell: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def phrases(page: Path) -> list[str]:
    """Return the Python of a phrase book: the code in the right-hand column of its tables."""
    return list(dict.fromkeys(code for _, right in rows(page) for code in spans(right)))


def is_call(code: str) -> bool:
    return code.startswith(("fit.", "fit[", "bayesml."))


def is_options(code: str) -> bool:
    return re.match(r"[a-z_0-9]+=", code) is not None


CALLS = [(page, code) for page in (BRMS, LME4) for code in phrases(page) if is_call(code)]
OPTIONS = [code for page in (BRMS, LME4) for code in phrases(page) if is_options(code)]
FORMULAS = [code for page in (BRMS, LME4) for code in phrases(page) if code.startswith('"') and "~" in code]
TERMS = [code for page in (BRMS, LME4) for code in phrases(page) if re.fullmatch(r"[a-z]+\([a-z]+, .*\)", code)]
SHARED = TERMS + [
    code
    for page in (BRMS, LME4)
    for left, right in rows(page)
    if right.strip().startswith("the same")
    for code in spans(left)
]


def test_every_phrase_is_of_a_kind_that_is_checked() -> None:
    known = {code for _, code in CALLS} | set(OPTIONS) | set(FORMULAS) | set(TERMS)
    labels = {"print(fit)", "draws", "x", "b", "f", "type", "False", "True"}
    labels |= {"bs", *(f'"{kind}"' for kind in (*SMOOTHS, "fs", "re"))}
    assert {code for page in (BRMS, LME4) for code in phrases(page)} - known <= labels
    assert min(len(CALLS), len(OPTIONS), len(FORMULAS), len(SHARED)) > 5


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(8), 10)
    x = rng.normal(size=80)
    eta = (0.3 + rng.normal(0, 0.7, 8)[group]) * x + rng.normal(size=8)[group]
    return pd.DataFrame(
        {
            "y": 2 * eta + rng.normal(size=80),
            "count": rng.poisson(rng.gamma(2.0, np.exp(rng.normal(0, 0.5, 8))[group])),
            "binary": rng.integers(0, 2, 80),
            "s": rng.binomial(9, 1 / (1 + np.exp(-eta))),
            "n": np.full(80, 9),
            "grade": 1 + np.digitize(eta, [-1.0, 0.5]),
            "x": x,
            "z": rng.normal(size=80),
            "f": np.tile(["a", "b"], 40),
            "g": group,
        }
    )


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> dict[Path, tuple[object, object]]:
    """For each phrase book, a fit with another to compare it with."""
    formula = "y ~ x + (x | g)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # so few draws are too few
        few = bayesml.fit("y ~ x + z + f + (x | g)", data, draws=60, warmup=100, chains=2, seed=1, progress=False)
        fewer = bayesml.fit("y ~ x", data, draws=60, warmup=100, chains=2, seed=1, progress=False)
    return {
        BRMS: (few, fewer),
        LME4: (bayesml.fit(formula, data, method="reml"), bayesml.fit("y ~ x + (1 | g)", data, method="ml")),
    }


@pytest.fixture(scope="module")
def curve(data: pd.DataFrame) -> bayesml.PointFit:
    return bayesml.fit("y ~ s(x, k=5)", data, method="reml")


@pytest.fixture(scope="module")
def mixture(data: pd.DataFrame) -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # so few draws are too few
        family = bayesml.mixture("gaussian", "gaussian")
        return bayesml.fit("y ~ 1", data, family, draws=60, warmup=100, chains=2, seed=1, progress=False)


class Fitting:
    """Stands for the module in phrases: a fit by NUTS is described, not sampled; all else is the module's."""

    RESPONSES = {
        "poisson": "count",
        "negbinomial": "count",
        "zero_inflated_poisson": "count",
        "bernoulli": "binary",
        "cumulative": "grade",
    }

    def __init__(self, data: pd.DataFrame) -> None:
        self.data = data

    def __getattr__(self, name: str) -> object:
        return getattr(bayesml, name)

    def fit(self, formula: object, data: object = None, family: str = "gaussian", **options: object) -> object:
        if formula is ...:
            formula, data = "y ~ x + (1 | g)", self.data
        if data is self.data:
            data = data.assign(y=data[self.RESPONSES.get(family, "y")])
        assert set(options) <= set(inspect.signature(bayesml.fit).parameters)
        method = get_engine(options.get("method", "nuts"))
        if isinstance(method, NUTS):
            return describe_problem(formula, data, family, prior=options.get("prior", ()))
        return bayesml.fit(formula, data, family, **options)


@pytest.mark.parametrize(("page", "code"), CALLS, ids=[f"{page.stem}: {code}" for page, code in CALLS])
def test_every_call_runs(page: Path, code: str, data, fits, curve, mixture, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fit, other = fits[page]
    fit = mixture if "pp_mixture" in code else curve if re.search("k_check|smooths", code) else fit
    fit.save("f.nc" if page == BRMS else "m.nc")
    known = {
        "bayesml": Fitting(data),
        "fit": fit,
        "other": other,
        "d": data,
        "newdata": data.iloc[:3].assign(g=[0, 1, 99]) if "new_levels" in code else data.iloc[:3],
        "new": data.iloc[:3],
        **dict.fromkeys(["d1", "d2"], data),
        **dict.fromkeys(["fit1", "m1", "m2"], fit),
        "fit2": other,
        "draws": fit.spread_draws("r_g[g,term]") if "(draws" in code else None,
        "y": data["y"] + 1.0,
        "s": 2.5,
        "L": [0.0, 1.0],
        "prior1": bayesml.prior("normal(0, 1)", class_="b"),
        "prior2": bayesml.prior("exponential(1)", class_="sd"),
    }
    name = code.replace("b_Days", "b_x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        if "combine([" in code:
            known["fit2"] = fit.update(seed=2)
        if "(loo)" in code:
            known["loo"] = fit.loo()
        assert eval(name, known) is not None or ".save(" in code
    close_figures()


def close_figures() -> None:
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.mark.parametrize("code", OPTIONS)
def test_every_option_exists(code: str, data, fits) -> None:
    given = eval(
        f"dict({code})",
        {"bayesml": bayesml, **dict.fromkeys("AVW", pd.DataFrame(np.eye(8), [*"01234567"], [*"01234567"]))},
    )
    if set(given) <= set(inspect.signature(bayesml.fit).parameters):
        if "family" in given:
            get_family(given.pop("family"))
        if matrices := given.pop("data2", None):
            design = describe_problem(f"x ~ 1 + (1 | gr(g, cov={next(iter(matrices))}))", data, data2=matrices).design
            assert design.schema.predictors[0].groups()
            return
        method = given.pop("method", None) or NUTS(**given)
        assert isinstance(get_engine(method), AbstractEngine)
        return
    if set(given) == {"nl"}:
        assert parse(bayesml.bf("y ~ a", a="~ 1", **given)).predictors[0].nonlinear is not None
        return
    fit, _ = fits[BRMS]
    for predict in PREDICTIONS:
        assert predict(fit, data.iloc[:3], seed=1, **given).shape == (2, 60, 3)


@pytest.mark.parametrize("code", FORMULAS)
def test_every_formula_is_read(code: str) -> None:
    assert parse(ast.literal_eval(code)).predictors


@pytest.mark.parametrize("code", SHARED)
def test_every_shared_formula_is_read(code: str) -> None:
    assert parse(code if "~" in code else f"y ~ {code}").predictors


EVERY_PAGE = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_names_in_the_text_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    known = {name for kind in (bayesml.Fit, bayesml.PointFit) for name in (*dir(kind), *fields_of(kind))}
    options = {name for call in (bayesml.fit, *PREDICTIONS) for name in inspect.signature(call).parameters}
    for code in spans(text):
        for attribute in re.findall(r"(?<!\w)fit\.([a-zA-Z]\w*)", code):
            assert attribute in known | {"py"}, code
        for name in re.findall(r"(?<![\w/])bayesml\.([a-zA-Z]\w*)", code):
            assert hasattr(bayesml, name), code
        if page.name == "how_it_samples.md" and is_options(code):
            assert code.split("=")[0] in options, code


def fields_of(kind: type) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(page: Path, capsys) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL))
    assert "bayesml.fit(" in code
    exec(compile(code, page.name, "exec"), {})
    assert "Reaction ~ Days + (Days | Subject)" in capsys.readouterr().out


def test_readme_shows_what_the_code_prints(capsys) -> None:
    """Estimates as shown, up to Monte Carlo error: another processor rounds in another way, and the chains part."""
    text = (ROOT / "README.md").read_text()
    shown = {
        match[1]: (float(match[2]), float(match[3]))
        for match in re.finditer(r"^(\S+) +(-?[\d.]+) +([\d.]+) +-?[\d.]+ +-?[\d.]+ 1\.00", text, flags=re.MULTILINE)
    }
    data = bayesml.load_dataset("sleepstudy")
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, seed=1, progress=False)
    printed = fit.summary().to_pandas()
    assert len(shown) == len(printed) == 6
    for (estimate, error), (_, row) in zip(shown.values(), printed.iterrows(), strict=True):
        # Worth 2500 independent draws, a mean has the Monte Carlo error 0.02 sd; an sd with a fourth moment of 6 (sd of
        # the Intercept) sqrt((6 - 1) / 4 / 2500) = 0.022 sd. Both sides err: 5 sqrt(2) 0.022 = 0.16.
        assert abs(estimate - row["Estimate"]) < 0.16 * error
        assert abs(error - row["Est.Error"]) < 0.16 * error


def test_readme_shows_the_point_estimate() -> None:
    text = (ROOT / "README.md").read_text()
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
    assert f"```\n{str(fit).strip()}\n```" in text


def test_the_page_on_sampling_states_the_limits_of_the_plan() -> None:
    text = " ".join((ROOT / "docs" / "how_it_samples.md").read_text().split())
    assert f"at most {plan.LARGEST_TAIL} effects" in text
    assert f"at most {plan.LARGEST_WHITENED} dimensions" in text
    assert f"at most {MOST_CELLS} different values" in text
    assert f"at most {MOST_COLUMNS} varying columns" in text
    assert (plan.MOST_OPERATIONS, plan.MOST_ENTRIES) == (3e5, 2e7)
    assert r"$3 \cdot 10^5$" in text
    assert r"$2 \cdot 10^7$" in text
    assert all(name in text for name in plan.BUILDERS)


def test_every_example_is_listed_and_shown() -> None:
    listed = (ROOT / "examples" / "README.md").read_text()
    shown = (ROOT / "docs" / "examples.md").read_text()
    assert EXAMPLES
    for script in EXAMPLES:
        assert f"`{script.name}`" in listed
        assert f"../examples/{script.name}" in shown
    assert set(re.findall(r"`(\w+\.py)`", listed)) == {script.name for script in EXAMPLES}


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_examples_run(script: Path, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    for written in re.findall(r"^Wrote (\S+)$", done.stdout, flags=re.MULTILINE):
        assert (tmp_path / written).stat().st_size > 10_000
