"""``fit(..., file="m1")``: a fit that is kept in a file, read instead of made again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, final

from bayesml.errors import ModelError, warn_user
from bayesml.results.fits.fit_object import Fit, PointFit
from bayesml.results.record import encoded
from bayesml.results.record.recipe import PreparedModel
from bayesml.results.storage.io import is_saved_fit, load
from bayesml.results.storage.same_model import differing_option, differing_part
from bayesml.results.storage.saving import writable_target

__all__ = ["FileRefit", "KeptFile", "kept_file"]

FileRefit = Literal["never", "on_change", "always"]
CHOICES = ("never", "on_change", "always")
SUFFIX = ".nc"


@final
@dataclass(frozen=True)
class KeptFile:
    """The file of a fit.

    Attributes:
        path: where it is, or will be.
        refit: when the model is fitted again.
    """

    path: Path
    refit: FileRefit

    def found(self, model: PreparedModel) -> Fit | PointFit | None:
        """Return the fit in the file, or None where the model has to be fitted.

        Args:
            model: the description of the model.

        Raises:
            ModelError: the file is no saved fit; or, with ``"never"``, it cannot be read.

        Warns:
            FitWarning: ``"never"``, and the fit in the file is of another model.
        """
        if not self.path.exists():
            return None
        if not is_saved_fit(self.path):
            raise ModelError(
                f"The file `{self.path}` is not a fit saved by bayesml, or is damaged, and is not written over. Give "
                "another name as `file`, or remove it."
            )
        if self.refit == "always":
            return None
        try:
            fit = self._loaded(model)
        except ModelError:
            if self.refit == "never":
                raise
            return None
        change = _change(model, fit)
        if change is None:
            return fit
        if self.refit == "on_change":
            return None
        warn_user(
            f"The fit read from `{self.path}` is not the one that was asked for: it differs in {change}. "
            'Write file_refit="on_change" to fit again where something has changed.'
        )
        return fit

    def _loaded(self, model: PreparedModel) -> Fit | PointFit:
        family = model.recipe.family
        return load(self.path, model.recipe.functions, family if family.user_functions else None)


def _change(model: PreparedModel, fit: Fit | PointFit) -> str | None:
    stored = PreparedModel(fit.problem, fit.frame, fit.recipe)
    if fit.outcome.incomplete and encoded.engine_to_json(model.recipe.engine)["options"].get("max_seconds") is None:
        return "the number of draws, since its run was interrupted"
    return differing_part(model, stored) or differing_option(model.recipe.engine, fit.engine)


def kept_file(file: str | os.PathLike[str] | None, file_refit: str) -> KeptFile | None:
    """Return the file of a fit, checked before anything is computed; ``.nc`` is added where the name has no such end.

    Raises:
        ModelError: ``file_refit`` is unknown, or the file cannot be written there.
    """
    if file_refit not in CHOICES:
        listed = ", ".join(f'"{choice}"' for choice in CHOICES)
        raise ModelError(f"`file_refit` is one of {listed}; got {file_refit!r:.80}.")
    if file is None:
        if file_refit != "never":
            raise ModelError('`file_refit` says when the fit in a file is made again; write file="m1" beside it.')
        return None
    if not isinstance(file, (str, os.PathLike)) or not os.fspath(file):
        raise ModelError(f'`file` is the name of a file, for example "m1"; got {file!r:.80}.')
    named = str(os.fspath(file))
    return KeptFile(writable_target(named if named.endswith(SUFFIX) else named + SUFFIX), cast("FileRefit", file_refit))
