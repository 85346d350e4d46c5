"""What to do about observations with a high Pareto k."""

from __future__ import annotations

import numpy as np

from bayesml.errors import warn_user
from bayesml.results.checks.loo_options import LooOptions
from bayesml.results.checks.loo_result import Evidence, reliable_k

__all__ = ["warn_about_k"]

DRAWS_FOR_GOOD_K = 2200  # 1 - 1 / log10(2200) = 0.7
LISTED = 10
FEW_REFITS = 10


def warn_about_k(evidence: Evidence, name: str, options: LooOptions) -> None:
    """Warn where the estimate is unreliable, and say what helps.

    Args:
        evidence: what was found.
        name: how warnings call the fit, where there are several.
        options: how rows were left out.
    """
    fit, k, labels, threshold = evidence.fit, evidence.found.pareto_k, evidence.labels, options.k_threshold
    prefix, draws = f"`{name}`: " if name else "", fit.draws_record.n_chains * fit.draws_record.n_draws
    bad, doubtful = np.flatnonzero(k > threshold), int((k > min(reliable_k(draws), threshold)).sum())
    if len(bad):
        shown = ", ".join(str(labels[i]) for i in bad[:LISTED]) + (", ..." if len(bad) > LISTED else "")
        plural = "s" if len(bad) > 1 else ""
        if evidence.unit == "obs":
            where = f"(index of the row{plural}: {shown})"
            of = f"{len(bad)} observation{plural} with a Pareto k above {threshold:g} {where}"
        else:
            of = f"{len(bad)} level{plural} of `{evidence.unit}` with a Pareto k above {threshold:g} ({shown})"
        warn_user(
            f"{prefix}{of}: the leave-one-out estimate is unreliable there. {_advice(evidence, len(bad), options)} "
            "Or see whether the model can explain them: a family with heavier tails, such as student or negbinomial, "
            "often can."
        )
    if doubtful > len(bad):
        have = "observation has" if doubtful == 1 else "observations have"
        warn_user(
            f"{prefix}{doubtful} {have} a Pareto k above {reliable_k(draws):.2f}, the limit for {draws} draws. Run "
            f"more iterations, to get at least about {DRAWS_FOR_GOOD_K} draws."
        )


def _advice(evidence: Evidence, bad: int, options: LooOptions) -> str:
    """Return what helps, the cheapest first."""
    fit, depends = evidence.fit, evidence.fit.likelihood.traits.rows_depend
    if evidence.unit != "obs":
        return f'Use `kfold(group="{evidence.unit}", K=None, joint="group")` in its place.'
    ways = []
    has_groups = any(predictor.groups() for predictor in fit.problem.design.schema.predictors)
    if options.groups == "conditional" and has_groups and not depends:
        ways.append('`groups="integrate"`, which averages over the effects of its group')
    if options.groups == "conditional" and not options.moment_match and fit.engine.sampling is not None:
        ways.append("`moment_match=True`, which moves the draws to where they are needed")
    if bad <= FEW_REFITS and not depends:
        ways.append(f"`reloo=True`, which fits the model again without {'it' if bad == 1 else 'each of them'}")
    instead = "" if depends or (bad <= FEW_REFITS and ways) else "`kfold(K=10)` in its place"
    if not ways:
        return f"Use {instead}." if instead else "Run more iterations."
    return f"Call loo() with {', or with '.join(ways)}{f'; or use {instead}' if instead else ''}."
