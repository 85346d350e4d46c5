"""What ``fit.export`` and ``bayesml.export`` return: a program as text, with the arrays that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from bayesml.engines.base import Problem
from bayesml.errors import ModelError, did_you_mean
from bayesml.exporting.program import program_of
from bayesml.exporting.text import one_line, wrapped

__all__ = ["LANGUAGES", "ExportedModel", "check_language", "exported_model"]

LANGUAGES = ("numpyro",)


@final
@dataclass(frozen=True, repr=False)
class ExportedModel:
    """A model as a program that needs NumPyro and JAX alone; ``print`` it for its text.

    Attributes:
        code: the program. It has a function ``model(data)``, and samples the posterior where it is run as a script.
        data: the arrays that ``model`` takes, by name.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> program = bayesml.export("Reaction ~ Days + (Days | Subject)", data)
        >>> print(program)
    """

    code: str
    data: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        return self.code

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.data.items())
        return f"ExportedModel({len(self.code.splitlines())} lines of code; data: {shapes})"

    def write(self, target: Path) -> None:
        """Write the program, and its data under the same name with the ending ``.npz``."""
        np.savez_compressed(target.with_suffix(".npz"), **self.data)  # type: ignore[arg-type]
        target.write_text(self.code, encoding="utf-8")


def check_language(language: object) -> None:
    """Raise a ModelError unless models can be exported to a language."""
    if language not in LANGUAGES:
        hint = did_you_mean(str(language), LANGUAGES)
        raise ModelError(f"`language` is one of {', '.join(map(repr, LANGUAGES))}; got {language!r}{hint}.")


def exported_model(problem: Problem, notes: tuple[str, ...] = ()) -> ExportedModel:
    """Return the program of a model.

    Args:
        problem: the model with its data.
        notes: sentences for the top of the program.

    Raises:
        ModelError: the density holds what cannot be written.
    """
    program = program_of(problem)
    lines = [piece for line in _heading(problem, notes) for piece in wrapped(f"# {one_line(line)}".rstrip())]
    return ExportedModel("\n".join([*lines, IMPORTS, program.code, MAIN]), program.data)


def _heading(problem: Problem, notes: tuple[str, ...]) -> list[str]:
    spec = problem.description.spec
    return [
        f"{spec.formula}",
        f"Family {spec.family}, {spec.n_rows} observations.",
        *(f"{group}: {count} levels." for group, count in spec.levels),
        "",
        "Written by bayesml. It needs numpyro and jax, and reads its data from the file of its name that ends in .npz.",
        "The density of `model(data)` is that of the model in bayesml. Names are those of fit.idata. `Intercept` is",
        "that of centred predictors, which its prior is meant for; `b` has the coefficients as the summary has them.",
        'Responses are drawn where `y` is None: `Predictive(model, mcmc.get_samples())(key, {**data, "y": None})`.',
        *notes,
    ]


IMPORTS = """
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.infer import MCMC, NUTS

numpyro.enable_x64()

"""

MAIN = """

def load_data(path=None):
    with np.load(path or Path(__file__).with_suffix(".npz"), allow_pickle=False) as arrays:
        return dict(arrays)


if __name__ == "__main__":
    mcmc = MCMC(NUTS(model), num_warmup=1000, num_samples=1000, num_chains=4, chain_method="sequential")
    mcmc.run(jax.random.key(1), load_data())
    mcmc.print_summary()
"""
