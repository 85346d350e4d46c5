"""``thres(n, gr=g)``: how many thresholds an ordinal response has, and groups of rows with thresholds of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.families import Traits
from bayesml.families.thresholds import GROUPS, NUMBER
from bayesml.formula import Addition, Expression
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, refuse_rows, value_of_rows

__all__ = ["Thresholds"]


@final
@dataclass(frozen=True)
class Thresholds(AbstractResponseTerm):
    """Numbers of thresholds, whole and at least 1, and the label of the group of each row."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("thres", least=0, keywords=("gr",))

    def is_taken_by(self, traits: Traits) -> bool:
        """An ordinal family."""
        return traits.thresholds

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the numbers, where they are given, and labels of groups, where there are any."""
        found: Arrays = {}
        if addition.arguments:
            text = addition.arguments[0].text
            values = value_of_rows(addition.arguments[0], frame, functions)
            bad = ~np.isfinite(values) | (values != np.round(values)) | (values < 1)
            refuse_rows(frame, bad, values, f"thres({text})", "a number of thresholds is a whole number of at least 1.")
            found[NUMBER] = values
        group = dict(addition.options).get("gr")
        if group is not None:
            assert isinstance(group, Expression)
            if group.text.strip("`") not in frame.columns:
                raise FormulaError.at(
                    f"`gr={group.text}` of `thres()` is no column; a group is named by one column of the data.",
                    group.source,
                    group.start,
                    group.start + len(group.text),
                )
            codes, levels = frame.factor(group.text.strip("`"))
            found[GROUPS] = np.asarray(levels, dtype=str)[codes]
        return found
