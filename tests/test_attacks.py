"""Files under attack: damaged, cut and edited ones end in an error of ours, and a run may be killed at any moment."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import bayesml
from bayesml.engines import array_files
from bayesml.engines.array_files import read_arrays, write_arrays
from bayesml.errors import BayesmlError, ModelError
from bayesml.results.storage import checkpoint
from bayesml.results.storage.io import load, save
from bayesml.results.tables.summary import summary
from tests.handmade import handmade_fit, sleep
from tests.test_driver import same, sample, simulated
from tests.test_io import write_document

# Short runs of the driver, not estimates: what they warn of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.FitWarning")

ROOT = Path(__file__).resolve().parents[1]


# Damaged files -----------------------------------------------------------------------------------------------------


def test_damaged_arrays_are_refused_or_whole(tmp_path):
    """One to three bytes are changed, or the file is cut: never an error of NumPy or zipfile, never other numbers."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    write_arrays(path, {"positions": rng.normal(size=(8, 3)), "n": np.array(3), "label": np.array(["a", "bc"])})
    content, whole = path.read_bytes(), read_arrays(path)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged[: rng.integers(0, len(content))] if rng.random() < 0.1 else damaged))
        try:
            found = read_arrays(path)
        except ModelError:
            refused += 1
            continue
        assert set(found) == set(whole)
        for name, values in whole.items():
            np.testing.assert_array_equal(found[name], values)
    assert 1500 < refused < 2000


# What somebody who edits the JSON of a saved fit, and its digest, may put in place of anything.
JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 10**400, 1e308, 2**63, 3.5, "", "x", "../../x", "a" * 5000, "\0", "normal(0, 1)"),
    *([], [[]], [None], [1, 2, 3], {}, {"type": "Response"}, {"name": "poisson", "links": ["log"]}),
    "__import__('os').mkdir('executed')",
)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a JSON value."""
    if place:
        yield place
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*place, name))


def edited(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a document of which one part is replaced by junk, removed, or replaced by another part."""
    document = copy.deepcopy(document)
    *way, last = rng.choice(list(places(document)))
    holder: Any = document
    for name in way:
        holder = holder[name]
    kind = rng.random()
    if kind < 0.75:
        holder[last] = rng.choice(JUNK)
    elif kind < 0.9:
        del holder[last]
    else:
        source: Any = document
        for name in rng.choice(list(places(document))):
            source = source[name]
        holder[last] = copy.deepcopy(source)
    return document


@pytest.mark.parametrize("formula", ["Reaction ~ Days + (Days | Subject)", "log(Reaction) ~ poly(Days, 2) + Dose"])
def test_edited_documents_are_refused_or_read(formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(handmade_fit(formula, sleep()), "fit.nc")
    with h5py.File("fit.nc") as file:
        document = json.loads(file["document"][()].decode())
    rng, refused = random.Random(formula), 0
    for _ in range(60):
        shutil.copy("fit.nc", "edited.nc")
        with h5py.File("edited.nc", "r+") as file:
            write_document(file, json.dumps(edited(document, rng)))
        try:
            assert str(summary(load("edited.nc")))
        except BayesmlError:
            refused += 1
    assert 30 < refused < 60
    assert sorted(os.listdir()) == ["edited.nc", "fit.nc"]


def test_a_document_that_is_too_deep_is_refused(tmp_path):
    save(handmade_fit("Reaction ~ Days", sleep()), tmp_path / "fit.nc")
    with h5py.File(tmp_path / "fit.nc", "r+") as file:
        write_document(file, "[" * 100_000 + "]" * 100_000)
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path / "fit.nc")


def test_a_saved_fit_does_not_say_where_to_write(tmp_path):
    save(handmade_fit("Reaction ~ Days", sleep()), tmp_path / "fit.nc")
    with h5py.File(tmp_path / "fit.nc", "r+") as file:
        document = json.loads(file["document"][()].decode())
        assert "checkpoint" not in document["engine"]["options"]
        document["engine"]["options"]["checkpoint"] = str(tmp_path / "elsewhere")
        write_document(file, json.dumps(document))
    assert load(tmp_path / "fit.nc").engine.checkpoint is None


# Killed runs -------------------------------------------------------------------------------------------------------


def snapshots_of(folder: Path, monkeypatch: pytest.MonkeyPatch, run: Any) -> list[Path]:
    """Copy the checkpoint before and after each file comes into its place: all that a kill at any moment can leave.

    Every write goes to a file of another name, which ``os.replace`` then moves; half of that file is left as well.
    """
    copies: list[Path] = []
    replace = os.replace

    def keep() -> None:
        copies.append(folder.with_name(f"copy-{len(copies)}"))
        shutil.copytree(folder, copies[-1])

    def watched(source: Any, target: Any) -> None:
        keep()
        half = copies[-1] / Path(source).relative_to(folder)
        half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
        replace(source, target)
        keep()

    for module in (array_files, checkpoint):
        monkeypatch.setattr(module.os, "replace", watched)
    run()
    monkeypatch.undo()
    return copies


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_run_may_be_killed_at_any_moment(family, tmp_path, monkeypatch):
    # One chain at a time: the files of several threads would be copied while others write.
    data, options = simulated(), {"family": family, "chains": 1, "warmup": 70}
    whole = sample(data, 80, **options)
    folder = tmp_path / "run"
    copies = snapshots_of(folder, monkeypatch, lambda: sample(data, 80, checkpoint=folder, **options))
    assert len(copies) > 10
    begun = 0
    for place in copies:
        try:
            resumed = bayesml.resume(place, progress=False)
        except ModelError as error:
            assert "holds no checkpoint" in str(error) and not (place / checkpoint.MODEL).exists()
            resumed = sample(data, 80, checkpoint=place, **options)
        else:
            begun += 1
        same(resumed, whole)
    assert begun >= len(copies) - 4


KILLS = """
    import hashlib, os, random, signal, sys, time, warnings
    import numpy as np
    import bayesml
    from bayesml.engines.nuts.driver.run import run  # imported once; JAX starts nothing before its first use
    from tests.test_driver import sample, simulated

    root, wanted = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    data, options = simulated(), {"family": "poisson", "chains": 3}

    def digest(fit):
        values = fit.draws_record.values
        return hashlib.sha256(b"".join(values[name].tobytes() for name in sorted(values))).hexdigest()

    def child(work):
        pid = os.fork()
        if pid == 0:
            try:
                work()
                os._exit(0)
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
                os._exit(1)
        return pid

    def write(path, fit):
        with open(path, "w") as file:
            file.write(digest(fit))

    def attempt(folder):
        # As a user would: go on where there is a checkpoint, else begin.
        if os.path.exists(os.path.join(folder, "model.json")):
            fit = bayesml.resume(folder, progress=False)
        else:
            fit = sample(data, 4000, checkpoint=folder, **options)
        write(folder + ".digest", fit)

    began = time.monotonic()
    _, status = os.waitpid(child(lambda: write(root + "/whole", sample(data, 4000, **options))), 0)
    assert status == 0
    whole, rng, kills, runs = open(root + "/whole").read(), random.Random(1), 0, 0
    longest = time.monotonic() - began
    while kills < wanted:
        folder, finished = f"{root}/run{runs}", False
        runs += 1
        while not finished:
            pid = child(lambda: attempt(folder))
            end, status = time.monotonic() + rng.uniform(0.0, 2.0 * longest), None
            while status is None and time.monotonic() < end:
                found, state = os.waitpid(pid, os.WNOHANG)
                status = state if found else None
                time.sleep(0.002)
            if status is None:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                kills += os.WIFSIGNALED(status)
            else:
                assert status == 0, f"run {runs}, after {kills} kills"
            finished = os.WIFEXITED(status)
        assert open(folder + ".digest").read() == whole, f"run {runs} differs, after {kills} kills"
    print(kills, runs)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_two_hundred_kills(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLS), str(tmp_path), "200"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    kills, runs = map(int, done.stdout.split())
    assert kills >= 200 and runs >= 2
