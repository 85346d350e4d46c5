"""Programs kept from one process to the next: what was compiled once for a structure is read from a file after that.

Tracing a model and compiling it takes seconds. Its result, machine code, is half a megabyte, kept in the user's cache
folder. JAX's own cache keeps machine code too, but asks for it by the traced program: tracing is what takes longest.

A file is: magic bytes, SHA-256 of the rest, length of the head, head (JSON), machine code as
``jax.experimental.serialize_executable`` has it. The head says for which program the file was written and how the
arrays that come out are nested.

Machine code is run as it is found. It is read only from a file and a folder that belong to the user and that nobody
else can write to (``bayesml.engines.cache``). What ``serialize_executable`` has around the machine code is a pickle: it
is read by an unpickler that knows the classes in ``KNOWN`` and builds nothing else. Both that format and those classes
are not promised by JAX, so programs are stored only with the versions that were tried (``tested.py``); with another
version each process compiles.
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
from bayesml.engines.nuts.programs.structure import package_key, structure_key
from bayesml.engines.nuts.programs.tested import is_tested_version

__all__ = ["is_stored", "load_program", "store_program", "stored_name"]

MAGIC = b"bayesml program 3\n"
DIGEST, LENGTH = 32, 8
SUFFIX = ".program"
MOST_BYTES = 400_000_000
MOST_FILES = 500
"""Beyond either the programs that were not used for the longest time go."""
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
        key: hash of all that the function holds as a constant; None to store nothing.
        name: tells the programs of one key apart.
        specs: the arguments, or ``jax.ShapeDtypeStruct`` in their place; their shapes and dtypes count.
        donate: numbers of the arguments whose memory may be used again.
        options: all else that the machine code depends on.
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
    """Return what tells processors apart that do not run each other's machine code; elsewhere the machine's name."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = [line for line in lines if line.lower().startswith(("flags", "features", "model name"))]
        if features:
            return platform.machine(), *sorted(set(features))
    return platform.machine(), platform.processor(), platform.node()


def _device() -> jax.Device:
    """Return the device that JAX puts arrays on where nothing else is said."""
    chosen = jax.config.jax_default_device
    return chosen if isinstance(chosen, jax.Device) else jax.local_devices(backend=chosen)[0]


def is_stored(name: str) -> bool:
    """Say whether there is a file for that program, whole or not."""
    path = _path(name)
    return path is not None and path.is_file()


def load_program(name: str, specs: tuple[Any, ...]) -> jax.stages.Compiled | None:
    """Return the program of that name, or None; a file that is damaged or that JAX cannot take is removed.

    The program takes the arguments of the function that it was compiled from, and answers as it does.

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
    except Exception:  # what is raised for bytes that are no machine code differs from version to version
        _remove(path)
        return None
    with suppress(OSError):  # the files that were used last are kept
        os.utime(path)
    return program


def store_program(name: str, program: jax.stages.Compiled) -> None:
    """Store a program under a name, whole or not at all.

    One that cannot be stored (it calls Python back) is left alone, as is a folder that cannot be written to. The
    program must not come from JAX's persistent cache: what it is stored as then could not be called (jaxlib 0.10).
    """
    try:
        code, _, nesting = serialize_executable.serialize(program)
        described = _described(jax.tree.unflatten(nesting, range(nesting.num_leaves)))
    except Exception:  # likewise
        return
    path = _path(name)
    if path is not None:
        write_private_file(path, _packed(name, described, code))
        _trim(path.parent)


def _loaded(code: bytes, arguments: Any, results: Any) -> jax.stages.Compiled:
    """Return the program that ``serialize_executable.serialize`` turned into bytes.

    The same as ``serialize_executable.deserialize_and_load``, which unpickles whatever it finds.

    Raises:
        pickle.UnpicklingError: the bytes name anything but ``KNOWN``.
    """
    device = _device()
    executable, descriptions, no_keywords = _KnownUnpickler(io.BytesIO(code), device.client, [device]).load()
    described = jax.tree.unflatten(arguments, descriptions)
    return jax.stages.Compiled(executable.load(), [], described, results, no_kwargs=no_keywords)


class _KnownUnpickler(getattr(serialize_executable, "_JaxPjrtUnpickler", pickle.Unpickler)):  # type: ignore[misc]
    """JAX's unpickler, which hands machine code to XLA, for the names in ``KNOWN`` and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names: only here does it reach for code.

        Raises:
            pickle.UnpicklingError: the name is not known, or its module is not loaded.
        """
        found = getattr(sys.modules.get(module), name, None) if (module, name) in KNOWN else None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a stored program.")
        return found


def _packed(name: str, nesting: Any, code: bytes) -> bytes:
    head = json.dumps([name, nesting]).encode()
    content = len(head).to_bytes(LENGTH, "little") + head + code
    return MAGIC + hashlib.sha256(content).digest() + content


def _unpacked(name: str, content: bytes) -> tuple[Any, bytes]:
    """Return what ``_packed`` was given beside the name.

    Raises:
        ValueError: the content is not what was written, or was written for another program.
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


def _path(name: str) -> Path | None:
    folder = private_folder("programs")
    return None if folder is None else folder / f"{name}{SUFFIX}"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
