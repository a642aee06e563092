"""Cells over time: the worst of ten minutes counts, where the affected last truly were, and twice is once."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lapwing.engine.cell_history import BIN_NS, CellHistory, shares
from lapwing.integrity import IntegritySettings, start, step
from lapwing.integrity.cells import hexes, library_cells
from lapwing.records import Alarms, Field, Picture, Position, Tracks
from lapwing.serve.web_cells import cells
from tests.integrity.test_integrity import Sky, jam

ORIGIN = Position(math.radians(50.0), math.radians(10.0), 0.0)
S = 10**9


def pictures(seconds, hit=3, n=6, height=10_000.0):
    """n airliners in a row, `hit` of them jammed from second 60 on."""
    sky, settings = Sky(n), IntegritySettings()
    state = start(settings)
    for t in range(0, seconds, 5):
        jam(sky, t, hit)
        sky.extra = {Field.ALTITUDE_BARO_M: np.full(n, height)}
        claims = replace(sky.claims(t), mean=np.tile([1_000.0, 500.0, 0, 0, 0, 0], (n, 1)))
        state, verdict = step(state, claims, Tracks.empty(claims.time_ns), settings)
        yield Picture(t, claims.time_ns, 0, Tracks.empty(claims.time_ns), claims, verdict, Alarms.empty(), ())


def filled(folder, **world):
    store = CellHistory(folder, ORIGIN)
    for picture in pictures(200, **world):
        store.add(picture)
    return store


def test_the_worst_of_ten_minutes_counts_in_the_cell_of_the_last_true_place(tmp_path):
    store = filled(tmp_path)
    rows = store.query(0, 10**13)
    c = shares(rows)
    assert c["good"].tolist() == [3]
    assert c["bad"].tolist() == [3]
    assert c["start_ns"].tolist() == [1_000 * S // BIN_NS * BIN_NS]
    assert hexes(c["cell"]) == hexes(library_cells(np.array([50.0045]), np.array([10.014]), 4))
    told = cells(rows)
    assert 0.0 < told["cells"]["share_low"][0] < told["cells"]["share"][0] < told["cells"]["share_high"][0] < 1.0
    assert told["rings"][told["cells"]["hex"][0]][0] == told["rings"][told["cells"]["hex"][0]][-1]
    assert len(told["affected"]) == 3
    assert "fell to 0" in told["affected"][0]["reason"]
    assert int(told["affected"][0]["since_ns"]) > 1_055 * S
    assert store.query(0, 600 * S).is_empty()


def test_too_few_are_said_to_be_too_few_and_low_aircraft_do_not_count(tmp_path):
    told = cells(filled(tmp_path / "few", n=2, hit=1).query(0, 10**13))
    assert told["cells"]["enough"] == [False]
    assert told["cells"]["share"] == [None]
    assert told["cells"]["bad"] == [1]
    assert filled(tmp_path / "low", height=300.0).query(0, 10**13).is_empty()
    assert cells(CellHistory(tmp_path / "none", ORIGIN).query(0, 10**13))["affected"] == []


def test_what_is_written_twice_counts_once_and_survives_a_restart(tmp_path):
    store = filled(tmp_path)
    store.flush()
    before = store.query(0, 10**13)
    again = CellHistory(tmp_path, ORIGIN)
    assert again.query(0, 10**13).equals(before)
    for picture in pictures(200):
        again.add(picture)
    again.flush()
    again.flush()
    assert shares(CellHistory(tmp_path, ORIGIN).query(0, 10**13))["bad"].tolist() == [3]
    assert len(list(tmp_path.glob("*"))) == 1


def test_a_disk_that_fails_is_told_and_the_rows_are_kept(tmp_path):
    (tmp_path / "cells").write_text("a file in the way")
    store = filled(tmp_path / "cells")
    with pytest.raises(OSError, match="cannot be written"):
        store.flush()
    (tmp_path / "cells").unlink()
    store.flush()
    assert isinstance(CellHistory(tmp_path / "cells", ORIGIN).query(0, 10**13), pl.DataFrame)
    assert len(store.query(0, 10**13)) == 6
