"""``fit(file=)``: what was fitted is read again, and fitted again where it has changed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bayesml
from bayesml.errors import FitWarning, ModelError

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return bayesml.load_dataset("sleepstudy")


def when(path):
    return path.stat().st_mtime_ns


def test_a_fit_is_written_and_read(tmp_path, sleep):
    first = bayesml.fit(FORMULA, sleep, method="ml", file=tmp_path / "m1")
    written = when(tmp_path / "m1.nc")
    again = bayesml.fit(FORMULA, sleep, method="ml", file=str(tmp_path / "m1.nc"))
    assert when(tmp_path / "m1.nc") == written
    assert again.logLik == first.logLik


CHANGES = {
    "formula": {"formula": "Reaction ~ Days + (1 | Subject)"},
    "family": {"family": "student"},
    "priors": {"prior": bayesml.prior("normal(0, 5)", class_="b")},
    "default priors": {"default_priors": "brms"},
    "method": {"method": "laplace"},
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_change_is_noticed(tmp_path, sleep, part):
    asked = {"formula": FORMULA, "data": sleep, "method": "map", "file": tmp_path / "m"}
    bayesml.fit(**asked)
    written = when(tmp_path / "m.nc")
    with pytest.warns(FitWarning, match=f"differs in {part}"):
        bayesml.fit(**asked | CHANGES[part])
    assert when(tmp_path / "m.nc") == written
    changed = bayesml.fit(**asked | CHANGES[part], file_refit="on_change")
    assert when(tmp_path / "m.nc") != written
    assert bayesml.load(tmp_path / "m.nc").logLik == changed.logLik


def test_changed_data_are_noticed(tmp_path, sleep):
    asked = {"formula": FORMULA, "method": "ml", "file": tmp_path / "m", "file_refit": "on_change"}
    bayesml.fit(data=sleep, **asked)
    written = when(tmp_path / "m.nc")
    bayesml.fit(data=sleep.assign(other=1.0), **asked)  # a column that is not used
    assert when(tmp_path / "m.nc") == written
    values = sleep["Reaction"].to_numpy().copy()
    values[7] *= 1.0 + 1e-12
    bayesml.fit(data=sleep.assign(Reaction=values), **asked)
    second = when(tmp_path / "m.nc")
    assert second != written
    renamed = sleep.assign(Reaction=values, Subject="s" + sleep["Subject"].astype(str))
    bayesml.fit(data=renamed, **asked)
    assert when(tmp_path / "m.nc") != second


def test_spaces_and_the_order_of_priors_are_no_change(tmp_path, sleep):
    priors = [bayesml.prior("normal(0, 5)", class_="b"), bayesml.prior("exponential(0.1)", class_="sd")]
    asked = {"data": sleep, "method": "map", "file": tmp_path / "m", "file_refit": "on_change"}
    bayesml.fit("Reaction ~ Days + (Days | Subject)", prior=priors, **asked)
    written = when(tmp_path / "m.nc")
    bayesml.fit("Reaction~Days+(Days|Subject)", prior=priors[::-1], **asked)
    assert when(tmp_path / "m.nc") == written


def test_a_function_that_computes_something_else_is_noticed(tmp_path, sleep):
    asked = {"data": sleep, "method": "laplace", "file": tmp_path / "m", "file_refit": "on_change"}
    for divisor, changes in ((10.0, True), (10.0, False), (20.0, True)):
        before = when(tmp_path / "m.nc") if (tmp_path / "m.nc").exists() else None
        bayesml.fit("Reaction ~ half(Days)", functions={"half": lambda x, d=divisor: x / d}, **asked)
        assert (when(tmp_path / "m.nc") != before) == changes


def test_options_of_the_sampler(tmp_path, sleep):
    asked = {"sample_prior": "only", "progress": False, "file": tmp_path / "m", "file_refit": "on_change"}
    first = bayesml.fit("Reaction ~ Days", sleep, draws=20, chains=2, **asked)
    written = when(tmp_path / "m.nc")
    read = bayesml.fit("Reaction ~ Days", sleep, draws=20, chains=2, **asked | {"progress": True})
    assert when(tmp_path / "m.nc") == written
    np.testing.assert_array_equal(read.draws_record.values["b"], first.draws_record.values["b"])
    assert bayesml.fit("Reaction ~ Days", sleep, draws=30, chains=2, **asked).draws_record.n_draws == 30
    assert bayesml.fit("Reaction ~ Days", sleep, draws=30, chains=2, seed=first.seed + 1, **asked).seed != first.seed


def test_always_fits_again(tmp_path, sleep):
    for _ in range(2):
        before = when(tmp_path / "m.nc") if (tmp_path / "m.nc").exists() else None
        bayesml.fit(FORMULA, sleep, method="ml", file=tmp_path / "m", file_refit="always")
        assert when(tmp_path / "m.nc") != before


@pytest.mark.parametrize("refit", ["never", "on_change", "always"])
def test_a_file_of_something_else_is_not_written_over(tmp_path, sleep, refit):
    (tmp_path / "notes.nc").write_text("dear diary")
    with pytest.raises(ModelError, match="not a fit saved by bayesml"):
        bayesml.fit(FORMULA, sleep, method="ml", file=tmp_path / "notes", file_refit=refit)
    assert (tmp_path / "notes.nc").read_text() == "dear diary"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": "m", "file_refit": "sometimes"}, '"never", "on_change", "always"'),
        ({"file_refit": "always"}, "file="),
        ({"file": 3}, "name of a file"),
        ({"file": ""}, "name of a file"),
        ({"file": "no/such/folder/m"}, "does not exist"),
    ],
)
def test_mistakes_are_told_before_the_fit(sleep, options, message):
    with warnings.catch_warnings(), pytest.raises(ModelError, match=message):
        bayesml.fit("nonsense ~ (", sleep, **options)
