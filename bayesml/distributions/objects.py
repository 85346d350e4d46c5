"""Distributions of other packages as priors: NumPyro's and PreliZ's, recognised by the module of their class."""

from __future__ import annotations

from typing import Any

from bayesml.distributions.base import Distribution

__all__ = ["distribution_of"]


def distribution_of(value: Any) -> Distribution | tuple[Distribution, ...] | None:
    """Return the prior that an object of another package is; one for each element of a vector of distributions.

    Args:
        value: anything. Neither package is imported here: who has such an object has imported it.

    Returns:
        None where it is no object of NumPyro or PreliZ.

    Raises:
        PriorError: it is one, and no distribution of a real number.
    """
    packages = {each.__module__.partition(".")[0] for each in type(value).__mro__}
    if "numpyro" in packages:
        from bayesml.distributions.numpyro_objects import from_numpyro

        return from_numpyro(value)
    if "preliz" in packages:
        from bayesml.distributions.preliz_objects import from_preliz

        return from_preliz(value)
    return None
