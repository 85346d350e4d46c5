"""Worker: time the fits of one Python engine on one case. Called with the path of a request."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

Fitter = Callable[[Any, Mapping[str, Any]], Any]

MOST_REPEATS = 40
"""A median of more runs than that is no steadier."""


def _bayesml(data: Any, case: Mapping[str, Any]) -> Any:
    import bayesml

    method = "reml" if case["family"] == "gaussian" else "laplace"
    return bayesml.fit(case["formula"], data, case["family"], method=method)


def _glmm(data: Any, case: Mapping[str, Any]) -> Any:
    import glmm

    family = "binomial" if case["family"] == "bernoulli" else case["family"]
    return glmm.fit(data, case["formula"], family, satterthwaite=False, anova_test="Wald")


def _glmm_with_df(data: Any, case: Mapping[str, Any]) -> Any:
    import glmm

    family = "binomial" if case["family"] == "bernoulli" else case["family"]
    return glmm.fit(data, case["formula"], family)


def _statsmodels(data: Any, case: Mapping[str, Any]) -> Any:
    from statsmodels.regression.mixed_linear_model import MixedLM

    formula, group, effects = case["statsmodels"]
    return MixedLM.from_formula(formula, data, groups=group, re_formula=effects).fit(reml=True, method="lbfgs")


def _log_likelihood(engine: str, fit: Any) -> float:
    return fit.logLik if engine == "bayesml" else fit.llf if engine == "statsmodels" else fit.loglik


def _summary(engine: str, data: Any, case: Mapping[str, Any]) -> str:
    if engine == "glmm":
        return str(_glmm_with_df(data, case).summary())
    return str(FITTERS[engine](data, case).summary())


FITTERS: dict[str, Fitter] = {"bayesml": _bayesml, "glmm": _glmm, "statsmodels": _statsmodels}


def timed(call: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Return the seconds of a call, by the clock and of the processor, and what it returned."""
    began, used = time.perf_counter(), time.process_time()
    value = call()
    return (time.perf_counter() - began, time.process_time() - used), value


def repeat(call: Callable[[], Any], budget: float) -> list[tuple[float, float]]:
    """Return the seconds of repeated calls: at least two, then as many as the budget allows."""
    times: list[tuple[float, float]] = []
    while len(times) < 2 or (sum(t for t, _ in times) < budget and len(times) < MOST_REPEATS):
        times.append(timed(call)[0])
    return times


def main(request: Mapping[str, Any]) -> dict[str, Any]:
    """Fit once cold, then warm, then with the summary."""
    import pandas as pd

    began = time.perf_counter()
    data = pd.read_csv(request["data"])
    for name in data.columns:
        if name in request["factors"]:
            data[name] = data[name].astype(str).astype("category")
    reading = time.perf_counter() - began
    engine, case = request["engine"], request["case"]
    fitter = FITTERS[engine]
    first, fit = timed(lambda: fitter(data, case))
    finished = time.time()
    found = _log_likelihood(engine, fit)
    del fit
    slow = first[0] > request["budget"]
    warm = [first] if slow else repeat(lambda: fitter(data, case), request["budget"])
    summaries = [] if slow else repeat(lambda: _summary(engine, data, case), request["budget"] / 2)
    return {
        "log_likelihood": float(found),
        "finished": finished,
        "reading": reading,
        "first": first[0],
        "warm": [by_clock for by_clock, _ in warm],
        "cpu": [used for _, used in warm],
        "with_summary": [by_clock for by_clock, _ in summaries],
        "imports_jax": "jax" in sys.modules,
        "version": version(engine),
    }


if __name__ == "__main__" and len(sys.argv) == 2:
    warnings.simplefilter("ignore")
    asked = json.loads(Path(sys.argv[1]).read_text())
    Path(asked["answer"]).write_text(json.dumps(main(asked)))
