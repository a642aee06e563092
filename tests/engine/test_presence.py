"""Presence: who was there in which minute, cell and feed; the same again changes nothing; on the disk by hour."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lapwing.engine.hours import HOURS_MAX, Hours
from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import CELLS, EVERY_NS, LIKELY, MINUTE_NS, WHO, Presence, _merged_cells
from lapwing.integrity.cells import library_cells
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Classes, FeedHealth, Kind
from tests.serve.fake_shelf import ORIGIN, START_NS, World

WORLD = World()
HOUR0 = START_NS - START_NS % HOUR_NS


def rows(store, since=0, until=2**62):
    return pl.concat([r for _, r in store.between(since, until)])


def pictures(ticks):
    return [WORLD.picture(t) for t in ticks]


@pytest.mark.parametrize("flushed", [False, True])
def test_who_was_there_by_the_definition(tmp_path, flushed):
    p = Presence(tmp_path, ORIGIN)
    shown = pictures(range(25, 2000, 25))  # one look in five seconds
    for picture in shown:
        p.add(picture)
        if flushed and picture.tick % 500 == 0:
            p.flush()
    if flushed:
        p.flush()
        p = Presence(tmp_path, ORIGIN)  # after a restart
    got = {(r["who"], r["id"], r["name"]): r for r in rows(p.persons).iter_rows(named=True)}
    want = {}
    origin = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    for picture in shown:
        t, c = picture.tracks, picture.claims
        seen = [(0, int(i), "", m) for i, m, s in zip(t.track_id, t.mean, t.status, strict=True) if s != 0]
        book = [1 + (s >= 6) + (s >= 8) for s in c.source.tolist()]
        seen += [
            (b, int(a), n, m)
            for b, a, n, m, placed in zip(book, c.address, c.names, c.mean, c.has_position, strict=True)
            if placed
        ]
        for who, ident, name, mean in seen:
            key = (who, ident, name)
            lat, _, height = (float(v[0]) for v in enu_to_geodetic(origin, mean[None, :3]))
            old = want.setdefault(key, {"minutes": set(), "first": picture.time_ns, "lat": [], "h": []})
            old["minutes"].add((picture.time_ns - HOUR0) // MINUTE_NS)
            old["last"] = picture.time_ns
            old["lat"].append(np.degrees(lat))
            old["h"].append(height)
    assert set(got) == set(want)
    for key, w in want.items():
        g = got[key]
        assert {m for m in range(60) if g["minutes"] >> m & 1} == w["minutes"]
        assert (g["first_ns"], g["last_ns"]) == (w["first"], w["last"])
        assert g["south_deg"] == pytest.approx(min(w["lat"]))
        assert g["north_deg"] == pytest.approx(max(w["lat"]))
        assert g["high_m"] == pytest.approx(max(w["h"]), rel=1e-5)
    assert {WHO[k[0]] for k in got} == set(WHO)


def test_the_same_again_changes_nothing(tmp_path):
    once, twice = Presence(tmp_path / "a", ORIGIN), Presence(tmp_path / "b", ORIGIN)
    for picture in pictures(range(25, 1000, 25)):
        once.add(picture)
        twice.add(picture)
    twice.flush()
    again = Presence(tmp_path / "b", ORIGIN)
    for picture in pictures(range(500, 1000, 25)):  # the tail after a crash
        again.add(picture)
    for name in ("persons", "cells", "feeds"):
        assert_frame_equal(rows(getattr(once, name)), rows(getattr(again, name)))


def test_cells_are_finer_near_the_site_and_kinds_are_kept(tmp_path):
    p = Presence(tmp_path, ORIGIN)
    picture = WORLD.picture(600)
    n = len(picture.tracks)
    far = np.array(picture.tracks.mean)
    far[0, :2], far[1, :2], far[2, :2] = (100.0, 100.0), (20_000.0, 0.0), (0.0, 200_000.0)
    probability = np.full((n, len(Kind)), 0.05)
    probability[:, Kind.BIRD] = 0.65
    classes = Classes(picture.tracks.track_id, probability)
    p.add(replace(picture, tracks=replace(picture.tracks, mean=far), classes=classes))
    told = rows(p.persons).filter(pl.col("who") == 0)
    assert set((told["likely"] % LIKELY).to_list()) == {Kind.BIRD}
    assert set((told["likely"] // LIKELY).to_list()) == {6500}
    here = told.filter(pl.col("id") <= 3).sort("id")
    cells = set(rows(p.cells)["cell"].to_list())
    for row, resolution in zip(here.iter_rows(named=True), (9, 7, 5), strict=True):
        at = np.array([row["south_deg"]]), np.array([row["west_deg"]])
        assert int(library_cells(*at, resolution)[0]) in cells


def test_feeds_are_heard_or_silent(tmp_path):
    p = Presence(tmp_path, ORIGIN)
    base = WORLD.picture(600)
    for k, (received, quiet) in enumerate([(0, False), (5, False), (5, True)]):
        feed = FeedHealth("radar", 1, 1, 10 * k, k, received, 0.0, quiet, "", 0, b"")
        p.add(replace(base, time_ns=HOUR0 + k * MINUTE_NS, feeds=(feed,)))
    (row,) = rows(p.feeds).iter_rows(named=True)
    assert (row["heard"], row["silent"]) == (0b010, 0b101)
    assert (row["messages_low"], row["messages_high"], row["faults_high"]) == (0, 20, 2)


def test_an_empty_sky_and_looks_that_come_too_often(tmp_path):
    p = Presence(tmp_path, ORIGIN)
    p.add(World(0, 0).picture(600))
    assert list(p.persons.between(0, 2**62)) == []
    assert list(p.cells.between(0, 2**62)) == []
    p.add(replace(WORLD.picture(601), time_ns=World(0, 0).picture(600).time_ns + EVERY_NS - 1))
    assert list(p.persons.between(0, 2**62)) == []
    p.flush()
    assert not (tmp_path / "persons").exists()


def table(cell):
    return pl.DataFrame({"cell": [cell], "who": [0], "minutes": [1]}).cast(CELLS)


def test_hours_are_apart_in_order_and_bounded(tmp_path):
    h = Hours(tmp_path, CELLS, _merged_cells)
    for hour in (5, 3, 4):
        h.add(hour * HOUR_NS, table(hour))
    h.flush()
    h.add(6 * HOUR_NS + 5, table(6))
    assert [n // HOUR_NS for n, _ in h.between(4 * HOUR_NS, 6 * HOUR_NS + 1)] == [4, 5, 6]
    assert [n // HOUR_NS for n, _ in h.between(3 * HOUR_NS + 5, 6 * HOUR_NS, newest_first=True)] == [5, 4, 3]
    assert list(h.between(7 * HOUR_NS, 9 * HOUR_NS)) == []
    (tmp_path / "4.parquet").write_bytes(b"no table")
    with pytest.raises(OSError, match="cannot be read"):
        list(h.between(0, 9 * HOUR_NS))
    h.add(4 * HOUR_NS, table(1))
    with pytest.raises(OSError, match="cannot be written"):
        h.flush()


def test_a_full_disk_keeps_the_newest_hours(tmp_path):
    blocked = tmp_path / "presence"
    blocked.write_text("a file where the folder should be")
    h = Hours(blocked, CELLS, _merged_cells)
    for hour in range(HOURS_MAX + 4):
        h.add(hour * HOUR_NS, table(hour))
    with pytest.raises(OSError, match="cannot be written"):
        h.flush()
    blocked.unlink()
    h.flush()
    assert len(list(blocked.glob("*.parquet"))) == HOURS_MAX


def test_a_height_that_nobody_measured_is_none_and_hides_none_that_was(tmp_path):
    picture = WORLD.picture(200)
    vague = picture.tracks.cov.copy()
    vague[:, 2, 2] = 3_000.0**2  # a radar without elevation
    flat = replace(picture, tracks=replace(picture.tracks, cov=vague))
    p = Presence(tmp_path, ORIGIN)
    p.add(flat)
    p.flush()
    tracks = rows(p.persons).filter(pl.col("who") == 0)
    assert len(tracks) > 0
    assert tracks["low_m"].null_count() == tracks["high_m"].null_count() == len(tracks)
    assert rows(p.persons).filter(pl.col("who") > 0)["low_m"].null_count() == 0
    later = picture.time_ns + EVERY_NS
    p.add(replace(picture, tick=picture.tick + 25, time_ns=later))  # now something measures heights
    p.flush()
    tracks = rows(p.persons).filter(pl.col("who") == 0)
    assert tracks["low_m"].null_count() == tracks["high_m"].null_count() == 0
