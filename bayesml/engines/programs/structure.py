"""Keys of model structures: if two models have the same key, tracing them gives the same programs.

The key is a hash of everything that a traced program holds as a constant. What the program takes as an argument does
not count. Some values have no key, for example a link function of the user: two such functions may have the same name
and compute different things. A model with such a value is traced in each process.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np

__all__ = ["package_key", "structure_key"]

PLAIN_KINDS = "biufcSUmM"
"""Kinds of NumPy arrays whose bytes determine their values. The bytes of object arrays are addresses, and those of
structured arrays do not say how the fields are called."""
PACKAGE = Path(__file__).resolve().parents[2]
TRUSTED = frozenset({"bayesml", "builtins", "jax", "numpy", "numpyro"})
"""Packages whose classes and functions are identified by name. Their source text or version is in ``package_key``.

The user's own code is not identified by name, since it may be different code under the same name tomorrow.
"""
SETTINGS = (
    "jax_enable_x64",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_random_seed_offset",
    "jax_default_matmul_precision",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_debug_nans",
    "jax_debug_infs",
    "jax_disable_jit",
    "jax_enable_checks",
    "jax_softmax_custom_jvp",
)
"""Settings of JAX that change what is traced. One that this version of JAX does not have counts as None."""


def structure_key(*parts: object) -> str | None:
    """Return a hash of nested values, or None if they contain a value without a canonical form.

    These types have a canonical form: None, bool, int, float, str, bytes; enumerations; tuples, named tuples and lists;
    mappings and frozen sets, whose order does not matter; NumPy scalars and arrays, except arrays of objects. Of the
    packages in ``TRUSTED`` also: dataclasses with all their fields, classes, functions of a module, and lambdas without
    captured values.

    Args:
        parts: what the structure consists of; their order matters.
    """
    try:
        return hashlib.sha256(_encoded(parts)).hexdigest()
    except (TypeError, AttributeError, RecursionError):
        return None


def package_key() -> str | None:
    """Return a hash of everything else that decides which program a structure gives.

    These are the source text of this package, versions of others, settings of JAX and its backend. None if the source
    text cannot be read.
    """
    import jax

    sources = _sources()
    if sources is None:
        return None
    settings = [str(getattr(jax.config, name, None)) for name in SETTINGS]
    return structure_key(sources, _versions(), settings, jax.default_backend())


@cache
def _versions() -> tuple[str, ...]:
    packages = ("jax", "jaxlib", "numpyro", "numpy")
    return (*map(version, packages), "{}.{}".format(*sys.version_info))


@cache
def _sources() -> bytes | None:
    """Return a hash of the package's source text; read once, since a process does not load changed files again."""
    digest = hashlib.sha256()
    try:
        paths = sorted(PACKAGE.rglob("*.py"))
        for path in paths:
            digest.update(_framed(b"file", _parts([path.relative_to(PACKAGE).as_posix(), path.read_bytes()])))
    except OSError:
        return None
    return digest.digest() if paths else None


def _framed(tag: bytes, content: bytes) -> bytes:
    """Return a content behind its kind and length, so that different sequences of values give different bytes."""
    return tag + struct.pack("<cQ", b":", len(content)) + content


def _parts(values: Iterable[object]) -> bytes:
    return b"".join(map(_encoded, values))


def _encoded(value: object) -> bytes:
    """Return the canonical bytes of a value: equal values have equal bytes, different values different ones.

    Raises:
        TypeError: the value has no canonical bytes.
    """
    encode = ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, Enum):
        return _framed(b"enum", _parts([type(value), value.name, value.value]))
    if isinstance(value, type):
        return _framed(b"class", _named(value))
    if is_dataclass(value):
        content = [(field.name, getattr(value, field.name)) for field in fields(value)]
        return _framed(b"record", _parts([type(value), *content]))
    if isinstance(value, np.generic):
        return _framed(b"scalar", _array(np.asarray(value)))
    if isinstance(value, tuple) and getattr(type(value), "_fields", None) is not None:
        return _framed(b"named", _parts([type(value), *value]))
    if isinstance(value, Mapping):
        return _mapping(value)
    raise TypeError(f"{type(value)!r} has no canonical bytes.")


def _mapping(value: Mapping[object, object]) -> bytes:
    pairs = sorted(_parts(pair) for pair in value.items())
    return _framed(b"mapping", b"".join(_framed(b"pair", pair) for pair in pairs))


def _set(value: frozenset[object]) -> bytes:
    return _framed(b"set", b"".join(sorted(map(_encoded, value))))


def _array(value: np.ndarray) -> bytes:
    if value.dtype.kind not in PLAIN_KINDS:
        raise TypeError(f"An array of {value.dtype} has no canonical bytes.")
    return _framed(b"array", _parts([value.dtype.str, value.shape, value.tobytes()]))


def _function(value: FunctionType) -> bytes:
    """Identify a function by its name if the name leads to it, a lambda without captured values by its code."""
    if _is_found_by_name(value):
        return _framed(b"function", _named(value))
    if not _is_trusted(value.__module__) or value.__closure__ or value.__defaults__ or value.__kwdefaults__:
        raise TypeError(f"{value!r} may hold anything.")
    return _framed(b"lambda", _parts([value.__module__, value.__code__]))


def _code(value: CodeType) -> bytes:
    counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags)
    return _framed(b"code", _parts([value.co_code, value.co_consts, value.co_names, value.co_varnames, counts]))


def _named(value: type | FunctionType) -> bytes:
    if not _is_trusted(value.__module__) or not _is_found_by_name(value):
        raise TypeError(f"{value!r} is not identified by its name.")
    return _parts([value.__module__, value.__qualname__])


def _is_trusted(module: str) -> bool:
    return module.partition(".")[0] in TRUSTED


def _is_found_by_name(value: type | FunctionType) -> bool:
    """Whether looking up the name of a class or function in its module gives that class or function."""
    named: object = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        named = getattr(named, part, None)
    return named is value


ENCODERS: Mapping[type, Callable[..., bytes]] = {
    type(None): lambda value: _framed(b"none", b""),
    bool: lambda value: _framed(b"bool", bytes([value])),
    int: lambda value: _framed(b"int", hex(value).encode()),
    float: lambda value: _framed(b"float", struct.pack("<d", value)),
    str: lambda value: _framed(b"str", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _framed(b"bytes", value),
    tuple: lambda value: _framed(b"tuple", _parts(value)),
    list: lambda value: _framed(b"list", _parts(value)),
    dict: _mapping,
    frozenset: _set,
    np.ndarray: _array,
    FunctionType: _function,
    CodeType: _code,
}
"""Looked up by exact type, since a subclass may hold more than the bytes of its parent class say."""
