"""The lme4 fits and long brms runs of the reference folder as values that tests can loop over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from bayesml.convergence import convergence
from tests.conftest import SHARED, shared_path

# brms and lme4 spell `Trt1`; the data hold quoted whole numbers that R read as factors.
FACTORS = {
    "epilepsy": ["Trt", "patient", "visit", "obs"],
    "cbpp": ["herd", "period"],
    "sleepstudy": ["Subject"],
}


@cache
def frame(name: str) -> pd.DataFrame:
    """Read a data set of the reference folder as R saw it."""
    if name == "mathachieve+mathachieveschool":
        return frame("mathachieve").merge(frame("mathachieveschool"), on="school")
    data = pd.read_csv(shared_path("data", f"{name}.csv"))
    for column in FACTORS.get(name, []):
        data[column] = data[column].astype(str)
    if name == "cosmetic":
        data["months"] = data["days"] * 12 / 365.25
    return data


@dataclass(frozen=True)
class Reference:
    """One fit of ``reference_fits.json``."""

    id: str
    formula: str
    data: str
    family: str
    record: dict

    @property
    def frame(self) -> pd.DataFrame:
        return frame(self.data)

    def fixed(self) -> dict[str, float]:
        """Estimates under our labels."""
        return {label(k): v["Estimate"] for k, v in self.record["fixef"].items()}

    def sds(self) -> dict[str, float]:
        """Group-level sds under our text names; lme4 numbers repeated factors (``Subject.1``) and turns nested ones."""
        found = {}
        for group, value in self.record["varcorr"].items():
            name = ":".join(reversed(group.split(":"))) if ":" in group else group.rstrip("0123456789").rstrip(".")
            name = group if name not in self.frame.columns and ":" not in group else name
            for coef, sd in zip(value["names"], value["sd"], strict=True):
                found[f"sd_{name}__{label(coef)}"] = sd
        return found


def label(coef: str) -> str:
    """Turn lme4's ``fundingstate`` into our ``funding[state]``."""
    factors = {"funding": "state", "reason": "Physical reason", "Trt": "1", "period": None}
    parts = []
    for part in coef.replace("(Intercept)", "Intercept").split(":"):
        stem = next((f for f in factors if part.startswith(f) and part != f), None)
        parts.append(f"{stem}[{part[len(stem) :]}]" if stem else part)
    return ":".join(parts)


def references() -> list[Reference]:
    """Return every fit of ``reference_fits.json``; none where the reference folder is missing."""
    path = SHARED / "reference" / "reference_fits.json"
    if not path.exists():
        return []
    fits = json.loads(path.read_text())["fits"]
    return [Reference(f["id"], f["formula"], f["data"], f["family"], f) for f in fits]


def gold(name: str) -> dict:
    """Return one long brms run."""
    return json.loads(Path(shared_path("reference", "gold", f"{name}.json")).read_text())


def assert_agrees(draws: np.ndarray, row: dict, name: str) -> None:
    """Check that mean and sd of draws are within four Monte Carlo standard errors of those of a long brms run.

    Args:
        draws: ``(chains, draws)``.
        row: the row of ``gold(...)["summary"]``: mean, sd, mcse_mean, effective sample sizes.
        name: what to call the variable in the message.
    """
    found = convergence(draws[:, :, None])
    mcse = np.hypot(draws.std() / np.sqrt(float(found.bulk_ess[0])), row["mcse_mean"])
    assert abs(draws.mean() - row["mean"]) < 4 * mcse, name
    theirs = min(row["ess_bulk"], row.get("ess_tail", row["ess_bulk"]))
    sd_error = np.hypot(mcse_of_sd(draws), mcse_of_sd(draws, theirs))
    assert abs(draws.std(ddof=1) - row["sd"]) < 4 * sd_error, name
    assert float(found.rhat[0]) < 1.01, name


def mcse_of_sd(draws: np.ndarray, ess: float | None = None) -> float:
    """Monte Carlo standard error of a standard deviation, by the delta method: that of the variance over 2 sd.

    Args:
        draws: ``(chains, draws)``.
        ess: effective sample size of another run, whose error is asked for: sd sqrt((kurtosis - 1) / (4 ESS)). None for
            the error of these draws, whose squared deviations have an effective sample size of their own: antithetic
            draws, worth more than independent ones for the mean, are worth less for the variance.
    """
    if ess is None:
        squares = (draws - draws.mean()) ** 2
        return float(convergence(squares[:, :, None]).mcse[0]) / (2 * float(draws.std()))
    centred = draws.reshape(-1) - draws.mean()
    kurtosis = float(np.mean(centred**4) / np.mean(centred**2) ** 2)
    return float(draws.std() * np.sqrt((kurtosis - 1) / (4 * ess)))
