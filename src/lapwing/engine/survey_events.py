"""Events of a survey: where and when the sequential test alarms on summed counts, who was affected, why, from where.
Axes: b blocks, e events.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from lapwing.engine.survey import DEGREE_M, STEP_M, STEP_NS
from lapwing.integrity.causes import CauseSettings, Outcome, posterior
from lapwing.integrity.detection import DetectionSettings, ratio
from lapwing.integrity.evidence import SPOOF_REASONS
from lapwing.integrity.search import explain
from lapwing.integrity.source import SourceSettings, affected_speakers, make_looks, outline
from lapwing.kernel import condition as kernel
from lapwing.records import CAUSES, Array

# The live test's settings at the survey's step: three times the loss per step.
DETECTION = replace(DetectionSettings(), step_s=30.0, null_mean=9e-4)
LINK_NS = 1_200_000_000_000  # alarms this close in time belong together
GAP_NS = 600_000_000_000
NEAR_M = 250_000.0
SPEAKERS_MAX = 200
EARTH_M = 6_371_000.0


@dataclass(frozen=True, slots=True)
class Event:
    """One period of interference: place, time, who, why, from where."""

    event: int
    since_ns: int
    until_ns: int
    latitude_deg: float
    longitude_deg: float
    radius_m: float
    aircraft: int
    ships: int
    exposed: int
    causes: tuple[float, ...]
    sources: tuple[dict[str, Any], ...]
    keys: tuple[int, ...]


def alarms(steps: pl.DataFrame) -> pl.DataFrame:
    """Row, column and step at which a block's statistic is over the threshold, from summed step counts."""
    schema = {"row": pl.Int64, "column": pl.Int64, "step": pl.Int64}
    losers = steps.filter(pl.col("lost") > 0).select("row", "column").unique()
    if not len(losers):
        return pl.DataFrame(schema=schema)
    shifts = pl.DataFrame({"dr": [-1, 0, 1] * 3, "dc": [-1] * 3 + [0] * 3 + [1] * 3})
    moved = losers.join(shifts, how="cross").with_columns(pl.col("row") + pl.col("dr"), pl.col("column") + pl.col("dc"))
    blocks = moved.select("row", "column").unique()
    members = blocks.join(shifts, how="cross").with_columns(
        (pl.col("row") + pl.col("dr")).alias("r"), (pl.col("column") + pl.col("dc")).alias("c")
    )
    counts = (
        members.join(steps, left_on=["r", "c"], right_on=["row", "column"])
        .group_by("row", "column", "step")
        .agg(pl.col("exposed", "lost").sum())
        .sort("row", "column", "step")
    )
    lost, exposed = counts["lost"].to_numpy(), counts["exposed"].to_numpy()
    exposed = np.maximum(exposed, lost)
    block = counts["row"].to_numpy() * 100_000 + counts["column"].to_numpy()
    first = np.diff(block, prepend=block[:1] - 1) != 0
    over = np.zeros(len(block), bool)
    for alternative in (DETECTION.many, DETECTION.few):
        over |= _over(ratio(lost, exposed, alternative, DETECTION), first)
    return counts.filter(over).select("row", "column", "step")


def _over(grown: Array, first: Array) -> Array:
    """CUSUM along each block's steps; True where it is over the threshold."""
    out, value = np.zeros(len(grown), bool), 0.0
    for i, (g, new) in enumerate(zip(grown.tolist(), first.tolist(), strict=True)):
        value = min(max((0.0 if new else value) + g, 0.0), DETECTION.statistic_max)
        out[i] = value >= DETECTION.threshold
    return out


def grouped(found: pl.DataFrame) -> list[pl.DataFrame]:
    """Alarms that hang together in place (two cells) and time."""
    rows = found.sort("step").to_numpy()
    groups: list[dict[str, Any]] = []
    for row, column, step in rows.tolist():
        mine = [
            g for g in groups
            if (step - g["last"]) * STEP_NS <= LINK_NS
            and g["r0"] - 2 <= row <= g["r1"] + 2 and g["c0"] - 2 <= column <= g["c1"] + 2
        ]  # fmt: skip
        joined = {"last": step, "r0": row, "r1": row, "c0": column, "c1": column, "rows": [(row, column, step)]}
        for g in mine:
            groups.remove(g)
            joined["rows"] = g["rows"] + joined["rows"]
            for name, pick in (("r0", min), ("r1", max), ("c0", min), ("c1", max)):
                joined[name] = pick(joined[name], g[name])
        groups.append(joined)
    schema = ["row", "column", "step"]
    return [pl.DataFrame(g["rows"], schema=schema, orient="row") for g in groups]


def to_local(latitude_deg: Array, longitude_deg: Array, centre: tuple[float, float]) -> tuple[Array, Array]:
    """East and north on the azimuthal equidistant plane around a centre (degrees): true distances from it."""
    a, o = np.radians(latitude_deg), np.radians(longitude_deg - centre[1])
    a0 = np.radians(centre[0])
    c = np.clip(np.sin(a0) * np.sin(a) + np.cos(a0) * np.cos(a) * np.cos(o), -1.0, 1.0)
    angle = np.arccos(c)
    k = EARTH_M * np.where(angle < 1e-9, 1.0, angle / np.maximum(np.sin(angle), 1e-12))
    return k * np.cos(a) * np.sin(o), k * (np.cos(a0) * np.sin(a) - np.sin(a0) * np.cos(a) * np.cos(o))


def to_degrees(east_m: Array, north_m: Array, centre: tuple[float, float]) -> tuple[Array, Array]:
    """The inverse of to_local."""
    d = np.hypot(east_m, north_m) / EARTH_M
    bearing = np.arctan2(east_m, north_m)
    a0 = np.radians(centre[0])
    a = np.arcsin(np.sin(a0) * np.cos(d) + np.cos(a0) * np.sin(d) * np.cos(bearing))
    o = np.arctan2(np.sin(bearing) * np.sin(d) * np.cos(a0), np.cos(d) - np.sin(a0) * np.sin(a))
    return np.degrees(a), (np.degrees(o) + centre[1] + 180.0) % 360.0 - 180.0


def event_of(
    number: int, group: pl.DataFrame, intervals: pl.DataFrame, near: Callable[..., pl.DataFrame]
) -> Event | None:
    """The event of one group of alarms; None when fewer than three speakers were affected. `near(centre, reach_m,
    since_ns, until_ns)` gives the looks of that place and time."""
    begin, end = (int(group["step"].min()), int(group["step"].max()))  # type: ignore[arg-type]
    since, until = begin * STEP_NS - GAP_NS, (end + 1) * STEP_NS + GAP_NS
    latitude = (float(group["row"].mean()) + 0.5) * STEP_M / DEGREE_M  # type: ignore[arg-type]
    column = float(group["column"].mean()) + 0.5  # type: ignore[arg-type]
    centre = (latitude, column * STEP_M / DEGREE_M / max(np.cos(np.radians(latitude)), 0.01))
    wide = STEP_M * (2 + max(np.ptp(group["row"].to_numpy()), np.ptp(group["column"].to_numpy())))
    there = intervals.filter(
        np.hypot(*to_local(intervals["latitude_deg"].to_numpy(), intervals["longitude_deg"].to_numpy(), centre)) <= wide
    )
    spells = there.filter((pl.col("since_ns") < until) & (pl.col("until_ns") > since))
    while len(spells) and (last := int(spells["until_ns"].max())) + GAP_NS > until:  # type: ignore[arg-type]
        until = last + GAP_NS  # it goes on while somebody there is affected
        spells = there.filter((pl.col("since_ns") < until) & (pl.col("until_ns") > since))
    keys = spells["key"].unique().sort()
    if len(keys) < 3:
        return None
    place = (float(spells["latitude_deg"].mean()), float(spells["longitude_deg"].mean()))  # type: ignore[arg-type]
    radius = float(
        np.hypot(*to_local(spells["latitude_deg"].to_numpy(), spells["longitude_deg"].to_numpy(), place)).max()
    )
    since_ns = int(spells.filter(pl.col("since_ns") >= since)["since_ns"].min() or since)  # type: ignore[arg-type]
    until_ns = int(spells["until_ns"].max())  # type: ignore[arg-type]
    seen = near(place, radius + NEAR_M, since, until)
    causes, exposed = _causes(spells, seen, place, radius)
    sources = _sources(seen, place) if len(keys) >= 3 else ()
    ships = int((keys >= 1 << 40).sum())
    return Event(
        number, since_ns, until_ns, *place, radius, len(keys) - ships, ships, exposed, causes, sources,
        tuple(keys.to_list()),
    )  # fmt: skip


def _causes(
    spells: pl.DataFrame, seen: pl.DataFrame, centre: tuple[float, float], radius_m: float
) -> tuple[tuple[float, ...], int]:
    """Probabilities of CAUSES and how many were exposed: what became of everybody inside."""
    false = pl.col("reason").is_in(list(SPOOF_REASONS)).any()
    silent = (pl.col("reason") == kernel.SILENT).all()
    worst = spells.group_by("key").agg(false.alias("false"), silent.alias("silent"))
    away = np.hypot(*to_local(seen["latitude_deg"].to_numpy(), seen["longitude_deg"].to_numpy(), centre))
    inside = seen.filter(away <= radius_m + 1.0)["key"].unique()
    exposed = len(set(inside.to_list()) | set(worst["key"].to_list()))
    counts = np.zeros((1, len(Outcome)), np.int64)
    counts[0, Outcome.FALSE] = int(worst["false"].sum())
    counts[0, Outcome.POORER] = len(worst) - counts[0, Outcome.FALSE]
    counts[0, Outcome.FINE] = exposed - len(worst)
    return tuple(posterior(counts, CauseSettings())[0].tolist()), exposed


def _sources(seen: pl.DataFrame, centre: tuple[float, float]) -> tuple[dict[str, Any], ...]:
    """Likely sources with the rings of their regions, in degrees."""
    settings = SourceSettings()
    order = seen.group_by("key").agg(pl.col("affected").max()).sort("affected", "key", descending=[True, False])
    chosen = seen.join(order.head(SPEAKERS_MAX).select("key"), on="key").sort("key", "time_ns")
    if int((order["affected"] > 0).sum()) < settings.affected_min:
        return ()
    east, north = to_local(chosen["latitude_deg"].to_numpy(), chosen["longitude_deg"].to_numpy(), centre)
    place = np.stack([east, north, chosen["altitude_m"].cast(pl.Float64).to_numpy()], axis=1)
    hit = chosen["affected"].to_numpy() > 0
    looks = make_looks(chosen["key"].to_numpy(), chosen["time_ns"].to_numpy(), place, hit, settings.looks_per_speaker)
    if affected_speakers(looks) < settings.affected_min:
        return ()
    out = []
    for p in explain(looks, settings):
        latitude, longitude = to_degrees(np.array(p.mean_m[:1]), np.array(p.mean_m[1:]), centre)
        rings = []
        for share in (0.5, 0.9):
            for ring in outline(p, share):
                a, o = to_degrees(ring[:, 0], ring[:, 1], centre)
                rings.append({"share": share, "ring": np.round(np.stack([o, a], axis=1), 5).tolist()})
        out.append(
            {
                "latitude_deg": float(latitude[0]), "longitude_deg": float(longitude[0]), "sigma_m": p.sigma_m,
                "power_dbm": p.power_dbm, "power_db_sigma": p.power_db_sigma, "unique": p.unique, "fit_p": p.fit_p,
                "beam_deg": float(np.degrees(p.beam.width_rad)), "bearing_deg": float(np.degrees(p.beam.bearing_rad)),
                "rings": rings,
            }
        )  # fmt: skip
    return tuple(out)


def cause_columns(event: Event) -> dict[str, float]:
    """Probabilities by name."""
    return dict(zip(CAUSES, event.causes, strict=True))
