"""Worker: NUTS on a Stan program with the interpreter stanli. Called with the path of a request."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import stanli

LEFT_OUT = ("z_", "zb", "r_", "lp__", "L_", "Lrescor", "zs_", "s_", "rcar", "zcar", "zgp")


def new_arrays(code: str) -> str:
    """Write arrays as Stan does since 2.26: ``array[N] int Y`` for ``int Y[N]``."""
    code = re.sub(r"\b(matrix|int|real|vector)\[\] (\w+)", r"array[] \1 \2", code)
    kind = r"(?:int|real|vector|matrix|cholesky_factor_corr)(?:<[^;\n]*?>)?(?:\[[^;\n]*?\])?"
    declared = rf"^(\s*)({kind}) (\w+)\[([^\]\n]+)\];"
    return re.sub(declared, r"\1array[\4] \2 \3;", code, flags=re.MULTILINE)


def main(path: str) -> None:
    """Sample, and write effective draws and seconds."""
    request = json.loads(Path(path).read_text())
    code = new_arrays(request["code"])
    model = stanli.Model(stan_code=code, data=request["data"])
    began = time.perf_counter()
    fit = model.sample(
        chains=request["chains"], parallel_chains=request["cores"], warmup=request["warmup"],
        samples=request["draws"], seed=request["seed"], refresh=0,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    kept = [name for name in fit.names if not name.startswith(LEFT_OUT)]
    draws = {name: np.asarray(fit.draws(name)).reshape(request["chains"], -1).tolist() for name in kept}
    Path(request["answer"]).write_text(json.dumps({"seconds": seconds, "draws": draws, "version": stanli.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
