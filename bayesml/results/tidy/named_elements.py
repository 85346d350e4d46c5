"""``r_g[g,term]``: the elements of a variable with their indices as columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import ModelError
from bayesml.names import brms_alias
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.record.reduced import require_effects
from bayesml.results.record.select import elements, find_element, unknown_parameter, with_prior
from bayesml.variables import ReportedVariable

__all__ = ["NamedElements", "named_elements", "typed_labels"]

WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
OWN_COLUMNS = (".chain", ".iteration", ".draw", ".variable", ".value")


@final
@dataclass(frozen=True)
class NamedElements:
    """Elements of the posterior that differ by their indices alone.

    Attributes:
        name: what they have in common, ``r_Subject``.
        index: labels of each element by the name of the column; empty for a single number.
        values: ``(draws, elements)``, chains one after the other.
    """

    name: str
    index: Mapping[str, list[str]]
    values: np.ndarray


def named_elements(fit: AbstractSampledFit, text: object) -> NamedElements:
    """Return the elements that ``name`` or ``name[column,column]`` addresses.

    Raises:
        ModelError: nothing has that name, or it has another number of indices.
    """
    if not isinstance(text, str) or not text.strip():
        raise ModelError(f'A variable is asked for by its name, such as "b_Intercept" or "r_g[g,term]"; got {text!r}.')
    variables, values = with_prior(fit)
    single = find_element(variables, text.strip())
    if single is not None:
        variable, name = single
        return NamedElements(name, {}, _flat(elements(values, [variable], frozenset([name])).values))
    name, columns = _parts(text.strip())
    if any(name == kept for kept in fit.draws_record.reduced):
        require_effects(fit, f"`{name}`")
    whole = _whole(variables, name)
    if whole is not None:
        _check_count(text, name, columns, whole.dims, [label for _, label in whole.texts])
        labels = [[own[index[k]] for index, _ in whole.texts] for k, own in enumerate(whole.coords)]
        drawn = elements(values, [whole]).values
        return NamedElements(whole.name, dict(zip(columns, labels, strict=True)), _flat(drawn))
    return _of_texts(variables, values, text, name, columns)


def typed_labels(labels: list[str]) -> list[str] | list[int]:
    """Return labels as whole numbers where all of them are, so that they join with a column of numbers."""
    return [int(label) for label in labels] if all(WHOLE.fullmatch(label) for label in labels) else labels


def _flat(drawn: np.ndarray) -> np.ndarray:
    return drawn.reshape(-1, drawn.shape[-1])


def _parts(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the name and the columns of ``name[column,column]``."""
    found = re.fullmatch(r"([^\[\]]+)(?:\[([^\[\]]*)\])?", text)
    if found is None:
        raise ModelError(f"`{text}` is not of the form `name` or `name[column,column]`.")
    columns = () if found[2] is None else tuple(part.strip() for part in found[2].split(","))
    wrong = [column for column in columns if not column or column in OWN_COLUMNS]
    if wrong or len(set(columns)) < len(columns):
        listed = ", ".join(f"`{name}`" for name in OWN_COLUMNS)
        raise ModelError(
            f"`{text}` needs a name of its own for each index, as in `r_g[g,term]`; taken already are {listed}."
        )
    return found[1].strip(), columns


def _whole(variables: tuple[ReportedVariable, ...], name: str) -> ReportedVariable | None:
    exact = next((v for v in variables if v.name == name and v.dims), None)
    alias = brms_alias(name)
    return exact or next((v for v in variables if v.dims and brms_alias(v.name) == alias), None)


def _check_count(text: str, name: str, columns: tuple[str, ...], dims: tuple[str, ...], labels: list[str]) -> None:
    if len(columns) != len(dims):
        listed = ", ".join(f"`{label}`" for label in labels[:3]) + (", ..." if len(labels) > 3 else "")
        asked = ",".join(["term"] if len(dims) == 1 else [dims[0], "term", *dims[2:]])
        raise ModelError(
            f"`{text}` names {len(columns)} indices, and `{name}` has {len(dims)} ({listed}). Write `{name}[{asked}]`."
        )


def _of_texts(
    variables: tuple[ReportedVariable, ...],
    values: Mapping[str, np.ndarray],
    text: str,
    name: str,
    columns: tuple[str, ...],
) -> NamedElements:
    """Return elements that are known by their text names alone, ``b_Intercept[1]``."""
    start = f"{brms_alias(name)}["
    texts = [label for v in variables for _, label in v.texts if brms_alias(label).startswith(start)]
    if not texts:
        raise unknown_parameter(variables, name)
    indices = [label[label.index("[") + 1 : -1].split(",") for label in texts]
    if any(len(own) != len(columns) for own in indices):
        _check_count(text, name, columns, ("index",) * len(indices[0]), texts)
    chosen = elements(values, variables, frozenset(texts))
    return NamedElements(name, {c: [own[k] for own in indices] for k, c in enumerate(columns)}, _flat(chosen.values))
