"""Areas and their neighbours as a graph, with the eigenvectors in which conditional autoregression is independent.

Let W be 1 between neighbours and 0 elsewhere, D diagonal with the number of neighbours of each area. The effects of
areas are ``r = s B (w * z)``, z standard normal, with weights w that may depend on one further parameter:

- ``escar``: precision ``(D - c W) / s^2``. With ``D^(-1/2) W D^(-1/2) = V diag(m) V'`` it is B = D^(-1/2) V and
  w = (1 - c m)^(-1/2).
- ``esicar``: c = 1 and sum r = 0. With ``D - W = V diag(l) V'``, without the constant vector, whose eigenvalue is 0,
  B = V and w = l^(-1/2).
- ``icar``: the same with the constant vector, whose mean is ``normal(0, 0.001)`` at s = 1: w = 0.001 n^(1/2).
- ``bym2``: r is a sum of independent effects with variance s^2 (1 - p) and icar effects times ``(p / k)^(1/2)``, k the
  geometric mean of their variances, so that s is the standard deviation of a typical area (Riebler et al. 2016). Both
  have the eigenvectors V, so that w = (1 - p + p w_icar^2 / k)^(1/2).

The determinant of the precision matrix, which needs all eigenvalues, is in w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, cast, final, get_args

import numpy as np

from bayesml.errors import DataError, warn_user
from bayesml.frame import KnownMatrix

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Scalar

__all__ = ["KINDS", "SOFT", "AreaGraph", "CarKind"]

CarKind = Literal["escar", "esicar", "icar", "bym2"]
KINDS: tuple[CarKind, ...] = get_args(CarKind)

LISTED = 5
SOFT = 1e-3
"""Standard deviation of the mean of the effects in units of s, where their sum is not exactly 0."""


@final
@dataclass(frozen=True, eq=False)
class AreaGraph:
    """Which areas are neighbours.

    Attributes:
        neighbours: ``(areas, areas)`` 1 between neighbours, 0 elsewhere.
        labels: the areas.
        kind: the distribution of their effects.
    """

    neighbours: np.ndarray
    labels: tuple[str, ...]
    kind: CarKind

    @classmethod
    def of(cls, matrix: KnownMatrix, labels: Sequence[str], kind: str, text: str, named: bool) -> AreaGraph:
        """Check a matrix of neighbours.

        Args:
            matrix: the matrix.
            labels: the areas of the data.
            kind: the distribution of the effects.
            text: the term as written, for messages.
            named: whether areas are found by the names of the rows; else every row of the data is one.

        Raises:
            DataError: the matrix does not fit the areas, or is no graph on which the effects have a distribution.
        """
        if named:
            matrix.check_names(f"the areas in `{text}`")
            places = matrix.positions(labels)
            missing = [label for label, place in zip(labels, places, strict=True) if place < 0]
            if missing:
                listed = ", ".join(f"`{label}`" for label in missing[:LISTED])
                more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
                raise DataError(f"`{matrix.name}` of `{text}` has no row for {listed}{more}. Every area needs one.")
            matrix = matrix.selected(places)
        matrix.check_symmetric(text)
        W = np.array(matrix.dense)
        if (np.diagonal(W) != 0).any():
            area = labels[int(np.flatnonzero(np.diagonal(W))[0])]
            raise DataError(f"`{matrix.name}` of `{text}` says that `{area}` is its own neighbour; its diagonal is 0.")
        if (W < 0).any():
            raise DataError(f"`{matrix.name}` of `{text}` has negative entries; it is 1 between neighbours, else 0.")
        if not np.isin(W, (0.0, 1.0)).all():
            warn_user(f"`{matrix.name}` of `{text}` has weights; all that are not 0 count as 1, as in brms.")
        found = cls((W != 0).astype(float), tuple(labels), cast(CarKind, kind))
        found._check_connected(matrix.name, text)
        return found

    def _check_connected(self, name: str, text: str) -> None:
        islands = [self.labels[i] for i in np.flatnonzero(self.neighbours.sum(axis=0) == 0)]
        if islands:
            listed = ", ".join(f"`{label}`" for label in islands[:LISTED])
            more = f" and {len(islands) - LISTED} more" if len(islands) > LISTED else ""
            raise DataError(
                f"`{text}` needs neighbours for every area among those of the data, and {listed}{more} "
                f"ha{'s' if len(islands) == 1 else 've'} none in `{name}`. Join an island to the nearest area, or "
                "leave it out."
            )
        parts = self._components()
        if self.kind != "escar" and parts.max() > 0:
            sizes = ", ".join(str(int((parts == part).sum())) for part in range(int(parts.max()) + 1))
            second = self.labels[int(np.flatnonzero(parts == 1)[0])]
            raise DataError(
                f"The areas of `{text}` fall into {int(parts.max()) + 1} parts that no neighbours join ({sizes} areas; "
                f'`{self.labels[0]}` and `{second}` lie in different ones). type="{self.kind}" needs one part: join '
                'them in the matrix, or use type="escar", or fit the parts one by one.'
            )

    def _components(self) -> np.ndarray:
        """Return the number of the connected part of each area."""
        part = np.full(len(self.labels), -1)
        count = 0
        for start in range(len(part)):
            if part[start] >= 0:
                continue
            front = np.zeros(len(part), dtype=bool)
            front[start] = True
            while front.any():
                part[front] = count
                front = (self.neighbours[front].sum(axis=0) > 0) & (part < 0)
            count += 1
        return part

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues, and the columns of B: ``m`` of escar, variances ``w_icar^2`` of the others."""
        degree = self.neighbours.sum(axis=0)
        if self.kind == "escar":
            root = 1.0 / np.sqrt(degree)
            values, vectors = np.linalg.eigh(root[:, None] * self.neighbours * root)
            return values, root[:, None] * vectors
        values, vectors = np.linalg.eigh(np.diag(degree) - self.neighbours)
        values, vectors = values[1:], vectors[:, 1:]  # without the constant
        if self.kind == "esicar":
            return 1.0 / values, vectors
        constant = np.full((len(degree), 1), 1.0 / np.sqrt(len(degree)))
        return np.append(1.0 / values, SOFT**2 * len(degree)), np.hstack([vectors, constant])

    @property
    def spectrum(self) -> np.ndarray:
        """The eigenvalues m of escar; of the others w_icar^2, that of the constant vector last."""
        return self._spectrum[0]

    @property
    def basis(self) -> np.ndarray:
        """B ``(areas, vectors)``."""
        return self._spectrum[1]

    @cached_property
    def scale(self) -> float:
        """k: the geometric mean of the variances of effects that add up to 0, at s = 1."""
        values, vectors = self._spectrum
        inside = values[: len(self.labels) - 1], vectors[:, : len(self.labels) - 1]
        return float(np.exp(np.log((inside[1] ** 2 * inside[0]).sum(axis=1)).mean()))

    def weights(self, further: Scalar | float) -> Numbers:
        """Return w, ``(vectors,)``, for the value of the further parameter: c of escar, p of bym2."""
        values, _ = self._spectrum
        if self.kind == "escar":
            return (1.0 - further * values) ** -0.5
        if self.kind == "bym2":
            return (1.0 - further + further * (values / self.scale)) ** 0.5
        return np.sqrt(values)

    @property
    def size(self) -> int:
        """Number of vectors."""
        return self.basis.shape[1]
