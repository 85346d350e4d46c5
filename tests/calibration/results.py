"""What the studies found, kept in a file from which the table of the documentation is written."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.calibration.model import Form, Model
from tests.calibration.models import CASES, case_name
from tests.calibration.study import FAMILYWISE, Study

__all__ = ["PATH", "Result", "record", "recorded", "result_of"]

PATH = Path(__file__).parents[2] / "docs" / "calibration.json"


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        model: name of the model.
        family: name of its family.
        formula: as it is written.
        form: form of its posterior.
        simulations: number of simulations.
        seed: of the simulations.
        quantities: number of test quantities.
        smallest: smallest p-value of uniformity among these.
        quantity: the quantity that has it.
        threshold: p-value below which a quantity is rejected.
        divergent: simulations with divergent transitions, after the second attempt.
        without_mode: simulations for which no usable mode was found.
        efficiency: smallest mean effective sample size of a quantity, divided by the number of draws.
        seconds: of processor time for each simulation.
    """

    model: str
    family: str
    formula: str
    form: str
    simulations: int
    seed: int
    quantities: int
    smallest: float
    quantity: str
    threshold: float
    divergent: int
    without_mode: int
    efficiency: float
    seconds: float


def result_of(model: Model, form: Form, family: str, study: Study) -> Result:
    """Return the line of a study."""
    p_values = study.p_values()
    quantity = min(p_values, key=lambda name: p_values[name])
    return Result(
        model.name,
        family,
        str(model.formula),
        case_name(model, form).removeprefix(f"{model.name}, "),
        study.count,
        model.seed,
        len(p_values),
        float(f"{p_values[quantity]:.3g}"),
        quantity,
        float(f"{FAMILYWISE / len(p_values):.3g}"),
        study.divergent,
        study.fell_back,
        round(min(study.efficiency.values()), 2),
        float(f"{study.seconds:.2g}"),
    )


def recorded(path: Path = PATH) -> dict[str, Result]:
    """Return the results by the names of their cases."""
    return _read(path.read_text()) if path.exists() else {}


def record(result: Result, path: Path = PATH) -> None:
    """Write a result in place of an earlier one of the same case, unless that has more simulations.

    Other processes may do so at the same time.
    """
    with open(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        results, name = _read(file.read()), f"{result.model}, {result.form}"
        if name not in results or results[name].simulations <= result.simulations:
            results[name] = result
        names = [case_name(model, form) for model, form in CASES]
        lines = [json.dumps(asdict(results[name])) for name in names if name in results]
        file.seek(0)
        file.truncate()
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


def _read(text: str) -> dict[str, Result]:
    lines = [Result(**line) for line in json.loads(text or "[]")]
    return {f"{line.model}, {line.form}": line for line in lines}
