"""Worker: sample a case with Bambi, by nutpie or by NumPyro. Bambi has no correlated group effects."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

import numpy as np
from _sampling_answer import Answer, Request, Stopwatch, answer_request
from _sampling_cases import Effects

FAMILIES = {"student": "t", "negbinomial": "negativebinomial"}
"""Bambi's names where they are others than brms's."""
EXTRA = {"shape": "alpha"}


def build(request: Request) -> Any:
    """Return Bambi's model with the priors of the case."""
    import bambi

    case, p = request.case, request.case.priors

    def half() -> Any:
        return bambi.Prior("HalfStudentT", nu=3, sigma=p.scale)

    response = f"p({case.response}, {case.trials})" if case.trials else case.response
    right_sides = {dpar: case.right_side(dpar) for dpar in case.dpars}
    formula = bambi.Formula(
        f"{response} ~ {right_sides['mu']}", *(f"{d} ~ {r}" for d, r in right_sides.items() if d != "mu")
    )
    priors: dict[str, Any] = _predictor_priors(case.slopes, p.location, p.scale, p.slope)
    priors |= {_term(e, c): _group_prior(p.scale) for e in case.effects if e.dpar == "mu" for c in e.coefs}
    if "sigma" in case.extra:
        priors["sigma"] = half()
    if "nu" in case.extra:
        priors["nu"] = bambi.Prior("Gamma", alpha=2, beta=0.1)
    if "shape" in case.extra:
        priors["alpha"] = bambi.Prior("Gamma", alpha=2, beta=0.5)
    if case.sigma_slopes:
        of_sigma = _predictor_priors(case.sigma_slopes, 0.0, 2.5, 2.5)
        of_sigma |= {_term(e, c): _group_prior(2.5) for e in case.effects if e.dpar == "sigma" for c in e.coefs}
        priors["sigma"] = of_sigma
    model = bambi.Model(formula, request.data, family=FAMILIES.get(case.family, case.family), priors=priors)
    model.build()
    return model


def _predictor_priors(slopes: tuple[str, ...], location: float, scale: float, slope: float) -> dict[str, Any]:
    import bambi

    priors = {name: bambi.Prior("Normal", mu=0, sigma=slope) for name in slopes}
    return {"Intercept": bambi.Prior("StudentT", nu=3, mu=location, sigma=scale), **priors}


def _group_prior(scale: float) -> Any:
    import bambi

    return bambi.Prior("Normal", mu=0, sigma=bambi.Prior("HalfStudentT", nu=3, sigma=scale))


def _term(effects: Effects, coef: str) -> str:
    return f"{'1' if coef == 'Intercept' else coef}|{effects.factor}"


def named_draws(request: Request, posterior: Any) -> dict[str, np.ndarray]:
    """Return the reported parameters under their common names; correlations are missing."""
    case, found = request.case, {}
    for name in ("Intercept", *case.slopes):
        found[f"b_{name}"] = posterior[name].values
    if case.sigma_slopes:
        found |= {f"b_sigma_{name}": posterior[f"sigma_{name}"].values for name in ("Intercept", *case.sigma_slopes)}
    for e in case.effects:
        prefix, inner = ("", "") if e.dpar == "mu" else (f"{e.dpar}_", f"__{e.dpar}")
        for coef in e.coefs:
            term = prefix + _term(e, coef)
            found[f"sd_{e.factor}__{prefix}{coef}"] = posterior[f"{term}_sigma"].values
            effects = posterior[term].transpose("chain", "draw", ...).values
            for j, level in enumerate(request.levels[e.factor]):
                found[f"r_{e.factor}{inner}[{level},{coef}]"] = effects[..., j]
    found |= {name: posterior[EXTRA.get(name, name)].values for name in case.extra.split()}
    return {name: found[name] for name in case.reported(request.levels) if name in found}


def run(request: Request) -> Answer:
    """Sample with Bambi's defaults; nutpie's warm-up is told from its sampling by the leapfrogs of both."""
    import arviz as az
    import bambi
    import pymc

    began = time.perf_counter()
    by_nutpie = request.engine == "bambi_nutpie"
    watch = Stopwatch()
    options: dict[str, Any] = {"discard_tuned_samples": False}
    if by_nutpie:
        import nutpie

        nutpie.sample = watch.around(nutpie.sample)
    else:
        options = {"nuts_sampler_kwargs": {"chain_method": "parallel"}}
        import numpyro
        import pymc.sampling.jax

        numpyro.set_host_device_count(request.chains)
        pymc.sampling.jax._sample_numpyro_nuts = watch.around(pymc.sampling.jax._sample_numpyro_nuts)
    model = build(request)
    found = model.fit(
        draws=1000,
        tune=1000,
        chains=request.chains,
        cores=request.cores,
        inference_method="nutpie" if by_nutpie else "numpyro",
        random_seed=request.seed,
        progressbar=False,
        idata_kwargs={"log_likelihood": False} if not by_nutpie else None,
        **options,
    )
    total = time.perf_counter() - began
    str(az.summary(found.posterior))
    summarised = time.time()
    statistics = found.sample_stats
    steps = int(statistics["n_steps"].sum())
    share = _sampling_share(found, steps) if by_nutpie else 0.5
    note = "" if by_nutpie else "times with compilation, half of them counted as warm-up"
    return Answer(
        named_draws(request, found.posterior),
        summarised,
        total - watch.clock,
        watch.clock,
        watch.processor * (1 - share),
        watch.processor * share,
        steps,
        int(statistics["diverging"].sum()),
        f"{bambi.__version__} / pymc {pymc.__version__} / {version('nutpie' if by_nutpie else 'numpyro')}",
        note,
    )


def _sampling_share(found: Any, steps: int) -> float:
    warmup = getattr(found, "warmup_sample_stats", None)
    return 0.5 if warmup is None else steps / max(steps + int(warmup["n_steps"].sum()), 1)


if __name__ == "__main__":
    answer_request(run)
