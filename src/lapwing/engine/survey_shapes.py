"""Shapes that only false positions make, over archives: the live tests (integrity/shapes.py), a step after another.
Axes: n speakers of one slice of time.

All speakers of a place are needed at once, while the rule book sees one at a time: so this comes first, and what it
tells is one more column of the samples. Each speaker's way lies in a plane of its own, round the place where it began;
magnets and centres are compared on the sphere. Memory holds one slice of a day, thinned to a row per speaker and step.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from lapwing.engine.survey import GROUND, SHIP
from lapwing.integrity.shapes import Seen, Shapes, ShapeSettings, advanced, aligned, standing
from lapwing.integrity.shapes import start as no_shapes
from lapwing.kernel import condition as kernel
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

STEP_NS = 10_000_000_000
SLICE_NS = 1_800_000_000_000
EARTH_M = 6_371_000.0
FLAGGED = {"key": pl.Int64, "step": pl.Int64, "shape": pl.Int64}


@dataclass(frozen=True, slots=True)
class Walk:
    """What is remembered from slice to slice of a day."""

    shapes: Shapes
    origin_deg: Float64[Array, "n 2"]  # latitude, longitude: of each plane
    last_deg: Float64[Array, "n 2"]

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Walk:
    """Nobody known."""
    return Walk(no_shapes(), np.zeros((0, 2)), np.zeros((0, 2)))


def thinned(table: pl.DataFrame) -> pl.DataFrame:
    """Of tidy samples, the last one per speaker and step that has a fresh position and a velocity."""
    fresh = pl.col("time_ns") - pl.col("position_ns") < STEP_NS
    ground = (pl.col("flags").fill_null(0).cast(pl.Int64) & GROUND) > 0
    rows = table.filter(
        fresh
        & pl.col("latitude_deg").is_not_null()
        & pl.col("speed_mps").is_not_null()
        & pl.col("track_deg").is_not_null()
    )
    return (
        rows.with_columns((pl.col("time_ns") // STEP_NS).alias("step"), ground.alias("ground"))
        .unique(["key", "step"], keep="last", maintain_order=True)
        .select("step", "key", "latitude_deg", "longitude_deg", "altitude_m", "speed_mps", "track_deg", "ground")
    )


def walked(before: Walk, rows: pl.DataFrame, settings: ShapeSettings) -> tuple[Walk, pl.DataFrame]:
    """One slice further; and who stood in which shape (reason code) in which step. `rows`: thinned, of all speakers."""
    if not len(rows):
        return before, pl.DataFrame(schema=FLAGGED)
    walk, flagged = _in_rows_of(before, rows["key"].unique().sort().to_numpy()), []
    for (step,), now in rows.sort("step", "key").partition_by("step", as_dict=True, maintain_order=True).items():
        walk = _stepped(walk, now, (int(step) + 1) * STEP_NS, settings)
        magnet, circle = standing(walk.shapes, settings)
        at = np.flatnonzero(magnet | circle)
        shape = np.where(circle[at], kernel.CIRCLE, kernel.MAGNET)
        flagged.append(
            pl.DataFrame({"key": walk.shapes.key[at], "step": np.full(len(at), step), "shape": shape}, schema=FLAGGED)
        )
    return walk, pl.concat(flagged)


def _in_rows_of(before: Walk, key: Int64[Array, " n"]) -> Walk:
    """What is remembered, in the rows of `key`."""
    known = np.isin(key, before.shapes.key)
    order = np.argsort(before.shapes.key, kind="stable")
    at = order[np.searchsorted(before.shapes.key, key[known], sorter=order)]
    origin, last = np.full((len(key), 2), np.nan), np.full((len(key), 2), np.nan)
    origin[known], last[known] = before.origin_deg[at], before.last_deg[at]
    return Walk(aligned(before.shapes, key), origin, last)


def _stepped(walk: Walk, now: pl.DataFrame, now_ns: int, settings: ShapeSettings) -> Walk:
    """One step further."""
    n, at = len(walk.shapes.key), np.searchsorted(walk.shapes.key, now["key"].to_numpy())
    heard = np.zeros(n, bool)
    heard[at] = True
    place = walk.last_deg.copy()
    place[at] = now.select("latitude_deg", "longitude_deg").to_numpy()
    track = np.radians(now["track_deg"].cast(pl.Float64).to_numpy())
    velocity, altitude = np.zeros((n, 2)), np.full(n, -np.inf)
    velocity[at] = now["speed_mps"].cast(pl.Float64).to_numpy()[:, None] * np.stack([np.sin(track), np.cos(track)], 1)
    altitude[at] = now["altitude_m"].cast(pl.Float64).fill_null(-np.inf).to_numpy()
    ground = np.zeros(n, bool)
    ground[at] = now["ground"].to_numpy()
    ships = walk.shapes.key >= SHIP
    far = heard & ~(_apart_m(place, walk.last_deg) <= settings.jump_m)  # or never seen: its plane begins anew
    origin = np.where(far[:, None], place, walk.origin_deg)
    shapes = replace(walk.shapes, sums=np.where(far[:, None], 0.0, walk.shapes.sums))
    seen = Seen(
        np.nan_to_num(_to_plane(place, origin)), np.nan_to_num(_on_sphere(place)), velocity, altitude,
        heard & ~ships & ~ground & (altitude > settings.low_m), heard & ships,
    )  # fmt: skip

    def common(local_m: Float64[Array, "n 2"]) -> Float64[Array, "n 3"]:
        return np.asarray(np.nan_to_num(_on_sphere(_from_plane(local_m, origin))))

    return Walk(advanced(shapes, seen, now_ns, settings, common), origin, place)


def _apart_m(a: Float64[Array, "n 2"], b: Float64[Array, "n 2"]) -> Float64[Array, " n"]:
    """Length of the chord between two places; NaN where one is not known."""
    return np.asarray(np.sqrt(((_on_sphere(a) - _on_sphere(b)) ** 2).sum(axis=1)))


def _on_sphere(place_deg: Float64[Array, "n 2"]) -> Float64[Array, "n 3"]:
    """Latitude and longitude on a sphere of the Earth's radius, m."""
    a, o = np.radians(place_deg[:, 0]), np.radians(place_deg[:, 1])
    return np.asarray(EARTH_M * np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], axis=1))


def _to_plane(place_deg: Float64[Array, "n 2"], origin_deg: Float64[Array, "n 2"]) -> Float64[Array, "n 2"]:
    """East and north of each one's origin, m: good to a part in a thousand over the circles that are looked for."""
    east = (place_deg[:, 1] - origin_deg[:, 1] + 180.0) % 360.0 - 180.0
    scale = np.cos(np.radians(origin_deg[:, 0]))
    return np.asarray(EARTH_M * np.radians(np.stack([east * scale, place_deg[:, 0] - origin_deg[:, 0]], axis=1)))


def _from_plane(local_m: Float64[Array, "n 2"], origin_deg: Float64[Array, "n 2"]) -> Float64[Array, "n 2"]:
    """The inverse of _to_plane."""
    degrees = np.degrees(local_m / EARTH_M)
    scale = np.maximum(np.cos(np.radians(origin_deg[:, 0])), 0.01)
    return np.stack([origin_deg[:, 0] + degrees[:, 1], origin_deg[:, 1] + degrees[:, 0] / scale], axis=1)


def joined(table: pl.DataFrame, flagged: pl.DataFrame) -> Int64[Array, " k"]:
    """Reason code of the shape that each sample stands in, 0 = none."""
    steps = table.select("key", (pl.col("time_ns") // STEP_NS).alias("step"))
    codes = steps.join(flagged, on=["key", "step"], how="left", maintain_order="left")["shape"]
    return np.array(codes.fill_null(0).to_numpy())
