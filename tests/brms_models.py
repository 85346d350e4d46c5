"""Models of brms with its own numbers: their calls in our language, and their parameters as ours, written once.

A record of ``brms_density.json`` holds what ``brms::make_standata`` made of the data, points in the parameters of
brms's Stan program and the joint log density there. Nothing below knows a model: columns and grouping factors are found
by their values, everything else by its class and by the predictor it belongs to.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from numpyro.infer.util import log_density

import bayesml
from bayesml.compile import compile_model
from bayesml.engines import Problem
from bayesml.engines.nuts.forms.plain import data_of
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.keys import MU, PredictorKey
from bayesml.priors import AbstractJointPrior, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm
from bayesml.terms.car import Car
from bayesml.terms.process import GaussianProcess
from bayesml.terms.shared_group import Member, SharedGroup
from bayesml.terms.smooth import Smooth
from bayesml.terms.special_group import SpecialGroup
from bayesml.terms.specific_group import SpecificGroup
from bayesml.terms.stratified_group import StratifiedGroup
from bayesml.terms.structured_group import StructuredGroup
from tests.brms_calls import our_call, our_priors
from tests.brms_unobserved import Unobserved
from tests.conftest import SHARED

FACTS = Path(__file__).parent / "facts"
FILES = {
    SHARED / "reference" / "brms_density.json": SHARED / "data" / "brms_density_data.csv",
    **{path: path.with_suffix(".csv") for path in sorted(FACTS.glob("brms_density_*.json"))},
}
CHARACTER = ("g", "g2", "h", "m1", "m2", "by", "c3")
"""Columns that R read as factors although some of them hold numbers."""


@dataclass(frozen=True)
class Point:
    """Values of the parameters of brms's Stan program and the joint log density there, without Jacobians."""

    par: Mapping[str, Any]
    lp: float


@dataclass(frozen=True)
class BrmsModel:
    """One model of brms: its call, its data as Stan gets them, its points, its default priors."""

    name: str
    formula: str
    family: str
    user_prior: str
    standata: Mapping[str, Any]
    points: tuple[Point, ...]
    default_prior: tuple[Mapping[str, str], ...]
    csv: Path

    @property
    def frame(self) -> pd.DataFrame:
        """The data as R saw them."""
        return _frame(self.csv)

    @property
    def data2(self) -> dict[str, Any]:
        """The matrices beside the data."""
        path = self.csv.with_name(f"{self.csv.stem.replace('density', 'matrices')}.json")
        found = json.loads(path.read_text()) if path.exists() else {}
        return {k: (m["values"], m["names"]) if m.get("names") else m["values"] for k, m in found.items()}

    @property
    def call(self) -> tuple[Any, pd.DataFrame, Any]:
        """Formula, data and family as ``fit`` takes them."""
        formula, family = our_call(self.formula, self.family)
        return formula, self.frame, family

    def problem(self) -> Problem:
        """Describe the model with brms's default priors, those of brms 2.18 where it has others than brms 2.23."""
        old = [bayesml.prior(before, class_=class_) for class_, before, _ in self.changed_priors()]
        priors = [*our_priors(self.user_prior), *old]
        return describe_problem(*self.call, prior=priors, default_priors="brms", data2=self.data2)

    def changed_priors(self) -> list[tuple[str, str, str]]:
        """Return class and default of brms 2.18, which made the numbers, and of brms 2.23, whose defaults are ours."""
        rows = {(row["class"], row["prior"]) for row in self.default_prior if not row["dpar"]}
        return [change for family, *change in CHANGES if family in self.family and tuple(change[:2]) in rows]


CHANGES = (
    ("negbinomial", "shape", "gamma(0.01, 0.01)", "inv_gamma(0.4, 0.3)"),  # hurdle and zero-inflated too
    ("negbinomial2", "sigma", "student_t(3, 0, 2.5)", "gamma(0.4, 0.3)"),
    ("mixture(poisson, negbinomial", "shape2", "gamma(0.01, 0.01)", "inv_gamma(0.4, 0.3)"),
    ("von_mises", "Intercept", "student_t(3, 0, 2.5)", "student_t(1, 0, 1)"),
)


def _is_sp(target: ParameterSpec) -> bool:
    """Whether coefficients are those of special terms, which brms keeps apart."""
    return target.name.startswith("bsp")


SHRINKAGE = {
    "hs_local": lambda target: "hs_localsp" if _is_sp(target) else "hs_local",
    "R2D2_phi": lambda target: "R2D2_phi",
    "hs_global": None,
    "hs_slab": None,
    "R2D2_R2": None,
    "zbsp": None,
    "zb": None,
}
"""Parameters of shrinkage priors, as in Stan, and the one for the coefficients of a target."""


@cache
def _frame(csv: Path) -> pd.DataFrame:
    frame = pd.read_csv(csv)
    return frame.astype({name: str for name in CHARACTER if name in frame.columns})


def brms_models() -> list[BrmsModel]:
    """Return the models of every file that is there."""
    return [model for path, csv in FILES.items() if path.exists() for model in _read(path, csv)]


def _read(path: Path, csv: Path) -> Iterator[BrmsModel]:
    for name, record in json.loads(path.read_text())["models"].items():
        yield BrmsModel(
            name,
            record["formula"],
            record["family"],
            record["user_prior"],
            record["data"],
            tuple(Point(point["par"], point["lp"]) for point in record["points"]),
            tuple(record["default_prior"]),
            csv,
        )


# The parameters ----------------------------------------------------------------------------------------------------


def suffixes(predictor: PredictorKey) -> tuple[str, ...]:
    """Return what brms may append to names in Stan: the parts of the key joined in any order, ``_sigma_y``."""
    parts = [part for part in predictor.target if part]
    return tuple("".join(f"_{part}" for part in order) for order in permutations(parts))


def columns_of(problem: Problem, parameter: ParameterSpec) -> np.ndarray:
    """Return the design columns of population-level coefficients, ``(rows, coefs)``."""
    term = next(t for t in _terms(problem, parameter) if isinstance(t, AbstractPopulationTerm))
    columns = problem.design.arrays[parameter.predictor][term.key]["X"]
    return columns[rows_of_response(problem, parameter)][:, [term.coefs.index(coef) for coef in parameter.coefs]]


def rows_of_response(problem: Problem, parameter: ParameterSpec) -> np.ndarray:
    """Return which rows are those of the response of a parameter."""
    rows = problem.design.of_response(parameter.predictor.resp).rows
    return np.ones(problem.design.n_rows, dtype=bool) if rows is None else rows


def group_of(problem: Problem, parameter: ParameterSpec) -> tuple[AbstractGroupTerm, np.ndarray, np.ndarray]:
    """Return the group term of a parameter, its columns ``(rows, coefs)`` and its levels ``(rows,)``."""
    every = (t for p in problem.design.schema.predictors for t in p.terms if t.predictor == parameter.predictor)
    term = next(t for t in every if isinstance(t, AbstractGroupTerm) and t.name == parameter.group)
    arrays = problem.design.arrays[term.place][term.key]
    rows = rows_of_response(problem, parameter)
    return term, arrays["Z"][rows], arrays["index"][rows]


def _terms(problem: Problem, parameter: ParameterSpec) -> tuple[Any, ...]:
    return next(p for p in problem.design.schema.predictors if p.key == parameter.predictor).terms


STEMS = {"rescor": "Lrescor", "lncor": "Llncor"}
"""Names of the Stan program for classes that are called otherwise there."""


@dataclass
class Translation:
    """Parameters of brms at one point as the parameters of ``ModelSpec``; remembers which it has used.

    Where one of ours is another function of brms's, ``log_jacobian`` adds log |d ours / d brms's|.
    """

    model: BrmsModel
    problem: Problem
    point: Point
    used: set[str] = field(default_factory=set)
    change: float = 0.0

    def values(self) -> dict[str, np.ndarray]:
        """Return the value of every parameter."""
        found = {p.name: np.asarray(self._value(p), float) for p in self.problem.description.spec.parameters}
        unused = set(self.point.par) - self.used
        assert not unused, f"parameters of brms without one of ours: {unused}"
        return found

    def _value(self, parameter: ParameterSpec) -> np.ndarray:
        unobserved = self._unobserved.value(parameter)
        if unobserved is not None:
            return unobserved
        if parameter.prior_class == "Intercept":
            return self._intercept(parameter)
        if parameter.group:
            return self._group(parameter)
        process = process_of(self.problem, parameter)
        if process is not None:
            return self._process(parameter, process)
        smooth = smooth_of(self.problem, parameter)
        if smooth is not None:
            return self._smooth(parameter, smooth)
        if parameter.name.startswith("zcar"):
            return self._areas(parameter)
        if parameter.name.startswith("bsp"):
            return self._par("bsp", parameter.predictor)
        if parameter.name.startswith("bcs"):
            return self._category_specific(parameter)
        if parameter.prior_class == "simo":
            return self._simplex(parameter)
        if parameter.prior_class in ("horseshoe", "R2D2") or parameter.name.startswith("zb"):
            return self._shrinkage(parameter)
        if parameter.prior_class == "b":
            return self._slopes(parameter)
        if parameter.name.startswith("zerr"):
            return self._par("zerr", parameter.predictor)[None]
        return self._par(STEMS.get(parameter.prior_class, parameter.prior_class), parameter.predictor)

    def _intercept(self, parameter: ParameterSpec) -> np.ndarray:
        """Return an Intercept or thresholds.

        Those of the components of a mixture are one ordered vector; thresholds of each group are numbered; equidistant
        ones are the first of them beside their distance.
        """
        if parameter.name == "ordered_Intercept":
            return self._par("ordered_Intercept", MU)
        if parameter.group:
            parameters = self.problem.description.spec.parameters
            alike = (p for p in parameters if p.prior_class == "Intercept" and p.predictor == parameter.predictor)
            groups = sorted({p.group for p in alike})
            number = groups.index(parameter.group) + 1
            return self._first_of([f"Intercept{suffix}_{number}" for suffix in suffixes(parameter.predictor)])
        stem = "first_Intercept" if "first_Intercept" in self.point.par and parameter.predictor == MU else "Intercept"
        return self._par(stem, parameter.predictor)

    def _smooth(self, parameter: ParameterSpec, term: Smooth) -> np.ndarray:
        """Return coefficients that give brms's curve: its columns are a rotation or another mixture of ours."""
        arrays = self.problem.design.arrays[parameter.predictor][term.key]
        place, rows = term.columns_of(parameter.name), rows_of_response(self.problem, parameter)
        if place is None:
            theirs, columns = self._par("bs", parameter.predictor), self._data("Xs", parameter.predictor)
            ours = arrays["Xs"][rows]
            found = [(b, mixture(ours, column[:, None])) for b, column in zip(theirs, columns.T, strict=True)]
            return sum(b * weights[:, 0] for b, weights in found if weights is not None)
        ours = arrays["Zs"][rows][:, place]
        for name, columns in self.model.standata.items():
            match = re.fullmatch(r"Zs(\w*?)_(\d+_\d+)", name)
            if match and match[1] in suffixes(parameter.predictor):
                weights = mixture(ours, np.asarray(columns))
                if weights is not None:
                    stem = "sds" if parameter.prior_class == "sds" else "zs"
                    self.used.add(of_brms := f"{stem}{match[1]}_{match[2]}")
                    value = np.asarray(self.point.par[of_brms], float)
                    return value if parameter.prior_class == "sds" else weights @ value
        raise AssertionError("brms has no smooth with these functions")

    def _process(self, parameter: ParameterSpec, term: GaussianProcess) -> np.ndarray:
        """Return a parameter of a Gaussian process; brms numbers the calls, and in each of them the levels of a factor.

        Our places are numbered as brms's: in the order of their first rows.
        """
        terms = [t for t in _terms(self.problem, parameter) if isinstance(t, GaussianProcess)]
        calls = list(dict.fromkeys(t.call.written.spelling for t in terms))
        number = 1 + calls.index(term.call.written.spelling)
        level = [t for t in terms if t.call.written.spelling == term.call.written.spelling].index(term)
        stem = parameter.name.split("_")[0]
        if stem == "zgp":
            names = [f"zgp{s}_{number}" for s in suffixes(parameter.predictor)]
            names += [f"{name}_{level + 1}" for name in names]
            return self._first_of(names)
        value = self._first_of([f"{stem}{s}_{number}" for s in suffixes(parameter.predictor)])[level]
        return value if parameter.shape else np.reshape(value, ())

    def _first_of(self, names: list[str]) -> np.ndarray:
        name = next(n for n in names if n in self.point.par)
        self.used.add(name)
        return np.asarray(self.point.par[name], float)

    def _areas(self, parameter: ParameterSpec) -> np.ndarray:
        """Return the coefficients of the effects of areas, which brms samples themselves, or in units of ``sdcar``."""
        (term,) = (t for p in self.problem.design.schema.predictors for t in p.terms if isinstance(t, Car))
        graph, sd = term.graph, float(self.point.par["sdcar"])
        weights = np.asarray(graph.weights(float(self.point.par.get("car", 0.0))))
        (stem,) = {"rcar", "zcar"} & set(self.point.par)
        theirs = np.asarray(self.point.par[stem], float)
        self.used.add(stem)
        if graph.kind == "esicar":  # the last is minus the sum of the others
            theirs = np.append(theirs, -theirs.sum())
        scale = 1.0 if graph.kind == "icar" else sd
        z = np.linalg.lstsq(graph.basis * weights, theirs / scale, rcond=None)[0]
        np.testing.assert_allclose(graph.basis @ (weights * z) * scale, theirs, atol=1e-10)
        # brms leaves constants out; what depends on parameters is |dz / dr| = 1 / (sd^n prod w)
        self.change += 0.5 * len(z) * math.log(2 * math.pi)
        if graph.kind == "escar":
            self.change -= float(len(z) * math.log(sd) + np.log(weights).sum())
        elif graph.kind == "esicar":
            self.change -= len(z) * math.log(sd)
        else:  # normal_lpdf of the sum
            self.change -= 0.5 * math.log(2 * math.pi) + math.log(0.001 * len(graph.labels))
        return z

    def _category_specific(self, parameter: ParameterSpec) -> np.ndarray:
        """Return the coefficients of one column, one for each threshold: that of brms's column with the same values."""
        (place,) = (p for p in self.problem.design.schema.predictors if p.key.dpar == "cs")
        term = next(t for t in place.terms if not isinstance(t, AbstractGroupTerm))
        columns = self.problem.design.arrays[place.key][term.key]["X"]
        column = columns[:, term.labels.index(parameter.coefs[0])]
        theirs = self._data("Xcs", parameter.predictor).reshape(len(columns), -1)
        return self._par("bcs", parameter.predictor)[same_column(theirs, column)]

    def _simplex(self, parameter: ParameterSpec) -> np.ndarray:
        """Return a simplex; brms numbers those of a predictor in the order of the coefficients."""
        parameters = self.problem.description.spec.parameters
        alike = [p for p in parameters if p.prior_class == "simo" and p.predictor == parameter.predictor]
        numbered = [f"simo{suffix}_{alike.index(parameter) + 1}" for suffix in suffixes(parameter.predictor)]
        name = next(n for n in numbered if n in self.point.par)
        self.used.add(name)
        return np.asarray(self.point.par[name], float)

    def _shrinkage(self, parameter: ParameterSpec) -> np.ndarray:
        """Return a parameter of a shrinkage prior; our global scale is brms's without its scale and sigma."""
        stem = next(s for s in SHRINKAGE if parameter.name.startswith(s))
        members = self._members(parameter.predictor)
        if stem == "R2D2_phi" or stem == "hs_local":
            return np.concatenate([self._by_coefficient(SHRINKAGE[stem](j.target), j.target) for j in members])
        if stem in ("zb", "zbsp"):
            return self._by_coefficient(stem, next(j.target for j in members if _is_sp(j.target) == (stem == "zbsp")))
        value = self._par(stem, parameter.predictor)
        if stem == "R2D2_R2" and sum(j.target.shape[0] for j in members) == 1:
            assert self._par("R2D2_phi", parameter.predictor) == 1.0  # the share of the only coefficient
        return value / self.global_scale(parameter.predictor) if stem == "hs_global" else value

    def _by_coefficient(self, stem: str, target: ParameterSpec) -> np.ndarray:
        """Return a number for each coefficient, in our order."""
        value = self._par(stem, target.predictor)
        if _is_sp(target):
            return value
        columns = self._data("X", target.predictor)[:, -len(value) :]
        return value[[same_column(columns, column) for column in columns_of(self.problem, target).T]]

    def _members(self, predictor: PredictorKey) -> list[Any]:
        return [j for j in self._joint() if j.target.predictor == predictor]

    def global_scale(self, predictor: PredictorKey) -> float:
        """Return what multiplies the global scale of a horseshoe."""
        joint = self._members(predictor)[0]
        sigma = next((f"sigma{s}" for s in suffixes(PredictorKey(predictor.resp)) or [""]), "sigma")
        is_scaled = joint.prior.autoscale and predictor.dpar == "mu" and sigma in self.point.par
        own = float(self.point.par[sigma]) if is_scaled else 1.0
        return own * float(self._data("hs_scale_global", predictor))

    def log_jacobian(self) -> float:
        """Return the log density of brms's parameters over that of ours at the same point."""
        terms = [t for p in self.problem.design.schema.predictors for t in p.terms]
        bases = [t.base if isinstance(t, StructuredGroup) else t for t in terms]
        strata = [t for t in bases if isinstance(t, StratifiedGroup)]
        zeros = sum(len(t.levels) * len(t.coefs) * (len(t.by_levels) - 1) for t in strata)
        horseshoes = {j.target.predictor for j in self._joint() if j.prior.name == "horseshoe"}
        scales = sum(math.log(self.global_scale(predictor)) for predictor in horseshoes)
        change = self._widths() + self.change + self._unobserved.log_jacobian() + self._left_out()
        return zeros * 0.5 * math.log(2.0 * math.pi) - scales + change

    def _left_out(self) -> float:
        """Return minus the constant that brms's densities of spatial models leave out: that of a normal or a t."""
        if "Msar" not in self.model.standata:
            return 0.0
        per_row = math.log(math.pi) if self.model.family == "student" else math.log(2 * math.pi)
        return 0.5 * len(self.model.standata["Msar"]) * per_row

    @property
    def _unobserved(self) -> Unobserved:
        return Unobserved(self.problem, self.model.standata, self._read, self.point.par, self._moments)

    def _moments(self, resp: str) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of a gaussian response in each row, from its own parameters."""
        spec, design = self.problem.description.spec, self.problem.design
        own = [p for p in design.schema.predictors if p.key.resp == resp]
        held = [name for p in own for t in p.terms if t.follows_mean for name in (f"z{t.name}",)]
        values: dict[str, Any] = {
            p.name: np.asarray(self._value(p), float)
            for p in spec.parameters
            if p.predictor.resp == resp and p.name not in held
        }
        for predictor in own:
            for term in predictor.terms:
                values |= term.derived(values, design.arrays[predictor.key][term.key])
        (mean,) = [
            sum(term.contribution(values, design.arrays[p.key][term.key]) for term in p.terms)
            for p in own
            if p.key.dpar == "mu"
        ]
        return np.asarray(mean), values[f"sigma_{resp}" if resp else "sigma"]

    def _read(self, name: str) -> np.ndarray:
        self.used.add(name)
        return np.asarray(self.point.par[name], float)

    def _widths(self) -> float:
        """Return the log widths of intervals with a flat prior: brms leaves its density at 1."""
        flat = ("ar", "ma", "lagsar", "errorsar")
        parameters = [p for p in self.problem.description.spec.parameters if p.prior_class in flat]
        priors = [prior for p in parameters for prior in p.priors if prior.is_proper]
        return sum(math.log(prior.support[1] - prior.support[0]) for prior in priors)

    def _joint(self) -> list[Any]:
        return [j for j in self.problem.description.spec.joint if isinstance(j.prior, AbstractJointPrior)]

    def _par(self, stem: str, predictor: PredictorKey) -> np.ndarray:
        """Return ``b_sigma`` for the stem ``b`` and the predictor of sigma."""
        names = [stem + suffix for suffix in suffixes(predictor)]
        name = next((n for n in names if n in self.point.par), None)
        assert name is not None, f"brms has none of {names}; it has {sorted(self.point.par)}"
        self.used.add(name)
        return np.asarray(self.point.par[name], float)

    def _data(self, stem: str, predictor: PredictorKey) -> np.ndarray:
        return np.asarray(
            next(self.model.standata[stem + s] for s in suffixes(predictor) if stem + s in self.model.standata)
        )

    def _slopes(self, parameter: ParameterSpec) -> np.ndarray:
        """Return the coefficients in our order: brms's column of the same values."""
        theirs = self._par("b", parameter.predictor)
        # Without the column of the Intercept, where that is not in b.
        columns = self._data("X", parameter.predictor)[:, -len(theirs) :]
        ours = columns_of(self.problem, parameter)
        return theirs[[same_column(columns, column) for column in ours.T]]

    def _group(self, parameter: ParameterSpec) -> np.ndarray:
        whole, columns, index = group_of(self.problem, parameter)
        term = whole.base if isinstance(whole, SpecialGroup) else whole
        if isinstance(term, StructuredGroup):
            if parameter.prior_class == "df" or parameter.conditional is not None:
                return self._tails(parameter, term, columns, index)
            if term.members is not None:
                return self._of_members(parameter, term, columns, index)
            term = term.base
        if isinstance(term, StratifiedGroup):
            return self._of_strata(parameter, term, columns, index)
        shared = dict(term.members) if isinstance(term, SharedGroup) else {}
        identity = next((i for i in shared if parameter.name.endswith(f"__{i}")), None)
        if identity is not None:
            cells = [cell for member in shared[identity] for cell in self._member_cells(term, member)]
            (group,) = {group for group, _ in cells}
            if parameter.prior_class == "cor":
                assert [k for _, k in cells] == list(range(len(cells)))
                return self._of_group("L", group)
            return self._standardised(cells, index, parameter.predictor)
        if isinstance(term, SpecificGroup):  # effects of all thresholds have the same column; their order is brms's
            (number, _) = self._cell(columns.T[0], index, parameter.predictor)
            cells = [(number, k) for k in range(len(term.coefs))]
        elif isinstance(whole, SpecialGroup):
            cells = self._cells_with_calls(whole, columns, index)
        else:
            cells = [self._cell(column, index, parameter.predictor) for column in columns.T]
        if parameter.prior_class == "sd":
            return np.array([self._of_group("sd", group)[k] for group, k in cells])
        if parameter.prior_class == "cor":
            block = term.block_slices()[_block_of(term, parameter)]
            (group,) = {group for group, _ in cells[block]}
            assert [k for _, k in cells[block]] == list(range(block.stop - block.start))
            return self._of_group("L", group)
        if isinstance(term, SharedGroup):
            free = [b for b, i in zip(term.block_slices(), term.ids, strict=True) if not i]
            cells = [cell for block in free for cell in cells[block]]
        return self._standardised(cells, index, parameter.predictor)

    def _tails(
        self, parameter: ParameterSpec, term: StructuredGroup, columns: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """Return the degrees of freedom, or m = 1 / (df u) of each level, whose u brms samples."""
        if term.members is not None:
            group = self._group_of_members(index, parameter.predictor)
        else:
            plain = term.base.plain_columns({"Z": columns}) if isinstance(term.base, StratifiedGroup) else columns
            group, _ = self._cell(plain[:, 0], index, parameter.predictor)
        df = self._of_group("df", group)
        if parameter.prior_class == "df":
            return df
        m = 1.0 / (df * self._of_group("udf", group))
        width = math.sqrt(2.0 / df + 2.0 / df**2)
        self.change += float(np.log(df * m / width).sum())  # x = (log m - c) / s, and |dm / du| = df m^2
        return (np.log(m) + 1.0 / df + 1.0 / (3.0 * df**2)) / width

    def _group_of_members(self, index: np.ndarray, predictor: PredictorKey) -> int:
        """Return the number of the group of a predictor whose members are those of the columns of ``index``."""
        for group in (int(m[1]) for name in self.model.standata if (m := re.fullmatch(r"N_(\d+)", name))):
            levels = self._of_member("J", group, 0, predictor)
            if levels is not None and same_partition(levels, index[:, 0]) and self._member_columns(group, predictor):
                return group
        raise AssertionError("brms has no group with these members")

    def _of_member(self, stem: str, group: int, member: int, predictor: PredictorKey) -> np.ndarray | None:
        """Return the levels ``J`` or weights ``W`` of a member of a group; None where the group has none."""
        suffix = suffixes(PredictorKey(resp=predictor.resp))[0]
        found = self.model.standata.get(f"{stem}_{group}{suffix}_{member + 1}")
        return None if found is None else np.asarray(found)

    def _member_columns(self, group: int, predictor: PredictorKey) -> dict[int, np.ndarray]:
        """Return the columns of the first member by their numbers."""
        data, names = self.model.standata, "|".join(suffixes(predictor)) or ""
        matches = ((re.fullmatch(rf"Z_{group}(?:{names})_(\d+)_1", name), value) for name, value in data.items())
        return {int(match[1]): np.asarray(value) for match, value in matches if match}

    def _of_members(
        self, parameter: ParameterSpec, term: StructuredGroup, columns: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """Return a parameter of a term of which a row has several levels."""
        predictor = parameter.predictor
        group = self._group_of_members(index, predictor)
        first = columns if columns.ndim == 2 else columns[:, 0]
        theirs = self._member_columns(group, predictor)
        place = {k - 1: i for k, v in theirs.items() for i in range(first.shape[1]) if np.allclose(v, first[:, i])}
        ours = [next(k for k, i in place.items() if i == column) for column in range(first.shape[1])]
        weights = self.problem.design.arrays[parameter.predictor][term.key]["weight"]
        weights = weights[rows_of_response(self.problem, parameter)]
        for member in range(index.shape[1]):
            np.testing.assert_allclose(weights[:, member], self._of_member("W", group, member, predictor), rtol=1e-9)
        if parameter.prior_class == "cor":
            assert ours == sorted(ours)
            return self._of_group("L", group)
        is_shared = isinstance(term.base, SharedGroup) and "__" in parameter.name and parameter.prior_class != "sd"
        own = slice(None) if is_shared else ours
        value = self._of_group("sd" if parameter.prior_class == "sd" else "z", group)[own]
        if parameter.prior_class == "sd":
            return value
        z = np.empty_like(value)
        for member in range(index.shape[1]):
            levels = self._of_member("J", group, member, predictor)
            assert levels is not None
            z[:, index[:, member]] = value[:, levels - 1]
        return z

    def _of_strata(
        self, parameter: ParameterSpec, term: StratifiedGroup, columns: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """Return a parameter of a term with strata, whose columns stand one stratum after the other.

        The standard normal variables of other strata than that of the level are 0: brms has none of them.
        """
        q, count = len(term.coefs), len(term.by_levels)
        shared = {} if term.joint is None else dict(term.joint.members)
        identity = next((i for i in shared if parameter.name.endswith(f"__{i}")), None)
        if identity is not None:
            return self._of_shared_strata(parameter, term, shared[identity], index)
        plain = columns.reshape(len(columns), count, q).sum(axis=1)
        cells = [self._cell(column, index, parameter.predictor) for column in plain.T]
        if parameter.prior_class == "sd":
            return np.array([self._of_group("sd", group)[k][s] for s in range(count) for group, k in cells])
        if parameter.prior_class == "cor":
            block = _block_of(term.eliminated, parameter)
            group, _ = cells[term.block_slices()[block % len(term.blocks)].start]
            return self._of_group("L", group)[block // len(term.blocks)]
        z = self._standardised(cells, index, parameter.predictor)
        every = np.zeros((count, q, len(term.levels)))
        for level, stratum in enumerate(term.strata):
            every[stratum, :, level] = z[:, level]
        return every.reshape(count * q, -1)

    def _of_shared_strata(
        self, parameter: ParameterSpec, term: StratifiedGroup, members: tuple[Member, ...], index: np.ndarray
    ) -> np.ndarray:
        """Return L, or z, of the effects that several predictors have in one stratum; z is 0 in all other strata."""
        q = [cell for member in members for cell in self._member_cells(term, member)]
        stratum = members[0].start // len(term.coefs)
        ((group, _), *_) = q
        assert [k for _, k in q] == list(range(len(q)))
        if parameter.prior_class == "cor":
            return self._of_group("L", group)[stratum]
        z = self._standardised(q, index, parameter.predictor)
        return np.where(np.asarray(term.strata) == stratum, z, 0.0)

    def _cells_with_calls(self, term: SpecialGroup, columns: np.ndarray, index: np.ndarray) -> list[tuple[int, int]]:
        """Return brms's group and column of each effect; columns of calls have no values in brms's data."""
        of, data = term.predictor, self.model.standata
        numbers = [int(name[2:]) for name in data if re.fullmatch(r"M_\d+", name)]
        numbers = [n for n in numbers if any(f"J_{n}{s}" in data for s in ("", f"_{of.resp}"))]
        own = [n for n in numbers if same_partition(self._levels(n, of), index)]
        places = [(n, k) for n in own for k in range(int(data[f"M_{n}"]))]
        used = {p for p in places if any(re.fullmatch(rf"Z_{p[0]}\w*_{p[1] + 1}", name) for name in data)}
        free = iter(p for p in places if p not in used)
        cells = zip(term.moved, columns.T, strict=True)
        return [self._cell(column, index, of) if moved is None else next(free) for moved, column in cells]

    def _standardised(self, cells: list[tuple[int, int]], index: np.ndarray, predictor: PredictorKey) -> np.ndarray:
        """Return the standard normal variables of some columns, ``(columns, levels)``."""
        z = np.empty((len(cells), len(np.unique(index))))
        for row, (group, k) in zip(z, cells, strict=True):
            row[index] = self._of_group("z", group)[k][self._levels(group, predictor) - 1]
        return z

    def _member_cells(self, term: SharedGroup | StratifiedGroup, member: Member) -> list[tuple[int, int]]:
        """Return brms's group and column of the effects that one predictor has in a shared vector."""
        terms = next(p for p in self.problem.design.schema.predictors if p.key == member.predictor).terms
        bases = [(t.base if isinstance(t, StructuredGroup) else t) for t in terms]
        other = next(t for t in bases if isinstance(t, type(term)) and set(t.factors) == set(term.factors))
        arrays = self.problem.design.arrays[member.predictor][other.key]
        Z, start = arrays["Z"], member.start
        if isinstance(other, StratifiedGroup):
            Z, start = other.plain_columns(arrays), start % len(other.coefs)
        columns = Z[:, start : start + len(member.coefs)]
        return [self._cell(column, arrays["index"], member.predictor) for column in columns.T]

    def _of_group(self, stem: str, group: int) -> np.ndarray:
        self.used.add(f"{stem}_{group}")
        return np.asarray(self.point.par[f"{stem}_{group}"], float)

    def _levels(self, group: int, predictor: PredictorKey) -> np.ndarray:
        """Return the level of each row, from 1."""
        return self._data(f"J_{group}", PredictorKey(resp=predictor.resp))

    def _cell(self, column: np.ndarray, index: np.ndarray, predictor: PredictorKey) -> tuple[int, int]:
        """Return the number of brms's group and the column in it: the same levels and the same values."""
        for name, values in self.model.standata.items():
            match = re.fullmatch(r"Z_(\d+)(\w*)_(\d+)", name)
            if match is None or match[2] not in suffixes(predictor) or not np.allclose(values, column, rtol=1e-9):
                continue
            if same_partition(self._levels(int(match[1]), predictor), index):
                return int(match[1]), int(match[3]) - 1
        raise AssertionError("brms has no group-level term with this column and these levels")


def _block_of(term: AbstractGroupTerm, parameter: ParameterSpec) -> int:
    """Return the number of the correlated block; names number those after the first, ``L_g_2``."""
    blocks = [i for i, size in enumerate(term.blocks) if size > 1]
    number = re.search(r"_(\d+)$", parameter.name)
    return int(number[1]) - 1 if number and int(number[1]) - 1 in blocks else blocks[0]


def process_of(problem: Problem, parameter: ParameterSpec) -> GaussianProcess | None:
    """Return the Gaussian process that a parameter belongs to."""
    terms = (t for p in problem.design.schema.predictors if p.key == parameter.predictor for t in p.terms)
    processes = (t for t in terms if isinstance(t, GaussianProcess))
    return next((t for t in processes if parameter.name in map(t.variable, ("sdgp", "lscale", "zgp"))), None)


def smooth_of(problem: Problem, parameter: ParameterSpec) -> Smooth | None:
    """Return the smooth that a parameter belongs to."""
    terms = (t for p in problem.design.schema.predictors if p.key == parameter.predictor for t in p.terms)
    smooths = (t for t in terms if isinstance(t, Smooth))
    return next((t for t in smooths if any(parameter.name == p.name for p in t.parameters(Scale(0, 1, 1)))), None)


def mixture(columns: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """Return the matrix that turns some columns into others; None where there is none."""
    if not columns.shape[1]:
        return None
    weights = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    return weights if np.allclose(columns @ weights, wanted, rtol=1e-7, atol=1e-7) else None


def same_column(columns: np.ndarray, column: np.ndarray) -> int:
    """Return the number of the column with these values; brms puts the rows of series into the order of time."""
    places = [k for k, other in enumerate(columns.T) if np.allclose(other, column, rtol=1e-9, atol=1e-12)]
    if not places:
        places = [k for k, other in enumerate(columns.T) if np.allclose(np.sort(other), np.sort(column), rtol=1e-9)]
    assert len(places) == 1, "brms has no such column, or several"
    return places[0]


def same_partition(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two factors group rows alike, whatever their levels are called."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


# The joint log density ----------------------------------------------------------------------------------------------


def joint_log_densities(model: BrmsModel, problem: Problem) -> list[float]:
    """Return our log prior + log likelihood at each point, on the constrained scale and without Jacobians."""
    spec = problem.description.spec
    program = compile_model(spec, problem.design.schema, problem.likelihood)
    arguments = (data_of(problem), problem.design.response.arrays["y"])

    @jax.jit
    def density(values: dict[str, Any]) -> Any:
        # Labels whose priors differ in kind are sites of their own, `slopes[x]`.
        each = {f"{p.name}[{c}]": values[p.name][i] for p in spec.parameters for i, c in enumerate(p.coefs)}
        return log_density(program, arguments, {}, values | each)[0]

    with double_precision():
        points = [Translation(model, problem, point) for point in model.points]
        return [float(density(each.values())) + each.log_jacobian() for each in points]
