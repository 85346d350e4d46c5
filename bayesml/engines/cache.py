"""The cache folder, which is used only where nobody else can write to it.

It holds machine code, which runs when a program is loaded: whoever can write there can run code as the user who fits a
model. So a folder must belong to the user and be writable by nobody else, and so must every file that is read from it.
Folders are made with mode 0700, files with 0600.

Owner and mode are those of the folder and the file that were opened, not of their names, so that nobody can put another
in their place in between. Windows has neither owners nor modes of that kind: there the folder in the user's profile is
trusted, which Windows keeps to its user, and no other.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_dir

from bayesml.errors import warn_user

__all__ = ["cache_folder", "private_folder", "read_private_file", "write_private_file"]

HAS_OWNERS = os.name == "posix"
_warned: set[Path] = set()
"""Folders that were warned about: each of them once in a process."""


def cache_folder() -> Path:
    """Return the folder of compiled programs: ``BAYESML_CACHE_DIR``, else the user's cache folder."""
    return Path(os.environ.get("BAYESML_CACHE_DIR") or user_cache_dir("bayesml"))


def private_folder(name: str) -> Path | None:
    """Return a folder inside the cache folder, made where it is missing; None where there can be none.

    Where a folder is there but others own it or may write to it, a warning says so, once in a process.

    Args:
        name: of the folder.
    """
    folder = cache_folder() / name
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        problem = _problem(folder.parent) or _problem(folder)
    except OSError:
        return None
    if problem is None:
        return folder
    if folder not in _warned:
        _warned.add(folder)
        warn_user(
            f"Compiled programs are neither read nor kept: {problem}, and what is stored there is run as it is found. "
            f"Each process compiles its models anew. Remove `{folder}`, or name a folder that only you can write to in "
            "the environment variable BAYESML_CACHE_DIR."
        )
    return None


def _problem(folder: Path) -> str | None:
    """Say why a folder may hold what others wrote; None where it cannot."""
    if not HAS_OWNERS:
        own = Path(user_cache_dir("bayesml"))
        return None if folder == own or own in folder.parents else f"`{folder}` is not the cache folder of this user"
    status = os.stat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(folder)
    return _exposure(status, folder)


def _exposure(status: os.stat_result, path: Path) -> str | None:
    if status.st_uid != os.geteuid():
        return f"`{path}` belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write to `{path}`"
    return None


def read_private_file(path: Path) -> bytes | None:
    """Return the content of a file in a private folder; None where it cannot be read or is not the user's alone.

    Args:
        path: of the file, in a folder from ``private_folder``.
    """
    # O_NOFOLLOW: a link could lead to what others write. O_NONBLOCK: a pipe would be waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
        try:
            return _content(handle) if _is_private(os.fstat(handle), path) else None
        finally:
            os.close(handle)
    except OSError:
        return None


def _is_private(status: os.stat_result, path: Path) -> bool:
    return stat.S_ISREG(status.st_mode) and not (HAS_OWNERS and _exposure(status, path))


def _content(handle: int) -> bytes:
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read()


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file that only the user may read or write, whole or not at all; where that fails nothing is there.

    Args:
        path: of the file, in a folder from ``private_folder``.
        content: what the file is to hold.
    """
    with suppress(OSError):
        handle, draft = tempfile.mkstemp(path.suffix + ".draft", dir=path.parent)  # of mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):
                os.unlink(draft)
