"""``constant([[1, 0.3], [0.3, 1]])``: a matrix or simplex that is not estimated."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions.base import format_number
from bayesml.distributions.whole import WholeDistribution
from bayesml.errors import PriorError

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Numbers

__all__ = ["ConstantArray"]


@final
@dataclass(frozen=True, repr=False)
class ConstantArray(WholeDistribution):
    """A correlation matrix or a simplex that is held at a value; build it with ``ConstantArray.of``.

    Attributes:
        rows: the elements, those of a matrix row by row.
        width: number of columns; 0 for a vector.
        written: how it is printed where ``rows`` are those of a Cholesky factor; empty for as it is.
    """

    rows: tuple[float, ...]
    width: int = 0
    written: str = ""

    name: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        return

    @classmethod
    def of(cls, value: Any) -> ConstantArray:
        """Return it from nested lists or an array.

        Raises:
            PriorError: there is no such array of finite numbers.
        """
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            array = np.zeros(())
        if array.ndim not in (1, 2) or not array.size or not np.all(np.isfinite(array)):
            raise PriorError(f"constant() takes a number, a vector or a matrix of finite numbers; got {value!r:.80}.")
        return cls(tuple(array.ravel().tolist()), array.shape[1] if array.ndim == 2 else 0)

    @property
    def is_constant(self) -> bool:
        """It is."""
        return True

    @property
    def array(self) -> np.ndarray:
        """The matrix or vector."""
        return np.array(self.rows).reshape(-1, self.width) if self.width else np.array(self.rows)

    def __str__(self) -> str:
        if self.written:
            return self.written
        numbers = [format_number(each) for each in self.rows]
        if not self.width:
            return f"constant([{', '.join(numbers)}])"
        lines = [", ".join(numbers[i : i + self.width]) for i in range(0, len(numbers), self.width)]
        return f"constant([{', '.join(f'[{line}]' for line in lines)}])"

    @property
    def kind(self) -> tuple[object, ...]:
        """The shape."""
        return (ConstantArray, len(self.rows), self.width)

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return the array."""
        return (self.array,)

    @property
    def support(self) -> tuple[float, float]:
        """The range of the elements."""
        return min(self.rows), max(self.rows)

    @property
    def location(self) -> float:
        """The mean element."""
        return float(np.mean(self.rows))

    @property
    def scale(self) -> float:
        """Zero."""
        return 0.0

    def whole_log_density(self, value: Numbers) -> Numbers:
        """Return 0 at the value (a point mass), -inf elsewhere."""
        same = np.all(np.asarray(value) == self.array, axis=tuple(range(-self.array.ndim, 0)))
        return np.where(same, 0.0, -inf)

    def draw_whole(self, rng: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
        """Return the value ``size`` times."""
        return np.broadcast_to(self.array, (size, *self.array.shape))

    def numpyro_whole(self, shape: tuple[int, ...]) -> dist.Distribution:
        """Return ``Delta``."""
        import numpyro.distributions as dist

        return dist.Delta(self.array, event_dim=self.array.ndim)

    @staticmethod
    def numpyro_form(*numbers: Broadcast) -> dist.Distribution:
        """Raise: the NumPyro form needs the shape."""
        raise PriorError("A constant array is no distribution of one number.")
