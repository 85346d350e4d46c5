"""Which parameters share a joint prior: all of one predictor that have it, with the arguments of the main one."""

from __future__ import annotations

from collections.abc import Mapping

from bayesml.errors import PriorError
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.resolve import Resolution
from bayesml.spec import ParameterSpec

__all__ = ["joint_in_model"]

ORDER = ("b", "sds", "sdgp", "ar", "ma", "sderr", "sdcar", "sd")
"""Order of the scales, as in brms."""


def joint_in_model(resolution: Resolution, n_rows: int, sigmas: Mapping[str, float]) -> dict[str, AbstractJointPrior]:
    """Return the joint prior of each parameter that has one, with what it takes from the data.

    Args:
        resolution: which parameters have which.
        n_rows: number of rows.
        sigmas: residual standard deviations that a formula fixes, by response.

    Raises:
        PriorError: classes of one predictor have different kinds, none or several of them are the main one, or the
            values of a parameter are bounded.
    """
    by_name = {parameter.name: parameter for parameter in resolution.parameters}
    sets: dict[tuple[str, str, str], list[ParameterSpec]] = {}
    for name in resolution.joint:
        sets.setdefault(by_name[name].predictor.target, []).append(by_name[name])
    found: dict[str, AbstractJointPrior] = {}
    for targets in sets.values():
        main = _main(resolution, targets)
        for target in targets:
            _check(main, target)
        ordered = sorted(targets, key=lambda p: ORDER.index(p.prior_class) if p.prior_class in ORDER else len(ORDER))
        in_model = main.in_model(n_rows, ordered, sigmas.get(targets[0].predictor.resp, 1.0))
        found |= {target.name: in_model for target in targets}
    return found


def _main(resolution: Resolution, targets: list[ParameterSpec]) -> AbstractJointPrior:
    """Return the prior whose arguments hold for all classes of a predictor."""
    by_class = {target.prior_class: resolution.joint[target.name] for target in targets}
    kinds = {prior.name for prior in by_class.values()}
    listed = ", ".join(f'{prior} of class "{name}"' for name, prior in by_class.items())
    if len(kinds) > 1:
        raise PriorError(f"Classes of one predictor share one joint prior; there are {listed}.")
    mains = [prior for prior in by_class.values() if prior.is_main]
    if len(by_class) > 1 and len(mains) != 1:
        (kind,) = kinds
        raise PriorError(
            f"Where several classes have the prior {kind}, the arguments of one of them hold: write `main=True` in "
            f"exactly one, {kind}(main=True). There are {listed}."
        )
    return mains[0] if mains else next(iter(by_class.values()))


def _check(prior: AbstractJointPrior, target: ParameterSpec) -> None:
    """Refuse parameters for which the prior has no meaning."""
    if target.name.startswith("bcs"):
        raise PriorError(f"{prior} is no prior of category specific effects, cs(); give each a prior of its own.")
    if len(target.shape) > 1:
        raise PriorError(f"{prior} is no prior of standard deviations that depend on a factor, gr(g, by=).")
    if target.prior_class in ("b", "ar", "ma") and target.support.bounds != (-float("inf"), float("inf")):
        raise PriorError(f'{prior}: the values of class "{target.prior_class}" are bounded here, which it knows not.')
