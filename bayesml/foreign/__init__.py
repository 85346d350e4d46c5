"""Words of brms, lme4 and Bambi that users type by habit, and what each of them is called here.

``arguments``, ``verbs``, ``functions`` and ``families`` hold the words, ``answers`` looks them up. A word that means
the same as one of ours is understood; any other ends in an error that says what to write instead. No foreign word is
in ``dir()``.
"""

from __future__ import annotations

from bayesml.foreign.answers import (
    answers_foreign_arguments,
    answers_foreign_options,
    answers_foreign_words,
    module_attribute,
    takes_options,
)
from bayesml.foreign.families import FAMILY_ADVICE, FAMILY_ALIASES, PLANNED_FAMILIES

__all__ = [
    "FAMILY_ADVICE",
    "FAMILY_ALIASES",
    "PLANNED_FAMILIES",
    "answers_foreign_arguments",
    "answers_foreign_options",
    "answers_foreign_words",
    "module_attribute",
    "takes_options",
]
