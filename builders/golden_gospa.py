"""GOSPA and OSPA of random sets by Stone Soup 1.9.1, an implementation that is not ours.

Runs in an environment of its own with stonesoup, never in the project's:

    python builders/golden_gospa.py

writes tests/golden/gospa.json. OSPA of order 1 only: of order 2 its assignment minimises plain distances, so it is not
always the metric's smallest sum.
"""

import datetime
import json
from pathlib import Path

import numpy as np


def main() -> None:
    """Sixty pairs of sets."""
    from stonesoup.metricgenerator.ospametric import GOSPAMetric, OSPAMetric  # type: ignore[import-not-found]
    from stonesoup.types.state import State  # type: ignore[import-not-found]

    rng, rows = np.random.default_rng(60), []
    at = datetime.datetime(2024, 1, 1)
    for k in range(60):
        n, m, p = int(rng.integers(0, 7)), int(rng.integers(0, 7)), float(rng.integers(1, 3))
        x, y = rng.uniform(0.0, 30.0, (n, 2)), rng.uniform(0.0, 30.0, (m, 2))
        y[: min(n, m)] = x[: min(n, m)] + rng.normal(0.0, 3.0, (min(n, m), 2))
        y = y[rng.permutation(m)]
        truth, tracks = ([State(row[:, None], timestamp=at) for row in rows_] for rows_ in (x, y))
        row = {"x": x.tolist(), "y": y.tolist(), "p": p, "c": 8.0}
        if n + m:
            found, _ = GOSPAMetric(c=8.0, p=p).compute_gospa_metric(tracks, truth)
            value = found.value if hasattr(found, "value") else found
            row["gospa"] = float(value["distance"])
            row |= {part: float(value[part]) for part in ("localisation", "missed", "false")}
        if n and m and p == 1.0:
            row["ospa"] = float(OSPAMetric(c=8.0, p=p).compute_OSPA_distance(tracks, truth).value)
        rows.append(row)
        print(k, row.get("gospa"), row.get("ospa"))
    Path("tests/golden/gospa.json").write_text(json.dumps(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
