"""The tables of default priors equal those of brms's get_prior, row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest

import bayesml
from bayesml.errors import BayesmlError
from bayesml.names import brms_alias
from tests.brms_models import FACTS, BrmsModel, brms_models
from tests.test_brms_density import MISSING

# What a formula or family holds that cannot be fitted yet, and what the error names. Whoever adds a feature removes its
# line here; models with points are listed in test_brms_density.py.
NOT_YET: dict[str, str] = {}
COLUMNS = ["prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub"]


def models() -> Iterable[BrmsModel]:
    yield from (model for model in brms_models() if model.name not in MISSING)
    for record in json.loads((FACTS / "brms_default_priors.json").read_text()):
        name = f"{record['formula']}, {record['family']}"
        table = tuple(record["default_prior"])
        yield BrmsModel(name, record["formula"], record["family"], "", {}, (), table, FACTS / "brms_density_more.csv")


def parts_missing(model: BrmsModel) -> list[str]:
    """Return what the error may name, empty where everything is there."""
    return [] if model.points else [reason for part, reason in NOT_YET.items() if part in model.name]


MODELS = list(models())


def name_of(model: BrmsModel) -> str:
    return model.name


@pytest.mark.parametrize("model", [m for m in MODELS if not parts_missing(m)], ids=name_of)
def test_default_priors_equal_those_of_brms(model):
    table = bayesml.default_prior(*model.call, default_priors="brms", data2=model.data2)
    ours = table.query("source != 'formula'")[COLUMNS].itertuples(index=False, name=None)  # brms does not list these
    # The proportion that is the reference of the softmax is no parameter; brms lists it all the same.
    listed = [row for row in model.default_prior if not re.fullmatch(r"theta\d", row["class"])]
    theirs = [tuple(row[column] for column in COLUMNS) for row in listed]
    assert sorted(spelled_as_brms(row) for row in ours) == sorted(as_today(row, model) for row in theirs)


def spelled_as_brms(row: tuple[str, ...]) -> tuple[str, ...]:
    prior, class_, coef, *others = row
    return nine_digits(prior), class_, brms_alias(coef), *others


def as_today(row: tuple[str, ...], model: BrmsModel) -> tuple[str, ...]:
    """Return a row of brms 2.18 as brms 2.23 has it."""
    changes = {(class_, before): now for class_, before, now in model.changed_priors()}
    prior = row[0] if row[5] else changes.get((row[1], row[0]), row[0])
    # The call of a smooth is the only coefficient that brms leaves as it was written.
    # So are those of category specific effects, whose threshold stands in brackets as levels do here.
    coef = brms_alias(row[2]) if row[1] in ("sds", "sd") else row[2]
    lower = "0" if row[1] == "lscale" else row[7]  # brms leaves the bound of a single length-scale to its class
    now = nine_digits(prior), row[1], coef, *row[3:7], lower, *row[8:]
    if "min_eigenMsar" in now:
        least, largest = (f"{bound(model.standata['eigenMsar']):.9g}" for bound in (min, max))
        return tuple(part.replace("min_eigenMsar", least).replace("max_eigenMsar", largest) for part in now)
    if not any("min_Y" in part for part in now):
        return now
    # The bound of ndt, which the Stan program reads from its data.
    smallest = f"{model.frame[re.split(' *[|~]', model.formula)[0].removeprefix('bf(')].min():.9g}"
    return tuple(part.replace("min_Y", smallest) for part in now)


def nine_digits(text: str) -> str:
    """Round the numbers of a prior: brms prints the location less the mean of an offset with 15 digits."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.9g}", text)


@pytest.mark.parametrize("model", [m for m in MODELS if parts_missing(m)], ids=name_of)
def test_what_is_not_there_yet_is_named_in_an_error(model):
    with pytest.raises(BayesmlError, match="(?i)" + "|".join(parts_missing(model))):
        bayesml.default_prior(*model.call, default_priors="brms")


@pytest.mark.parametrize("part", NOT_YET)
def test_what_is_said_to_be_missing_is_in_a_model(part):
    assert any(part in model.name for model in MODELS if not model.points)
