"""``(1 | gr(g, by=f, cov=A))``: related levels, each of which has the standard deviation of its stratum.

With a root R of A, ``R R' = A``, and the stratum s(j) of level j, each independent column has

    r_j = sd_s(j) sum_i R_ji z_i,

so that the effects of levels of two strata are related too, whatever the order of the levels. Correlated columns are as
in brms, ``r_j = sum_i R_ji diag(sd_s(i)) L_s(i) z_i``, where that order matters if strata differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.namespace import array_namespace
from bayesml.terms.known_covariance import KnownCovariance
from bayesml.terms.stratified_group import StratifiedGroup

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["RelatedStrata"]


@final
@dataclass(frozen=True)
class RelatedStrata:
    """Independent columns of effects of related levels in strata.

    Attributes:
        base: those of levels that are not related, each of which has z of its stratum.
        known: A.
    """

    base: StratifiedGroup
    known: KnownCovariance

    @property
    def across(self) -> bool:
        """Whether any levels of different strata are related; where none are, each stratum is a factor of its own."""
        strata = np.asarray(self.base.strata[: len(self.known.labels)])
        A = self.known.matrix.selected(self.known.places).dense
        return bool((A[strata[:, None] != strata] != 0.0).any())

    def derived(self, values: Values, root: Numbers) -> dict[str, Numbers]:
        """Return ``r`` ``(levels, coefs)``.

        Every stratum gets the related variables, and each level takes the effects of its own.
        """
        site, q = names.standardised_variable(self.base.name, self.base.predictor), len(self.base.coefs)
        z = values[site]
        xp = array_namespace(z)
        strata = np.asarray(self.base.strata[: z.shape[-1]])
        count = len(self.base.by_levels)
        own = sum(xp.where(strata == s, z[s * q : (s + 1) * q], 0.0) for s in range(count))
        return self.base.derive({**values, site: xp.concatenate([own @ root.T] * count)})

    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, labels: Sequence[str]
    ) -> np.ndarray:
        """Draw effects of new levels given those of the data, ``(draws, new, coefs)``.

        For ``w = r / sd`` of the own stratum the distribution is that of a factor without strata.
        """
        effects = values[names.group_effect_variable(self.base.name, self.base.predictor)]
        sd = values[names.group_sd_variable(self.base.name, self.base.predictor)]
        by_stratum = sd.reshape(len(sd), len(self.base.by_levels), -1)
        strata = np.asarray(self.base.strata)
        w = effects / by_stratum[:, strata[: len(self.known.labels)]]
        means, root = self.known.given(labels)
        drawn = np.einsum("ij,djq->diq", root, rng.standard_normal((len(w), len(labels), w.shape[-1])))
        # the mean A_no A_oo^-1 w; means are A_no L^-T
        drawn += np.einsum("ij,djq->diq", np.linalg.solve(self.known.root.T, means.T).T, w)
        return by_stratum[:, strata[-len(labels) :]] * drawn
