"""Worker: fit a case with bayesml's defaults. Called with the path of a request."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from _family_cases import FAMILY_CASES, FamilyCase
from _sampling_answer import Stopwatch
from _term_cases import TERM_CASES

LEFT_OUT = ("r_", "z_", "lp__", "theta1", ".", "s_", "rcar", "zgp")


def main(path: str) -> None:
    """Fit, and write draws and timings."""
    import pandas as pd

    import bayesml
    from bayesml.engines.nuts.driver.session import Session

    watch = Stopwatch()
    Session.sample = watch.around(Session.sample)  # type: ignore[method-assign]
    request = json.loads(Path(path).read_text())
    case = next(case for case in (*FAMILY_CASES, *TERM_CASES) if case.name == request["case"])
    data = pd.read_csv(request["data"])
    options = {"seed": request["seed"], "chains": request["chains"], "progress": False}
    tables = {name: pd.read_csv(file) for name, file in request["matrices"].items()}
    data2 = {name: table.set_axis(list(table.columns), axis=0) for name, table in tables.items()}
    prior = [
        bayesml.prior(row["prior"], class_="b", nlpar=row.get("nlpar", ""), dpar=row.get("dpar", ""))
        for row in case.priors
    ]
    began = time.perf_counter()
    fit = bayesml.fit(
        formula(case), data, family(case), prior=prior, default_priors="brms", warmup=request["warmup"],
        draws=request["draws"], data2=data2, **options,
    )  # fmt: skip
    str(fit.summary())
    seconds = time.perf_counter() - began
    timing, statistics = fit.timing, fit.outcome.posterior.statistics
    names = [name for name in fit.draws().columns if not name.startswith(LEFT_OUT)]
    answer = {
        "seconds": watch.clock,
        "to_summary": seconds,
        "compiling": timing.trace + timing.compile,
        "divergences": int(statistics["diverging"].sum()),
        "draws": {name: fit[name].values.tolist() for name in names},
        "version": bayesml.__version__,
    }
    Path(request["answer"]).write_text(json.dumps(answer))


def formula(case: FamilyCase) -> object:
    """Return the formula as ``fit`` takes it."""
    import bayesml

    parts = (case.formula,) if isinstance(case.formula, str) else case.formula
    nonlinear = {"nonlinear": True} if case.is_nonlinear else {}
    total, *others = (bayesml.bf(part, **case.further, **nonlinear) for part in parts)
    for other in others:
        total = total + other
    return total + bayesml.set_rescor(True) if others else total


def family(case: FamilyCase) -> object:
    """Return the family as ``fit`` takes it."""
    import bayesml

    return bayesml.families.mixture("gaussian", "gaussian") if case.family[0] == "mixture" else case.family[0]


if __name__ == "__main__":
    main(sys.argv[1])
