"""Six models with smooths, a Gaussian process, areas and series with bayesml and with brms's own Stan programs.

``python benchmarks/terms.py [CASE ...] [--draws N] [--peer-draws N]`` prints what ``families.py`` prints.
``smooth_reml.py`` compares REML of smooths with mgcv.
"""

from __future__ import annotations

from _term_cases import TERM_CASES
from families import run

if __name__ == "__main__":
    run(TERM_CASES, __doc__)
