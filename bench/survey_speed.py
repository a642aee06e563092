"""Speed of a survey's sciences against a bare group-by of the same rows in one run: `python -m bench.survey_speed`.

20 million rows of 5,000 aircraft over Europe in 16 partitions, as laid out by `lapwing survey`: every 4 s, NIC and NACp
now and then, some low, some lost. Bare: Polars groups the same rows by aircraft, 0.25 degree cell and ten minutes
(least NIC, rows). Ours: the rule book per aircraft, H3 cells through the library, affected and good aircraft per cell
and ten minutes. The bare group-by has no H3 in it.
"""

import argparse
import time

import numpy as np
import polars as pl

from lapwing.engine import survey as science
from lapwing.integrity.cells import library_cells
from lapwing.integrity.evidence import NavigationSettings


def partition(aircraft: int, rows: int, seed: int) -> pl.DataFrame:
    """Samples of some aircraft for some hours, in order of aircraft and time."""
    rng = np.random.default_rng(seed)
    each = rows // aircraft
    t = np.arange(each) * 4.0
    lat0, lon0 = rng.uniform(40, 58, aircraft), rng.uniform(-5, 25, aircraft)
    course, speed = rng.uniform(0, 2 * np.pi, aircraft), rng.uniform(150, 250, aircraft)
    turn = speed[:, None] / 40_000.0 * t  # wide circles: everybody stays in the area
    north = 40_000.0 * (np.sin(course[:, None] + turn) - np.sin(course[:, None]))
    east = 40_000.0 * (np.cos(course[:, None]) - np.cos(course[:, None] + turn))
    lat = (lat0[:, None] + north / 111_195).ravel()
    lon = (lon0[:, None] + east / 70_000).ravel()
    time_ns = (1_726_560_000 * 10**9 + (t * 1e9).astype(np.int64))[None, :].repeat(aircraft, axis=0).ravel()
    n = len(lat)
    some = rng.random(n) < 0.25
    lost = np.repeat(rng.random(aircraft * 50) < 0.01, -(-n // (aircraft * 50)))[:n]
    nic = np.where(lost, 0, 8).astype(np.int8)
    return pl.DataFrame(
        {
            "time_ns": time_ns, "key": np.repeat(np.arange(aircraft) + seed * 100_000, each), "position_ns": time_ns,
            "latitude_deg": lat, "longitude_deg": lon, "altitude_m": np.full(n, 10_668.0, np.float32),
            "speed_mps": np.repeat(speed, each).astype(np.float32), "track_deg": np.zeros(n, np.float32),
            "heading_deg": pl.Series([None], dtype=pl.Float32).new_from_index(0, n),
            "airspeed_mps": pl.Series([None], dtype=pl.Float32).new_from_index(0, n),
            "geometric_m": np.full(n, 30.0, np.float32),
            "nic": pl.select(pl.when(pl.Series(some)).then(pl.Series(nic))).to_series(),
            "nac_p": pl.select(pl.when(pl.Series(some)).then(pl.Series(nic + 1))).to_series(),
            "version": np.full(n, 2, np.int8), "flags": np.zeros(n, np.int8),
        }
    ).cast(science.SAMPLES)  # fmt: skip


def bare(table: pl.DataFrame) -> int:
    """The group-by that anybody would write."""
    return len(
        table.group_by(
            "key",
            (pl.col("latitude_deg") * 4).floor().cast(pl.Int32).alias("a"),
            (pl.col("longitude_deg") * 4).floor().cast(pl.Int32).alias("o"),
            (pl.col("time_ns") // science.BIN_NS).alias("bin"),
        ).agg(pl.col("nic").min(), pl.len())
    )


def ours(table: pl.DataFrame, settings: NavigationSettings) -> int:
    """Evidence and cells."""
    j = science.judged(table, settings)
    return len(science.cell_counts(j, settings.low_m))


def main() -> None:
    """Prints seconds and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--parts", type=int, default=16)
    a = parser.parse_args()
    settings = NavigationSettings()
    ours(partition(10, 20_000, 1), settings)  # compile
    spent = {"bare": [0.0, 0.0], "ours": [0.0, 0.0], "library": [0.0, 0.0]}
    rows = 0
    for part in range(a.parts):
        table = partition(5_000 // a.parts, a.rows // a.parts, part + 2)
        rows += len(table)
        for name, work in (("bare", bare), ("ours", lambda t: ours(t, settings))):
            wall, cpu = time.perf_counter(), time.process_time()
            work(table)
            spent[name][0] += time.perf_counter() - wall
            spent[name][1] += time.process_time() - cpu
        if part == 0:
            wall, cpu = time.perf_counter(), time.process_time()
            library_cells(table["latitude_deg"].to_numpy(), table["longitude_deg"].to_numpy(), 4)
            spent["library"] = [(time.perf_counter() - wall) * a.parts, (time.process_time() - cpu) * a.parts]
    print(f"{rows / 1e6:.1f} million rows")
    for name, (wall, cpu) in spent.items():
        print(f"  {name:8s} {wall:6.2f} s wall {cpu:6.2f} s cpu   {wall / spent['bare'][0]:.2f} x wall")


if __name__ == "__main__":
    main()
