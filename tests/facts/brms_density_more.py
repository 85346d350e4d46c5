"""Joint log densities of brms's Stan programs, without Jacobians: brms_density_more.json.

    Rscript tests/facts/brms_density_more.R tests/facts/brms_density_more.csv programs.json
    python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_more.json

needs ``stanli`` (a Stan interpreter) and NumPy, which are no part of the package. The log density of an interpreted
program contains the log Jacobian of its constrained parameters; the same program with an empty model block is that
Jacobian alone, and the difference is the joint density of the parameters that are written down.
"""

from __future__ import annotations

import json
import re
import sys
import zlib

import numpy as np
import stanli

POINTS = 3
TRIES = 100
SPREAD = 0.4
LEAST = -1000.0  # below, rounding in distribution functions of one side or the other would be compared
NOTE = (
    "As brms_density.json of the reference folder: joint log densities (likelihood + priors, all constants, on the "
    "constrained scale, no Jacobian) of models of brms 2.18 with its default priors, at three points each, from brms's "
    "own Stan programs with the stanli interpreter. `data` is make_standata's output on brms_density_more.csv; `par` "
    "is in the parameters of the Stan program; default_prior is get_prior's table. Made by brms_density_more.R and .py."
)
BLOCKS = ("functions", "data", "transformed data", "parameters", "transformed parameters", "model")


def blocks(code: str) -> dict[str, str]:
    """Return the text of each top-level block."""
    found = {}
    for name in (*BLOCKS, "generated quantities"):
        match = re.search(rf"^{name} \{{\n(.*?)^\}}", code, re.DOTALL | re.MULTILINE)
        if match:
            found[name] = match[1]
    return found


def joined(parts: dict[str, str]) -> str:
    return "".join(f"{name} {{\n{parts[name]}}}\n" for name in BLOCKS if name in parts)


def new_arrays(code: str) -> str:
    """Write arrays as Stan does since 2.26: ``array[N] int Y`` for ``int Y[N]``."""
    code = re.sub(r"\b(matrix|int|real|vector)\[\] (\w+)", r"array[] \1 \2", code)
    declared = (
        r"^(\s*)((?:int|real|vector|matrix|simplex|cholesky_factor_corr|ordered)(?:<[^;\n]*?>)?(?:\[[^;\n]*?\])?)"
    )
    code = re.sub(declared + r" (\w+)(\[[^;=\n]*\])( =|;)", r"\1array\4 \2 \3\5", code, flags=re.MULTILINE)
    return re.sub(r"^(\s*)(int|real) (\w+)(\[[^;=\n]*\])( =|;)", r"\1array\4 \2 \3\5", code, flags=re.MULTILINE)


def all_truncated(code: str, data: dict) -> str:
    """Subtract the truncation of every sd of ``gr(g, by=)``; brms 2.18 counts those of one level of ``by``."""
    return re.sub(
        r"(to_vector\(sd_(\d+)\) \| [^)]*\)\s*- )(\d+) \*",
        lambda m: f"{m[1]}{int(m[3]) * data[f'Nby_{m[2]}']} *",
        code,
    )


def values(model: stanli.Model, q: np.ndarray, names: set[str]) -> dict:
    """Return the constrained parameters at an unconstrained point."""
    count = stanli._lib.stanli_wa_n_columns(model._m)
    row = np.empty(count)
    if stanli._lib.stanli_wa_row(model._m, stanli._dptr(q), stanli._dptr(row)) != 0:
        raise RuntimeError("the parameters cannot be written")
    columns = [stanli._bracket(stanli._lib.stanli_wa_column_name(model._m, i).decode()) for i in range(count)]
    return {name: row[index].tolist() for name, (_, index) in stanli._group_variables(columns).items() if name in names}


def finite(value: object) -> object:
    """Return data with 0 in the place of "Inf", which brms writes for missing values that no program reads."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return 0.0 if value in ("Inf", "-Inf") else value


def points(name: str, record: dict) -> list[dict]:
    parts = blocks(all_truncated(new_arrays(record["code"]), record["data"]))
    parameters = re.findall(r"(\w+)(?: =[^;]*)?;", re.sub(r"//.*", "", parts["parameters"]))
    whole = stanli.Model(stan_code=joined(parts), data=record["data"])
    empty = {k: v for k, v in parts.items() if k != "transformed parameters"} | {"model": ""}
    jacobian = stanli.Model(stan_code=joined(empty), data=record["data"])

    def at(q: np.ndarray) -> float:
        try:
            return whole.log_prob_grad(q)[0] - jacobian.log_prob_grad(q)[0]
        except RuntimeError:
            return -np.inf

    rng = np.random.default_rng(zlib.crc32(name.encode()))
    center = np.zeros(whole.n_unconstrained)
    tried = [(at(q), q) for q in center + rng.normal(scale=SPREAD, size=(TRIES, len(center)))]
    found = [(lp, q) for lp, q in tried if LEAST < lp < np.inf]
    if len(found) < POINTS:  # parameters of another size, or a link that allows few values: near the mode
        center = whole.optimize(seed=1, init_radius=0.1).unconstrained
        tried = [(at(q), q) for q in center + rng.normal(scale=0.1 * SPREAD, size=(TRIES, len(center)))]
        found = [(lp, q) for lp, q in tried if LEAST < lp < np.inf]
    if len(found) < POINTS:
        raise RuntimeError(f"no points for {name}: {sorted(lp for lp, _ in tried)[-3:]}")
    return [{"par": values(jacobian, q, set(parameters)), "lp": lp} for lp, q in found[:POINTS]]


def main(programs: str, path: str) -> None:
    with open(programs) as file:
        records = json.load(file)
    lines = []
    for name, record in records.items():
        record["data"] = finite(record["data"])
        kept = {k: record[k] for k in ("data", "formula", "family", "user_prior", "default_prior")}
        lines.append(f"{json.dumps(name)}: {json.dumps(kept | {'points': points(name, record)})}")
        print(name, file=sys.stderr)
    with open(path, "w") as file:
        file.write(f'{{"note": {json.dumps(NOTE)}, "models": {{\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
