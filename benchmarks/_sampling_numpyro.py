"""Worker: sample a case with NumPyro, the model written by hand, non-centred, in double precision."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from _sampling_answer import Answer, Request, Stopwatch, answer_request
from _sampling_cases import Effects, SamplingCase

LONG_RUN = 150.0
"""A first run that takes longer, in seconds, is not repeated without compilation."""


@dataclass(frozen=True)
class Arrays:
    """The data of a model as arrays, columns centred."""

    y: np.ndarray
    trials: np.ndarray
    columns: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    codes: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    counts: dict[str, int]


def arrays_of(request: Request) -> Arrays:
    """Return the arrays of a case."""
    case, data = request.case, request.data
    slopes = {"mu": case.slopes, "sigma": case.sigma_slopes}
    columns = {dpar: data[list(slopes[dpar])].to_numpy(float) for dpar in case.dpars}
    means = {dpar: values.mean(axis=0) for dpar, values in columns.items()}
    return Arrays(
        data[case.response].to_numpy(),
        data[case.trials].to_numpy() if case.trials else np.zeros(0),
        {dpar: values - means[dpar] for dpar, values in columns.items()},
        means,
        {name: data[name].cat.codes.to_numpy() for name in request.levels},
        {c: np.ones(len(data)) if c == "Intercept" else data[c].to_numpy(float) for e in case.effects for c in e.coefs},
        {name: len(levels) for name, levels in request.levels.items()},
    )


def effect_names(effects: Effects) -> tuple[str, str, str]:
    """Return the names of sds, correlations and effects."""
    dpar = "" if effects.dpar == "mu" else f"__{effects.dpar}"
    return tuple(f"{kind}_{effects.factor}{dpar}" for kind in ("sd", "L", "r"))  # type: ignore[return-value]


def model(case: SamplingCase, arrays: Arrays) -> None:
    """Define the posterior."""
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    def group_effects(effects: Effects, scale: float) -> Any:
        sd_name, cor_name, r_name = effect_names(effects)
        count, size = arrays.counts[effects.factor], len(effects.coefs)
        half = dist.FoldedDistribution(dist.StudentT(3, 0, scale))
        sd = numpyro.sample(sd_name, half.expand([size]).to_event(1))
        z = numpyro.sample(f"z_{r_name}", dist.Normal(0, 1).expand([count, size]).to_event(2))
        if size == 1:
            return numpyro.deterministic(r_name, z * sd)
        factor = numpyro.sample(cor_name, dist.LKJCholesky(size, 1.0))
        return numpyro.deterministic(r_name, z @ (sd[:, None] * factor).T)

    def predictor(dpar: str, location: float, scale: float, slope: float) -> Any:
        suffix = "" if dpar == "mu" else f"_{dpar}"
        x, mean = arrays.columns[dpar], arrays.means[dpar]
        intercept = numpyro.sample(f"Intercept{suffix}", dist.StudentT(3, location, scale))
        b = numpyro.sample(f"b{suffix}", dist.Normal(0, slope).expand([x.shape[1]]).to_event(1))
        numpyro.deterministic(f"b_Intercept{suffix}", intercept - mean @ b)
        eta = intercept + x @ b
        for effects in case.effects:
            if effects.dpar == dpar:
                r = group_effects(effects, scale)[arrays.codes[effects.factor]]
                eta = eta + sum(r[:, k] * arrays.rows[c] for k, c in enumerate(effects.coefs))
        return eta

    p = case.priors
    eta = predictor("mu", p.location, p.scale, p.slope)
    if case.family in ("gaussian", "student"):
        half = dist.FoldedDistribution(dist.StudentT(3, 0, p.scale))
        sigma = jnp.exp(predictor("sigma", 0.0, 2.5, 2.5)) if case.sigma_slopes else numpyro.sample("sigma", half)
    if case.family == "gaussian":
        likelihood: Any = dist.Normal(eta, sigma)
    elif case.family == "student":
        likelihood = dist.StudentT(numpyro.sample("nu", dist.Gamma(2, 0.1)), eta, sigma)
    elif case.family == "poisson":
        likelihood = dist.Poisson(jnp.exp(eta))
    elif case.family == "negbinomial":
        likelihood = dist.NegativeBinomial2(jnp.exp(eta), numpyro.sample("shape", dist.Gamma(2, 0.5)))
    elif case.family == "binomial":
        likelihood = dist.BinomialLogits(eta, total_count=arrays.trials)
    else:
        likelihood = dist.BernoulliLogits(eta)
    numpyro.sample("y", likelihood, obs=arrays.y)


def named_draws(request: Request, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the reported parameters under their common names."""
    case, found = request.case, {}
    for dpar in case.dpars:
        suffix, slopes = ("", case.slopes) if dpar == "mu" else (f"_{dpar}", case.sigma_slopes)
        found[f"b{suffix}_Intercept"] = samples[f"b_Intercept{suffix}"]
        found |= {f"b{suffix}_{name}": samples[f"b{suffix}"][..., k] for k, name in enumerate(slopes)}
    for e in case.effects:
        sd_name, cor_name, r_name = effect_names(e)
        prefix = "" if e.dpar == "mu" else f"{e.dpar}_"
        for k, coef in enumerate(e.coefs):
            found[f"sd_{e.factor}__{prefix}{coef}"] = samples[sd_name][..., k]
            for j, level in enumerate(request.levels[e.factor]):
                found[f"{r_name}[{level},{coef}]"] = samples[r_name][:, :, j, k]
        if len(e.coefs) == 2:
            found[f"cor_{e.factor}__{e.coefs[0]}__{e.coefs[1]}"] = samples[cor_name][..., 1, 0]
    found |= {name: samples[name] for name in case.extra.split()}
    return {name: np.asarray(found[name]) for name in case.reported(request.levels)}


def run(request: Request) -> Answer:
    """Sample with NumPyro's NUTS, chains in parallel; a second run in the process is without compilation."""
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={request.chains}"
    import arviz as az
    import jax
    import numpyro
    from numpyro.infer import MCMC, NUTS

    numpyro.enable_x64()
    arrays = arrays_of(request)
    kernel = NUTS(model)
    options = {"num_warmup": 1000, "num_samples": 1000, "num_chains": request.chains, "chain_method": "parallel"}
    sampler = MCMC(kernel, progress_bar=False, **options)
    fields = ("num_steps", "diverging")

    def warm_up(key: Any) -> None:
        sampler.warmup(key, request.case, arrays, extra_fields=fields)
        jax.block_until_ready(sampler.post_warmup_state)

    def sample() -> None:
        sampler.run(sampler.post_warmup_state.rng_key, request.case, arrays, extra_fields=fields)
        jax.block_until_ready(sampler.get_samples())

    def both(seed: int) -> tuple[Stopwatch, Stopwatch]:
        warmup, sampling = Stopwatch(), Stopwatch()
        warmup.around(warm_up)(jax.random.key(seed))
        sampling.around(sample)()
        return warmup, sampling

    first = both(request.seed)
    str(az.summary(az.from_numpyro(sampler, log_likelihood=False)))
    summarised = time.time()
    spent = sum(watch.clock for watch in first)
    warmup, sampling = first if spent > LONG_RUN else both(request.seed + 1000)
    clock = warmup.clock + sampling.clock
    samples = {name: np.asarray(value) for name, value in sampler.get_samples(group_by_chain=True).items()}
    extra = sampler.get_extra_fields()
    return Answer(
        named_draws(request, samples),
        summarised,
        max(0.0, spent - clock),
        clock,
        warmup.processor,
        sampling.processor,
        int(np.sum(extra["num_steps"])),
        int(np.sum(extra["diverging"])),
        numpyro.__version__,
        "compilation is in the times" if warmup is first[0] else "",
    )


if __name__ == "__main__":
    answer_request(run)
