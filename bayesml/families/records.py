"""The records that families and the stages after them exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from bayesml.distributions import Distribution

__all__ = [
    "ROUNDING",
    "DistributionalParameter",
    "RawResponse",
    "ResponseData",
    "Traits",
    "UnobservedRows",
    "joint_traits",
]

ROUNDING = "rounding"
"""The array of a response that says over which width, in units of sigma, kinks of its density are rounded."""


@final
@dataclass(frozen=True)
class DistributionalParameter:
    """One parameter of a response distribution that may have a predictor of its own.

    Attributes:
        name: brms's name, ``mu``, ``sigma``, ``shape``, ``muB``, ``sigma1``, ...
        links: names of the links it may have when it is predicted, the default first.
        bounds: the open interval of its values.
        prior: default prior when it is a single number; None where the prior is scaled by the data (``sigma``).
        intercept_prior: default prior of its Intercept when it is predicted (link scale); None where it is
            scaled by the data (``mu``, ``sigma``).
        placed_by_data: whether bounds and ``typical`` come from the response: a predictor starts there, and its
            Intercept has a flat prior in brms.
        prior_link: the only link with which ``intercept_prior`` holds; empty where it holds with every one.
        role: what it is one of, ``mu`` of ``muB`` or ``sigma`` of ``sigma1``; links and default priors go by it. Left
            empty it is the name.
        unpredicted: its value where it has no formula, ``disc`` of ordinal families; None where it is estimated then.
        typical: a value inside its bounds, where single numbers start.
        flat_in_brms: whether brms gives it and its Intercept flat priors, so that the defaults here hold for the other
            style only.
    """

    name: str
    links: tuple[str, ...]
    bounds: tuple[float, float]
    prior: Distribution | None = None
    intercept_prior: Distribution | None = None
    role: str = ""
    typical: float = 1.0
    unpredicted: float | None = None
    flat_in_brms: bool = False
    prior_link: str = ""
    placed_by_data: bool = False

    @property
    def kind(self) -> str:
        """What it is one of: ``mu`` of ``muB``, and of ``mu`` itself."""
        return self.role or self.name


@final
@dataclass(frozen=True)
class RawResponse:
    """The evaluated left-hand side, before a family has looked at it.

    Attributes:
        name: label of the response.
        values: ``(rows,)`` floats, or integer codes where ``levels`` is given; ``(rows, k)`` of several columns.
        levels: level names of a factor response, else None.
        additions: evaluated response terms, ``{"trials": (rows,), "se": ..., "weights": ...}``.
        is_boolean: the column held truth values.
        rows: row of each value in the user's data, counting from 0, for messages; None where none were dropped.
        is_share: whether the values are shares of the trials; None where the family has to look.
        columns: labels of the columns of a response of several.
        ordered: whether the order of ``levels`` has a meaning.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None
    additions: Mapping[str, np.ndarray] = field(default_factory=dict)
    is_boolean: bool = False
    rows: np.ndarray | None = None
    is_share: bool | None = None
    columns: tuple[str, ...] = ()
    ordered: bool = True


@final
@dataclass(frozen=True, eq=False)
class UnobservedRows:
    """The rows whose response is a parameter, with where it lies and about where it is: one entry for each of them.

    Attributes:
        rows: their positions.
        lower: lower bounds, -inf where there is none.
        upper: upper bounds, or inf.
        center: typical values on the scale on which they are free: the logarithm of the distance from one bound, the
            logit between two.
        scale: typical distances from them.
        measured: measurements of them with error, 0 where there is none; None without ``mi(sdy)``.
        precision: one over the squared standard deviations of the errors, 0 where there is no measurement.
    """

    rows: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    measured: np.ndarray | None = None
    precision: np.ndarray | None = None


@final
@dataclass(frozen=True)
class ResponseData:
    """The response as the density takes it.

    Attributes:
        arrays: ``{"y": (rows,)}``, or ``(rows, k)`` of a response of k columns, and what the density needs beside it
            (``trials``, ``se``), row by row; ``weights`` is not in here.
        note: one sentence for the user where encoding chose something (``models the probability that y == 'yes'``).
        levels: of a response of categories the label of each code, of a two-level response those of 0 and 1.
        is_share: whether the response was given as shares of the trials; ``y`` holds counts all the same.
        unobserved: the rows whose response is a parameter; None where all are observed.
    """

    arrays: Mapping[str, np.ndarray]
    note: str = ""
    levels: tuple[str, ...] | None = None
    is_share: bool = False
    unobserved: UnobservedRows | None = None


@final
@dataclass(frozen=True)
class Traits:
    """What stages need of a likelihood, in place of its name.

    Attributes:
        discrete: the response takes countably many values.
        normal: the response, or log(y) where ``response_on_log_scale``, is normal with mean mu and standard deviation
            sigma, so that Gaussian effects in mu can be integrated out.
        response_on_log_scale: mu and sigma are those of log(y); default priors look at log(y).
        priors_on_log_scale: default priors of mu and sigma look at log(y) all the same, as where some y are 0 beside a
            lognormal distribution.
        rows_repeat: responses take few values, so that identical rows are worth counting once with a weight.
        count_table: a parameter for which, as long as it is a single number, ``log_prob`` can use a table of the
            distinct responses (``distinct`` and ``place`` in its data); empty for none.
        has_cdf: there are distribution functions, ``log_tails``.
        two_levels: the response is one of two categories, and its mean is the probability of the second.
        latent_threshold: the response says whether a latent variable, whose distribution the link names, exceeds 0; its
            variance is that on the scale of the linear predictor.
        lognormal_variance: with a log link the variance on the scale of the linear predictor is
            log(1 + variance / mean^2) (Nakagawa, Johnson and Schielzeth 2017).
        trials: counts are out of ``trials(n)``, which the response needs.
        known_errors: takes ``se()``, the known standard errors of the responses.
        rate: the parameters that are proportional to an exposure, which ``rate()`` gives; empty where there is none.
        residuals: distribution of (y - mu) / sigma where that is ``normal`` or ``student_t``, so that the residuals of
            several such responses may be correlated; empty otherwise.
        thresholds: categories in an order have thresholds between them, which ``thres()`` counts.
        decisions: takes ``dec()``, which of two answers was given.
        baseline_hazard: takes ``bhaz()``, which says how the baseline hazard is made.
        own_data: takes ``vint()`` and ``vreal()``, columns that the functions of a user's family read.
        kinked: the density has a kink where the response equals its location, so that a maximum has no curvature;
            ``log_prob`` rounds it where the data have ``ROUNDING``.
        has_moments: there are ``mean`` and ``variance``.
        several_modes: the density may have several modes; coordinates are built at one only if it holds the mass.
        rows_depend: the responses of different rows depend on each other, so that rows stay together and in order.
        reads_past: the mean of a row depends on the responses of others, which predictions read where they are known.
        continuous: the interval on which the response has a density, so that a response that is not observed may be a
            parameter; None where there is no such density, or no such parameter yet.
        divergence: of a family whose mean alone decides its distribution, for a normal one that of variance 1, the
            Kullback-Leibler divergence of each row as a function of two means, see ``families.divergences``.
    """

    discrete: bool = False
    normal: bool = False
    response_on_log_scale: bool = False
    priors_on_log_scale: bool = False
    rows_repeat: bool = False
    count_table: str = ""
    has_cdf: bool = False
    two_levels: bool = False
    latent_threshold: bool = False
    lognormal_variance: bool = False
    trials: bool = False
    known_errors: bool = False
    rate: frozenset[str] = frozenset()
    residuals: str = ""
    thresholds: bool = False
    baseline_hazard: bool = False
    own_data: bool = False
    decisions: bool = False
    has_moments: bool = True
    kinked: bool = False
    several_modes: bool = False
    rows_depend: bool = False
    reads_past: bool = False
    continuous: tuple[float, float] | None = None
    divergence: Callable[[np.ndarray, np.ndarray, Mapping[str, np.ndarray]], np.ndarray] | None = None


def joint_traits(every: Sequence[Traits]) -> Traits:
    """Return the traits of several responses together."""
    return Traits(
        discrete=all(traits.discrete for traits in every),
        rows_repeat=all(traits.rows_repeat for traits in every),
        several_modes=any(traits.several_modes for traits in every),
        kinked=any(traits.kinked for traits in every),
        rows_depend=any(traits.rows_depend for traits in every),
        reads_past=any(traits.reads_past for traits in every),
    )
