"""The first fit: sleepstudy, from formula to table and pictures. ``make demo`` runs this."""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import bayesml  # noqa: E402


def main() -> None:
    """Fit, print, draw, and say where the pictures are."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
    folder.mkdir(parents=True, exist_ok=True)
    data = bayesml.load_dataset("sleepstudy")
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, seed=1, data_name="sleepstudy")
    print(fit)
    printed = time.perf_counter() - STARTED
    print(f"\nFrom process start to this table: {printed:.1f} s ({fit.timing}).")

    pictures = {
        "trace": fit.plot(),
        "posterior_predictive_check": fit.pp_check(seed=1),
        "group_effects": fit.ranef_plot(),
        "conditional_effects": fit.conditional_effects("Days").plot(),
    }
    for name, figure in pictures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120, bbox_inches="tight")
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
