"""What the Python workers of the sampling benchmark share: read the request, write draws and timings."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _sampling_cases import SamplingCase, case_named

__all__ = ["Answer", "Request", "Stopwatch", "answer_request"]


@dataclass(frozen=True)
class Request:
    """What a worker is asked.

    Attributes:
        case: the model.
        data: data frame.
        levels: labels of each factor, in order.
        seed: of the sampler.
        cores: that the chains may use at once.
        chains: number of chains.
        engine: name of the engine, where a worker serves several.
    """

    case: SamplingCase
    data: Any
    levels: dict[str, list[str]]
    seed: int
    cores: int
    chains: int
    engine: str


@dataclass(frozen=True)
class Answer:
    """What a worker found.

    Attributes:
        draws: ``(chains, draws)`` of every reported parameter.
        summarised: when the engine's own summary was there, in seconds since the epoch.
        compiling: seconds of building and compiling, by the clock.
        clock: seconds of warm-up and sampling by the clock.
        warmup: processor seconds of warm-up.
        sampling: processor seconds of the draws kept.
        leapfrogs: of the draws kept, all chains together.
        divergences: after warm-up.
        version: of the engine.
        note: what a reader must know of these numbers.
    """

    draws: Mapping[str, np.ndarray]
    summarised: float
    compiling: float
    clock: float
    warmup: float
    sampling: float
    leapfrogs: int
    divergences: int
    version: str
    note: str = ""


class Stopwatch:
    """Adds up the seconds that calls take, by the clock and of the processor (all threads together)."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.processor = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            began, used = time.perf_counter(), time.process_time()
            value = function(*arguments, **options)
            self.clock += time.perf_counter() - began
            self.processor += time.process_time() - used
            return value

        return timed


def answer_request(run: Callable[[Request], Answer]) -> None:
    """Answer the request whose path is the one argument; without one, do nothing."""
    if len(sys.argv) != 2:
        return
    asked = json.loads(Path(sys.argv[1]).read_text())
    began = time.time()
    request = _read(asked)
    reading = time.time() - began
    found = run(request)
    draws = np.stack([np.asarray(values, float) for values in found.draws.values()])
    np.savez(asked["draws"], names=np.array(list(found.draws)), draws=draws)
    answer = {name: value for name, value in asdict(found).items() if name != "draws"}
    Path(asked["answer"]).write_text(json.dumps({**answer, "reading": reading}))


def _read(asked: Mapping[str, Any]) -> Request:
    import pandas as pd

    case = case_named(asked["case"])
    data = pd.read_csv(asked["data"])
    levels = {}
    for name in {e.factor for e in case.effects}:
        data[name] = data[name].astype("category")
        levels[name] = [str(level) for level in data[name].cat.categories]
    return Request(case, data, levels, asked["seed"], asked["cores"], asked["chains"], asked["engine"])
