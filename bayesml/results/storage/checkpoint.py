"""The model's part of a checkpoint folder: what is fitted to which data. The sampler adds its draws beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayesml.engines.array_files import read_arrays, write_arrays
from bayesml.errors import BayesmlError, ModelError
from bayesml.families import AbstractFamily
from bayesml.frame import frame_from_arrays, frame_to_arrays
from bayesml.results.record.recipe import PreparedModel
from bayesml.results.storage.document import MALFORMED, model_from_json, model_to_json
from bayesml.terms import Functions

__all__ = ["begin_checkpoint", "read_checkpoint"]

FORMAT = "bayesml checkpoint 3"
MODEL, DATA = "model.json", "data.npz"
BEFORE_MODEL = {DATA, "data.part", f"{MODEL}.part"}
"""What there can be in the folder before the model is in its place."""


def begin_checkpoint(folder: str, model: PreparedModel) -> None:
    """Make the folder and write the model to it.

    Raises:
        ModelError: the folder holds something already, or cannot be written to.
    """
    target = Path(folder).expanduser()
    _refuse_used(target)
    arrays, columns = frame_to_arrays(model.frame)
    document = model_to_json(model.problem, columns, model.recipe)
    text = json.dumps(document, ensure_ascii=False)
    try:
        target.mkdir(parents=True, exist_ok=True)
        write_arrays(target / DATA, arrays)
        partial = target / f"{MODEL}.part"
        partial.write_text(json.dumps({"format": FORMAT, "digest": _digest(text), "document": text}), "utf-8")
        os.replace(partial, target / MODEL)
    except OSError as error:
        raise ModelError(f"The checkpoint `{target}` cannot be written: {error.strerror or error}.") from None


def _refuse_used(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise ModelError(f"`{target}` is a file; a checkpoint is a folder. Choose another name.")
    if (target / MODEL).is_file():
        raise ModelError(
            f'The folder `{target}` holds the checkpoint of a run. Go on with it, bayesml.resume("{target}"), choose '
            "another folder, or remove this one."
        )
    # A process that is killed before the model is written leaves its data alone, which are written again.
    if target.is_dir() and {path.name for path in target.iterdir()} - BEFORE_MODEL:
        raise ModelError(f"The folder `{target}` is not empty. Choose another one for the checkpoint.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_checkpoint(
    folder: str | os.PathLike[str], functions: Functions | None, family: AbstractFamily | None = None
) -> PreparedModel:
    """Read the model of a checkpoint.

    Raises:
        ModelError: the folder is no checkpoint, or is damaged; a function is missing; or data are encoded differently.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ModelError(f'A checkpoint is named by its folder, for example "run1"; got {folder!r}.')
    source = Path(folder).expanduser()
    if not (source / MODEL).is_file():
        raise ModelError(
            f"The folder `{source}` holds no checkpoint of a run. Where the run was killed at its very beginning, "
            "nothing was sampled yet: fit the model again with this folder as its `checkpoint`."
        )
    try:
        document = _document(source / MODEL)
        frame = frame_from_arrays(read_arrays(source / DATA), document["data"])
        return model_from_json(source, document, frame, functions, family)
    except BayesmlError:
        raise
    except MALFORMED as error:
        raise ModelError(
            f"The checkpoint `{source}` is damaged and cannot be read ({type(error).__name__})."
        ) from error


def _document(path: Path) -> Mapping[str, Any]:
    content = json.loads(path.read_text("utf-8"))
    if content["format"] != FORMAT or _digest(content["document"]) != content["digest"]:
        raise ValueError("the description of the model is not the one that was written")
    return json.loads(content["document"])
