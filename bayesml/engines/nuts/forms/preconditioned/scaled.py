r"""Posterior-scaled coordinates of group effects: each level centred and scaled by what the data say of it.

With u_j = Lambda z_j (Lambda = diag(sd) L, z_j standard normal), pilot working weights W_j = sum_i w_i x_i x_i' and
r_j = sum_i x_i s_i + W_j u_j at a pilot mode (s and w the first and minus the second derivative of the row's
log-likelihood), the conditional posterior of z_j is nearly normal with precision K_j = Lambda' W_j Lambda + I and mean
K_j^-1 Lambda' (r_j - X_j (beta - beta_pilot)), X_j = sum_i w_i x_i p_i' for the population-level columns p_i. Sampling
moves in zeta_j,

    z_j = K_j^-1 Lambda' (r_j - X_j (beta - beta_pilot)) + C_j^-T zeta_j,   K_j = C_j C_j',

with log |dz/dzeta| = -1/2 sum_j log |K_j|: an exact change of variables whatever the pilot, non-centred where a level
has no data, centred where it has much. In this form sd = 0 is an ordinary point. Without the term in beta, effects and
coefficients would stay correlated in a way that changes with sd and that no linear map can take out.

Related: Kleppe (2019, dynamically rescaled HMC), Osmundsen, Kleppe &
Liesenfeld (2021, transport maps).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jax import numpy as jnp

from bayesml import names
from bayesml.engines.nuts.forms.preconditioned.pilot import pilot_key
from bayesml.engines.nuts.forms.preconditioned.small import (
    Matrix,
    cholesky,
    log_determinant,
    solve_lower,
    solve_upper,
)
from bayesml.terms import AbstractGroupTerm

__all__ = ["ScaledGroup"]

Array = Any


@final
@dataclass(frozen=True)
class ScaledGroup:
    """The change of variables of one group term.

    Attributes:
        term: the group term.
        coefficients: sites of the population-level coefficients of the same predictor, in the order of the columns of
            the pilot's ``cross``; empty where their effect on the levels is left out.
    """

    term: AbstractGroupTerm
    coefficients: tuple[str, ...] = ()

    @property
    def z_name(self) -> str:
        """The site whose place zeta takes."""
        return names.standardised_variable(self.term.name, self.term.predictor)

    @property
    def key(self) -> str:
        """Name of the pilot arrays of this term.

        ``weights`` (levels, q, q), ``score`` (levels, q), and with coefficients ``cross`` (levels, q, p) and ``beta``
        (p,), the pilot's coefficients.
        """
        return pilot_key(self.term.predictor, self.term.key)

    def transform(self, values: Mapping[str, Array], pilot: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return z ``(q, levels)`` for the zeta in its place, and the log Jacobian determinant."""
        zeta = values[self.z_name]
        q = len(self.term.coefs)
        relative = self._relative_factor(values)
        factor = cholesky(_precision(relative, pilot["weights"], q))
        scores = pilot["score"]
        if self.coefficients:
            current = jnp.concatenate([jnp.reshape(values[name], (-1,)) for name in self.coefficients])
            scores = scores - pilot["cross"] @ (current - pilot["beta"])
        score = [scores[:, i] for i in range(q)]
        rotated = [sum(relative[i][k] * score[i] for i in range(k, q) if relative[i][k] is not None) for k in range(q)]
        # K^-1 a + C^-T zeta = C^-T (C^-1 a + zeta): one backward solve for both
        inner = [a + zeta[k] for k, a in enumerate(solve_lower(factor, rotated))]
        return jnp.stack(solve_upper(factor, inner)), -0.5 * log_determinant(factor)

    def _relative_factor(self, values: Mapping[str, Array]) -> list[list[Array | None]]:
        """Return Lambda as a lower triangle of scalars; None where the model has a zero."""
        q = len(self.term.coefs)
        sd = values[names.group_sd_variable(self.term.name, self.term.predictor)]
        factor: list[list[Array | None]] = [[None] * q for _ in range(q)]
        for number, block in enumerate(self.term.block_slices()):
            size = self.term.blocks[number]
            cholesky_name = names.cholesky_variable(self.term.name, self.term.predictor, number)
            for i in range(size):
                for j in range(i + 1):
                    entry = values[cholesky_name][i, j] if size > 1 else 1.0
                    factor[block.start + i][block.start + j] = sd[block.start + i] * entry
        return factor


def _precision(relative: list[list[Array | None]], weights: Array, q: int) -> Matrix:
    """Return K = Lambda' W Lambda + I as a lower triangle of arrays over levels."""
    product = [
        [_sum(weights[:, i, m] * relative[m][k] for m in range(k, q) if relative[m][k] is not None) for k in range(q)]
        for i in range(q)
    ]
    precision: Matrix = [[jnp.zeros(())] * q for _ in range(q)]
    for k in range(q):
        for m in range(k + 1):
            entry = _sum(relative[i][k] * product[i][m] for i in range(k, q) if relative[i][k] is not None)
            precision[k][m] = entry + 1.0 if k == m else entry
    return precision


def _sum(terms: Any) -> Array:
    total = None
    for term in terms:
        total = term if total is None else total + term
    return np.zeros(()) if total is None else total
