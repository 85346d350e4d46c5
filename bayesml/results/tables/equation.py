"""``fit.equation()``: the model in LaTeX, with its likelihood, predictors, group-level distributions and priors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from bayesml.formula import Predictor
from bayesml.keys import PredictorKey
from bayesml.names import predictor_name
from bayesml.ordered import ORDERED
from bayesml.reported import reported_variables
from bayesml.spec import ParameterSpec
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.families import AbstractLikelihood
    from bayesml.results.record.fit import AbstractFit

__all__ = ["Equation", "equation"]

ESCAPES = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " "},
}
GREEK = ("mu", "sigma", "phi", "nu", "alpha", "beta", "kappa", "xi", "theta", "tau", "lambda")
INTERCEPT = "Intercept"
RESIDUAL_CORRELATIONS = "Lrescor"
RESIDUAL = r"R_{\text{residual}}"
SMALL_CLASSES = {"b": r"\beta", "bs": r"\beta", "Intercept": r"\beta^{c}", "sd": r"\sigma"}


@final
@dataclass(frozen=True)
class Equation:
    """A model in LaTeX; ``str`` is the text, a notebook shows it set.

    Attributes:
        lines: the equations, each with ``&`` before its relation.
    """

    lines: tuple[str, ...]

    def __str__(self) -> str:
        body = " \\\\\n".join(self.lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$$\n{self}\n$$"


def equation(fit: AbstractFit) -> Equation:
    r"""Return the model as LaTeX, for a report or a notebook.

    In the order of the lines: the distribution of the response in row i; each predictor, with the link function on the
    left; the distributions of group-level effects r, for each level j; the priors, where the method uses any.
    Population-level coefficients are ``\beta`` with the name of the column, ``r_{g[i]}`` is the effect of the level of
    row i. ``\tau`` are the thresholds of an ordinal family, whose link stands with its name. Smooths and other special
    terms stand as functions, as written. ``\beta^{c}`` and ``\tau^{c}`` are the intercept and the thresholds with the
    predictors at their means, which is what their priors are of, as in brms.

    Args:
        fit: the fit.

    Returns:
        The equation: ``print`` it for its text, an ``aligned`` environment that stands in math mode.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (1 | Subject)", data, method="reml")
        >>> print(fit.equation())
    """
    spec, schema = fit.problem.description.spec, fit.problem.design.schema
    variables = reported_variables(spec, schema)
    lines = [*_likelihoods(fit), *_predictors(fit, variables), *_groups(fit, variables)]
    if fit.engine.uses_priors:
        lines += [line for parameter in spec.parameters for line in _priors(parameter)]
    return Equation(tuple(lines))


def _text(text: str) -> str:
    return rf"\text{{{''.join(ESCAPES.get(character, character) for character in text)}}}"


def _parameter(name: str) -> str:
    """Return a parameter of the family: a Greek letter where it is called like one, with its response below."""
    base, _, rest = name.partition("_")
    letter = base.rstrip("0123456789")
    if letter in GREEK and letter != base:  # of a component
        rest, base = ", ".join(part for part in (base.removeprefix(letter), rest) if part), letter
    if base not in GREEK:
        return _text(name)
    return rf"\{base}_{{{_text(rest)}}}" if rest else rf"\{base}"


def _value(value: float | str) -> str:
    return _parameter(value) if isinstance(value, str) else f"{value:g}"


def _likelihoods(fit: AbstractFit) -> Iterator[str]:
    sampled = {parameter.name for parameter in fit.problem.description.spec.parameters}
    for formula, response in zip(fit.parsed.responses, fit.problem.design.responses, strict=True):
        likelihood = response.likelihood
        keys = (p.key for p in fit.problem.design.schema.predictors)
        predicted = {key.dpar for key in keys if key.resp == formula.name and not key.nlpar}
        fixed = {each.key.parameter: each.value for each in formula.fixed}
        arguments = []
        for dpar in likelihood.dpars:
            name = f"{dpar.name}_{formula.name}" if formula.name else dpar.name
            if dpar.name in predicted:
                arguments.append(_row_symbol(PredictorKey(formula.name, dpar.name)))
            elif dpar.name in fixed:
                arguments.append(f"{_parameter(name)} = {_value(fixed[dpar.name])}")
            elif name in sampled:
                arguments.append(_parameter(name))
        arguments += [
            _parameter(f"{p.name}_{formula.name}" if formula.name else p.name)
            for p in likelihood.parameters
            if p.name in GREEK
        ]
        family = likelihood.family.name.partition("(")[0]
        given = rf" \mid {_text(', '.join(each.name for each in formula.response.additions))}"
        left = f"{_text(formula.response.name)}_i{given if formula.response.additions else ''}"
        if likelihood.thresholds:
            arguments.insert(1, rf"\tau_{{{_text(formula.name)}}}" if formula.name else r"\tau")
        if _of_categories(likelihood):
            family = f"{family}({likelihood.chosen_link(likelihood.dpars[0].name).name})"
        yield rf"{left} &\sim \operatorname{{{_text(family)}}}({', '.join(arguments)})"
    if RESIDUAL_CORRELATIONS in sampled:
        names = _text(", ".join(formula.name for formula in fit.parsed.responses))
        yield rf"\operatorname{{cor}}({names}) &= {RESIDUAL}"


def _of_categories(likelihood: AbstractLikelihood) -> bool:
    """Whether the link is that of probabilities of categories, so that it stands with the family."""
    return bool(likelihood.thresholds or (likelihood.event_labels and likelihood.dpars[0].kind == "mu"))


def _row_symbol(key: PredictorKey) -> str:
    """Return a parameter of row i; that of a category or a component has its name below, ``mu2``."""
    letter = "" if key.nlpar else next((each for each in GREEK if key.parameter.startswith(each)), "")
    of = key.parameter.removeprefix(letter) if letter else ""
    below = ",".join([*(_text(part) for part in (of, key.resp) if part), "i"])
    return rf"\{letter}_{{{below}}}" if letter else rf"{_text(key.parameter)}_{{{below}}}"


def _predictors(fit: AbstractFit, variables: Sequence[ReportedVariable]) -> Iterator[str]:
    links = {p.key: p.link for p in fit.problem.description.spec.predictors}
    probabilities = {
        PredictorKey(response.name, dpar.name)
        for response in fit.problem.design.responses
        if _of_categories(response.likelihood)
        for dpar in response.likelihood.dpars
        if dpar.kind == "mu"
    }
    for predictor in _each_predictor(fit, links):
        symbol = _row_symbol(predictor.key)
        link = "identity" if predictor.key.nlpar or predictor.key in probabilities else links[predictor.key]
        left = symbol if link == "identity" else rf"\operatorname{{{_text(link)}}}({symbol})"
        yield f"{left} &= {' + '.join(_terms(predictor, variables)) or '0'}"


def _each_predictor(fit: AbstractFit, known: Iterable[PredictorKey]) -> Iterator[Predictor]:
    """Yield the predictors as written; the main one of categories or components for each of these."""
    written = {predictor.key for predictor in fit.parsed.predictors}
    for predictor in fit.parsed.predictors:
        if predictor.key in known:
            yield predictor
            continue
        for key in known:
            if key.resp == predictor.key.resp and not key.nlpar and key.dpar.startswith("mu") and key not in written:
                yield replace(predictor, key=key)


def _terms(predictor: Predictor, variables: Sequence[ReportedVariable]) -> Iterator[str]:
    if predictor.nonlinear is not None:
        yield _text(predictor.nonlinear.expression.text)
        return
    own = [variable for variable in variables if variable.predictor == predictor.key]
    for variable in own:
        if variable.kind == "b" and not variable.group:
            yield from _linear_terms(
                [(rf"\beta_{{{_below(predictor.key, label)}}}", label) for label in variable.coords[0]]
            )
    for special in predictor.specials:
        yield f"{_text(special.spelling)}_i" + "".join(rf"\,{_text(factor)}_i" for factor in special.factors)
    for offset in predictor.offsets:
        yield f"{_text(offset.text)}_i"
    for variable in own:
        if variable.kind == "r":
            at = f"{_text(variable.group)}[i]"
            yield from _linear_terms(
                [(f"r_{{{at},{_below(predictor.key, label)}}}", label) for label in variable.coords[-1]]
            )


def _below(key: PredictorKey, label: str) -> str:
    """Return what stands below a coefficient: its name, with the parameter where that is not mu."""
    where = "" if key.is_mu and not key.resp else f"{predictor_name(key)}, "
    return _text(f"{where}{label}")


def _linear_terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for symbol, label in pairs:
        yield symbol if label.startswith(INTERCEPT) else rf"{symbol}\,{_text(label)}_i"


def _groups(fit: AbstractFit, variables: Sequence[ReportedVariable]) -> Iterator[str]:
    calls = {call.text: call for predictor in fit.parsed.predictors for call in predictor.groups}
    for group in dict.fromkeys(variable.group for variable in variables if variable.kind == "sd"):
        own = [call for call in calls.values() if ":".join(call.factors) == group]
        shown = _shown_effects([v for v in variables if v.kind == "sd" and v.group == group])
        pairs = [pair for v in variables if v.kind == "cor" and v.group == group for pair in v.pairs]
        student = any(call.dist == "student" for call in own)
        covariance = next((call.cov for call in own if call.cov), "")
        for block in _blocks(list(shown), pairs):
            yield _group_line(group, [shown[name] for name in block], student, covariance)


def _shown_effects(deviations: Sequence[ReportedVariable]) -> dict[str, str]:
    """Return what stands below each effect by the name that correlations have it under, ``sigma_Intercept``."""
    return {
        text.removeprefix(f"sd_{variable.group}__"): _below(variable.predictor, variable.coords[-1][place[-1]])
        for variable in deviations
        for place, text in variable.texts
        if place
    }


def _blocks(labels: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the coefficients in sets: those of one set are correlated."""
    blocks = [[label] for label in labels]
    for one, other in pairs:
        joined = [block for block in blocks if one in block or other in block]
        if len(joined) > 1:
            blocks = [b for b in blocks if b not in joined]
            blocks.append([label for label in labels if any(label in block for block in joined)])
    return blocks


def _group_line(group: str, block: Sequence[str], student: bool, covariance: str) -> str:
    name = _text(group)
    law = rf"\operatorname{{Student}}(\nu_{{{name}}}, " if student else r"\operatorname{Normal}("
    if len(block) == 1:
        own = block[0]
        left, spread = f"r_{{{name}[j],{own}}}", rf"\sigma_{{{name},{own}}}^2"
        zero = "0"
    else:
        effects = r",\;".join(block)
        left = rf"(r_{{{name}[j],k}})_{{k = {effects}}}"
        zero = r"\mathbf{0}"
        spread = rf"\operatorname{{diag}}(\sigma_{{{name}}})\,R_{{{name}}}\,\operatorname{{diag}}(\sigma_{{{name}}})"
    across = rf"\quad \text{{with covariance across levels }} {_text(covariance)}" if covariance else ""
    return rf"{left} &\sim {law}{zero}, {spread}){across}"


def _priors(parameter: ParameterSpec) -> Iterator[str]:
    for label, prior in zip(parameter.labels, parameter.priors, strict=False):
        if not str(prior):
            continue
        yield rf"{_prior_symbol(parameter, label)} &\sim {_text(str(prior))}"


def _prior_symbol(parameter: ParameterSpec, label: str) -> str:
    kind, group = parameter.prior_class, parameter.group
    where = "" if parameter.predictor.is_mu and not parameter.predictor.resp else predictor_name(parameter.predictor)
    if kind == "cor" and group:
        return f"R_{{{_text(group)}}}"
    if parameter.name == RESIDUAL_CORRELATIONS:
        return RESIDUAL
    if kind not in SMALL_CLASSES:
        return rf"{_text(parameter.name)}_{{{_text(label)}}}" if parameter.coefs else _parameter(parameter.name)
    if parameter.name.startswith(ORDERED):  # of a mixture: the label is the parameter
        return rf"\beta^{{c}}_{{{_text(f'{label}, {INTERCEPT}')}}}"
    if kind == INTERCEPT and label:
        return rf"\tau^{{c}}_{{{_text(', '.join(part for part in (where, label) if part))}}}"
    named = label or (INTERCEPT if kind == INTERCEPT else "")
    below = ", ".join(part for part in (group, where, named) if part)
    return rf"{SMALL_CLASSES[kind]}_{{{_text(below)}}}" if below else SMALL_CLASSES[kind]
