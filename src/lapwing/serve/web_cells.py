"""GET /v1/cells: the map products of GNSS interference over time, as JSON columns. Reads the store; cannot reach the
engine."""

from typing import Any

import polars as pl

from lapwing.engine.cell_history import BIN_NS, shares
from lapwing.integrity.cells import boundaries, hexes

KINDS = ("aircraft", "ship", "remote_id")
AFFECTED_MAX = 2_000


def cells(rows: pl.DataFrame) -> dict[str, Any]:
    """Cells of every ten minutes (share null where too few were there), the ring of each cell once, and who was
    affected with the evidence; times as text, because they do not fit a double."""
    c = shares(rows)
    enough = c["enough"].tolist()
    told = {
        name: [round(v, 4) if yes else None for v, yes in zip(c[name].tolist(), enough, strict=True)]
        for name in ("share", "share_low", "share_high")
    }
    ids = rows["cell"].unique().sort().to_numpy()
    return {
        "bin_s": BIN_NS // 10**9,
        "cells": {
            "start_ns": [str(v) for v in c["start_ns"].tolist()],
            "hex": hexes(c["cell"]),
            "good": c["good"].tolist(),
            "bad": c["bad"].tolist(),
            "enough": enough,
            **told,
        },
        "rings": dict(zip(hexes(ids), boundaries(ids), strict=True)) if len(ids) else {},
        "affected": affected(rows),
        "affected_left_out": max(int(rows["bad"].sum()) - AFFECTED_MAX, 0),
    }


def affected(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Who was affected where and when, and why it is thought so; the newest first."""
    hit = rows.filter("bad").sort("bin", "key", "cell", descending=[True, False, False]).head(AFFECTED_MAX)
    return [
        {
            "start_ns": str(r["bin"] * BIN_NS),
            "kind": KINDS[min(r["key"] >> 40, 2)],
            "address": r["key"] & ((1 << 40) - 1),
            "hex": f"{r['cell']:x}",
            "since_ns": str(r["since_ns"]),
            "reason": r["reason"],
        }
        for r in hit.iter_rows(named=True)
    ]
