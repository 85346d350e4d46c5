"""Exceptions and warnings of bayesml: one tree, so that a caller can catch what he wrote apart from a bug."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ArgumentError",
    "BayesmlError",
    "DataError",
    "FitWarning",
    "FormulaError",
    "ModelError",
    "PriorError",
    "UnknownNameError",
    "closest",
    "described",
    "did_you_mean",
    "warn_user",
]


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


class ArgumentError(ModelError, TypeError):
    """A function has no such argument; the message says what to write instead."""


class UnknownNameError(BayesmlError, AttributeError):
    """The package or a fit has nothing of that name; the message says what to write instead."""


class FitWarning(UserWarning):
    """Something about the fit that the user should act on; the message says how."""


def described(error: Exception) -> str:
    """Return the class of an error and the first line of its message, at most 300 characters of it."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def closest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the candidate closest to ``name``, or None where none is close; with a ``cutoff`` of 1 they are equal."""
    close = get_close_matches(name, sorted(candidates), n=1, cutoff=cutoff)
    return close[0] if close else None


def did_you_mean(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``" (did you mean `x`?)"`` for the candidate closest to ``name``, or an empty string."""
    close = closest(name, candidates, cutoff)
    return f" (did you mean `{close}`?)" if close else ""


def warn_user(message: str) -> None:
    """Warn with a ``FitWarning`` at the line outside the package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "bayesml":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, FitWarning, stacklevel=level)
