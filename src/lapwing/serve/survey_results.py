"""What a survey leaves: Parquet tables, GeoJSON, CSV as gpsjam.org has it, a map in one HTML file, a summary."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing.engine.survey import BIN_NS, SHIP
from lapwing.engine.survey_events import Event, cause_columns
from lapwing.integrity.cells import boundaries, hexes, share
from lapwing.integrity.evidence import REASON_NAMES
from lapwing.records import Condition
from lapwing.serve.survey_map import page

DAY_NS = 86_400_000_000_000
CELLS_DRAWN_MAX = 30_000
SPELLS_DRAWN_MAX = 3_000


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that was not used, and why."""

    path: str
    reason: str


def moment(time_ns: int) -> str:
    """UTC to the second."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}Z"


def write_results(out: Path, tables: dict[str, pl.LazyFrame], events: list[Event]) -> pl.DataFrame:
    """All files of the results; the spells among them."""
    cells = with_share(summed(tables["cells"]), BIN_NS)
    days = with_share(summed(tables["days"]), DAY_NS)
    cells.write_parquet(out / "cells.parquet")
    days.write_parquet(out / "cells_day.parquet")
    _gpsjam(out / "gpsjam", days)
    spells = named(tables["intervals"].collect())
    spells.write_parquet(out / "intervals.parquet")
    event_table(events).write_parquet(out / "events.parquet")
    source_table(events).write_parquet(out / "sources.parquet")
    features = geojson(events)
    (out / "events.geojson").write_text(json.dumps(features), encoding="utf-8")
    (out / "map.html").write_text(page(drawn(cells), features, drawn_spells(spells)), encoding="utf-8")
    return spells


def summed(table: pl.LazyFrame) -> pl.DataFrame:
    """Counts of all partitions added up: speakers are never shared by two."""
    return table.group_by("cell", "bin").agg(pl.col("good", "bad").sum()).sort("bin", "cell").collect()


def with_share(counts: pl.DataFrame, bin_ns: int) -> pl.DataFrame:
    """Cells with the posterior of their affected share; null where there are too few speakers to say."""
    mean, low, high, enough = share(counts["good"].to_numpy(), counts["bad"].to_numpy())
    numbers = {"share": mean, "share_low": low, "share_high": high}
    return counts.select(
        pl.Series("hex", hexes(counts["cell"].to_numpy()), dtype=pl.String),
        (pl.col("bin") * bin_ns).alias("start_ns"),
        "good",
        "bad",
        pl.Series("enough", enough),
        *(pl.when(pl.Series(enough)).then(pl.Series(v)).alias(n) for n, v in numbers.items()),
        "cell",
    )


def _gpsjam(folder: Path, days: pl.DataFrame) -> None:
    """One CSV per day: hex, count_good_aircraft, count_bad_aircraft."""
    folder.mkdir(exist_ok=True)
    for (start_ns,), rows in days.partition_by("start_ns", as_dict=True).items():
        day = datetime.fromtimestamp(int(start_ns) // 10**9, UTC)
        columns = rows.select(
            "hex", pl.col("good").alias("count_good_aircraft"), pl.col("bad").alias("count_bad_aircraft")
        )
        columns.write_csv(folder / f"{day:%Y-%m-%d}-h3_4.csv")


def named(spells: pl.DataFrame) -> pl.DataFrame:
    """Intervals with words for codes."""
    return spells.sort("since_ns", "key").select(
        pl.when(pl.col("key") >= SHIP).then(pl.lit("ship")).otherwise(pl.lit("aircraft")).alias("kind"),
        (pl.col("key") % SHIP).alias("address"),
        pl.col("condition").replace_strict({int(c): c.name.lower() for c in Condition}, return_dtype=pl.String),
        pl.col("reason").replace_strict(dict(enumerate(REASON_NAMES)), return_dtype=pl.String),
        "since_ns",
        "until_ns",
        "latitude_deg",
        "longitude_deg",
    )


def event_table(events: list[Event]) -> pl.DataFrame:
    """One row per event."""
    schema: dict[str, Any] = {
        "event": pl.Int64, "since_ns": pl.Int64, "until_ns": pl.Int64, "latitude_deg": pl.Float64,
        "longitude_deg": pl.Float64, "radius_m": pl.Float64, "aircraft": pl.Int64, "ships": pl.Int64,
        "exposed": pl.Int64, "none": pl.Float64, "jamming": pl.Float64, "spoofing": pl.Float64, "both": pl.Float64,
        "equipment": pl.Float64, "outage": pl.Float64, "addresses": pl.List(pl.Int64),
    }  # fmt: skip
    rows = [
        {name: getattr(e, name) for name in list(schema)[:9]}
        | cause_columns(e)
        | {"addresses": [k % SHIP for k in e.keys]}
        for e in events
    ]
    return pl.DataFrame(rows, schema=schema)


def source_table(events: list[Event]) -> pl.DataFrame:
    """One row per likely source; `rings` as GeoJSON text."""
    schema = {
        "event": pl.Int64, "latitude_deg": pl.Float64, "longitude_deg": pl.Float64, "sigma_m": pl.Float64,
        "power_dbm": pl.Float64, "power_db_sigma": pl.Float64, "unique": pl.Boolean, "fit_p": pl.Float64,
        "beam_deg": pl.Float64, "bearing_deg": pl.Float64, "rings": pl.String,
    }  # fmt: skip
    rows = [{"event": e.event} | s | {"rings": json.dumps(s["rings"])} for e in events for s in e.sources]
    return pl.DataFrame(rows, schema=schema)


def geojson(events: list[Event]) -> dict[str, Any]:
    """Events as points, regions of their sources as polygons."""
    features = []
    for e in events:
        about = {
            "kind": "event", "event": e.event, "since": moment(e.since_ns), "until": moment(e.until_ns),
            "since_ns": str(e.since_ns), "until_ns": str(e.until_ns), "aircraft": e.aircraft, "ships": e.ships,
            "exposed": e.exposed, "radius_m": round(e.radius_m),
            "causes": {k: round(v, 3) for k, v in cause_columns(e).items()},
            "addresses": [f"{k:06x}" if k < SHIP else str(k % SHIP) for k in e.keys],
        }  # fmt: skip
        point = [round(e.longitude_deg, 5), round(e.latitude_deg, 5)]
        features.append({"type": "Feature", "geometry": {"type": "Point", "coordinates": point}, "properties": about})
        for s in e.sources:
            told = {k: v for k, v in s.items() if k != "rings"}
            features += [
                {
                    "type": "Feature",
                    "geometry": {"type": "Polygon", "coordinates": [r["ring"]]},
                    "properties": {"kind": "source", "event": e.event, "share": r["share"]} | told,
                }
                for r in s["rings"]
            ]
    return {"type": "FeatureCollection", "features": features}


def drawn(cells: pl.DataFrame) -> dict[str, Any]:
    """Cells for the map, those with most affected first where there are too many, by ten minutes."""
    some = cells.sort("bad", "good", descending=True).head(CELLS_DRAWN_MAX).sort("start_ns")
    ids = some["cell"].unique().sort().to_numpy()
    rings = boundaries(ids) if len(ids) else []
    rows = some.select("start_ns", "good", "bad", "share").with_columns(
        pl.Series("ring", np.searchsorted(ids, some["cell"].to_numpy())), pl.col("start_ns") // 10**9
    )
    return {"rings": rings, "rows": [[round(v, 4) if isinstance(v, float) else v for v in r] for r in rows.rows()]}


def drawn_spells(spells: pl.DataFrame) -> dict[str, Any]:
    """Spells for the map, the longest where there are too many; times in seconds."""
    longest = spells.sort(pl.col("until_ns") - pl.col("since_ns"), descending=True).head(SPELLS_DRAWN_MAX)
    rows = longest.sort("since_ns", "address").with_columns(
        pl.col("since_ns", "until_ns") // 10**9, pl.col("latitude_deg", "longitude_deg").round(5)
    )
    return {"rows": [list(r) for r in rows.rows()], "left_out": len(spells) - len(rows)}


def summary(out: Path, inputs: int, skipped: list[Skipped], events: list[Event], spells: pl.DataFrame) -> str:
    """What was found and what was not read, for a person."""
    lines = [f"{inputs - len(skipped)} of {inputs} inputs read, {len(events)} events of interference; results in {out}"]
    if spells.height:
        who = spells.select("kind", "address").n_unique()
        lines.append(f"  {spells.height} spells without sound navigation, of {who} speakers: intervals.parquet")
    for e in events[:20]:
        cause, p = max(cause_columns(e).items(), key=lambda x: x[1])
        where = f"{e.latitude_deg:.2f} {e.longitude_deg:.2f}"
        sure = e.sources and all(s["unique"] for s in e.sources)
        source = ", ".join(f"source near {s['latitude_deg']:.2f} {s['longitude_deg']:.2f}" for s in e.sources)
        lines.append(
            f"  {moment(e.since_ns)} to {moment(e.until_ns)} near {where}: {e.aircraft} aircraft, {e.ships} ships, "
            f"{cause} {100 * p:.0f} %, {source if sure else 'no unique source'}"
        )
    if skipped:
        lines.append(f"skipped {len(skipped)}:")
        lines += [f"  {s.reason}" for s in skipped]
    text = "\n".join(lines)
    (out / "summary.txt").write_text(text + "\n", encoding="utf-8")
    return text
