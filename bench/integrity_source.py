"""Location of simulated sources, measured: `python -m bench.integrity_source`.

The world here shares nothing with the model: a sphere and great circles, aircraft that fly and some that turn,
receivers that lose their position above a threshold of their own and find it again 6 dB below, shadowing of 3 dB (drawn
anew for each look, or lasting a minute), a horizon that is wrong by 5 %, 4 to 18 dB lost to the antenna's place on top
of the fuselage, 0.2 % of looks flipped. Affected aircraft are not seen: their places are carried on from the last good
ones, as live.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

from lapwing.integrity.search import explain, located
from lapwing.integrity.source import ALL_ROUND, SourceSettings, likelihood, make_looks

R = 6_371_000.0
STEP_S, EVERY = 10.0, 3  # the world steps 10 s, a look every 30 s


@dataclass(frozen=True)
class Emitter:
    """Metres east and north of the middle."""

    east_m: float
    north_m: float
    dbm: float
    height_m: float = 30.0
    bearing: float = 0.0
    width: float = 0.0
    period_s: float = 0.0  # on for half of it; 0 = always on


def sphere(east, north):
    """Points at great-circle distance and bearing from a middle at 50 N."""
    d, a = np.hypot(east, north) / R, np.arctan2(east, north)
    lat0 = np.radians(50.0)
    lat = np.arcsin(np.sin(lat0) * np.cos(d) + np.cos(lat0) * np.sin(d) * np.cos(a))
    lon = np.arctan2(np.sin(a) * np.sin(d) * np.cos(lat0), np.cos(d) - np.sin(lat0) * np.sin(lat))
    return lat, lon


def apart(lat1, lon1, lat2, lon2):
    """Great-circle distance and initial bearing from 1 to 2."""
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    y = np.sin(lon2 - lon1) * np.cos(lat2)
    x = np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(lon2 - lon1)
    return 2 * R * np.arcsin(np.sqrt(h)), np.arctan2(y, x)


def paths(n, steps, rng):
    """East, north, height of n aircraft over time: straight, one in five turns once; and what they say of velocity."""
    e, nn = rng.uniform(-3e5, 3e5, n), rng.uniform(-3e5, 3e5, n)
    course = rng.uniform(0, 2 * np.pi, n)
    cruise = rng.random(n) < 0.7
    speed = np.where(cruise, rng.uniform(200, 250, n), rng.uniform(80, 180, n))
    height = np.where(cruise, rng.uniform(9_000, 12_000, n), rng.uniform(900, 6_000, n))
    turns = np.where(rng.random(n) < 0.2, rng.integers(0, steps, n), -1)
    out = np.zeros((steps, n, 5))
    for t in range(steps):
        course = np.where(turns == t, course + rng.uniform(-1.0, 1.0, n), course)
        v = speed[:, None] * np.stack([np.sin(course), np.cos(course)], axis=1)
        e, nn = e + STEP_S * v[:, 0], nn + STEP_S * v[:, 1]
        out[t] = np.stack([e, nn, height, v[:, 0], v[:, 1]], axis=1)
    return out


def world(emitters, n, rng, minutes=30.0, ships=0, shadow_s=60.0, every=EVERY):
    """Looks of one event: speaker, time, believed place, affected; and how many were affected."""
    steps = int(minutes * 60 / STEP_S)
    path = paths(n + ships, steps, rng)
    if ships:
        path[:, n:, 2] = 20.0
        path[:, n:, :2] = path[:1, n:, :2] * 0.3
        path[:, n:, 3:] = 0.0
    n += ships
    threshold = rng.normal(-95.0, 5.0, n)
    horizon_error = rng.normal(1.0, 0.05, n)
    shadow = rng.normal(0.0, 3.0, n)
    keep = np.exp(-STEP_S / shadow_s) if shadow_s else 0.0
    lost = np.zeros(n, bool)
    believed, rows = path[0, :, :3].copy(), []
    velocity = path[0, :, 3:]
    for t in range(steps):
        shadow = keep * shadow + np.sqrt(1 - keep**2) * rng.normal(0.0, 3.0, n)
        lat, lon = sphere(path[t, :, 0], path[t, :, 1])
        power = np.full(n, -300.0)
        for x in emitters:
            if x.period_s and (t * STEP_S) % x.period_s >= 0.5 * x.period_s:
                continue
            d, a = apart(*sphere(x.east_m, x.north_m), lat, lon)
            reach = 4120.0 * (np.sqrt(x.height_m) + np.sqrt(path[t, :, 2])) * horizon_error
            r = np.hypot(d, path[t, :, 2] - x.height_m)
            below = np.degrees(np.arctan2(path[t, :, 2] - x.height_m, d))
            shade = 4.0 + 14.0 * np.clip(below / 45.0, 0.0, 1.0)  # antenna on top of the fuselage
            dbm = x.dbm - (32.44 + 20 * np.log10(r / 1e3) + 20 * np.log10(1575.42)) + shadow - shade
            if x.width:
                dbm -= 20.0 * (np.abs((a - x.bearing + np.pi) % (2 * np.pi) - np.pi) > x.width / 2)
            power = np.maximum(power, np.where(d < reach, dbm, -300.0))
        lost = np.where(lost, power > threshold - 6.0, power > threshold)
        velocity = np.where(lost[:, None], velocity, path[t, :, 3:])
        believed[:, :2] = np.where(lost[:, None], believed[:, :2] + STEP_S * velocity, path[t, :, :2])
        believed[:, 2] = path[t, :, 2]
        if t % every == 0:
            told = lost ^ (rng.random(n) < 0.002)
            rows.append((np.arange(n), np.full(n, t * 10**10), believed.copy(), told))
    hit = np.array([r[3] for r in rows]).sum(axis=0) > 1
    return tuple(np.concatenate([r[k] for r in rows]) for k in range(4)), int(hit.sum())


def bound_m(looks, truth, settings):
    """Root of the summed Cramer-Rao variances of east and north: numerical Hessian of the log-likelihood at the truth
    in east, north and power, as observed in one run; infinity where it is not positive."""
    h, dbm = 4_000.0, 3.0
    steps = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], float) * h
    table = likelihood(looks, np.array([truth[:2]]) + steps, settings, ALL_ROUND).reshape(3, 3, -1)
    p = round((truth[2] - settings.power_dbm[0]) / settings.step_db)
    f = table[:, :, p - 1 : p + 2]
    m = f[1, 1, 1]
    j = np.zeros((3, 3))
    j[0, 0] = (f[2, 1, 1] - 2 * m + f[0, 1, 1]) / h**2
    j[1, 1] = (f[1, 2, 1] - 2 * m + f[1, 0, 1]) / h**2
    j[2, 2] = (f[1, 1, 2] - 2 * m + f[1, 1, 0]) / dbm**2
    j[0, 1] = j[1, 0] = (f[2, 2, 1] - f[2, 0, 1] - f[0, 2, 1] + f[0, 0, 1]) / (4 * h * h)
    j[0, 2] = j[2, 0] = (f[2, 1, 2] - f[2, 1, 0] - f[0, 1, 2] + f[0, 1, 0]) / (4 * h * dbm)
    j[1, 2] = j[2, 1] = (f[1, 2, 2] - f[1, 2, 0] - f[1, 0, 2] + f[1, 0, 0]) / (4 * h * dbm)
    return -j


def one_source(n, dbm, runs, seed, settings, shadow_s, height_m):
    """Errors, centroid errors, coverages, sizes and bound of `runs` events."""
    out, information = [], np.zeros((3, 3))
    for run in range(runs):
        rng = np.random.default_rng([seed, n, run])
        east, north = rng.uniform(-6e4, 6e4, 2)
        while True:  # an event that affects nobody is none
            columns, hit = world([Emitter(east, north, dbm, height_m)], n, rng, shadow_s=shadow_s)
            if hit >= 3:
                break
        looks = make_looks(*columns, settings.looks_per_speaker)
        began = time.process_time()
        found = located(looks, settings)
        spent = time.process_time() - began
        away = np.hypot(found.east_m - east, found.north_m - north)
        cell = int(np.argmin(away))
        near = max(abs(found.east_m[cell] - east), abs(found.north_m[cell] - north)) <= 0.5 * found.cell_m
        inside = [bool(near and found.region(share)[cell]) for share in (0.5, 0.9)]
        centre = columns[2][columns[3]][:, :2].mean(axis=0)
        error = np.hypot(found.mean_m[0] - east, found.mean_m[1] - north)
        out.append((error, np.hypot(*(centre - [east, north])), *inside, hit, spent, found.sigma_m, found.unique,
                    found.power_dbm - dbm, found.fit_p))  # fmt: skip
        information += bound_m(looks, (east, north, dbm), settings) / runs
    crlb = np.sqrt(np.trace(np.linalg.inv(information)[:2, :2]))
    return np.array(out), crlb


def table(runs, seed, settings, shadow_s, height_m, sizes):
    """The table of one source; sizes are its power and how many aircraft there are."""
    print("shadowing anew at each look" if shadow_s == 0.0 else f"shadowing that lasts {shadow_s:.0f} s")
    head = ("dBm present", "affected", "error median / 95 % km", "centroid", "50 % covers", "90 % covers", "sigma km")
    print(" | ".join((*head, "rms / CRLB", "unique", "power bias dB", "s")))
    for dbm, n in sizes:
        r, crlb = one_source(n, dbm, runs, seed, settings, shadow_s, height_m)
        print(
            f"{dbm:3.0f}  {n:5d} | {np.median(r[:, 4]):3.0f} | {np.median(r[:, 0]) / 1e3:5.1f} /"
            f" {np.quantile(r[:, 0], 0.95) / 1e3:5.1f} | {np.median(r[:, 1]) / 1e3:5.1f} | {r[:, 2].mean():.2f} |"
            f" {r[:, 3].mean():.2f} | {np.median(r[:, 6]) / 1e3:4.1f} |"
            f" {np.sqrt((r[:, 0] ** 2).mean()) / crlb:.2f} | {r[:, 7].mean():.2f} | {r[:, 8].mean():+.1f} |"
            f" {np.median(r[:, 5]):.2f}",
            flush=True,
        )


def others(runs, seed, settings):
    """What is said of a sector antenna and of two sources: shares of each answer."""
    kinds = {
        "one, all round": lambda rng: [Emitter(*rng.uniform(-6e4, 6e4, 2), 43.0)],
        "one, 120 degree sector": lambda rng: [
            Emitter(*rng.uniform(-3e4, 3e4, 2), 47.0, bearing=rng.uniform(0, 2 * np.pi), width=2.1)
        ],
        "two, 200 km apart": lambda _rng: [Emitter(-1e5, 0.0, 43.0), Emitter(1e5, 0.0, 43.0)],
        "two, 100 km apart, one a 120 degree sector": lambda rng: [
            Emitter(-5e4, 0.0, 43.0),
            Emitter(5e4, 0.0, 47.0, bearing=rng.uniform(0, 2 * np.pi), width=2.1),
        ],
        "one, on and off every 20 s": lambda rng: [Emitter(*rng.uniform(-6e4, 6e4, 2), 43.0, period_s=40.0)],
        "one, on and off every 50 s": lambda rng: [Emitter(*rng.uniform(-6e4, 6e4, 2), 43.0, period_s=100.0)],
    }
    for name, make in kinds.items():
        said, errors, told, held = [], [], 0, 0
        for run in range(runs):
            rng = np.random.default_rng([seed, 999, run])
            truth = make(rng)
            columns, hit = world(truth, 120, rng)
            if hit < 3:
                continue
            found = explain(make_looks(*columns, settings.looks_per_speaker), settings)
            sure = [f for f in found if f.unique]
            told += len(sure)
            held += sum(any(holds(f, x) for x in truth) for f in sure)
            if len(sure) < len(found):
                said.append("one of two" if sure else "no unique source")
                continue
            said.append("two" if len(found) == 2 else "sector" if found[0].beam.width_rad else "one")
            far = [min(np.hypot(f.mean_m[0] - x.east_m, f.mean_m[1] - x.north_m) for f in found) for x in truth]
            errors.append(max(far) / 1e3)
        counts = ", ".join(f"{k} {said.count(k)}" for k in ("one", "sector", "two", "one of two", "no unique source"))
        print(
            f"{name}: {counts} of {len(said)}; worst error where all is told, median"
            f" {np.median(errors or [np.nan]):.1f} km; of {told} places told the 90 % region holds a source in {held}",
            flush=True,
        )


def holds(found, x):
    """Whether the 90 % region holds an emitter."""
    half = 0.5 * found.cell_m
    there = (np.abs(found.east_m - x.east_m) <= half) & (np.abs(found.north_m - x.north_m) <= half)
    return bool((there & found.region(0.9)).any())


def main() -> None:
    """Prints the tables of docs/integrity.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=2_026)
    parser.add_argument("--height", type=float, default=30.0, help="of the true source, m above the ground")
    parser.add_argument("--dbm", type=float, default=40.0, help="power of the true source")
    parser.add_argument("--present", type=int, nargs="+", default=[30, 50, 110], help="aircraft in 600 by 600 km")
    parser.add_argument("--others", action="store_true", help="sector antennas and two sources too")
    parser.add_argument("--only-others", action="store_true")
    a = parser.parse_args()
    settings = SourceSettings()
    for shadow_s in () if a.only_others else (0.0, 60.0):
        table(a.runs, a.seed, settings, shadow_s, a.height, [(a.dbm, n) for n in a.present])
    if a.others or a.only_others:
        others(a.runs, a.seed, settings)


if __name__ == "__main__":
    main()
