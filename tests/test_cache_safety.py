"""The cache folder under attack: nothing that another account could have written is read, and no pickle runs code."""

from __future__ import annotations

import io
import os
import pickle
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from bayesml.engines import cache
from bayesml.engines.cache import private_folder, read_private_file, write_private_file
from bayesml.engines.nuts.programs.kernel import has_kernels
from bayesml.engines.precision import double_precision, persistent_cache
from bayesml.engines.programs import stored, tested
from bayesml.engines.programs.stored import is_stored, load_program, store_program, stored_name
from bayesml.errors import FitWarning

pytestmark = pytest.mark.skipif(not cache.HAS_OWNERS, reason="owners and modes are POSIX's")

SPECS = (np.zeros(3),)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Iterator[Path]:
    """Give the cache folder, which is not there yet."""
    monkeypatch.setenv("BAYESML_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", set())
    with double_precision():
        yield tmp_path / "cache"


def program() -> Any:
    return jax.jit(lambda x: 2 * x).lower(*SPECS).compile()


def stored_program(root: Path) -> Path:
    """Store a program; return its file."""
    store_program("p", program())
    assert load_program("p", SPECS) is not None
    return root / "programs" / "p.program"


class Planted:
    """A pickle of this makes a file when it is read by an ordinary unpickler."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_folders_and_files_are_the_users_alone(root):
    path = stored_program(root)
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (root, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o707, 0o1777])
@pytest.mark.parametrize("place", ["", "programs"])
def test_a_folder_that_others_may_write_to_is_not_read_and_said_once(mode, place, root):
    stored_program(root)
    os.chmod(root / place, mode)
    with pytest.warns(FitWarning, match=r"others may write to .*Remove .*BAYESML_CACHE_DIR"):
        assert not is_stored("p")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_program("p", SPECS) is None
        store_program("q", program())
    assert sorted(path.name for path in (root / "programs").iterdir()) == ["p.program"]


@pytest.mark.parametrize("place", ["", "programs"])
def test_a_folder_of_another_user_is_not_read(place, root, monkeypatch):
    stored_program(root)
    if os.geteuid() == 0:
        os.chown(root / place, 12345, -1)
    else:
        uid = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.warns(FitWarning, match="belongs to another user"):
        assert load_program("p", SPECS) is None


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_file_that_others_may_write_to_is_not_read(mode, root):
    path = stored_program(root)
    os.chmod(path, mode)
    assert load_program("p", SPECS) is None


@pytest.mark.skipif(cache.HAS_OWNERS and os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_read(root):
    path = stored_program(root)
    os.chown(path, 12345, -1)
    assert load_program("p", SPECS) is None


def test_links_pipes_and_folders_are_not_read(root, tmp_path):
    path = stored_program(root)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert read_private_file(path) is None and load_program("p", SPECS) is None
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert read_private_file(path) is None  # and does not wait for a writer
    path.unlink()
    path.mkdir()
    assert read_private_file(path) is None and load_program("p", SPECS) is None


def test_a_program_under_the_name_of_another_is_not_run(root):
    path = stored_program(root)
    path.rename(path.with_name("q.program"))
    assert load_program("q", SPECS) is None


def test_a_planted_pickle_runs_nothing(root, tmp_path):
    path = stored_program(root)
    mark = tmp_path / "executed"
    code = pickle.dumps(Planted(mark))
    write_private_file(path, stored._packed("p", ["tuple", 0], code))
    assert load_program("p", SPECS) is None
    assert not mark.exists() and not path.exists()
    pickle.loads(code)  # the attack is one
    assert mark.exists()


@pytest.mark.parametrize(
    "module, name",
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("jax", "jit"),
        ("jax", "P.__init__"),
        ("numpy", "load"),
        ("numpy", "dtype.__reduce__"),
        ("jax._src.core", "os"),
        ("jax._src.interpreters.pxla", "UnloadedMeshExecutable.load"),
    ],
)
def test_the_unpickler_knows_no_other_names(module, name):
    unpickler = stored._KnownUnpickler(io.BytesIO(b""), stored._device().client, [stored._device()])
    with pytest.raises(pickle.UnpicklingError, match="not part of a stored program"):
        unpickler.find_class(module, name)


def test_every_known_name_is_one_that_describes():
    """Classes, and two functions that build a description: nothing that calls what it is given."""
    unpickler = stored._KnownUnpickler(io.BytesIO(b""), stored._device().client, [stored._device()])
    found = {pair: unpickler.find_class(*pair) for pair in stored.KNOWN}
    functions = {name for (_, name), value in found.items() if not isinstance(value, type)}
    assert functions == {"_unpickle_named_sharding", "_unpickle_single_device_sharding"}


def test_jaxs_own_cache_is_not_used_in_a_folder_that_others_may_write_to(root):
    with persistent_cache():
        assert jax.config.jax_compilation_cache_dir == str(root / "xla")
    os.chmod(root / "xla", 0o777)
    with pytest.warns(FitWarning, match="others may write"), persistent_cache():
        assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_cannot_be_made_is_passed_over(root):
    root.write_text("a file where the folder should be")
    assert private_folder("programs") is None


def test_where_there_are_no_owners_only_the_folder_in_the_profile_is_trusted(root, monkeypatch):
    monkeypatch.setattr(cache, "HAS_OWNERS", False)
    with pytest.warns(FitWarning, match="is not the cache folder of this user"):
        assert private_folder("programs") is None
    monkeypatch.setattr(cache, "user_cache_dir", lambda name: str(root))
    assert private_folder("xla") == root / "xla"


@pytest.mark.parametrize("version", [(0, 8, 0), (0, 9, 2), (0, 11, 0), (1, 0, 0)])
def test_other_versions_of_jax_compile_the_ordinary_way(version, monkeypatch):
    assert stored_name("key", "f", SPECS, (), None) is not None
    monkeypatch.setattr(jax, "__version_info__", version)
    assert not tested.is_tested_version() and not has_kernels()
    assert stored_name("key", "f", SPECS, (), None) is None


ATTACKED = """
import warnings, numpy as np, bayesml
rng = np.random.default_rng(0)
data = {"y": rng.normal(size=40), "g": np.arange(40) % 8}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, seed=1, draws=100, chains=1, progress=False)
said = [str(w.message) for w in caught if "neither read nor kept" in str(w.message)]
print(len(said), float(fit["sigma"].sum()))
"""


FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


def run(code: str = ATTACKED) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.slow  # four processes, three of which compile
def test_two_processes_and_a_full_disk_share_a_folder(root):
    """No file may grow beyond 20 kB where the disk is "full"; both processes compile at once, into one folder."""
    first = run(FULL + ATTACKED)
    assert first[0] == "0" and list((root / "programs").iterdir()) == []
    both = [subprocess.Popen([sys.executable, "-c", ATTACKED], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].split() for process in both] == [first, first]
    assert [path.suffix for path in (root / "programs").iterdir()] == [".program"] * 3
    assert run() == first


def test_a_fit_is_the_same_where_programs_were_replaced_by_an_attack(root, tmp_path):
    first = run()
    paths = sorted((root / "programs").iterdir())
    assert first[0] == "0" and len(paths) == 3
    mark = tmp_path / "executed"
    for path in paths:
        write_private_file(path, stored._packed(path.stem, ["tuple", 0], pickle.dumps(Planted(mark))))
    assert run() == first
    os.chmod(root / "programs", 0o777)
    assert run() == ["1", first[1]]
    assert not mark.exists()
