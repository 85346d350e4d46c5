"""The pictures of the gallery of terms: point estimates of its examples, and random values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from term_example import data

import bayesml

__all__ = ["PICTURES", "save_picture"]

INK, FAINT, SECOND = "#1f4e79", "#c9d7e6", "#b8562b"
COLOURS = (INK, SECOND, "#6a8f3c")


def save_picture(draw: Callable[[Figure], None], path: Path) -> None:
    """Draw into a figure and save it."""
    figure = Figure(figsize=(5.2, 2.4), layout="constrained")
    draw(figure)
    for axes in figure.axes:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)


def _axes(figure: Figure, x: str, y: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def groups(figure: Figure) -> None:
    """Draw the line of each group, and that of the population."""
    axes = _axes(figure, "z", "expected y")
    fit = bayesml.fit("y ~ z + (z | g)", data(), method="reml")
    ends = np.array([-2.0, 2.0])
    for level in sorted(set(data()["g"])):
        axes.plot(ends, _at(fit, {"z": ends, "g": [level] * 2}), color=FAINT, linewidth=1)
    axes.plot(ends, _at(fit, {"z": ends}, re_formula="NA"), color=INK, linewidth=2.5)


def _at(fit: bayesml.PointFit, rows: dict, re_formula: str | None = None) -> np.ndarray:
    return np.asarray(fit.linpred(rows, re_formula=re_formula)).reshape(-1)


def smooth(figure: Figure) -> None:
    """Draw an estimated curve."""
    axes = _axes(figure, "x", "y")
    fit = bayesml.fit("y ~ s(x)", data(), method="reml")
    at = np.linspace(data()["x"].min(), data()["x"].max(), 200)
    axes.plot(data()["x"], data()["y"], ".", color=FAINT)
    axes.plot(at, _at(fit, {"x": at}), color=INK, linewidth=2)


def surface(figure: Figure) -> None:
    """Draw an estimated surface."""
    axes = _axes(figure, "x", "z")
    fit = bayesml.fit("y ~ t2(x, z, k=4)", data(), method="reml")
    x, z = np.meshgrid(np.linspace(-1.9, 1.9, 40), np.linspace(-1.9, 1.9, 40))
    drawn = axes.contourf(x, z, _at(fit, {"x": x.ravel(), "z": z.ravel()}).reshape(x.shape), levels=12, cmap="Blues")
    figure.colorbar(drawn, label="expected y")


def monotonic(figure: Figure) -> None:
    """Draw b D (zeta_1 + ... + zeta_x) for three simplexes."""
    axes = _axes(figure, "grade", "effect")
    shares = ((0.25, 0.25, 0.25, 0.25), (0.7, 0.2, 0.05, 0.05), (0.0, 0.1, 0.1, 0.8))
    for colour, zeta in zip(COLOURS, shares, strict=True):
        effect = 0.5 * 4 * np.concatenate([[0.0], np.cumsum(zeta)])
        axes.plot(range(5), effect, "o-", color=colour, label=", ".join(f"{share:g}" for share in zeta))
    axes.set_xticks(range(5))
    axes.legend(title="zeta", frameon=False, fontsize=7, title_fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def measured(figure: Figure) -> None:
    """Draw lines through true and through measured values."""
    axes = _axes(figure, "x", "y")
    rng = np.random.default_rng(1)
    true = rng.normal(size=150)
    y = true + 0.3 * rng.normal(size=150)
    seen = true + 0.8 * rng.normal(size=150)
    ends = np.array([-3.0, 3.0])
    for x, colour, label in ((true, INK, "true x"), (seen, SECOND, "measured x")):
        axes.plot(x, y, ".", color=colour, alpha=0.35)
        axes.plot(ends, np.polyval(np.polyfit(x, y, 1), ends), color=colour, label=label)
    axes.legend(frameon=False, fontsize=8)


def processes(figure: Figure) -> None:
    """Draw functions from a Gaussian process."""
    axes = _axes(figure, "x, in units of the largest distance", "gp(x)")
    x = np.linspace(0, 1, 150)
    for colour, scale in zip(COLOURS, (0.05, 0.15, 0.5), strict=True):
        covariance = np.exp(-0.5 * (np.subtract.outer(x, x) / scale) ** 2) + 1e-8 * np.eye(150)
        drawn = np.linalg.cholesky(covariance) @ np.random.default_rng(2).normal(size=150)
        axes.plot(x, drawn, color=colour, label=f"lscale = {scale:g}")
    axes.legend(frameon=False, fontsize=8)


def areas(figure: Figure) -> None:
    """Draw effects of a square of areas, of the same standard deviation for each strength of dependence."""
    side = 16
    place = np.array([(row, column) for row in range(side) for column in range(side)])
    neighbours = (np.abs(place[:, None] - place).sum(axis=2) == 1).astype(float)
    z = np.random.default_rng(3).normal(size=side**2)
    for number, car in enumerate((0.0, 0.9, 0.99), start=1):
        axes = figure.add_subplot(1, 3, number)
        precision = np.diag(neighbours.sum(axis=1)) - car * neighbours
        effects = np.linalg.solve(np.linalg.cholesky(precision).T, z)  # L L' the precision: inverse(L') z
        axes.imshow((effects / effects.std()).reshape(side, side), cmap="RdBu", vmin=-2.5, vmax=2.5)
        axes.set_title(f"car = {car:g}", fontsize=9)
        axes.set_axis_off()


def series(figure: Figure) -> None:
    """Draw series of residuals with the standard deviation 1."""
    innovations = np.random.default_rng(4).normal(size=100)
    for number, ar in enumerate((0.0, 0.6, 0.95), start=1):
        axes = figure.add_subplot(3, 1, number)
        residuals = [innovations[0]]
        for value in innovations[1:]:
            residuals.append(ar * residuals[-1] + np.sqrt(1 - ar**2) * value)
        axes.plot(residuals, color=INK, linewidth=1)
        axes.set_ylabel(f"{ar:g}", rotation=0, labelpad=12)
        axes.set_xticks([])


def _gamma(y: np.ndarray) -> np.ndarray:
    return y * np.exp(-y)


def censored(figure: Figure) -> None:
    """Draw a density, and the probability beyond a bound."""
    axes = _axes(figure, "y", "density")
    y = np.linspace(0, 7, 200)
    axes.plot(y, _gamma(y), color=INK)
    axes.fill_between(y, _gamma(y), where=y >= 3, color=FAINT)
    axes.vlines(1.5, 0, _gamma(np.array(1.5)), color=SECOND, linewidth=2)
    axes.annotate("observed at 1.5", (1.6, 0.05), fontsize=8, color=SECOND)
    axes.annotate("right censored at 3", (3.5, 0.13), fontsize=8, color=INK)


def truncated(figure: Figure) -> None:
    """Draw a density and its truncation."""
    axes = _axes(figure, "y", "density")
    y, bound = np.linspace(0, 7, 400), 0.5
    inside = (1 + bound) * np.exp(-bound)  # P(Y > bound) of gamma(2, 1)
    axes.plot(y, _gamma(y), color=FAINT, linewidth=2, label="all responses")
    axes.plot(y[y >= bound], _gamma(y[y >= bound]) / inside, color=INK, label="recorded ones")
    axes.axvline(bound, color=SECOND, linestyle=":")
    axes.legend(frameon=False, fontsize=8)


PICTURES: dict[str, Callable[[Figure], None]] = {
    "group_level_effects___z___g": groups,
    "smooths__s_x": smooth,
    "surfaces__t2_x__z": surface,
    "monotonic_effects__mo_grade": monotonic,
    "measurement_error__me_x__se": measured,
    "gaussian_processes__gp_x": processes,
    "areas__car_w__gr_g": areas,
    "autoregression__ar_time__g": series,
    "duration___cens_censored": censored,
    "duration___trunc_lb_0_2": truncated,
}
"""By the name of the example."""
