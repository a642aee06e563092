"""Scenarios of the literature, drawn anew with every seed: targets and clutter in a square, no sensor of this world.
Axes: k scans, n targets. Parameters as in the reference notes on tracking, section 3; the draws are our own.

`meet`: targets that come from everywhere to nearly one point in the middle of the run and part again (the four-target
scenario; the six-target coalescence). `constant_velocity`: many targets that live throughout, at a spacing.
"""

from typing import Any

import numpy as np
import polars as pl

from lapwing_lab.files import Scan
from lapwing_lab.importing import Known, scan_of, truth_of

Array = np.ndarray


def draw(t: dict[str, Any], seed: int) -> tuple[Known, list[Scan], pl.DataFrame]:
    """Known parameters, scans and truth. Raises KeyError, ValueError for a table that says too little."""
    rng = np.random.default_rng(seed)
    step, q, scans, side = float(t["period_s"]), float(t["noise_m2ps3"]), int(t["scans"]), float(t["side_m"])
    F = np.kron(np.eye(2), np.array([[1.0, step], [0.0, 1.0]]))
    Q = q * np.kron(np.eye(2), np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]]))
    if t["kind"] == "meet":
        states = _meet(t, F, Q, rng)
    elif t["kind"] == "constant_velocity":
        states = _cruise(t, F, Q, rng)
    else:
        raise ValueError(f"no scenario of the literature is called {t['kind']!r}")
    alive = np.ones(states.shape[:2], dtype=bool)
    for i, last in enumerate(t.get("deaths", [])):
        alive[int(last) :, i] = False
    sigma, p, clutter = float(t["sigma_m"]), float(t["p_detect"]), float(t["clutter_per_scan"])
    rows = []
    for k in range(scans):
        seen = states[k, alive[k] & (rng.random(states.shape[1]) < p)][:, [0, 2]]
        false = rng.uniform(0.0, side, (rng.poisson(clutter), 2))
        z = np.concatenate([seen + rng.normal(0.0, sigma, seen.shape), false])
        rows.append(scan_of(k, step, rng.permutation(z)))
    known = Known(sigma, p, clutter, side, step, q, float(t["speed_mps_sigma"]), float(t["lifetime_s"]),
                  float(t["cutoff_m"]), float(t.get("skip_s", 0.0)))  # fmt: skip
    return known, rows, truth_of(states, alive, step)


def _meet(t: dict[str, Any], F: Array, Q: Array, rng: np.random.Generator) -> Array:
    """Forwards and backwards from the middle, where all are nearly at one point."""
    n, scans, side = int(t["targets"]), int(t["scans"]), float(t["side_m"])
    middle = scans // 2
    root, back = np.linalg.cholesky(Q), np.linalg.inv(F)
    out = np.empty((scans, n, 4))
    out[middle] = rng.normal(0.0, np.sqrt(float(t["middle_m2"])), (n, 4)) + np.array([0.5 * side, 0, 0.5 * side, 0])
    for k in range(middle + 1, scans):
        out[k] = out[k - 1] @ F.T + rng.normal(0.0, 1.0, (n, 4)) @ root.T
    for k in range(middle - 1, -1, -1):
        out[k] = (out[k + 1] + rng.normal(0.0, 1.0, (n, 4)) @ root.T) @ back.T
    return out


def _cruise(t: dict[str, Any], F: Array, Q: Array, rng: np.random.Generator) -> Array:
    """Uniform starts; a target that would leave the square is drawn again."""
    n, scans, side = int(t["targets"]), int(t["scans"]), float(t["side_m"])
    root = np.linalg.cholesky(Q)
    out = np.empty((scans, n, 4))
    todo = np.arange(n)
    for _ in range(1000):
        m = len(todo)
        x = np.zeros((m, 4))
        x[:, [0, 2]] = rng.uniform(0.0, side, (m, 2))
        x[:, [1, 3]] = rng.normal(0.0, float(t["speed_mps_sigma"]), (m, 2))
        for k in range(scans):
            out[k, todo] = x
            x = x @ F.T + rng.normal(0.0, 1.0, (m, 4)) @ root.T
        place = out[:, todo][:, :, [0, 2]]
        todo = todo[((place < 0.0) | (place > side)).any(axis=(0, 2))]
        if len(todo) == 0:
            return out
    raise ValueError("targets do not stay in the square")
