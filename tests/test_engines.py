"""The contract of an engine, held by a toy: options, one line in the table, and every verb of its fit works."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import bayesml
from bayesml.engines import ENGINES, AbstractEngine, Outcome, Problem, SamplerOptions, dispatch, get_engine
from bayesml.engines.dispatch import EngineEntry
from bayesml.errors import ArgumentError, ModelError
from bayesml.posterior import Draws, Timing
from bayesml.reported import reported_variables

DATA = {"y": [1.0, 2.0, 4.0, 3.0, 5.5, 6.0, 2.5, 3.5], "x": [0.0, 1, 2, 3, 4, 5, 6, 7], "g": list("aabbccdd")}


@final
@dataclass(frozen=True)
class Toy(AbstractEngine):
    """Independent normal numbers in the place of a posterior."""

    draws: int = 20
    seed: int = 1

    method: ClassVar[str] = "toy"


def run_toy(engine: Toy, problem: Problem) -> Outcome:
    rng = np.random.default_rng(engine.seed)
    variables = reported_variables(problem.description.spec, problem.design.schema)
    shapes = {v.name: tuple(len(labels) for labels in v.coords) for v in variables}
    values = {name: np.exp(rng.standard_normal((2, engine.draws, *shape))) for name, shape in shapes.items()}
    return Outcome(Draws(values), Timing(), engine.seed, plan="toy numbers")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(ENGINES, "toy", EngineEntry(Toy(), run_toy))
    yield


@pytest.mark.usefixtures("registered")
def test_a_new_engine_is_one_line_in_the_table(tmp_path) -> None:
    fit = bayesml.fit("y ~ x + (1 | g)", DATA, method="toy", seed=3)
    assert fit.engine == Toy(seed=3)
    assert fit.plan == "toy numbers"
    assert len(fit.draws()) == 40
    assert "total post-warmup draws = 40" in str(fit)
    assert fit.epred().shape == (2, 20, 8)
    assert fit.diagnostics.independent
    assert fit.diagnostics.requested == 20
    assert "sample_prior" not in fit.idata.posterior.attrs
    with pytest.raises(ModelError, match="no chains to extend"):
        fit.extend()
    longer = fit.update(seed=3, draws=30)
    assert longer.engine == Toy(30, 3)
    fit.save(tmp_path / "toy.nc")
    again = bayesml.load(tmp_path / "toy.nc")
    assert again.engine == fit.engine
    np.testing.assert_array_equal(again.draws(), fit.draws())


@pytest.mark.usefixtures("registered")
def test_options_of_another_engine_are_refused() -> None:
    with pytest.raises(ModelError, match=r'method="toy" has no option `chains`; it has `draws`, `seed`'):
        bayesml.fit("y ~ x", DATA, method="toy", chains=2)


def test_an_engine_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ModelError, match="Toy is not in the table of engines"):
        bayesml.fit("y ~ x", DATA, method=Toy())
    with pytest.raises(ModelError, match="`method` is"):
        get_engine(Toy)


@pytest.mark.parametrize("name", ENGINES)
def test_entries_agree_with_their_engines(name: str) -> None:
    entry = ENGINES[name]
    assert entry.default.method == name
    assert get_engine(name) is entry.default
    assert get_engine(type(entry.default)) is entry.default
    assert entry.default.anew() == entry.default
    draws = entry.default.sampling is not None
    assert dispatch.can_extend(entry.default) == draws
    assert (entry.default.seeded() == entry.default) != draws


def test_what_nuts_says_of_itself() -> None:
    engine = bayesml.NUTS(draws=50, warmup=20, chains=3, seed=4, max_treedepth=6, checkpoint="run1")
    assert engine.sampling is not None
    assert (engine.sampling.chains, engine.sampling.draws, engine.sampling.warmup) == (3, 50, 20)
    assert (engine.sampling.max_treedepth, engine.sampling.target_accept) == (6, 0.8)
    assert engine.needs_identified_slopes
    assert engine.checkpoint_folder == "run1"
    assert engine.seeded() is engine
    assert engine.attributes() == {"inference_library": "bayesml", "tuning_steps": 20, "sample_prior": "no"}
    assert engine.resumed("elsewhere", None) == bayesml.NUTS(
        draws=50, warmup=20, chains=3, seed=4, max_treedepth=6, checkpoint="elsewhere"
    )
    assert engine.resumed("run1", False).progress is False
    prior_only = bayesml.NUTS(sample_prior="only")
    assert prior_only.samples_prior_only
    assert not prior_only.needs_identified_slopes
    assert prior_only.attributes() == {"sample_prior": "only"}


# Options of the sampler by name ---------------------------------------------------------------------------------------


def test_options_by_name_are_those_of_the_sampler() -> None:
    """The same names and types as the fields of `NUTS`; None, which leaves an option as it is, beside each."""
    named, fields = get_type_hints(SamplerOptions), get_type_hints(bayesml.NUTS)
    assert list(named) == list(SamplerOptions.__annotations__)
    assert set(named) == {field.name for field in dataclasses.fields(bayesml.NUTS)}
    for name, kind in named.items():
        allowed = set(get_args(kind)) or {kind}
        assert type(None) in allowed, name
        expected = set(get_args(fields[name]) if get_origin(fields[name]) is not Literal else ()) or {fields[name]}
        assert expected <= allowed, name


@pytest.mark.parametrize("function", [bayesml.fit, bayesml.Fit.update, bayesml.PointFit.update])
def test_notebooks_show_the_options(function: Callable[..., Any]) -> None:
    shown = inspect.signature(function).parameters
    assert set(SamplerOptions.__annotations__) <= set(shown)
    assert not [p for p in shown.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
    assert all(shown[name].default is None for name in SamplerOptions.__annotations__)


def test_options_are_documented_where_they_are_typed() -> None:
    described = (inspect.getdoc(bayesml.fit) or "").partition("Keyword Args:")[2].partition("Returns:")[0]
    assert re.findall(r"^    (\w+): ", described, flags=re.M) == list(SamplerOptions.__annotations__)


def test_point_estimates_are_sampled_by_an_update() -> None:
    point = bayesml.fit("y ~ x + (1 | g)", DATA, method="ml")
    drawn = point.update(method="nuts", sample_prior="only", draws=10, chains=2, seed=1)
    assert len(drawn.draws()) == 20
    assert drawn.engine.sampling.draws == 10
    with pytest.raises(ModelError, match='method="ml" has no option `draws`'):
        point.update(draws=10)
    with pytest.raises(ArgumentError, match="did you mean `draws`"):
        point.update(drows=10)
    with pytest.raises(ArgumentError, match="Write `warmup=1000, draws=1000`"):
        bayesml.fit("y ~ x", DATA, iter=2000)


def test_point_estimates_are_not_resumed() -> None:
    with pytest.raises(ModelError, match='method="reml"; only draws of NUTS'):
        bayesml.REML().resumed("run1", None)
