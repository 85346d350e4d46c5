"""One entry of the table of foreign words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["Word"]


@final
@dataclass(frozen=True)
class Word:
    """A word of another package and how to say it here.

    Attributes:
        word: what is typed, a name of Python: ``re_form`` for lme4's ``re.form``.
        origin: the package whose word it is.
        here: what to write here, in whole sentences.
        alias: our name, where it means the same; it is used for the word wherever there is something of that name.
    """

    word: str
    origin: str
    here: str = ""
    alias: str = ""
