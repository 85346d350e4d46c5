"""Link functions: from the mean scale to the scale of the linear predictor and back, on NumPy and JAX arrays alike.

A family names the links that a parameter may have; ``get_link`` turns a name into a ``Link``. A link also gives the
first three derivatives of its inverse, as a ``Jet``. The closed forms of Laplace's approximation are composed of these.
"""

from __future__ import annotations

from math import inf, pi

from bayesml.errors import ModelError, did_you_mean
from bayesml.links import elementary as e
from bayesml.links import probability as p
from bayesml.links.between import between, between_name
from bayesml.links.jet import Jet, special_functions
from bayesml.links.link import Link

__all__ = ["LINKS", "Jet", "Link", "between_name", "get_link", "special_functions"]

UNIT, POSITIVE = (0.0, 1.0), (0.0, inf)

LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", (-inf, inf), e.identity, e.identity, e.identity_jet),
        Link("log", POSITIVE, e.log, e.exp, e.exp_jet, _log_inverse=e.identity, _log_jet=e.identity_jet),
        Link(
            "logit",
            UNIT,
            p.logit,
            e.expit,
            p.logit_jet,
            _complement=p.logit_complement,
            _log_inverse=p.logit_log_inverse,
            _log_complement=p.logit_log_complement,
            _log_jet=p.logit_log_jet,
            _log_complement_jet=p.logit_log_complement_jet,
        ),
        Link(
            "probit",
            UNIT,
            p.probit,
            p.ndtr,
            p.probit_jet,
            _complement=p.probit_complement,
            _log_inverse=p.log_ndtr,
            _log_complement=p.probit_log_complement,
            _log_jet=p.probit_log_jet,
            _log_complement_jet=p.probit_log_complement_jet,
        ),
        Link(
            "cloglog",
            UNIT,
            p.cloglog,
            p.cloglog_inverse,
            p.cloglog_jet,
            _complement=p.cloglog_complement,
            _log_inverse=p.cloglog_log_inverse,
            _log_complement=e.negative_exp,
            _log_jet=p.cloglog_log_jet,
            _log_complement_jet=p.cloglog_log_complement_jet,
        ),
        Link(
            "cauchit",
            UNIT,
            p.cauchit,
            p.cauchit_inverse,
            p.cauchit_jet,
            _complement=p.cauchit_complement,
            _log_complement=p.cauchit_log_complement,
            _log_complement_jet=p.cauchit_log_complement_jet,
        ),
        Link(
            "probit_approx",
            UNIT,
            p.probit_approx,
            p.probit_approx_inverse,
            p.probit_approx_jet,
            _complement=p.probit_approx_complement,
            _log_inverse=p.probit_approx_log_inverse,
            _log_complement=p.probit_approx_log_complement,
            _log_jet=p.probit_approx_log_jet,
            _log_complement_jet=p.probit_approx_log_complement_jet,
        ),
        Link(
            "softit",
            UNIT,
            p.softit,
            p.softit_inverse,
            p.softit_jet,
            _complement=p.softit_complement,
            _log_inverse=p.softit_log_inverse,
            _log_complement=p.softit_log_complement,
        ),
        Link(
            "inverse",
            POSITIVE,
            e.reciprocal,
            e.reciprocal,
            e.reciprocal_jet,
            _log_inverse=e.negative_log,
            _log_jet=e.negative_log_jet,
        ),
        Link("1/mu^2", POSITIVE, e.inverse_square, e.inverse_root, e.inverse_root_jet),
        Link("sqrt", POSITIVE, e.square_root, e.square, e.square_jet),
        Link("softplus", POSITIVE, e.softplus_link, e.softplus, e.softplus_jet),
        Link("squareplus", POSITIVE, e.squareplus_link, e.squareplus, e.squareplus_jet),
        Link("tan_half", (-pi, pi), e.tan_half_link, e.tan_half, e.tan_half_jet),
        Link("log1p", (-1.0, inf), e.log1p, e.expm1, e.expm1_jet),
        Link("logm1", (1.0, inf), e.log_of_excess, e.one_plus_exp, e.one_plus_exp_jet),
    )
}


def get_link(name: str | Link) -> Link:
    """Return the link of that name.

    Raises:
        ModelError: there is no such link; the message lists all links.

    Example:
        >>> get_link("logit").inverse(0.0)
        np.float64(0.5)
    """
    if isinstance(name, Link):
        return name
    link = LINKS.get(name) or between(name) if isinstance(name, str) else None
    if link is None:
        hint = did_you_mean(name, LINKS) if isinstance(name, str) else ""
        raise ModelError(f"There is no link {name!r}{hint}; there are {', '.join(LINKS)}.")
    return link
