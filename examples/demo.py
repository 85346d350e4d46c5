"""Sleepstudy end to end: formula, table, diagnostics, people, predictions, pictures. ``make demo`` runs this.

Eighteen people slept three hours a night for nine nights; their reaction time was measured every day (Belenky et al.
2003). A folder for the pictures may be given; it is ``demo-output`` otherwise.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import bayesml  # noqa: E402


def draw_pictures(fit: bayesml.Fit, folder: Path) -> None:
    """Write the four pictures that every fit deserves."""
    pictures = {
        "trace": fit.plot(),
        "posterior_predictive_check": fit.pp_check(seed=1),
        "group_effects": fit.ranef_plot(),
        "conditional_effects": fit.conditional_effects("Days").plot(points=True),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120, bbox_inches="tight")
        print(f"Wrote {path}")


def main() -> None:
    """Fit, print, predict, draw."""
    data = bayesml.load_dataset("sleepstudy")
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, seed=1, data_name="sleepstudy")
    print(fit)
    printed = time.perf_counter() - STARTED
    print(f"\nFrom process start to this table: {printed:.1f} s (the fit {fit.timing}).")

    print(f"\nHow it was sampled: {fit.plan}")
    print(f"\nHow the sampler did:\n{fit.diagnostics}")

    print("\nThe three people whom lost sleep slows most (ms a day, each person's own line):")
    lines = fit.coef()["Subject"]
    steepest = lines[lines["coef"] == "Days"].nlargest(3, "Estimate")
    print(steepest.to_string(index=False, float_format="%.1f"))

    print("\nExpected reaction on day 9 of subject 308, and of somebody new:")
    people = {"Days": [9, 9], "Subject": ["308", "somebody new"]}
    print(fit.epred(people, new_levels="gaussian", seed=1, summary=True).to_string(float_format="%.0f"))

    print()
    draw_pictures(fit, Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"))


if __name__ == "__main__":
    main()
