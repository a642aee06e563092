"""Scenarios of the literature, drawn anew with every seed: targets and clutter in a square, no sensor of this world.
Axes: k scans, n targets. Parameters as in the reference notes on tracking, section 3; the draws are our own.

`meet`: targets that come from everywhere to nearly one point in the middle of the run and part again (the four-target
scenario; the six-target coalescence). `constant_velocity`: many targets that live throughout, at a spacing.
`arrivals`: targets that come and go at given scans. `comings`: targets that come and go at random, looked at at random
times. Any of them may be seen by range and azimuth (`polar`), or delivered out of order (`p_late`).
"""

from typing import Any

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.files import Scan
from lapwing_lab.importing import BEGIN_NS, Births, Known, Polar

Array = np.ndarray


def draw(t: dict[str, Any], seed: int) -> tuple[Known, list[Scan], pl.DataFrame]:
    """Known parameters, scans and truth. Raises KeyError, ValueError for a table that says too little."""
    rng = np.random.default_rng(seed)
    step, scans = float(t["period_s"]), int(t["scans"])
    time = np.arange(scans) * step
    if t.get("interval") == "exponential":
        time = np.concatenate([np.zeros(1), np.cumsum(rng.exponential(step, scans - 1))])
    if t["kind"] == "meet":
        states, alive = _meet(t, rng), np.ones((scans, int(t["targets"])), dtype=bool)
    elif t["kind"] == "constant_velocity":
        states, alive = _cruise(t, rng), np.ones((scans, int(t["targets"])), dtype=bool)
    elif t["kind"] in ("arrivals", "comings"):
        states, alive = _living(t, time, *(_arrivals(t) if t["kind"] == "arrivals" else _comings(t, time, rng)), rng)
    else:
        raise ValueError(f"no scenario of the literature is called {t['kind']!r}")
    for i, last in enumerate(t.get("deaths", []) if t["kind"] == "meet" else []):
        alive[int(last) :, i] = False
    polar = Polar(**t["polar"]) if "polar" in t else None
    rows = [_look(t, k, time, states[k, alive[k]][:, [0, 2]], (polar, rng)) for k in range(scans)]
    if "p_late" in t:
        rows = _late(t, rows, rng)
    births = _told_births(t["births_told"]) if "births_told" in t else None
    known = Known(float(t.get("sigma_m", 0.0)), float(t["p_detect"]), float(t["clutter_per_scan"]),
                  float(t["side_m"]), step, float(t["noise_m2ps3"]), float(t["speed_mps_sigma"]),
                  float(t["lifetime_s"]), float(t["cutoff_m"]), float(t.get("skip_s", 0.0)), polar,
                  births, float(t.get("p_detect_range_m", np.inf)))  # fmt: skip
    return known, rows, _truth(states, alive, time)


def _told_births(b: dict[str, Any]) -> Births:
    return Births(tuple(b["mean"]), tuple(b["sigma"]), float(b["at_start"]), float(b["per_s"]), bool(b.get("any_time")))


def _motion(dt_s: float, q: float) -> tuple[Array, Array]:
    """F and Q of nearly constant velocity for x, vx, y, vy."""
    F = np.kron(np.eye(2), np.array([[1.0, dt_s], [0.0, 1.0]]))
    Q = q * np.kron(np.eye(2), np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]]))
    return F, Q


def _look(t: dict[str, Any], k: int, time: Array, place: Array, by: tuple[Polar | None, np.random.Generator]) -> Scan:
    """What is seen of places at one time, and clutter uniform in the square."""
    polar, rng = by
    side, at = float(t["side_m"]), BEGIN_NS + round(float(time[k]) * 1e9)
    p = np.full(len(place), float(t["p_detect"]))
    if polar is not None and "p_detect_range_m" in t:
        p = np.exp(-np.hypot(place[:, 0] - polar.east_m, place[:, 1] - polar.north_m) / float(t["p_detect_range_m"]))
    seen = place[rng.random(len(place)) < p]
    false = rng.uniform(0.0, side, (rng.poisson(float(t["clutter_per_scan"])), 2))
    space = ("east_m", "north_m")
    if polar is None:
        sigma = float(t["sigma_m"])
        z = np.concatenate([seen + rng.normal(0.0, sigma, seen.shape), false])
    else:
        space = ("range_m", "azimuth_rad")
        noise = rng.normal(0.0, 1.0, seen.shape) * [polar.range_sigma_m, np.radians(polar.azimuth_sigma_deg)]
        z = np.concatenate([_polar(seen, polar) + noise, _polar(false, polar)])
        z[:, 0], z[:, 1] = np.maximum(z[:, 0], 1e-3), z[:, 1] % (2.0 * np.pi)
    return Scan("array", space, at, np.full(len(z), at, dtype=np.int64), rng.permutation(z))


def _polar(place: Array, p: Polar) -> Array:
    east, north = place[:, 0] - p.east_m, place[:, 1] - p.north_m
    return np.stack([np.hypot(east, north), np.arctan2(east, north)], axis=1)


def _late(t: dict[str, Any], rows: list[Scan], rng: np.random.Generator) -> list[Scan]:
    """A share of the scans arrives 1 to `late_scans` scans later than it was made."""
    out = []
    for k, s in enumerate(rows):
        late = int(rng.integers(1, int(t["late_scans"]) + 1)) if rng.random() < float(t["p_late"]) else 0
        arrived = rows[min(k + late, len(rows) - 1)].scan_ns + (1_000_000 if late else 0)
        out.append(Scan(s.sensor, s.space, s.scan_ns, s.time_ns, s.z, arrived))
    return out


def _truth(states: Array, alive: Array, time: Array) -> pl.DataFrame:
    """`states` (k, n, 4) = x, vx, y, vy."""
    k, i = np.nonzero(alive)
    zero = np.zeros(len(k))
    columns: dict[str, Any] = {
        "time_ns": BEGIN_NS + np.round(time[k] * 1e9).astype(np.int64),
        "target_id": i.astype(np.int64),
        "counts": np.ones(len(k), dtype=bool),
    }
    for name, at in (("east_m", 0), ("east_mps", 1), ("north_m", 2), ("north_mps", 3)):
        columns[name] = states[k, i, at]
    return files.truth(columns | {"up_m": zero, "up_mps": zero})


def _arrivals(t: dict[str, Any]) -> tuple[Array, Array]:
    """First scan of each, and the first at which it is no more; both counted from one."""
    births, deaths = (np.array(t[name], dtype=np.int64) - 1 for name in ("births", "deaths"))
    return births, deaths


def _comings(t: dict[str, Any], time: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A Poisson number of arrivals per second, each staying for an exponential time ."""
    rate, death = float(t["births_per_s"]), float(t["deaths_per_s"])
    n = int(rng.poisson(rate * time[-1])) or 1
    begin = np.sort(rng.uniform(0.0, time[-1], n))
    end = begin + rng.exponential(1.0 / death, n)
    return np.searchsorted(time, begin), np.searchsorted(time, end)


def _living(
    t: dict[str, Any], time: Array, births: Array, deaths: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Targets that begin at one of the `components` [x, vx, y, vy], spread by `component_sigma`, and go on."""
    n, scans, q = len(births), len(time), float(t.get("noise_truth_m2ps3", t["noise_m2ps3"]))
    centre, sigma = np.array(t["components"], dtype=np.float64), np.array(t["component_sigma"], dtype=np.float64)
    of = np.arange(n) % len(centre) if t["kind"] == "arrivals" else rng.integers(0, len(centre), n)
    states = np.zeros((scans, n, 4))
    x = centre[of] + sigma * rng.normal(0.0, 1.0, (n, 4))
    alive = np.zeros((scans, n), dtype=bool)
    for k in range(scans):
        alive[k] = (births <= k) & (k < deaths)
        if k:
            dt = float(time[k] - time[k - 1])
            F, Q = _motion(dt, q)
            moving = births < k
            x[moving] = x[moving] @ F.T
            if q > 0.0:
                x[moving] += rng.normal(0.0, 1.0, (int(moving.sum()), 4)) @ np.linalg.cholesky(Q).T
        states[k] = x
    return states, alive


def _meet(t: dict[str, Any], rng: np.random.Generator) -> Array:
    """Forwards and backwards from the middle, where all are nearly at one point."""
    n, scans, side = int(t["targets"]), int(t["scans"]), float(t["side_m"])
    F, Q = _motion(float(t["period_s"]), float(t["noise_m2ps3"]))
    middle = scans // 2
    root, back = np.linalg.cholesky(Q), np.linalg.inv(F)
    out = np.empty((scans, n, 4))
    out[middle] = rng.normal(0.0, np.sqrt(float(t["middle_m2"])), (n, 4)) + np.array([0.5 * side, 0, 0.5 * side, 0])
    for k in range(middle + 1, scans):
        out[k] = out[k - 1] @ F.T + rng.normal(0.0, 1.0, (n, 4)) @ root.T
    for k in range(middle - 1, -1, -1):
        out[k] = (out[k + 1] + rng.normal(0.0, 1.0, (n, 4)) @ root.T) @ back.T
    return out


def _cruise(t: dict[str, Any], rng: np.random.Generator) -> Array:
    """Uniform starts; a target that would leave the square is drawn again."""
    n, scans, side = int(t["targets"]), int(t["scans"]), float(t["side_m"])
    F, Q = _motion(float(t["period_s"]), float(t["noise_m2ps3"]))
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
