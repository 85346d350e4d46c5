"""Exceptions and warnings of bayesml: one tree, so that a caller can catch what he wrote apart from a bug."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["BayesmlError", "DataError", "FitWarning", "FormulaError", "ModelError", "PriorError", "did_you_mean"]


class BayesmlError(ValueError):
    """Base of every error that bayesml raises on bad input."""


class FormulaError(BayesmlError):
    """A formula cannot be read, or names what does not exist."""

    @classmethod
    def at(cls, message: str, source: str, start: int, stop: int) -> FormulaError:
        """Build the error with the culprit ``source[start:stop]`` marked by carets below the text."""
        marker = " " * start + "^" * max(stop - start, 1)
        return cls(f"{message}\n\n    {source}\n    {marker}")


class DataError(BayesmlError):
    """The data do not fit the model: missing, infinite, wrong type, impossible for the family."""


class PriorError(BayesmlError):
    """A prior cannot be read, matches no parameter, or is impossible for the one it matches."""


class ModelError(BayesmlError):
    """The model, the method or an option cannot be had together; also a question the fit cannot answer."""


class FitWarning(UserWarning):
    """Something about the fit that the user should act on; the message says how."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``" (did you mean `x`?)"`` for the candidate closest to ``name``, or an empty string."""
    close = get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""
