"""NUTS against long runs of brms's Stan programs, one or two for each kind of feature."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError
from bayesml.fit import describe_problem
from bayesml.names import brms_alias
from tests import test_gold
from tests.brms_calls import our_call
from tests.conftest import shared_path
from tests.reference import assert_agrees, gold


@dataclass(frozen=True)
class Gold:
    """One run.

    Attributes:
        name: its file.
        formula: the formula as brms takes it.
        family: the family as brms takes it.
        names: brms's names of variables that the Stan program calls otherwise, beside those of ``b``.
        factors: columns of numbers that are factors.
        levels: order of the levels of a factor.
        columns: new names of columns.
        quick: whether the model is fitted in every run of the tests; the others are marked slow.
        chain: whether the levels of ``g`` in order are a chain of neighbours, the matrix ``W``.
        corrected: rows that stand in the place of those of the file, where its run was not good enough.
    """

    name: str
    formula: str
    family: str = "gaussian"
    names: dict[str, str] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    quick: bool = False
    chain: bool = False
    corrected: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def frame(self) -> pd.DataFrame:
        """The data as R saw them."""
        data = pd.read_csv(shared_path("data", "gold", f"{self.name}.csv")).rename(columns=self.columns)
        kinds = {column: pd.CategoricalDtype(levels) for column, levels in self.levels.items()}
        return data.astype({column: str for column in self.factors} | kinds)

    @property
    def data2(self) -> dict[str, object]:
        """The matrices of the run."""
        areas = sorted(set(self.frame["g"])) if self.chain else []
        W = np.eye(len(areas), k=1) + np.eye(len(areas), k=-1)
        return {"W": (W, areas)} if areas else {}

    @property
    def priors(self) -> list[bayesml.Prior]:
        """The priors of the run that are not brms's defaults."""
        keys = ("coef", "group", "resp", "dpar", "nlpar")
        return [
            bayesml.prior(row["prior"], class_=row["class"], **{k: row[k] for k in keys if row[k]})
            for row in gold(self.name)["user_prior"]
        ]

    @property
    def call(self) -> tuple[object, pd.DataFrame, object]:
        """Formula, data and family as ``fit`` takes them."""
        formula, family = our_call(self.formula, self.family)
        return formula, self.frame, family

    def rows(self) -> dict[str, dict]:
        """Return the rows of the summary under brms's names, without those that no posterior of brms has."""
        record = gold(self.name)
        found = {self._named(row["variable"], record["columns"]): row for row in record["summary"]}
        found = {name: row for name, row in found.items() if name and not re.match(INTERNAL, name)}
        return found | self.corrected

    def _named(self, variable: str, columns: dict[str, list[str]]) -> str:
        match = re.fullmatch(r"b(_\w+)?\[(\d+)\]", variable)
        if variable in self.names or not match:
            return self.names.get(variable, variable)
        suffix = match[1] or ""
        labels = columns[f"X{suffix}"]
        slopes = [label for label in labels if label != "Intercept"] if isinstance(labels, list) else [labels]
        return f"b{suffix}_{slopes[int(match[2]) - 1]}"


# What brms does not report: matrices of correlations beside their elements, coefficients in the basis of a spline,
# Intercepts of centred predictors. What we do not: the scales of a horseshoe.
INTERNAL = r"(hs_|Rescor|Cor_|s_\d|bs_|chol_cor|ordered_|merged_|theta\[)"

INTERCEPT_OF_G = {"sd_1[1]": "sd_g__Intercept"}
MODELS = [
    Gold(
        "biv",
        "bf(mvbind(y1, y2) ~ x + (1 | p | g)) + set_rescor(TRUE)",
        names={
            "sd_1[1]": "sd_g__y1_Intercept",
            "sd_1[2]": "sd_g__y2_Intercept",
            "cor_1[1]": "cor_g__y1_Intercept__y2_Intercept",
            "rescor[1]": "rescor__y1__y2",
        },
    ),
    Gold("car1", "y ~ x + car(W, gr = g)", chain=True),
    Gold(
        "cat3",
        "y ~ x + (1 | g)",
        "categorical",
        {"sd_1[1]": "sd_g__mub_Intercept", "sd_2[1]": "sd_g__muc_Intercept"},
    ),
    Gold(
        "dirich",
        "cbind(y1, y2, y3) ~ x",
        "dirichlet",
        {
            **{f"b_mu{k}[1]": f"b_muy{k}_x" for k in (2, 3)},
            **{f"b_mu{k}_Intercept": f"b_muy{k}_Intercept" for k in (2, 3)},
        },
        columns={f"y.{k}": f"y{k}" for k in (1, 2, 3)},
    ),
    Gold(
        "gr_by",
        "y ~ x + tr + (1 | gr(g, by = tr))",
        names={"sd_1[1,1]": "sd_g__Intercept:trctl", "sd_1[1,2]": "sd_g__Intercept:trtrt"},
        # The run of the file has 10 divergent transitions and sds of 0.738 and 0.585 here. The same program of brms
        # 2.18 with 4 x 5,000 draws and delta 0.99 (stanli, seed 1) has none, and these numbers.
        corrected={
            "b_trtrt": {"mean": -0.4438, "sd": 0.6435, "mcse_mean": 0.0100, "ess_bulk": 4151},
            "sd_g__Intercept:trtrt": {"mean": 1.9301, "sd": 0.5088, "mcse_mean": 0.0070, "ess_bulk": 5045},
        },
    ),
    Gold("hurdle_gamma", "bf(y ~ x + (1 | g), hu ~ x)", "hurdle_gamma", INTERCEPT_OF_G),
    Gold("interval_cens", "y | cens(cen, y2) ~ x", quick=True),
    Gold("invgauss", "y ~ x", 'inverse.gaussian("log")'),
    Gold(
        "kidney_weibull",
        "time | cens(censored) ~ age + sex + disease + (1 | patient)",
        "weibull",
        {"sd_1[1]": "sd_patient__Intercept"},
        ("patient",),
        {"sex": ("male", "female"), "disease": ("other", "GN", "AN", "PKD")},
    ),
    Gold(
        "me1",
        "y ~ me(xo, sx) + (1 | g)",
        names={
            **INTERCEPT_OF_G,
            "bsp[1]": "bsp_mexosx",
            "meanme_1[1]": "meanme_mexo",
            "sdme_1[1]": "sdme_mexo",
        },
    ),
    Gold("mix2", "y ~ x", "mixture(gaussian, gaussian)"),
    Gold("mm2", "y ~ x + (1 | mm(s1, s2, weights = cbind(w1, w2)))", names={"sd_1[1]": "sd_mms1s2__Intercept"}),
    Gold(
        "mo_int",
        "ls ~ mo(income) * x + (1 | g)",
        names={
            **INTERCEPT_OF_G,
            "bsp[1]": "bsp_moincome",
            "bsp[2]": "bsp_moincome:x",
            **{f"simo_1[{k}]": f"simo_moincome1[{k}]" for k in (1, 2, 3)},
            **{f"simo_2[{k}]": f"simo_moincome:x1[{k}]" for k in (1, 2, 3)},
        },
    ),
    Gold(
        "orange_nl",
        "bf(circumference ~ Asym / (1 + exp(-(age - xmid) / scal)), Asym ~ 1 + (1 | Tree), xmid + scal ~ 1, nl = TRUE)",
        names={"sd_1[1]": "sd_Tree__Asym_Intercept"},
        factors=("Tree",),
    ),
    Gold(
        "s_by",
        "y ~ f + s(x, by = f, k = 8)",
        names={"sds_1_1": "sds_sxfa_1", "sds_2_1": "sds_sxfb_1", "bs[1]": "bs_sx:fa_1", "bs[2]": "bs_sx:fb_1"},
    ),
    Gold(
        "sal_zip",
        "bf(count ~ spp + mined + (1 | site), zi ~ mined)",
        "zero_inflated_poisson",
        {"sd_1[1]": "sd_site__Intercept"},
    ),
    Gold("skewn", "y ~ x", "skew_normal"),
    Gold(
        "sleep_arma",
        "Reaction ~ Days + arma(Days, Subject, p = 1, q = 1, cov = TRUE)",
        factors=("Subject",),
    ),
    Gold("sleep_hs", "y ~ " + " + ".join(f"X{k}" for k in range(1, 13))),
    Gold(
        "student_biv",
        "bf(mvbind(y1, y2) ~ x) + set_rescor(TRUE)",
        "student",
        {"rescor[1]": "rescor__y1__y2"},
    ),
    Gold(
        "thres_gr",
        "y | thres(gr = item) ~ 1 + (1 | id)",
        "cumulative",
        {
            "sd_1[1]": "sd_id__Intercept",
            **{f"b_Intercept_{i}[{k}]": f"b_Intercept[i{i},{k}]" for i in range(1, 5) for k in (1, 2)},
        },
        ("id",),
    ),
]

# Runs of models that cannot be fitted yet, with what the error names (a regular expression). Whoever adds a feature
# removes its line.
NOT_YET = {}
READY = [model for model in MODELS if model.name not in NOT_YET]


@pytest.mark.parametrize(
    "model", [pytest.param(m, id=m.name, marks=[] if m.quick else pytest.mark.slow) for m in READY]
)
@pytest.mark.filterwarnings("ignore:.*diverged:bayesml.FitWarning")  # as some do in brms; the numbers are compared
def test_means_and_sds_agree_with_brms(model):
    fit = bayesml.fit(
        *model.call,
        prior=model.priors,
        default_priors="brms",
        draws=1500,
        seed=20,
        target_accept=0.95,
        progress=False,
        data2=model.data2,
    )
    ours = {brms_alias(name): name for name in fit.draws().columns}
    rows = model.rows()
    assert set(rows) <= set(ours), f"missing: {set(rows) - set(ours)}"
    for name, row in rows.items():
        assert_agrees(fit[ours[name]].values, row, name)


@pytest.mark.parametrize("model", [pytest.param(m, id=m.name) for m in MODELS if m.name in NOT_YET])
def test_what_is_not_there_yet_is_named_in_an_error(model):
    with pytest.raises(BayesmlError, match=f"(?i){NOT_YET[model.name]}"):
        describe_problem(*model.call, prior=model.priors, default_priors="brms")


def test_every_run_is_compared():
    runs = {path.stem for path in shared_path("reference", "gold").glob("*.json")}
    assert runs == {model.name for model in MODELS} | set(test_gold.MODELS)
    assert set(NOT_YET) <= runs
