"""The page of a fit: its parts, its pictures, and texts of the user that are no HTML."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from re import findall

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

import bayesml
from bayesml.errors import ModelError
from bayesml.results.fits.fit_object import Fit, PointFit
from bayesml.results.report.reproduce import call_of

HOSTILE = "<script>alert(1)</script>"


def hostile_fit() -> PointFit:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {HOSTILE: rng.normal(size=60), "y & $z$": rng.normal(size=60), "g": np.tile(["<b>a</b>", "'\"", "c"], 20)}
    )
    formula = f"`y & $z$` ~ `{HOSTILE}` * g"
    return bayesml.fit(formula, data, method="map", prior=bayesml.prior("normal(0, 1)", class_="b", lb=-3))


@pytest.fixture(scope="module")
def fits() -> tuple[Fit, PointFit]:
    point = hostile_fit()
    return point.to_normal_draws(400, seed=1), point


@pytest.mark.parametrize("place", [0, 1])
def test_a_page_has_all_parts_and_no_html_of_the_user(fits: tuple[Fit, PointFit], place: int, tmp_path: Path) -> None:
    page = fits[place].report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html == str(page)
    assert "<script" not in page.html and "<b>a" not in page.html and "&lt;script&gt;" in page.html
    assert "<script" not in page._repr_html_() and repr(page).startswith("Report(")
    checks = ["Convergence", "Posterior predictive check"] if place == 0 else ["Residuals"]
    titles = [
        "Model",
        "Data",
        "Priors",
        "Summary",
        *checks,
        "Conditional effects",
        "Comparison",
        "How to reproduce this",
    ]
    assert findall(r'<h2 id="part\d+">(.*?)</h2>', page.html) == titles
    pictures = findall(r"base64,([^\"]*)", page.html)
    assert len(pictures) >= 2 and "src=" not in page.html.replace('src="data:image/png;base64,', "")
    for picture in pictures:
        pixels = image.imread(BytesIO(b64decode(picture)))[..., :3]
        assert np.mean(pixels.min(axis=-1) < 0.9) > 0.005


def test_the_call_of_a_fit_makes_it_again(fits: tuple[Fit, PointFit]) -> None:
    point = fits[1]
    again = eval(call_of(point), {"bayesml": bayesml, "data": point.frame.to_pandas()})
    assert again.logLik == point.logLik and again.problem.description.spec == point.problem.description.spec


def test_calls_of_models_with_further_formulas() -> None:
    data = bayesml.load_dataset("sleepstudy")
    formula = bayesml.bf("Reaction ~ Days", sigma="~ Days")
    fit = bayesml.fit(formula, data, family=bayesml.student(link_sigma="softplus"), method="map")
    again = eval(call_of(fit), {"bayesml": bayesml, "data": data})
    assert again.problem.description.spec == fit.problem.description.spec


def test_a_part_without_an_answer_says_why(fits: tuple[Fit, PointFit], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fit: object) -> None:
        raise ModelError("There is no such thing <here>.")

    monkeypatch.setattr("bayesml.results.report.report.check_model", refuse)
    assert "There is no such thing &lt;here&gt;." in fits[1].report().html


@pytest.mark.parametrize("wrong", [{"path": "page.txt"}, {"path": 3}, {"seed": -1}, {"seed": "a"}])
def test_impossible_options_are_refused(fits: tuple[Fit, PointFit], wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        fits[1].report(**wrong)
