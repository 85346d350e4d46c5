"""What nobody observed, in brms's parameters and in ours: true values behind measurements, and missing responses.

brms samples the deviations u of true values from their means, in units of their standard deviations; ours are the
deviations z from their means given the measurements: z = (u - g a) / h, with the signs of ``terms/measured.py``. A
missing response is a parameter in brms, ours is mapped to it by ``transformed``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesml.engines import Problem
from bayesml.spec import ParameterSpec
from bayesml.terms.measured_variables import MeasuredVariables
from bayesml.terms.missing import MissingValues, transformed

Read = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Unobserved:
    """Reads what brms has at one point.

    Attributes:
        problem: our model.
        standata: brms's data.
        read: returns a parameter of brms by name and remembers that it was used.
        par: brms's parameters.
        moments: returns mean and standard deviation of a response in each row.
    """

    problem: Problem
    standata: Mapping[str, Any]
    read: Read
    par: Mapping[str, Any]
    moments: Callable[[str], tuple[np.ndarray, np.ndarray]]

    def value(self, parameter: ParameterSpec) -> np.ndarray | None:
        """Return one of our parameters; None where it is of another kind."""
        for predictor in self.problem.design.schema.predictors:
            for term in predictor.terms:
                arrays = self.problem.design.arrays[predictor.key][term.key]
                names = [p.name for p in term_parameters(term)]
                if parameter.name in names and isinstance(term, MeasuredVariables):
                    return self._measured(term, arrays, parameter)
                if parameter.name in names and isinstance(term, MissingValues):
                    return self._missing(term, arrays)[0]
        return None

    def log_jacobian(self) -> float:
        """Return log |d ours / d brms's|."""
        total = 0.0
        for predictor in self.problem.design.schema.predictors:
            for term in predictor.terms:
                arrays = self.problem.design.arrays[predictor.key][term.key]
                if isinstance(term, MeasuredVariables):
                    total += self._steps(term, arrays)[1]
                if isinstance(term, MissingValues):
                    total -= float(np.sum(self._missing(term, arrays)[1]))
        return total

    def _places(self, arrays: Mapping[str, np.ndarray]) -> list[tuple[int, int]]:
        """Return for each variable the number of brms's block and its place there: the same measured values."""
        names = [name for name in self.standata if re.fullmatch(r"Xn_\d+", name)]
        sizes = [int(self.standata[f"Mme_{b + 1}"]) for b in range(len(names)) if f"Mme_{b + 1}" in self.standata]
        places = [(block + 1, place) for block, size in enumerate(sizes) for place in range(size)]
        numbers = [int(name[3:]) for name in names]
        found = []
        for row in arrays["measured"]:
            alike = [n for n in numbers if len(self.standata[f"Xn_{n}"]) == len(row)]
            (number,) = (n for n in alike if np.allclose(np.asarray(self.standata[f"Xn_{n}"], float), row))
            found.append(places[number - 1])
        return found

    def _measured(self, term: MeasuredVariables, arrays: Any, parameter: ParameterSpec) -> np.ndarray:
        places = self._places(arrays)
        (block,) = {block for block, _ in places}
        if parameter.prior_class in ("meanme", "sdme"):
            return self.read(f"{parameter.prior_class}_{block}")[[place for _, place in places]]
        if parameter.prior_class == "corme":
            assert [place for _, place in places] == list(range(len(places)))
            return self.read(f"Lme_{block}")
        return self._steps(term, arrays)[0]

    def _steps(self, term: MeasuredVariables, arrays: Any) -> tuple[np.ndarray, float]:
        """Return our standard normal variables and the log determinant of the map from brms's to them."""
        places, total_log, rows = self._places(arrays), 0.0, []
        (block,) = {block for block, _ in places}
        order = [place for _, place in places]
        mean, sd = self.read(f"meanme_{block}")[order], self.read(f"sdme_{block}")[order]
        if term.is_correlated:
            factor, deviations = self.read(f"Lme_{block}"), self.read(f"zme_{block}")
        else:
            factor = np.eye(len(order))
            first = sum(int(self.standata[f"Mme_{b}"]) for b in range(1, block))
            deviations = np.stack([self.read(f"zme_{first + place + 1}") for place in order])
        for k in range(len(order)):
            center = mean[k] + sd[k] * sum(factor[k, j] * deviations[j] for j in range(k))
            spread, noise = sd[k] * factor[k, k], arrays["noise"][k]
            total = np.sqrt(spread**2 + noise**2)
            away = (arrays["measured"][k] - center) / total
            rows.append((deviations[k] - spread / total * away) / (noise / total))
            total_log += float(np.sum(np.log(total / noise)))
        return np.stack(rows), total_log

    def _missing(self, term: MissingValues, arrays: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return our variables, and log |d value / d ours| of each."""
        suffix = f"_{term.predictor.resp}" if term.predictor.resp else ""
        name = next(stem + suffix for stem in ("Ymi", "Yl") if stem + suffix in self.par)
        if term.follows_mean:
            return self._around_means(term, arrays, self.read(name))
        value, lower, upper = self.read(name), arrays["lower"], arrays["upper"]
        below, above = np.isfinite(lower), np.isfinite(upper)
        with np.errstate(all="ignore"):
            down, up = np.log(value - lower), np.log(upper - value)
            w = np.where(below & above, down - up, np.where(below, down, np.where(above, up, value)))
        slopes = np.asarray(transformed(w, lower, upper)[1]) + np.log(arrays["scale"])
        return (w - arrays["center"]) / arrays["scale"], slopes

    def _around_means(self, term: MissingValues, arrays: Any, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same where values are deviations from their means given the measurements."""
        mean, sd = self.moments(term.predictor.resp)
        signal = sd**2 * arrays["precision"]
        scale = sd / np.sqrt(1.0 + signal)
        center = mean + signal / (1.0 + signal) * (arrays["measured"] - mean)
        return (value - center) / scale, np.log(scale) + 0.0 * value


def term_parameters(term: Any) -> tuple[ParameterSpec, ...]:
    """Return the parameters of a term whose scale does not matter."""
    return term.parameters(None) if isinstance(term, (MeasuredVariables, MissingValues)) else ()
