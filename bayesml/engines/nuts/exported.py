"""Programs kept from one process to the next: what was traced once for a structure is read from a file after that.

Tracing a model takes seconds of Python's time. Its result, StableHLO, is a few hundred kilobytes of bytecode, kept in
the user's cache folder beside XLA's own cache. A program that was just traced goes the way of one that was read: both
are called through ``jax.export``, so that both are the same to XLA, whose cache then serves the second process too.

A file is: magic bytes, SHA-256 of the rest, length of the head, head (JSON), bytecode. The head says which arrays come
out and how they are nested. Nothing in it is executed; the named tuples it mentions are looked up among what is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
from jax import export
from jax import numpy as jnp

from bayesml.engines.nuts.structure import package_key, structure_key
from bayesml.engines.precision import cache_folder

__all__ = ["Program", "exported_jit", "load_program", "store_program"]

MAGIC = b"bayesml program 1\n"
DIGEST, LENGTH = 32, 8
SUFFIX = ".program"
MOST_BYTES = 200_000_000
MOST_FILES = 500
"""Beyond either the programs that were not used for the longest time go."""


@final
@dataclass(frozen=True)
class Program:
    """A traced program, without the shapes of its arguments.

    Attributes:
        bytecode: the StableHLO module.
        used: numbers of the arguments, flattened, that the module takes.
        platforms: what it was lowered for.
        results: shape and name of the dtype of each array that comes out.
        nesting: how they are nested, see ``_described``.
    """

    bytecode: bytes
    used: tuple[int, ...]
    platforms: tuple[str, ...]
    results: tuple[tuple[tuple[int, ...], str], ...]
    nesting: Any


def exported_jit(
    key: str | None,
    name: str,
    build: Callable[[], Callable[..., Any]],
    specs: tuple[Any, ...],
    donate: tuple[int, ...] = (),
) -> jax.stages.Lowered:
    """Lower a function for arguments like ``specs``, without tracing it where a stored program has that key.

    What ``.compile()`` of the result returns takes the arguments of the function and answers as it does. It can be
    neither differentiated nor vmapped; ``build`` has to do that.

    Args:
        key: hash of all that the function holds as a constant; None to trace and store nothing.
        name: tells the programs of one key apart.
        build: returns the function; called where there is no stored program.
        specs: the arguments, or ``jax.ShapeDtypeStruct`` in their place. Shapes and dtypes are part of the name under
            which the program is stored.
        donate: numbers of the arguments whose memory may be used again.
    """
    file = _file_name(key, name, specs, donate)
    if file is None:
        return jax.jit(build(), donate_argnums=donate).lower(*specs)
    stored = load_program(file)
    lowered = None if stored is None else _lowered_or_none(stored, name, specs, donate)
    if lowered is not None:
        return lowered
    function = build()
    traced = _exported_or_none(function, specs)
    lowered = None if traced is None else _lowered_or_none(traced, name, specs, donate)
    if traced is None or lowered is None:
        return jax.jit(function, donate_argnums=donate).lower(*specs)
    store_program(file, traced)
    return lowered


def _lowered_or_none(
    program: Program, name: str, specs: tuple[Any, ...], donate: tuple[int, ...]
) -> jax.stages.Lowered | None:
    """What JAX raises for a program that it cannot take differs from version to version; the cure is to trace anew."""
    try:
        return _lowered(program, name, specs, donate)
    except Exception:
        return None


def _exported_or_none(function: Callable[..., Any], specs: tuple[Any, ...]) -> Program | None:
    """Callbacks cannot be exported; an error of the function itself comes again where it is traced without export."""
    try:
        return _exported(function, specs)
    except Exception:
        return None


def _file_name(key: str | None, name: str, specs: tuple[Any, ...], donate: tuple[int, ...]) -> str | None:
    package = package_key()
    if key is None or package is None:
        return None
    leaves, nesting = jax.tree.flatten(specs)
    arguments = [(np.shape(leaf), str(jax.dtypes.result_type(leaf)), _is_weak(leaf)) for leaf in leaves]
    return structure_key(package, key, name, arguments, str(nesting), donate)


def _is_weak(leaf: Any) -> bool:
    return isinstance(leaf, bool | int | float) or bool(getattr(leaf, "weak_type", False))


def _exported(function: Callable[..., Any], specs: tuple[Any, ...]) -> Program:
    leaves, nesting = jax.tree.flatten(specs)

    def flat(*arguments: Any) -> Any:
        return function(*jax.tree.unflatten(nesting, arguments))

    found = export.export(jax.jit(flat))(*leaves)
    return Program(
        bytes(found.mlir_module_serialized),
        tuple(found.module_kept_var_idx),
        tuple(found.platforms),
        tuple((tuple(aval.shape), np.dtype(aval.dtype).name) for aval in found.out_avals),
        _described(jax.tree.unflatten(found.out_tree, range(len(found.out_avals)))),
    )


def _lowered(program: Program, name: str, specs: tuple[Any, ...], donate: tuple[int, ...]) -> jax.stages.Lowered:
    leaves = jax.tree.leaves(specs)
    nesting = jax.tree.structure(_nested(program.nesting))
    call = replace(
        _shell(program, name, leaves),
        mlir_module_serialized=program.bytecode,
        module_kept_var_idx=program.used,
        platforms=program.platforms,
    ).call

    def called(*arguments: Any) -> Any:
        return jax.tree.unflatten(nesting, call(*jax.tree.leaves(arguments)))

    called.__name__ = name
    return jax.jit(called, donate_argnums=donate).lower(*specs)


def _shell(program: Program, name: str, leaves: Sequence[Any]) -> export.Exported:
    """Export a function with these arguments and results that does nothing: the frame for a stored module.

    ``Exported.serialize`` would spare it, but needs flatbuffers, which JAX does not install, and knows no named tuples.
    """

    def nothing(*arguments: Any) -> tuple[Any, ...]:
        return tuple(jnp.zeros(shape, dtype) for shape, dtype in program.results)

    nothing.__name__ = name
    return export.export(jax.jit(nothing))(*leaves)


def _described(value: Any) -> Any:
    """Return nested containers of whole numbers as what JSON can hold.

    Raises:
        TypeError: there is a container that is not known here.
    """
    if value is None or type(value) is int:
        return value
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: _described(part) for key, part in value.items()}
    if type(value) in (tuple, list):
        return [type(value).__name__, *map(_described, value)]
    if isinstance(value, tuple) and getattr(type(value), "_fields", None) is not None:
        return [f"{type(value).__module__}:{type(value).__qualname__}", *map(_described, value)]
    raise TypeError(f"{type(value)!r} cannot be described.")


def _nested(described: Any) -> Any:
    """Return what ``_described`` was given.

    Raises:
        TypeError: a named tuple is not what it was, or not loaded.
    """
    if isinstance(described, dict):
        return {key: _nested(part) for key, part in described.items()}
    if not isinstance(described, list):
        return described
    kind, *parts = described
    values = [_nested(part) for part in parts]
    if kind in ("tuple", "list"):
        return tuple(values) if kind == "tuple" else values
    return _named_tuple(kind)(*values)


def _named_tuple(name: str) -> Any:
    module, _, qualified = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, tuple) and getattr(found, "_fields", None)):
        raise TypeError(f"{name} is no named tuple.")
    return found


def load_program(name: str) -> Program | None:
    """Return the stored program of that name, or None; a file that is damaged is removed."""
    path = _path(name)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    program = _unpacked(content)
    if program is None:
        _remove(path)
        return None
    with suppress(OSError):  # the files that were used last are kept
        os.utime(path)
    return program


def store_program(name: str, program: Program) -> None:
    """Store a program under a name, whole or not at all; a folder that cannot be written to is left alone."""
    path = _path(name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(SUFFIX + ".draft", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_packed(program))
            os.replace(draft, path)
        except OSError:
            _remove(Path(draft))
        _trim(path.parent)


def _packed(program: Program) -> bytes:
    head = json.dumps([program.used, program.platforms, program.results, program.nesting]).encode()
    content = len(head).to_bytes(LENGTH, "little") + head + program.bytecode
    return MAGIC + hashlib.sha256(content).digest() + content


def _unpacked(content: bytes) -> Program | None:
    start = len(MAGIC) + DIGEST
    body = content[start:]
    if not content.startswith(MAGIC) or hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        return None
    end = LENGTH + int.from_bytes(body[:LENGTH], "little")
    used, platforms, results, nesting = json.loads(body[LENGTH:end])
    arrays = tuple((tuple(shape), dtype) for shape, dtype in results)
    return Program(body[end:], tuple(used), tuple(platforms), arrays, nesting)


def _trim(folder: Path) -> None:
    """Remove the files that were used least recently until the rest is within the limits."""
    kept = size = 0
    for entry in sorted(folder.glob(f"*{SUFFIX}*"), key=_last_used, reverse=True):
        with suppress(OSError):
            kept, size = kept + 1, size + entry.stat().st_size
            if kept > MOST_FILES or size > MOST_BYTES:
                _remove(entry)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _path(name: str) -> Path:
    return cache_folder().parent / "programs" / f"{name}{SUFFIX}"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
