"""Linear mixed models by REML, maximum likelihood or penalised likelihood: arrays in, frozen results out."""

from bayesml.engines.linear_mixed.contrasts import FTest
from bayesml.engines.linear_mixed.fitting import fit_at, fit_linear_mixed, refit
from bayesml.engines.linear_mixed.kenward_roger import KenwardRoger, kenward_roger
from bayesml.engines.linear_mixed.problem import LinearMixedProblem, prepare
from bayesml.engines.linear_mixed.profile import Parameter, Profiler, ProfileTrace, parameters, profiler
from bayesml.engines.linear_mixed.satterthwaite import Satterthwaite, satterthwaite
from bayesml.engines.linear_mixed.solution import Convergence, GroupEstimate, LinearMixedFit

__all__ = [
    "Convergence",
    "FTest",
    "GroupEstimate",
    "KenwardRoger",
    "LinearMixedFit",
    "LinearMixedProblem",
    "Parameter",
    "ProfileTrace",
    "Profiler",
    "Satterthwaite",
    "fit_at",
    "fit_linear_mixed",
    "kenward_roger",
    "parameters",
    "prepare",
    "profiler",
    "refit",
    "satterthwaite",
]
