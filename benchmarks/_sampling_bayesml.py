"""Worker: sample a case with bayesml."""

from __future__ import annotations

import time

from _sampling_answer import Answer, Request, Stopwatch, answer_request


def run(request: Request) -> Answer:
    """Fit with the default options."""
    import bayesml
    from bayesml.engines.nuts.driver.session import Session

    watch = Stopwatch()
    Session.sample = watch.around(Session.sample)  # type: ignore[method-assign]
    case = request.case
    formula = bayesml.bf(case.formula(), sigma="~ " + case.right_side("sigma")) if case.sigma_slopes else case.formula()
    priors = [bayesml.prior(row["prior"], class_=row["class"], dpar=row.get("dpar", "")) for row in case.prior_rows()]
    options = {"seed": request.seed, "chains": request.chains, "progress": False}
    fit = bayesml.fit(formula, request.data, case.family, prior=priors, **options)
    str(fit.summary())
    summarised = time.time()
    timing, statistics = fit.timing, fit.outcome.posterior.statistics
    share = timing.warmup / (timing.warmup + timing.sampling + timing.reporting)
    return Answer(
        {name: fit[name].values for name in case.reported(request.levels)},
        summarised,
        timing.trace + timing.compile,
        watch.clock,
        watch.processor * share,
        watch.processor * (1 - share),
        int(statistics["n_steps"].sum()),
        int(statistics["diverging"].sum()),
        bayesml.__version__,
        fit.plan.splitlines()[0],
    )


if __name__ == "__main__":
    answer_request(run)
