"""``resume(folder)``: go on with a run that was killed, from its checkpoint."""

from __future__ import annotations

import os
import time

from bayesml.engines import dispatch
from bayesml.families import AbstractFamily
from bayesml.results.fits.fit_object import Fit, finished
from bayesml.results.fits.fitting import fitted_model
from bayesml.results.storage.checkpoint import read_checkpoint
from bayesml.terms import Functions

__all__ = ["resume"]


def resume(
    checkpoint: str | os.PathLike[str],
    *,
    functions: Functions | None = None,
    family: AbstractFamily | None = None,
    progress: bool | None = None,
) -> Fit:
    """Go on with a run that ``fit(..., checkpoint=folder)`` began, in whatever process.

    At most the block of draws is lost that was under way when the run was killed (64 iterations, or about a second).
    On the same machine the result is that of an uninterrupted run, bit for bit. A finished run gives its fit again.
    Of a run with ``max_seconds=`` the time starts anew.

    Args:
        checkpoint: the folder.
        functions: the functions that the fit was given as ``functions=``, where it was.
        family: the family of the fit where it is a ``custom_family(...)``, made or imported as it was.
        progress: whether to show how far the run is; None does as the run did.

    Returns:
        The fit.

    Raises:
        ModelError: the folder is no checkpoint, is damaged, or was written where data are encoded differently.

    Example:
        >>> fit = bayesml.fit("y ~ x + (1 | g)", data, checkpoint="run1")  # killed
        >>> fit = bayesml.resume("run1")
    """
    began = time.perf_counter()
    model = read_checkpoint(checkpoint, functions, family)
    engine = model.recipe.engine.resumed(os.fspath(checkpoint), progress)
    prepared = time.perf_counter() - began
    result = finished(fitted_model(model, dispatch.run(engine, model.problem), prepared))
    assert isinstance(result, Fit)
    return result
