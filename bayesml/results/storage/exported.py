"""``fit.export("numpyro")``: the model of a fit as a program of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bayesml.errors import ModelError
from bayesml.exporting.exported import ExportedModel, check_language, exported_model
from bayesml.results.storage.saving import writable_target

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["export", "program_target"]


def export(fit: AbstractFit, language: str = "numpyro", path: str | os.PathLike[str] | None = None) -> ExportedModel:
    """Return the model of a fit as a readable program that needs NumPyro and JAX, not bayesml.

    The program has the priors as distributions of NumPyro and everything else as ``jax.numpy``: linear predictors,
    the density of the response, functions with derivatives of their own. ``numpyro.infer.util.log_density`` of its
    ``model(data)`` equals that of the fit. Parameters are called as in ``fit.idata``; comments say formula and priors.

    Args:
        fit: the fit.
        language: ``"numpyro"``.
        path: the file to write, ``"model.py"``; the data are written beside it, ``model.npz``. None writes nothing.

    Returns:
        The program: ``print`` it for its text; ``program.data`` are the arrays that ``model(data)`` takes.

    Raises:
        ModelError: there is no such language, the path does not end in ``.py`` or lies in no folder, the fit is of
            several data sets, or the density uses what cannot be written. Then nothing is written.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> print(fit.export("numpyro"))
    """
    check_language(language)
    target = None if path is None else program_target(path)
    if fit.outcome.data_sets > 1:
        raise ModelError(
            "The fit is of several imputed data sets, and a program holds one: export the model of each with "
            "`bayesml.export(formula, data)`."
        )
    program = exported_model(fit.problem, _notes(fit))
    if target is not None:
        program.write(target)
    return program


def _notes(fit: AbstractFit) -> tuple[str, ...]:
    if fit.engine.uses_priors:
        return ()
    return (f'The fit used method="{fit.engine.method}", which knows no priors; those below are of method="nuts".',)


def program_target(path: str | os.PathLike[str]) -> Path:
    """Return the path of a program to be written.

    Raises:
        ModelError: it does not end in ``.py``, or lies in no folder.
    """
    target = writable_target(path)
    if target.suffix != ".py":
        raise ModelError(f'`path` is the name of a Python program, for example "model.py"; got {str(path)!r}.')
    return target
