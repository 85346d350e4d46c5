"""Calls of brms as text, turned into ours: formulas, families, priors."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import bayesml

FAMILY_NAMES = {"Beta": "beta", "Gamma": "gamma"}


def our_call(formula: str, family: str) -> tuple[Any, Any]:
    """Turn the formula and the family that ``brm`` takes into what ``fit`` takes.

    ``bf(y ~ x, sigma ~ z)``, sums of such calls, ``set_rescor(TRUE)`` and ``list(gaussian, poisson)`` are understood; a
    formula without ``bf`` is one already.
    """
    if not formula.startswith("bf("):
        return formula, our_family(family)
    parts = split_top(formula, "+")
    calls = [part for part in parts if not called(part, "set_rescor") and not called(part, "set_mecor")]
    options: list[dict[str, Any]] = [{} for _ in calls]
    if any(part.startswith("set_rescor") for part in parts):
        options[0]["rescor"] = "set_rescor(TRUE)" in parts
    if any(part.startswith("set_mecor") for part in parts):
        options[0]["mecor"] = "set_mecor(TRUE)" in parts
    families = called(family, "list")
    for chosen, each in zip(options, families or [], strict=False):
        chosen["family"] = our_family(each)
    total, *others = map(_one, calls, options)
    for other in others:
        total = total + other
    return total, "gaussian" if families else our_family(family)


def _one(call: str, options: dict[str, Any]) -> Any:
    main, *others = called(call, "bf") or [call]
    nonlinear = ["mu"] if "nl = TRUE" in others else []
    for part in others:
        expression = called(part, "nlf")
        text = expression[0] if expression else part
        if "~" in text:
            left, right = text.split("~", 1)
            names = [name.strip() for name in left.split("+")]
            options |= {name: "~" + right for name in names}
            nonlinear += names if expression else []
        elif text != "nl = TRUE":
            name, value = text.split("=")
            options[name.strip()] = json.loads(value)
    return bayesml.bf(main, **options, **({"nonlinear": nonlinear} if nonlinear else {}))


def our_family(text: str) -> Any:
    """Turn ``Gamma("log")``, ``Beta()`` and ``mixture(gaussian, gaussian, order = "none")`` into ours."""
    name, _, rest = text.partition("(")
    name = FAMILY_NAMES.get(name, name).replace(".", "_")
    arguments = [part for part in split_top(rest.rpartition(")")[0]) if part]
    if not arguments or name not in dir(bayesml.families):
        return name
    positional = [part for part in arguments if "=" not in part]
    keywords = dict(part.split(" = ") for part in arguments if "=" in part)
    constructor = getattr(bayesml.families, name)
    return constructor(*map(_argument, positional), **{k: _argument(v) for k, v in keywords.items()})


def _argument(text: str) -> Any:
    return json.loads(text) if text[0] == '"' else our_family(text)


def our_priors(text: str) -> tuple[bayesml.Prior, ...]:
    """Turn ``prior(normal(1,2),nlpar='a')+prior(...)`` into ours."""
    return tuple(_prior(called(call, "prior") or []) for call in (split_top(text, "+") if text else []))


def _prior(arguments: Sequence[str]) -> bayesml.Prior:
    distribution, *where = arguments
    keys = {key.strip(): value.strip(" '\"") for key, value in (part.split("=", 1) for part in where)}
    bounds = {key: float(keys.pop(key)) for key in ("lb", "ub") if key in keys}
    return bayesml.prior(distribution, class_=keys.pop("class", "b"), **keys, **bounds)


def split_top(text: str, separator: str = ",") -> list[str]:
    """Split a text at a separator outside brackets and quotation marks."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = ("" if letter == quote else quote) if quote else (letter if letter in "'\"" else "")
        depth += 0 if quote else (letter in "([{") - (letter in ")]}")
        if letter == separator and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def called(text: str, name: str) -> list[str] | None:
    """Return the arguments of ``name(...)``, None where the text is not that call."""
    match = re.fullmatch(rf"{name}\((.*)\)", text.strip(), re.DOTALL)
    return None if match is None else split_top(match[1])
