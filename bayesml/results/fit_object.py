"""``Fit``: a record of what was fitted and learnt. Every verb is a function in a file of its own; here they are named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from bayesml.engines import AbstractEngine, Outcome, Problem
from bayesml.families import AbstractFamily
from bayesml.formula import ParsedFormula
from bayesml.frame import Frame
from bayesml.posterior import Draws, Timing
from bayesml.priors import Prior, Style
from bayesml.reported import ReportedVariable, reported_variables
from bayesml.results import diagnostics, effects, io, loo, plots, predict, summary, tables, to_arviz

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

__all__ = ["Fit"]


@final
@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted model.

    Attributes:
        problem: design, family and description of the model.
        frame: the data columns used, as they entered the fit.
        engine: the engine with its options.
        outcome: posterior, timing and seed.
        priors: the priors the user set.
        default_priors: which defaults filled the rest.
        data_name: how the summary names the data.
    """

    problem: Problem
    frame: Frame
    engine: AbstractEngine
    outcome: Outcome
    priors: tuple[Prior, ...]
    default_priors: Style
    data_name: str
