"""`lapwing track` makes radars agree that place targets differently, unless its settings say not to."""

import numpy as np
import polars as pl
import pytest

from lapwing.serve.tracking import TrackingError, load_settings, track_file
from lapwing.track import AlignSettings
from tests.track.test_track_aligned import MODELS, RIGHT, WRONG
from tests.track.test_track_shared import OTHER, A, drones, moved, scan_of

SITE = """name = "Two radars"
[origin]
latitude_deg = {origin[0]}
longitude_deg = {origin[1]}
height_m = 0.0
"""
SENSOR = """
[[sensor]]
name = "{name}"
kind = "radar"
range_max_m = 40000.0
period_s = 4.0
range_sigma_m = 30.0
azimuth_sigma_deg = 0.2
clutter_per_scan = 10.0
p_detect = 0.9
[sensor.at]
latitude_deg = {at[0]}
longitude_deg = {at[1]}
height_m = 60.0
"""


def written(folder, seconds=160):
    """Twelve drones as two radars measure them, the second one wrongly: a file of detections and its site."""
    rng, rows = np.random.default_rng(5), []
    x = drones(rng, 12)
    for k in range(1, seconds // 2 + 1):
        x = moved(rng, x)
        scan, _ = scan_of(rng, MODELS["AB"[k % 2]], x, (RIGHT, WRONG)[k % 2], 2 * k * 10**9)
        columns = {"scan_ns": [scan.scan_ns] * len(scan), "sensor": [scan.sensor] * len(scan), "time_ns": scan.time_ns}
        rows.append(pl.DataFrame(columns | {"range_m": scan.z[:, 0], "azimuth_rad": scan.z[:, 1] % (2.0 * np.pi)}))
    pl.concat(rows).write_parquet(folder / "detections.parquet")
    origin = np.degrees([0.9, 0.4])
    places = {"A": A.position, "B": OTHER.position}
    text = SITE.format(origin=origin)
    for name, p in places.items():
        text += SENSOR.format(name=name, at=np.degrees([p.latitude_rad, p.longitude_rad]))
    (folder / "site.toml").write_text(text)
    (folder / "off.toml").write_text("[align]\nevery_s = 0.0\n")


def test_a_file_of_a_radar_that_is_off_has_one_track_per_target(tmp_path):
    """The last 40 s: tracks at a time, and the share of plots that go to tracks which both radars feed."""
    written(tmp_path)
    count, both = {}, {}
    for name, settings in (("on", None), ("off", tmp_path / "off.toml")):
        out, told = tmp_path / f"{name}.parquet", tmp_path / f"{name}-innovations.parquet"
        track_file(tmp_path / "detections.parquet", tmp_path / "site.toml", out, settings, told)
        tracks, given = pl.read_parquet(out), pl.read_parquet(told)
        assert (given["scan_ns"].to_numpy() % (2 * 10**9) == 0).all()  # as in the file, whatever the clock turned out
        late = pl.col("time_ns") > tracks["time_ns"].max() - 40 * 10**9
        count[name] = len(tracks.filter(late, pl.col("existence") > 0.5)) / tracks.filter(late)["time_ns"].n_unique()
        given = given.filter(pl.col("scan_ns") > given["scan_ns"].max() - 40 * 10**9, pl.col("weight") > 0.5)
        both[name] = given.select((pl.col("sensor").n_unique().over("track_id") == 2).mean()).item()
    assert count["on"] < 12.5
    assert count["off"] > 13.0
    assert both["on"] > 0.97
    assert both["off"] < 0.9


def test_settings_say_whether_and_when(tmp_path):
    path = tmp_path / "s.toml"
    assert load_settings(None).align == AlignSettings()
    path.write_text("[align]\nevery_s = 0.0\n")
    assert load_settings(path).align is None
    path.write_text("[align]\ngain_min = 20.0\n")
    assert load_settings(path).align == AlignSettings(gain_min=20.0)
    path.write_text("[align]\ngain_min = -1.0\n")
    with pytest.raises(TrackingError, match="AlignSettings"):
        load_settings(path)
