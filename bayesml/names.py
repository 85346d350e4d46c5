"""The only place that spells names: ``b_Days``, ``sd_Subject__Days``, ``r_Subject[308,Days]`` and their relatives.

Two kinds of name exist. A *variable* is an array of the posterior (``b``, ``sd_Subject``, ``r_Subject__sigma``); it may
not hold a ``/``, which netCDF and xarray trees reserve. A *text name* addresses one element of a variable in tables,
hypotheses and ``fit["b_Days"]``; it is brms's name with the user's own spelling of labels and levels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations

from bayesml.keys import PredictorKey

__all__ = [
    "UNOBSERVED",
    "axis_parameter",
    "brms_alias",
    "coefficient",
    "coefficient_dimension",
    "correlation",
    "correlation_label",
    "correlation_variable",
    "cholesky_variable",
    "dimension",
    "find_coefficient",
    "group_dimension",
    "group_effect",
    "group_df",
    "group_df_variable",
    "group_mixing_variable",
    "group_effect_variable",
    "group_sd",
    "group_sd_variable",
    "intercept_variable",
    "of_response",
    "population_variable",
    "predictor_name",
    "prefix",
    "prefixed",
    "prior_name",
    "process_label",
    "reorderings",
    "response_correlation",
    "same_interaction",
    "slopes_variable",
    "smooth_label",
    "special_coefficient",
    "special_variable",
    "standardised_variable",
    "thresholds_variable",
    "variable",
]

UNOBSERVED = "Ymi"
"""The variable that holds the responses that are parameters, ``x | mi()``."""

DIVISION_SLASH = "\u2215"
RESERVED_DIMENSIONS = frozenset({"chain", "draw", "coef", "obs"})


def variable(name: str) -> str:
    """Return ``name`` as a legal variable or dimension name: ``/`` becomes the look-alike division slash."""
    return name.replace("/", DIVISION_SLASH)


def predictor_name(predictor: PredictorKey) -> str:
    """Return what a predictor is called where it is listed: ``mu``, ``sigma``, ``y1``, ``sigma_y1``."""
    return prefix(predictor) or predictor.dpar


def prefix(predictor: PredictorKey) -> str:
    """Return what stands before a coefficient of the predictor: nothing for ``mu``, ``sigma``, ``sigma_y1``, ``a``."""
    resp, dpar, nlpar = predictor.target
    return "_".join(part for part in (dpar, resp, nlpar) if part)


def of_response(name: str, resp: str) -> str:
    """Return the name of what belongs to one of several responses, ``sigma_y1``; unchanged without a response.

    Names of responses are letters and digits, so that the last ``_`` separates the two.
    """
    if name == coefficient("Intercept", PredictorKey()):
        return coefficient("Intercept", PredictorKey(resp))
    return f"{name}_{resp}" if resp else name


def response_correlation(name: str, first: str, second: str) -> str:
    """Return the text name of a correlation of two responses or columns: ``rescor__y1__y2``, ``lncor__b__c``."""
    return f"{name}__{first}__{second}"


def _suffix(predictor: PredictorKey, joint: str) -> str:
    text = prefix(predictor)
    return f"{joint}{text}" if text else ""


def population_variable(predictor: PredictorKey) -> str:
    """Return the variable of all population-level coefficients: ``b`` or ``b_sigma``."""
    return "b" + _suffix(predictor, "_")


def slopes_variable(predictor: PredictorKey) -> str:
    """Return the sampled variable of the coefficients without the Intercept: ``slopes`` or ``slopes_sigma``."""
    return "slopes" + _suffix(predictor, "_")


def intercept_variable(predictor: PredictorKey) -> str:
    """Return the Intercept of centred predictors: ``Intercept`` or ``Intercept_sigma``."""
    return "Intercept" + _suffix(predictor, "_")


def group_sd_variable(group: str, predictor: PredictorKey) -> str:
    """Return ``sd_Subject`` or ``sd_Subject__sigma``."""
    return variable(f"sd_{group}" + _suffix(predictor, "__"))


def correlation_variable(group: str, predictor: PredictorKey) -> str:
    """Return ``cor_Subject`` or ``cor_Subject__sigma``."""
    return variable(f"cor_{group}" + _suffix(predictor, "__"))


def cholesky_variable(group: str, predictor: PredictorKey, block: int = 0) -> str:
    """Return the Cholesky factor of one correlated block of a group term: ``L_Subject``, ``L_Subject_2``."""
    return variable(f"L_{group}" + _suffix(predictor, "__")) + (f"_{block + 1}" if block else "")


def standardised_variable(group: str, predictor: PredictorKey) -> str:
    """Return the standard normal variable behind the group effects: ``z_Subject``."""
    return variable(f"z_{group}" + _suffix(predictor, "__"))


def group_df_variable(group: str) -> str:
    """Return ``df_Subject``, the degrees of freedom of effects with Student's t distribution."""
    return variable(f"df_{group}")


def group_mixing_variable(group: str) -> str:
    """Return the name of what divides the variance of such effects, level by level."""
    return variable(f"m_{group}")


def group_df(group: str) -> str:
    """Return ``df_Subject`` as text."""
    return f"df_{group}"


def group_effect_variable(group: str, predictor: PredictorKey) -> str:
    """Return ``r_Subject`` or ``r_Subject__sigma``."""
    return variable(f"r_{group}" + _suffix(predictor, "__"))


def dimension(group: str) -> str:
    """Return the dimension over the levels of a grouping factor, kept apart from the reserved dimensions."""
    name = variable(group)
    return f"{name}_level" if name in RESERVED_DIMENSIONS else name


def axis_parameter(name: str, axis: str) -> str:
    """Return ``ar_row``, the parameter of a residual structure along one axis of a lattice."""
    return variable(f"{name}_{axis}")


def smooth_label(covariates: Sequence[str], by: str, joint: str = ":", call: str = "s") -> str:
    """Return ``sx``, ``t2xz`` or ``sx:f[a]``: brms's label of a smooth; of a standard deviation without the colon."""
    return call + "".join(covariates) + (joint + by if by else "")


def process_label(covariates: Sequence[str], by: str = "") -> str:
    """Return ``gpx``, ``gpxz`` or ``gpxf[a]``: brms's label of a Gaussian process."""
    return "gp" + "".join(covariates) + by


def thresholds_variable(predictor: PredictorKey) -> str:
    """Return the thresholds of an ordinal response, of predictors that are not centred: ``b_Intercept``."""
    return coefficient("Intercept", predictor)


def coefficient_dimension(predictor: PredictorKey) -> str:
    """Return the dimension over the population-level coefficients: ``coef`` or ``sigma_coef``."""
    return prefixed("coef", predictor)


def group_dimension(group: str, predictor: PredictorKey, over: str) -> str:
    """Return the dimension over sds, correlations or effects of a group: ``Subject_sd``, ``Subject__sigma_sd``."""
    return f"{variable(group)}{_suffix(predictor, '__')}_{over}"


def coefficient(coef: str, predictor: PredictorKey) -> str:
    """Return the text name of a population-level coefficient: ``b_Days`` or ``b_sigma_Days``."""
    return "b" + _suffix(predictor, "_") + f"_{coef}"


def prefixed(coef: str, predictor: PredictorKey) -> str:
    """Return ``Days`` or ``sigma_Days``, a coefficient with its predictor."""
    text = prefix(predictor)
    return f"{text}_{coef}" if text else coef


def special_variable(kind: str, predictor: PredictorKey) -> str:
    """Return the variable of the coefficients of a special term: ``bsp``, ``bsp_sigma``."""
    return prefix_joined(kind, predictor)


def special_coefficient(kind: str, label: str, predictor: PredictorKey) -> str:
    """Return the text name of one of its coefficients: ``bsp_mo(x)``, ``simo_sigma_mo(x)1``."""
    return f"{prefix_joined(kind, predictor)}_{label}"


def prefix_joined(kind: str, predictor: PredictorKey) -> str:
    """Return a kind of parameter with its predictor behind it: ``bsp_sigma``."""
    return kind + _suffix(predictor, "_")


def group_sd(group: str, coef: str, predictor: PredictorKey) -> str:
    """Return ``sd_Subject__Days`` or ``sd_Subject__sigma_Days``."""
    return f"sd_{group}__{prefixed(coef, predictor)}"


def correlation(group: str, first: str, second: str, predictor: PredictorKey) -> str:
    """Return ``cor_Subject__Intercept__Days`` or ``cor_Subject__sigma_Intercept__sigma_Days``."""
    return f"cor_{group}__{prefixed(first, predictor)}__{prefixed(second, predictor)}"


def correlation_label(first: str, second: str) -> str:
    """Return ``Intercept__Days``, the label of a pair of coefficients in ``cor_Subject``."""
    return f"{first}__{second}"


def group_effect(group: str, level: str, coef: str, predictor: PredictorKey) -> str:
    """Return ``r_Subject[308,Days]`` or ``r_Subject__sigma[308,Days]``."""
    return f"r_{group}" + _suffix(predictor, "__") + f"[{level},{coef}]"


def prior_name(name: str) -> str:
    """Return ``prior_b_Days``, the name of prior draws of ``b_Days`` or of a whole variable."""
    return f"prior_{name}"


_WITH_ELEMENT = (
    r"(r_[^\[\]]+)(\[.*\])",
    r"((?:simo|s)_.+)(\[\d+\])",
    r"(b_(?:.+_)?Intercept)(\[.*\])",
    r"((?:ar|ma|toep|err)(?:_\w+)?)(\[\d+\])",
    r"((?:Xme|Ymi)(?:_.+)?)(\[[^\[\]]+\])",
)
_REPLACED = {"+": "P", "-": "M", "*": "MU", "/": "D", "^": "E", "=": "EQ", "$": "USD"}


def brms_alias(name: str) -> str:
    """Return ``name`` spelled as brms would: ``funding[state]`` is ``fundingstate``, ``I(x**2)`` is ``IxE2``.

    A pair of brackets that addresses an element (``r_Subject[308,Days]``, ``simo_mo(x)1[2]``, ``b_Intercept[1]``) is
    kept, since brms keeps it too. The truth value of ``flag[True]`` is spelled ``flagTRUE`` as in R.
    """
    effect = next((found for pattern in _WITH_ELEMENT if (found := re.fullmatch(pattern, name))), None)
    head, element = effect.groups() if effect else (name, "")
    if "," in element:
        level, coef = element[1:-1].split(",", 1)
        element = f"[{level},{brms_alias(coef)}]"
    head = head.replace("**", "^")
    head = re.sub(r"[\s()\[\],\"'?`]", "", head)
    head = "".join(_REPLACED.get(letter, letter) for letter in head)
    return re.sub(r"(True|False)(?=:|_|$)", lambda found: found.group().upper(), head) + element


def same_interaction(coef: str) -> tuple[str, ...]:
    """Return a key that all spellings of a coefficient share, ``a:b[u]``, ``b[u]:a``, ``bu:a``: its sorted parts."""
    return tuple(sorted(brms_alias(coef).split(":")))


def find_coefficient(coef: str, coefs: Sequence[str]) -> int | None:
    """Return the place of a coefficient among labels, with its factors in any order, in our spelling or brms's.

    The exact label comes first, then brms's spelling of it, then the factors in another order. None is returned where
    nothing fits, and where one of the last two fits two labels, as ``fab`` does ``f[ab]`` and ``fa[b]``.
    """
    if coef in coefs:
        return coefs.index(coef)
    aliases = [brms_alias(label) for label in coefs]
    if aliases.count(brms_alias(coef)) == 1:
        return aliases.index(brms_alias(coef))
    wanted = same_interaction(coef)
    places = [i for i, label in enumerate(coefs) if ":" in label and same_interaction(label) == wanted]
    return places[0] if len(places) == 1 else None


def reorderings(coef: str) -> tuple[str, ...]:
    """Return the label with its factors in every other order: ``b:a`` of ``a:b``; none of more than five factors."""
    parts = _factors(coef)
    return tuple(":".join(order) for order in permutations(parts))[1:] if 1 < len(parts) <= MOST_REORDERED else ()


MOST_REORDERED = 5


def _factors(coef: str) -> tuple[str, ...]:
    """Split a label at the colons outside brackets and quotation marks; one with unbalanced brackets is left whole."""
    parts, depth, quote = [""], 0, ""
    for letter in coef:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "`\"'" and depth == 0:
            quote = letter
        depth += 0 if quote else (letter in "([") - (letter in ")]")
        if letter == ":" and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return tuple(parts) if depth == 0 and not quote and all(parts) else (coef,)
