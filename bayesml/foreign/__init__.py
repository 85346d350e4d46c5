"""Foreign words: what users of brms, lme4 and Bambi type by habit, answered with our word for it.

``words`` and its neighbours hold the table; ``answers`` looks words up. A word that means the same is taken for ours;
any other ends in an error that says how to write it here. Nothing of this is in ``dir()``.
"""

from __future__ import annotations

from bayesml.foreign.answers import (
    answers_foreign_arguments,
    answers_foreign_options,
    answers_foreign_words,
    module_attribute,
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
]
