"""Wrong calls of every method of a fit: a value that is wrong for one argument, all others as they should be."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import pandas as pd

__all__ = ["WrongCall", "wrong_calls"]

NAN, INF = float("nan"), float("inf")
NO_FLAG = ("yes", 2, [])
NO_PROBABILITY = (0, 1, 1.5, -0.1, NAN, "a", [], None, True)
NO_SEED = (-1, 0.5, "a", [], True)
NO_COUNT = (0, -3, 2.5, "a", [], NAN, True, INF)
NO_NAME = ("nothing", 3, [], {}, ["x", "nothing"])
NO_CHOICE = ("nothing", 3, [], "")
NO_NAMES = ("nothing", 3, {}, ["nothing"], [], [3])
NO_DATA = (
    3,
    "data",
    [],
    pd.DataFrame(),
    pd.DataFrame({"x": [1.0]}),
    pd.DataFrame({"x": [NAN], "z": [1.0], "f": ["a"], "g": ["g1"]}),
    pd.DataFrame({"x": ["text"], "z": [1.0], "f": ["a"], "g": ["g1"]}),
    pd.DataFrame({"x": [1.0], "z": [1.0], "f": ["unknown"], "g": ["g1"]}),
    pd.DataFrame([[1.0, 2.0, 1.0, "a", "g1"]], columns=["x", "x", "z", "f", "g"]),
)
NEW_LEVEL = pd.DataFrame({"x": [1.0], "z": [1.0], "f": ["a"], "g": ["unknown"]})

WRONG: Mapping[str, tuple[Any, ...]] = {
    "newdata": NO_DATA,
    "conditions": (3, "a", {"nothing": 1}, {"f": "unknown"}, {"x": "a"}, []),
    "int_conditions": (3, {"nothing": [1]}, {"x": []}, {"f": ["unknown"]}),
    "at": (3, {"nothing": 1}, {"f": "unknown"}, {"x": "a"}, {"x": []}, {"x": [NAN]}),
    **dict.fromkeys(("summary", "robust", "log", "regex", "cross", "se", "use_u", "by_level"), NO_FLAG),
    **dict.fromkeys(("incl_autocor", "residuals", "spaghetti", "surface", "looic", "reloo", "pointwise"), NO_FLAG),
    **dict.fromkeys(("correlation", "full", "log_likelihood", "posterior_predictive", "group_effects"), NO_FLAG),
    **dict.fromkeys(("negative_rt",), NO_FLAG),
    **dict.fromkeys(("conf_level", "level", "alpha"), NO_PROBABILITY),
    **dict.fromkeys(("ci", "rope_ci"), tuple(v for v in NO_PROBABILITY if v != 1)),
    "prob": NO_PROBABILITY,
    "probs": (1.5, -1, NAN, "a", ("a",), (0.5, 2), None, (True,)),
    **dict.fromkeys(("seed",), NO_SEED),
    **dict.fromkeys(("ndraws", "nsim", "repeats", "n", "resolution"), NO_COUNT),
    "K": (0, 1, -2, "a", 2.5, NAN, 10**6),
    **dict.fromkeys(("dpar", "resp", "nlpar"), NO_NAME),
    **dict.fromkeys(("new_levels", "groups", "slope", "comparison", "type", "scope", "ddf", "test"), NO_CHOICE),
    **dict.fromkeys(("method", "ci_method", "centrality", "conf_method", "boot_type", "kind"), NO_CHOICE),
    "re_formula": ("~ (1 | nothing)", "nothing", 3, [], "(", "~ (x | f)"),
    "variables": NO_NAMES,
    "variable": NO_NAMES,
    "parameters": ("nothing", 3, ["nothing"]),
    "priors": ("nothing", 3, ["nothing"], []),
    "effects": ("nothing", 3, ["nothing"], "x:nothing"),
    "specs": ("nothing", 3, ["nothing"]),
    "by": ("nothing", 3.5, ["nothing"]),
    "wts": ("nothing", [1.0], [-1.0] * 40, "f"),
    "hypothesis": ("b1 = nothing", 3.5j, "nothing > (", [], "b999999 - b1 = 0"),
    "class_": (3, "nothing"),
    "group": ("nothing", 3, ["nothing"]),
    "rope": ("a", (1,), (2, 1), (NAN, 1), 3),
    "alphas": (3, (1,), ("a", "b"), (-1, 1), (NAN, 1)),
    "threshold": ("a", -1, NAN),
    "k_threshold": ("a", NAN, None),
    "L": ("nothing = (", [[1.0]], {}, [[NAN] * 5], "nothing = 0", None),
    "rhs": ("a", [1, 2, 3], NAN),
    "path": (3, None, [], "/nowhere/at/all/fit.nc", "/tmp"),
    "language": ("stan", 3, None),
    "folds": ("nothing", [1, 2], 3.5, [0] * 40),
    "draws": (0, -1, 2.5, "a", True),
    "other": (3, "a", None),
    "y": ([1.0], "a", None, [NAN] * 40, [[1.0]]),
    "formula": ("y ~ nothing", "y ~ (", 3, ". ~ . + nothing", ""),
    "family": ("nothing", 3, []),
    "prior": ("a", 3, [3]),
    "data": (3, "a", pd.DataFrame({"x": [1.0]}), []),
    "offset": ("a", NAN, []),
    "nesting": ("a", 3, {"f": "nothing"}),
    "times": ("a", [], [NAN]),
    "select": ("nothing", 3),
    "stat": ("nothing", 3),
    "column": ("nothing", 3),
    "x": ("nothing", [1.0], 3),
    "interval": ("nothing", 3, []),
    "value": (3, None, "x"),
}  # fmt: skip
"""Values that are wrong for the argument of that name."""

NEEDED: Mapping[str, Any] = {
    "specs": "f",
    "variable": "x",
    "L": "b_x = 0",
    "hypothesis": "x > 0",
    "y": None,
    "path": "never.nc",
}
"""Right values of arguments that have no default."""

BESIDE: Mapping[tuple[str, str], Mapping[str, Any]] = {
    **{(verb, "probs"): {"type": "quantile"} for verb in ("loo_epred", "loo_linpred", "loo_predict")},
    **{("confint", name): {"method": "boot"} for name in ("nsim", "seed", "boot_type")},
    ("drop1", "ddf"): {"test": "F"},
    ("pp_check", "stat"): {"kind": "stat"},
}
"""Other arguments with which an argument has a meaning."""

RIGHT: frozenset[tuple[str, str, str]] = frozenset([("anova", "type", "3")])
"""Values that are right for one verb, though they are wrong elsewhere."""

UNUSED = frozenset([("cv_varsel", "K")])
"""Arguments that have no meaning without others, which would take long."""

WITHOUT = frozenset(["with_estimate"])
"""Methods that are no questions of users."""


@final
@dataclass(frozen=True)
class WrongCall:
    """A call that is wrong in one argument.

    Attributes:
        verb: the method.
        argument: the argument.
        value: the wrong value.
        others: the other arguments.
    """

    verb: str
    argument: str
    value: Any
    others: Mapping[str, Any]

    def __str__(self) -> str:
        text = "frame" if isinstance(self.value, pd.DataFrame) else f"{self.value!r:.40}"
        return f"{self.verb}({self.argument}={text})"

    def make(self, fit: Any) -> Any:
        """Make the call."""
        return getattr(fit, self.verb)(**self.others, **{self.argument: self.value})


def wrong_calls(kind: type) -> Iterator[WrongCall]:
    """Yield wrong calls of all methods of a kind of fit."""
    for verb in sorted(name for name in dir(kind) if not name.startswith("_")):
        method = getattr(kind, verb)
        if not callable(method) or verb in WITHOUT:
            continue
        parameters = list(inspect.signature(method).parameters.values())[1:]
        required = {p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            others = required - {parameter.name}
            if not others <= set(NEEDED):
                continue
            beside = {name: NEEDED[name] for name in others} | dict(BESIDE.get((verb, parameter.name), {}))
            for value in _values(parameter):
                if (verb, parameter.name, repr(value)) not in RIGHT and (verb, parameter.name) not in UNUSED:
                    yield WrongCall(verb, parameter.name, value, beside)


def _values(parameter: inspect.Parameter) -> Iterator[Any]:
    """Yield the values that are wrong for a parameter: those that it may have by its annotation are left out."""
    annotation = str(parameter.annotation)
    is_flag = annotation in ("bool", "bool | None")
    for value in NO_FLAG if is_flag else WRONG.get(parameter.name, ()):
        if value is None and (parameter.default is None or "None" in annotation):
            continue
        yield value
