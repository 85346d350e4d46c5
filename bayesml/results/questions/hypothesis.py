"""``hypothesis()``: how plausible statements about parameters are, in the words of brms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.names import brms_alias, reorderings
from bayesml.results.questions.hypothesis_text import HypothesisText, read_hypothesis
from bayesml.results.questions.tested import HypothesisTests, tested
from bayesml.results.record.reduced import require_effects
from bayesml.results.tables.tables import level_coefficients

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["HypothesisTests", "hypothesis"]

Scope = Literal["standard", "population", "ranef", "coef"]


def hypothesis(
    fit: AbstractSampledFit, hypothesis: Any, class_: str | None = "b", group: str = "", scope: Scope = "standard",
    alpha: float = 0.05, robust: bool = False,
) -> HypothesisTests:  # fmt: skip
    """Test statements about parameters: ``"Days > 0"``, ``"x = 2 * z"``, ``"exp(x) < 1.5"``.

    Each is the difference of its two sides at every draw. Its evidence ratio is that of the posterior probabilities for
    and against it, where it has a direction. For ``=`` it is the Savage-Dickey ratio (Dickey and Lientz 1970), the
    density of the difference at 0 under the posterior over that under the prior, by kernel density estimates; it needs
    draws from the prior, ``fit(..., sample_prior="yes")``.

    Args:
        fit: the fit.
        hypothesis: a text, a list of texts, or a dict of texts by name. Names are those of brms in its spelling or
            ours; arithmetic and the functions of nonlinear formulas are possible.
        class_: what stands before the names: ``"b"`` population-level coefficients, ``"sd"`` or ``"cor"`` with
            ``group``; None for whole names, ``"sd_g__Intercept^2 / (sd_g__Intercept^2 + sigma^2) > 0.2"``. Whole names
            are always understood, where no other name is meant.
        group: a grouping factor: of ``class_``, or of ``scope``.
        scope: ``"standard"``, or ``"population"``, parameters of the model; ``"ranef"`` the effects of each level of
            ``group``, ``"coef"`` its coefficients, the population-level ones with its effects: one row for each level.
        alpha: a hypothesis without direction has a 1 - alpha interval, others one of 1 - 2 alpha.
        robust: median and scaled mad in the place of mean and standard deviation.

    Returns:
        ``to_pandas()``, a table with Hypothesis, Estimate, Est.Error, CI.Lower, CI.Upper, Evid.Ratio, Post.Prob and
        Star; ``draws`` of the differences, ``prior_draws``, and ``plot()``.

    Raises:
        ModelError: a name is no parameter, the text is no hypothesis, or an option is impossible.

    Example:
        >>> fit.hypothesis("Days > 0")
        >>> fit.hypothesis(["Days > 10", "exp(sigma_Days) = 1"])
        >>> fit.hypothesis("Days > 0", scope="coef", group="Subject")
    """
    named = _named(hypothesis)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0.0 < alpha < 0.5:
        raise ModelError(f"`alpha` lies between 0 and 0.5; got {alpha!r}.")
    if scope not in get_args(Scope):
        listed = ", ".join(f'"{known}"' for known in get_args(Scope))
        raise ModelError(f"`scope` is one of {listed}; got {scope!r}.")
    if scope in ("ranef", "coef"):
        return _of_levels(fit, named, group, scope, alpha, robust)
    parameters = _Parameters.of(fit, class_, group, any("r_" in text for text in named.values()))
    read = {label: parameters.read(text) for label, text in named.items()}
    draws = [parameters.values(each.names, fit.draws_record.values) for each in read.values()]
    prior = fit.draws_record.prior
    priors = [
        parameters.values(each.names, prior) if parameters.in_prior(each.names, prior) else None
        for each in read.values()
    ]
    texts = list(read.values())
    labels = list(named) if isinstance(hypothesis, Mapping) else [each.label for each in texts]
    differences = [each.value(own) for each, own in zip(texts, draws, strict=True)]
    of_prior = [None if own is None else each.value(own) for each, own in zip(texts, priors, strict=True)]
    return tested(labels, [each.sign for each in texts], differences, of_prior, alpha, robust, class_ or "")


def _named(hypothesis: Any) -> dict[str, str]:
    """Return the texts by name, or by themselves."""
    if isinstance(hypothesis, str):
        return {hypothesis: hypothesis}
    if isinstance(hypothesis, Mapping):
        named = {str(name): text for name, text in hypothesis.items()}
    else:
        named = {text: text for text in hypothesis} if isinstance(hypothesis, (list, tuple)) else {}
    if not named or not all(isinstance(text, str) for text in named.values()):
        raise ModelError(
            f'A hypothesis is a text such as "x > 0", a list of texts or a dict of texts; got {hypothesis!r}.'
        )
    return named


@final
@dataclass(frozen=True)
class _Parameters:
    """The parameters that can be named.

    Attributes:
        places: variable and index of each text name.
        spellings: the text name meant by each spelling.
    """

    places: Mapping[str, tuple[str, tuple[int, ...]]]
    spellings: Mapping[str, str]

    @classmethod
    def of(cls, fit: AbstractSampledFit, class_: str | None, group: str, with_effects: bool) -> _Parameters:
        """Collect the parameters of a fit.

        Raises:
            ModelError: there is no such class or group.
        """
        if with_effects:
            require_effects(fit, "A hypothesis about group-level effects")
        variables = [v for v in fit.variables if with_effects or v.kind != "r"]
        places = {text: (v.name, index) for v in variables for index, text in v.texts}
        prefix = _prefix(class_, group)
        own = [text for text in places if prefix and text.startswith(prefix)]
        if prefix and not own:
            classes = sorted({v.kind for v in variables if v.kind in ("b", "sd", "cor")})
            there = ", ".join(f"`{text}`" for text in list(places)[:12])
            raise ModelError(
                f"No parameter begins with `{prefix}`, as class_={class_!r} and group={group!r} say; there are the "
                f"classes {', '.join(map(repr, classes))}, and for class_=None {there}."
            )
        return cls(places, {**_spelled(list(places)), **_spelled(own, prefix)})

    def read(self, text: str) -> HypothesisText:
        """Read a hypothesis."""

        def unknown(word: str) -> ModelError:
            shown = list(dict.fromkeys(s for s in self.spellings if s not in self.places)) or list(self.places)
            listed = ", ".join(f"`{name}`" for name in shown[:12]) + (", ..." if len(shown) > 12 else "")
            hint = did_you_mean(word, self.spellings)
            return ModelError(f"`{word}` in the hypothesis `{text.strip()}` is no parameter{hint}; there are {listed}.")

        return read_hypothesis(text, self.spellings, unknown)

    def values(self, names: Sequence[str], drawn: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the draws of some parameters, chains one after the other."""
        found = {}
        for text in names:
            name, index = self.places[text]
            place: Any = (slice(None), slice(None), *index)
            found[text] = np.asarray(drawn[name][place], dtype=float).reshape(-1)
        return found

    def in_prior(self, names: Sequence[str], prior: Mapping[str, np.ndarray]) -> bool:
        """Whether all parameters have draws from the prior."""
        return bool(prior) and all(self.places[text][0] in prior for text in names)


def _prefix(class_: str | None, group: str) -> str:
    if class_ is not None and not isinstance(class_, str):
        raise ModelError(f'`class_` is a text such as "b" or "sd", or None; got {class_!r}.')
    if not class_:
        return ""
    return f"{class_}_{group}__" if group else f"{class_}_"


def _spelled(names: Sequence[str], prefix: str = "") -> dict[str, str]:
    """Return the name meant by each spelling without its prefix: ours, brms's, factors in any order.

    What would fit two names is none, but that an exact spelling wins.
    """
    found: dict[str, str] = {}
    ambiguous: set[str] = set()
    for name in names:
        for spelling in _ways(name, prefix):
            if found.setdefault(spelling, name) != name:
                ambiguous.add(spelling)
    exact = {name[len(prefix) :]: name for name in names}
    return {**{spelling: name for spelling, name in found.items() if spelling not in ambiguous}, **exact}


def _ways(name: str, prefix: str) -> Iterator[str]:
    yield name[len(prefix) :]
    yield brms_alias(name).removeprefix(brms_alias(prefix))
    if ":" in name:
        head = prefix or ("b_" if name.startswith("b_") else "")
        for other in reorderings(name[len(head) :]):
            yield f"{head}{other}"[len(prefix) :]
            yield brms_alias(f"{head}{other}").removeprefix(brms_alias(prefix))


def _of_levels(
    fit: AbstractSampledFit, named: Mapping[str, str], group: str, scope: str, alpha: float, robust: bool
) -> HypothesisTests:
    """Test each hypothesis for every level of a grouping factor."""
    known = tuple(name for name, _ in fit.problem.description.spec.levels)
    if group not in known:
        listed = ", ".join(f"`{name}`" for name in known) or "none"
        hint = did_you_mean(str(group), known)
        raise ModelError(f"`scope={scope!r}` needs `group`, a grouping factor{hint}; the model has {listed}.")
    levels, coefs, values = level_coefficients(fit, group, total=scope == "coef")
    spellings = _spelled(coefs)

    def reader(text: str) -> Callable[[str], ModelError]:
        def unknown(word: str) -> ModelError:
            listed = ", ".join(f"`{coef}`" for coef in coefs)
            hint = did_you_mean(word, coefs)
            return ModelError(
                f"`{word}` in the hypothesis `{text}` does not vary over `{group}`{hint}; there are {listed}."
            )

        return unknown

    read = [read_hypothesis(text, spellings, reader(text)) for text in named.values()]
    labels, signs, differences, groups = [], [], [], []
    for each in read:
        of_coefs = {coef: values[:, :, k] for k, coef in enumerate(coefs)}
        drawn = np.broadcast_to(each.value(of_coefs), values.shape[:2])
        for j, level in enumerate(levels):
            labels.append(each.label)
            signs.append(each.sign)
            groups.append(level)
            differences.append(drawn[:, j])
    return tested(labels, signs, differences, [None] * len(labels), alpha, robust, scope, groups)
