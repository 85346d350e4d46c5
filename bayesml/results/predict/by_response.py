"""Answers of a point estimate about the rows of each response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from bayesml.results.record.one_response import answers, has_several, of_one

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Shown", "by_response"]

F = TypeVar("F", bound="AbstractPointFit")
Shown: TypeAlias = "pd.Series | pd.DataFrame | dict[str, pd.Series | pd.DataFrame]"
"""One response has a number or some columns for each row; several have a column each, or a table each in a dict."""


def by_response(fit: F, resp: str | None, ask: Callable[[F], pd.Series | pd.DataFrame]) -> Shown:
    """Return a result of one response, or of all of several.

    Args:
        fit: the fit.
        resp: which of several responses; None is all.
        ask: answers for a fit of one response.

    Returns:
        The answer of one response. Of several a data frame with a column for each where each answers with a number for
        each row, else a dict.

    Raises:
        ModelError: there is no such response, or one of them cannot answer.
    """
    import pandas as pd

    if resp is not None or not has_several(fit):
        return ask(of_one(fit, resp))
    found = answers(fit, ask)
    return pd.DataFrame(found) if all(isinstance(each, pd.Series) for each in found.values()) else found
