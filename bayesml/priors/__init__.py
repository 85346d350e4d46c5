"""Priors: what a user says, what is assumed otherwise, and which of them each parameter gets."""

from __future__ import annotations

from bayesml.priors.defaults import DefaultPriors, Scale, Style, predictor_scale
from bayesml.priors.language import Prior, as_priors, prior
from bayesml.priors.resolve import resolve
from bayesml.priors.table import PriorRow, PriorTable

__all__ = [
    "DefaultPriors",
    "Prior",
    "PriorRow",
    "PriorTable",
    "Scale",
    "Style",
    "as_priors",
    "predictor_scale",
    "prior",
    "resolve",
]
