"""Saving and loading: what comes back is what was saved, and what is no saved fit is refused by name."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from bayesml.errors import BayesmlError, ModelError
from bayesml.families import get_family, poisson
from bayesml.formula import bf
from bayesml.keys import MU
from bayesml.priors import prior
from bayesml.results.storage.fingerprint import differing_array, fingerprint
from bayesml.results.storage.io import load, save
from bayesml.results.tables import tables
from bayesml.results.tables.summary import summary
from tests.handmade import ENGINE, handmade_fit, sleep


def many_kinds():
    rng = np.random.default_rng(2)
    n = 60
    return sleep() | {
        "count": rng.poisson(3, n),
        "size": np.full(n, 12),
        "yes": np.tile(["no", "yes"], 30),
        "truth": np.tile([True, False, True], 20),
        "w": rng.uniform(0.5, 2.0, n),
        "x": rng.normal(size=n),
        "z": rng.normal(size=n),
        "a/b": np.tile(["ja / nein", "größer", "[x]"], 20),
    }


MODELS = [
    ("Reaction ~ Days + (Days | Subject)", "gaussian"),
    ("Reaction ~ z:x + . ", "gaussian"),
    ("log(Reaction) ~ poly(x, 2) + bs(z, df=4) + (Days || Subject) + (1 | Dose/Subject)", "student"),
    ("Reaction | weights(w) ~ Dose * truth + offset(x) + (1 | `a/b`)", "gaussian"),
    ("count | trials(size) ~ C(Dose, contr.sum) + (x | Subject)", "binomial"),
    ("count ~ 0 + Dose + (1 | Subject)", poisson(link="sqrt")),
    ("yes ~ x + (1 | Subject)", "bernoulli"),
    (bf("Reaction ~ x + (1 | Subject)", sigma="~ z + (1 | Subject)"), "gaussian"),
    ("Reaction | se(w, sigma=True) ~ x + (1 | Subject)", "gaussian"),
]


@pytest.mark.parametrize(("formula", "family"), MODELS, ids=[str(formula) for formula, _ in MODELS])
def test_what_was_saved_comes_back(tmp_path, formula, family):
    fit = handmade_fit(formula, many_kinds(), family)
    save(fit, tmp_path / "fit.nc")
    found = load(tmp_path / "fit.nc")
    assert found.variables == fit.variables
    assert found.parsed == fit.parsed
    assert found.problem.family == fit.problem.family
    assert found.problem.description.spec == fit.problem.description.spec
    assert repr(found.problem.design.schema.predictors) == repr(fit.problem.design.schema.predictors)
    assert (found.engine, found.outcome.timing, found.data_name) == (fit.engine, fit.outcome.timing, fit.data_name)
    for group in ("values", "statistics", "prior"):
        ours, theirs = getattr(fit.draws_record, group), getattr(found.draws_record, group)
        assert set(ours) == set(theirs)
        for name, values in ours.items():
            np.testing.assert_array_equal(theirs[name], values)
            assert theirs[name].dtype == values.dtype
    assert str(summary(found)) == str(summary(fit))
    assert tables.draws(found).equals(tables.draws(fit))


def test_data_come_back_column_by_column(tmp_path):
    fit = handmade_fit("Reaction ~ Dose + truth + (1 | `a/b`)", many_kinds())
    save(fit, tmp_path / "fit.nc")
    found = load(tmp_path / "fit.nc").frame
    assert list(found.columns) == list(fit.frame.columns)
    for name, column in fit.frame.columns.items():
        for field in fields(column):
            ours, theirs = getattr(column, field.name), getattr(found.columns[name], field.name)
            assert np.array_equal(ours, theirs) if field.name == "values" else ours == theirs
    np.testing.assert_array_equal(found.rows, fit.frame.rows)


def test_priors_options_and_state_come_back(tmp_path):
    priors = (
        prior("normal(0, 0.1)", coef="Days"),
        prior("exponential(1/30)", class_="sigma"),
        prior("lkj(2)", class_="cor"),
        prior("normal(1, 2)", class_="sd", group="Subject", coef="Days", ub=30),
        prior("flat", class_="Intercept"),
    )
    engine = replace(ENGINE, sample_prior="yes", target_accept=0.95)
    fit = handmade_fit(
        "Reaction ~ Days + (Days | Subject)", sleep(), priors=priors, engine=engine, incomplete=True, data_name="Schlaf"
    )
    save(fit, str(tmp_path / "fit.nc"))
    found = load(str(tmp_path / "fit.nc"))
    assert (found.priors, found.engine, found.data_name) == (priors, engine, "Schlaf")
    assert found.outcome.incomplete and found.seed == fit.seed
    assert set(found.draws_record.prior) == set(fit.draws_record.values)
    assert found.problem.description.priors == fit.problem.description.priors


def test_draws_from_the_prior_alone_come_back(tmp_path):
    fit = handmade_fit("Reaction ~ Days", sleep(), engine=replace(ENGINE, sample_prior="only"))
    save(fit, tmp_path / "fit.nc")
    assert not load(tmp_path / "fit.nc").draws_record.statistics


def test_functions_are_asked_for_by_name(tmp_path):
    fit = handmade_fit("Reaction ~ halve(Days)", sleep(), functions={"halve": lambda x: x / 2})
    save(fit, tmp_path / "fit.nc")
    with pytest.raises(ModelError, match='functions={"halve": halve}'):
        load(tmp_path / "fit.nc")
    found = load(tmp_path / "fit.nc", functions={"halve": lambda x: x / 2})
    assert str(summary(found)) == str(summary(fit))
    with pytest.raises(ModelError, match="encoded differently here"):
        load(tmp_path / "fit.nc", functions={"halve": lambda x: x / 3})


def test_many_levels_come_back(tmp_path):
    groups = 100_000
    data = {"y": np.arange(groups, dtype=float), "g": [f"Bezirk {i} / Nord" for i in range(groups // 2)] * 2}
    fit = handmade_fit("y ~ 1 + (1 | g)", data, engine=replace(ENGINE, draws=4, chains=1))
    save(fit, tmp_path / "fit.nc")
    assert load(tmp_path / "fit.nc").variables[-1].coords[0] == fit.variables[-1].coords[0]


def test_arviz_reads_the_file(tmp_path):
    fit = handmade_fit("Reaction ~ Days + (Days | Subject)", sleep())
    save(fit, tmp_path / "fit.nc")
    with xr.open_dataset(tmp_path / "fit.nc", group="posterior", engine="h5netcdf") as posterior:
        chosen = posterior["r_Subject"].sel(Subject="310", Subject_coef="Days")
        np.testing.assert_array_equal(chosen, fit.draws_record.values["r_Subject"][:, :, 2, 1])


# Files that are not what they should be ------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "fit.nc"
    save(handmade_fit("Reaction ~ Days + Dose + (Days | Subject)", sleep()), path)
    return path


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ModelError, match="There is no file"):
        load(tmp_path / "none.nc")
    with pytest.raises(ModelError, match="There is no file"):
        load(tmp_path)
    fit = handmade_fit("Reaction ~ Days", sleep())
    with pytest.raises(ModelError, match=r"The folder .* does not exist"):
        save(fit, tmp_path / "none" / "fit.nc")
    with pytest.raises(ModelError, match="is a folder"):
        save(fit, tmp_path)
    for wrong in (3, None):
        with pytest.raises(ModelError, match="text or a Path"):
            load(wrong)
        with pytest.raises(ModelError, match="text or a Path"):
            save(fit, wrong)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(100), b"CDF\x01" + bytes(60)])
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a netCDF-4 file"):
        load(path)


def test_netcdf_files_of_others(tmp_path):
    xr.Dataset({"x": ("i", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ModelError, match="not a fit saved by bayesml"):
        load(tmp_path / "other.nc")


def test_other_format_versions(saved):
    with h5py.File(saved, "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(ModelError, match="format version 99"):
        load(saved)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_truncated_files(saved, part):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ModelError):
        load(saved)


@pytest.mark.slow
def test_flipped_bytes_are_refused_or_do_no_harm(saved):
    content = saved.read_bytes()
    whole = load(saved)
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(100):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        saved.write_bytes(bytes(damaged))
        try:
            found = load(saved)
        except BayesmlError:
            refused += 1
            continue
        assert str(summary(found)) == str(summary(whole))
        for name, values in whole.draws_record.values.items():
            np.testing.assert_array_equal(found.draws_record.values[name], values)
    assert 0 < refused < 100


def write_document(file, text):
    del file["document"]
    file.create_dataset("document", data=text, dtype=h5py.string_dtype())
    file.attrs["document_digest"] = hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("group", ["posterior", "data"])
def test_missing_groups(saved, group):
    with h5py.File(saved, "r+") as file:
        del file[group]
    with pytest.raises(ModelError, match="damaged"):
        load(saved)


@pytest.mark.parametrize(
    "text", ["", "not JSON", "[]", "{}", '{"functions": []}', '{"functions": [], "family": {"name": "gaussian"}}']
)
def test_damaged_documents(saved, text):
    with h5py.File(saved, "r+") as file:
        write_document(file, text)
    with pytest.raises(ModelError):
        load(saved)


def test_changed_documents(saved):
    with h5py.File(saved, "r+") as file:
        text = file["document"][()].decode().replace('"made"', '"mode"')
        digest = file.attrs["document_digest"]
        write_document(file, text)
        file.attrs["document_digest"] = digest
    with pytest.raises(ModelError, match="not the one that was written"):
        load(saved)


def test_documents_build_nothing_but_formulas(saved):
    with h5py.File(saved, "r+") as file:
        write_document(file, file["document"][()].decode().replace('"type": "Response"', '"type": "Path"'))
    with pytest.raises(ModelError, match="damaged"):
        load(saved)


def test_formulas_in_documents_are_interpreted_not_executed(saved):
    with h5py.File(saved, "r+") as file:
        text = file["document"][()].decode()
        write_document(file, text.replace('"Days"', "\"__import__('os').getcwd()\""))
    with pytest.raises(BayesmlError):
        load(saved)


def test_data_that_are_encoded_differently_are_refused(saved):
    with h5py.File(saved, "r+") as file:
        values = file["data"]["column_1"][:]
        values[[0, 1]] = values[[1, 0]]
        file["data"]["column_1"][:] = values
    with pytest.raises(ModelError, match=r"encoded differently here \(`mu / population / X`\)"):
        load(saved)


def test_fingerprint_forgives_the_last_digits_only():
    design = handmade_fit("Reaction ~ Days + (1 | Subject)", sleep()).problem.design
    stored = fingerprint(design)
    x = design.arrays[MU]["population"]["X"]

    def changed(values):
        mu = {**design.arrays[MU], "population": {"X": values}}
        return replace(design, arrays={**design.arrays, MU: mu})

    assert differing_array(changed(x * (1 + 1e-13)), stored) is None
    for values in (x * (1 + 1e-6), x[:, ::-1], x[::-1], x[:, :1]):
        assert differing_array(changed(values), stored) == "mu / population / X"


def test_a_failed_save_leaves_the_old_file(saved):
    before = saved.read_bytes()
    fit = handmade_fit("Reaction ~ Days", sleep(), data_name=object())
    with pytest.raises(TypeError):
        save(fit, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in Path(saved).parent.iterdir()] == ["fit.nc"]


def test_links_come_back(tmp_path):
    family = get_family("poisson", link="sqrt")
    data = {"y": np.arange(10), "x": np.arange(10.0)}
    save(handmade_fit("y ~ x", data, family), tmp_path / "fit.nc")
    assert load(tmp_path / "fit.nc").problem.family.link("mu").name == "sqrt"
