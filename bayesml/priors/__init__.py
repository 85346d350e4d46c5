"""Priors: what a user says, what is assumed otherwise, and which of them each parameter gets."""

from __future__ import annotations

from bayesml.priors.defaults import DefaultPriors, Scale, Style, predictor_scale
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.language import Prior, as_priors, prior
from bayesml.priors.parse import JOINT_PRIORS, parse_prior
from bayesml.priors.per_coefficient import PerCoefficient
from bayesml.priors.resolve import Resolution, resolve
from bayesml.priors.table import PriorRow, PriorTable
from bayesml.priors.written import as_distribution

__all__ = [
    "JOINT_PRIORS",
    "AbstractJointPrior",
    "parse_prior",
    "DefaultPriors",
    "PerCoefficient",
    "Prior",
    "PriorRow",
    "PriorTable",
    "Resolution",
    "Scale",
    "Style",
    "as_distribution",
    "as_priors",
    "predictor_scale",
    "prior",
    "resolve",
]
