"""Compiled programs in files, so that a model is traced and compiled once and not in each process.

Tracing a model and compiling it takes seconds. The resulting machine code is half a megabyte and is kept in the user's
cache folder. JAX's own cache keeps machine code too, but finds it by the traced program, and tracing takes longest.

A file consists of magic bytes, the SHA-256 hash of the rest, the length of the head, the head in JSON, and the machine
code as ``jax.experimental.serialize_executable`` writes it. The head says which program it is and how its results are
nested.

Machine code that is read is executed. Therefore it is read only from a file and a folder that belong to the user and
that nobody else can write to (``bayesml.engines.cache``). ``serialize_executable`` wraps the machine code in a pickle,
which is read by an unpickler that builds the classes in ``KNOWN`` and no others. JAX promises neither the format nor
these classes, so that programs are stored only with tested versions (``tested.py``). With other versions each process
compiles its programs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable

from bayesml.engines.cache import private_folder, read_private_file, write_private_file
from bayesml.engines.programs.structure import package_key, structure_key
from bayesml.engines.programs.tested import is_tested_version

__all__ = ["is_stored", "load_program", "store_program", "stored_name"]

MAGIC = b"bayesml program 3\n"
DIGEST, LENGTH = 32, 8
SUFFIX = ".program"
MOST_BYTES = 400_000_000
MOST_FILES = 500
"""When there are more bytes or files, those that were used least recently are removed."""
KNOWN = frozenset(
    {
        ("jax", "P"),
        ("jax._src.core", "ManualAxisType"),
        ("jax._src.core", "MemorySpace"),
        ("jax._src.core", "ShapedArray"),
        ("jax._src.interpreters.pxla", "AllArgsInfo"),
        ("jax._src.interpreters.pxla", "UnloadedMeshExecutable"),
        ("jax._src.layout", "Layout"),
        ("jax._src.linear_util", "DebugInfo"),
        ("jax._src.mesh", "AbstractMesh"),
        ("jax._src.named_sharding", "_unpickle_named_sharding"),
        ("jax._src.sharding_impls", "_unpickle_single_device_sharding"),
        ("jax._src.stages", "ArgInfo"),
        ("jaxlib._jax", "DeviceList"),
        ("numpy", "dtype"),
    }
)
"""The classes that a stored program may contain beside machine code: descriptions of arguments, devices and memory."""


def stored_name(
    key: str | None, name: str, specs: tuple[Any, ...], donate: tuple[int, ...], options: Any
) -> str | None:
    """Return the name under which a program is stored, or None where it must not be.

    Args:
        key: hash of everything that the function holds as a constant; None to store nothing.
        name: distinguishes the programs of one key.
        specs: the arguments, or ``jax.ShapeDtypeStruct`` in their place; only shapes and types matter.
        donate: which arguments, by number, may be overwritten with results.
        options: everything else that the machine code depends on.
    """
    package = package_key() if is_tested_version() else None
    if key is None or package is None:
        return None
    leaves, nesting = jax.tree.flatten(specs)
    arguments = [(np.shape(leaf), str(jax.dtypes.result_type(leaf)), _is_weak(leaf)) for leaf in leaves]
    machine = (_processor(), os.environ.get("XLA_FLAGS", ""), str(_device()), _device().device_kind)
    return structure_key(package, machine, key, name, arguments, str(nesting), donate, options)


def _is_weak(leaf: Any) -> bool:
    return isinstance(leaf, bool | int | float) or bool(getattr(leaf, "weak_type", False))


@cache
def _processor() -> tuple[str, ...]:
    """Return what processors that cannot run each other's machine code differ in, or else the name of the machine."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = [line for line in lines if line.lower().startswith(("flags", "features", "model name"))]
        if features:
            return platform.machine(), *sorted(set(features))
    return platform.machine(), platform.processor(), platform.node()


def _device() -> jax.Device:
    """Return the device that JAX puts arrays on by default."""
    default = jax.config.jax_default_device
    return default if isinstance(default, jax.Device) else jax.local_devices(backend=default)[0]


def is_stored(name: str) -> bool:
    """Whether there is a file for that program; it may be damaged."""
    path = _path(name)
    return path is not None and path.is_file()


def load_program(name: str, specs: tuple[Any, ...]) -> jax.stages.Compiled | None:
    """Return the program of that name, or None; a file that is damaged or that JAX cannot load is removed.

    The program takes the arguments of the function that it was compiled from, and returns the same.

    Args:
        name: what ``stored_name`` returned.
        specs: as for ``stored_name``.
    """
    path = _path(name)
    content = None if path is None else read_private_file(path)
    if path is None or content is None:
        return None
    try:
        nesting, code = _unpacked(name, content)
        program = _loaded(code, jax.tree.structure((specs, {})), jax.tree.structure(_nested(nesting)))
    except Exception:  # JAX raises different errors for damaged machine code in different versions
        _remove(path)
        return None
    with suppress(OSError):  # the time of the last use, by which `_trim` decides what to keep
        os.utime(path)
    return program


def store_program(name: str, program: jax.stages.Compiled) -> None:
    """Store a program under a name. An incomplete file is never left behind.

    Nothing is stored if the program calls Python functions, which cannot be stored, or if the folder cannot be written
    to. The program must not come from JAX's persistent cache: a stored copy could not be called (jaxlib 0.10).
    """
    try:
        code, _, nesting = serialize_executable.serialize(program)
        described = _described(jax.tree.unflatten(nesting, range(nesting.num_leaves)))
    except Exception:  # JAX raises different errors in different versions
        return
    path = _path(name)
    if path is not None:
        write_private_file(path, _packed(name, described, code))
        _trim(path.parent)


def _loaded(code: bytes, arguments: Any, results: Any) -> jax.stages.Compiled:
    """Return the program that ``serialize_executable.serialize`` turned into bytes.

    It does what ``serialize_executable.deserialize_and_load`` does, which however would unpickle objects of any class.

    Raises:
        pickle.UnpicklingError: the bytes name something that is not in ``KNOWN``.
    """
    device = _device()
    executable, descriptions, no_keywords = _KnownUnpickler(io.BytesIO(code), device.client, [device]).load()
    described = jax.tree.unflatten(arguments, descriptions)
    return jax.stages.Compiled(executable.load(), [], described, results, no_kwargs=no_keywords)


class _KnownUnpickler(getattr(serialize_executable, "_JaxPjrtUnpickler", pickle.Unpickler)):  # type: ignore[misc]
    """JAX's unpickler, which passes machine code to XLA, restricted to the names in ``KNOWN``."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function that a pickle names; unpickling gets code from nowhere else.

        Raises:
            pickle.UnpicklingError: the name is not known, or its module is not loaded.
        """
        value = getattr(sys.modules.get(module), name, None) if (module, name) in KNOWN else None
        if value is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a stored program.")
        return value


def _packed(name: str, nesting: Any, code: bytes) -> bytes:
    head = json.dumps([name, nesting]).encode()
    content = len(head).to_bytes(LENGTH, "little") + head + code
    return MAGIC + hashlib.sha256(content).digest() + content


def _unpacked(name: str, content: bytes) -> tuple[Any, bytes]:
    """Return the nesting and the machine code that ``_packed`` was called with.

    Raises:
        ValueError: the content was changed, or was written for another program.
    """
    start = len(MAGIC) + DIGEST
    body = content[start:]
    if not content.startswith(MAGIC) or hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        raise ValueError("The file is damaged.")
    end = LENGTH + int.from_bytes(body[:LENGTH], "little")
    written_for, nesting = json.loads(body[LENGTH:end])
    if written_for != name:
        raise ValueError("The file belongs to another program.")
    return nesting, body[end:]


def _described(value: Any) -> Any:
    """Return nested containers of whole numbers as lists and dicts for JSON, with the names of their types.

    Raises:
        TypeError: there is a container of another type.
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
    """Return the containers from their description, the inverse of ``_described``.

    Raises:
        TypeError: the class of a named tuple has other fields now, or its module is not loaded.
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
    kind: Any = sys.modules.get(module)
    for part in qualified.split("."):
        kind = getattr(kind, part, None)
    if not (isinstance(kind, type) and issubclass(kind, tuple) and getattr(kind, "_fields", None)):
        raise TypeError(f"{name} is no named tuple.")
    return kind


def _trim(folder: Path) -> None:
    """Remove the files that were used least recently, so that the others are within the limits."""
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


def _path(name: str) -> Path | None:
    folder = private_folder("programs")
    return None if folder is None else folder / f"{name}{SUFFIX}"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
