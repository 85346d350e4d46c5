"""Worker: REML of smooths with bayesml. Called with the path of a request."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(path: str) -> None:
    """Fit as often as is asked, and write the seconds of each fit."""
    import pandas as pd

    import bayesml

    request = json.loads(Path(path).read_text())
    data = pd.read_csv(request["data"])
    seconds, processor = [], []
    for _ in range(request["repeats"]):
        began, spent = time.perf_counter(), time.process_time()
        bayesml.fit(request["formula"], data, method="reml")
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    Path(request["answer"]).write_text(json.dumps({"seconds": seconds, "processor": processor}))


if __name__ == "__main__":
    main(sys.argv[1])
