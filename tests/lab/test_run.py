"""Headless runs: the naive tracker, pass marks, the picture's scores, the report."""

import json
import tomllib
from concurrent.futures import Future

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lapwing_lab import baseline, files, run
from lapwing_lab.cli import app
from lapwing_lab.examine import Measure, examine
from lapwing_lab.files import FileError, Scan
from lapwing_lab.plots import Plot, ticks
from lapwing_lab.run import Result, expected, judged, marks, product, shown_share, watch
from lapwing_lab.scenario import build
from lapwing_lab.simulate import record
from tests.lab.test_world import SMALL

RUN = CliRunner()
TINY = """
name = "tiny"
title = "Tiny"
seed = 3
[arrays]
kind = "constant_velocity"
targets = 4
scans = 25
period_s = 1.0
noise_m2ps3 = 0.5
side_m = 1500.0
sigma_m = 5.0
p_detect = 0.95
clutter_per_scan = 1.0
speed_mps_sigma = 8.0
lifetime_s = 100000.0
cutoff_m = 50.0
skip_s = 8.0
[pass]
completeness_min = 0.5
gospa_max = 1.0
"""


def test_a_run_of_a_scenario_scores_both_trackers_and_judges_its_marks(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    command = ["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out"), "--expected", str(tmp_path)]
    said = RUN.invoke(app, command)
    assert said.exit_code == 1, said.output  # a GOSPA of one metre is asked for
    assert "NOT MET gospa_max" in said.output
    assert "met    completeness_min" in said.output
    names = [p.name for p in (tmp_path / "out").iterdir()]
    assert {"tracks.parquet", "naive.parquet", "truth.parquet"} <= set(names)
    csv = next(tmp_path.glob("**/tiny.csv")).read_text().splitlines()
    assert csv[0] == "tracker,score,runs,mean"
    assert any(line.startswith("lapwing,gospa,1,") for line in csv)
    page = RUN.invoke(app, ["report", str(tmp_path / "out")])
    assert page.exit_code == 0, page.output
    kept = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert kept["together"]["lapwing"]["gospa"]["value"] == kept["runs"][0]["trackers"]["lapwing"]["gospa"]
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("<svg") == 7
    assert "http" not in html  # nothing is fetched
    assert "nan" not in html
    assert RUN.invoke(app, ["report", str(tmp_path)]).exit_code == 2


def test_a_report_shows_what_several_runs_say_together(tmp_path):
    place = {"value": 900.0, "low": 100.0, "high": 38400.0, "samples": 7}
    together = {
        "lapwing": {"gospa": {"value": 2.5, "low": 2.0, "high": 3.0, "samples": 7}},
        "picture": {"alarms": {"value": 4.0, "low": 4.0, "high": 4.0, "samples": 1}},
        "all runs": {"source_error_m_median": place, "source_in_50_share": place | {"value": 0.571}},
    }
    (tmp_path / "scores.json").write_text(json.dumps({"scenario": "x", "runs": [{}] * 7, "together": together}))
    said = RUN.invoke(app, ["report", str(tmp_path), "--title", "Jammers & ships"])
    assert said.exit_code == 0, said.output
    html = (tmp_path / "report.html").read_text()
    assert "<h1>Jammers &amp; ships</h1>" in html
    assert "<tr><td>source error m median</td><td>900</td><td>100 to 38400</td><td>7</td></tr>" in html
    assert "<tr><td>source in 50 share</td><td>0.571</td>" in html
    assert "<tr><td>alarms</td><td>4</td><td></td><td>1</td></tr>" in html
    assert [html.count(f"<h2>{title}, 7 runs</h2>") for title in ("Counted over all runs", "Lapwing's tracker")] == [
        1,
        1,
    ]
    (tmp_path / "scores.json").write_text(json.dumps({"runs": [{}], "together": together}))
    assert RUN.invoke(app, ["report", str(tmp_path)]).exit_code == 0
    html = (tmp_path / "report.html").read_text()
    assert ("The picture" in html, "Lapwing's tracker" in html) == (True, False)  # one run: its own table says it
    for wrong in ("[]", "{", '{"runs": [1], "together": {"picture": {"a": 3}}}'):
        (tmp_path / "scores.json").write_text(wrong)
        said = RUN.invoke(app, ["report", str(tmp_path)])
        assert (said.exit_code, "not the scores" in said.output) == (2, True)


def test_the_naive_tracker_confirms_holds_and_ends(tmp_path):
    (tmp_path / "site.toml").write_text(
        "[origin]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\n[[sensor]]\nname = 's'\nrange_sigma_m = 5.0\n"
        "[sensor.at]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\n"
    )
    rng = np.random.default_rng(1)
    space, rows = ("east_m", "north_m"), []
    for k in range(30):
        z = np.array([[10.0 * k, 50.0]]) + rng.normal(0, 5.0, (1, 2)) if k < 20 else np.zeros((0, 2))
        rows.append(Scan("s", space, k * 10**9, np.full(len(z), k * 10**9, dtype=np.int64), z))
    frame = baseline.track(files.detections(rows), tmp_path / "site.toml")
    life = frame.drop_nulls("track_id")["time_ns"].to_numpy() // 10**9
    assert life.min() == 3  # the fourth of its first five looks
    assert life.max() == 23  # the fifth miss in a row ends it
    assert frame["time_ns"].n_unique() == 30
    assert frame["track_id"].drop_nulls().n_unique() == 1
    with pytest.raises(FileError, match="no sensor"):
        baseline.track(files.detections([Scan("x", space, 0, rows[0].time_ns, rows[0].z)]), tmp_path / "site.toml")


def test_two_sensors_whose_scans_end_together_leave_one_set_of_tracks(tmp_path):
    place = "latitude_deg = 0.0\nlongitude_deg = 0.0\n"
    both = "".join(f"[[sensor]]\nname = '{n}'\nrange_sigma_m = 5.0\n[sensor.at]\n{place}" for n in "ab")
    (tmp_path / "site.toml").write_text(f"name = 'x'\n[origin]\n{place}{both}")
    space, z = ("east_m", "north_m"), np.array([[10.0, 50.0]])
    rows = [Scan(n, space, k * 10**9, np.array([k * 10**9]), z) for k in range(12) for n in "ab"]
    files.write(files.detections(rows), tmp_path / "detections.parquet")
    product(["track", str(tmp_path / "detections.parquet"), "--site", str(tmp_path / "site.toml"),
             "--out", str(tmp_path / "tracks.parquet")])  # fmt: skip
    told = files.truth({"time_ns": [k * 10**9 for k in range(12)], "target_id": [1] * 12, "east_m": [10.0] * 12,
                        "north_m": [50.0] * 12})  # fmt: skip
    ours = files.read(tmp_path / "tracks.parquet", "tracks")
    for frame in (ours, baseline.track(files.detections(rows), tmp_path / "site.toml")):
        assert frame["time_ns"].n_unique() == 12
        assert examine(frame, told, Measure(skip_s=6.0)).false_count == 0.0
    with pytest.raises(FileError, match="more than once"):
        examine(pl.concat([ours, ours]), told, Measure())


def test_polar_measurements_become_positions():
    scan = Scan("r", ("range_m", "azimuth_rad"), 0, np.array([0]), np.array([[1000.0, np.pi / 2]]))
    z, R = baseline.positions(scan, baseline.Sensor(10.0, 20.0, 5.0, 0.01))
    assert z[0] == pytest.approx([1010.0, 20.0])
    assert np.diag(R[0]) == pytest.approx([25.0, 100.0])


def test_the_bar_says_how_far_the_picture_is_and_a_folder_used_again_gives_the_same(tmp_path):
    s = build(SMALL, None)
    assert shown_share(s, tmp_path) == 0.0  # nothing yet
    record(build(SMALL, None), tmp_path / "recorded")
    (tmp_path / "recorded" / "journal").mkdir()
    (tmp_path / "recorded" / "journal" / "journal.sqlite").write_text("no journal")
    assert shown_share(s, tmp_path) == 0.0
    first = watch(s, tmp_path / "recorded")
    ended = json.loads((tmp_path / "recorded" / "summary.json").read_text())
    assert ended["ticks"] > 10
    assert 0.8 < shown_share(s, tmp_path) <= 1.0
    again = watch(s, tmp_path / "recorded")
    assert json.loads((tmp_path / "recorded" / "summary.json").read_text())["ticks"] == ended["ticks"]
    assert [r[0] | {"step_ms_max": 0.0} for r in (first, again)] == [first[0] | {"step_ms_max": 0.0}] * 2


def test_waiting_tells_what_is_being_done(tmp_path, monkeypatch):
    s, told = build(SMALL, None), []
    monkeypatch.setattr(run, "shown_share", lambda *_: 0.5)
    tracking, picture = Future(), Future()

    def say(what, share):
        told.append((what, pytest.approx(share)))
        done = {"tracking, and the picture": tracking, "the picture": picture}[what]
        done.set_result(None) if what == "the picture" else done.set_exception(FileError("no"))

    run._until_done(tracking, picture, s, tmp_path, say)
    assert told == [("tracking, and the picture", 0.6), ("the picture", 0.6)]
    run._until_done(None, None, s, tmp_path, say)
    assert len(told) == 2


def test_warnings_and_interference_of_a_picture_are_judged():
    s = build(SMALL, None)
    at = s.begin_ns
    about = {"subject_id": 3, "priority": "critical"}
    summary = {
        "alarms": [
            {"alarm_id": 1, "zone": "Z", **about, "raised_ns": at + 4 * 10**9, "east_m": 0.0, "north_m": 550.0},
            {"alarm_id": 2, "zone": "", **about, "raised_ns": at + 6 * 10**9, "east_m": 0.0, "north_m": 0.0},
        ],
        "regions": [{"found_ns": at + 8 * 10**9}, {"found_ns": at + 10**9}],
        "step_ms_max": 3.0,
    }
    events = [
        {"event": "entered", "target": "intruder", "zone": "Z", "time_ns": at + 9 * 10**9},
        {"event": "jamming", "time_ns": at + 5 * 10**9},
    ]
    found = judged(summary, events, s)
    assert found["lead_s_min"] == pytest.approx(5.0)
    assert (found["entries"], found["entries_missed"], found["nuisance"]) == (1, 0, 0)
    assert found["interference_found_s"] == pytest.approx(3.0)
    assert found["interference_false"] == 1.0
    none = judged({"alarms": [], "regions": [], "step_ms_max": 0.0}, events, s)
    assert none["entries_missed"] == 1.0
    assert none["interference_found_s"] == s.duration_s


def test_marks_name_scores():
    table = {"pass": {"gospa_max": 5.0, "completeness_min": 0.9}}
    found = marks(table, {"gospa": 6.0, "completeness": 0.95})
    assert [(m, good) for m, _, _, good in found] == [("gospa_max", False), ("completeness_min", True)]
    with pytest.raises(FileError, match="names no score"):
        marks({"pass": {"gosp_max": 5.0}}, {"gospa": 6.0})
    assert marks({"pass": {"alarms_max": 5.0}}, {"gospa": 6.0}, picture=False) == []
    text = expected([Result("x", 1, {"lapwing": {"gospa": 2.0}}), Result("x", 2, {"lapwing": {"gospa": 4.0}})])
    assert text.splitlines()[1] == "lapwing,gospa,2,3,-9.706,15.71"


def test_a_simulated_scenario_can_be_scored(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    s = build(SMALL, None)
    from lapwing_lab.simulate import simulate

    simulate(s, tmp_path)
    assert tomllib.loads((tmp_path / "score.toml").read_text())["cutoff_m"] == 300.0
    naive = baseline.track(files.read(tmp_path / "detections.parquet", "detections"), tmp_path / "site.toml")
    scores = examine(naive, files.read(tmp_path / "truth.parquet", "truth"), Measure())
    assert scores.times == 8
    assert scores.truths > 0


def test_plots_have_round_ticks_and_break_at_gaps():
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert 3 <= len(ticks(-3.3, 97.0)) <= 7
    svg = Plot("a<b", "x", "y").line("lapwing", np.array([0, 1, np.nan, 2]), np.array([0, 1, np.nan, 0])).svg()
    assert "a&lt;b" in svg
    assert svg.count("M") >= 2
    told = Plot("a", "x", "y", note="less < more").line("naive", np.zeros(1), np.zeros(1), dots=True).figure()
    assert told.endswith("</svg><figcaption>less &lt; more</figcaption></figure>")
    assert svg.index(">lapwing</tspan>") > svg.index('y="16" text-anchor="end"')  # the legend is above the frame


def test_nis_of_sure_associations_is_scored_against_its_degrees_of_freedom(tmp_path):
    rng = np.random.default_rng(3)
    dof = rng.choice([2, 3], 40_000)
    nis = rng.chisquare(dof)
    weight = np.where(rng.random(40_000) < 0.8, 1.0, 0.5)
    nis[weight < 0.9] = 1e6  # another target's
    given = {"scan_ns": np.arange(40_000), "track_id": np.ones(40_000, int), "weight": weight, "nis": nis, "dof": dof}
    honest = run.nis_share(pl.DataFrame(given))
    assert honest["nis_share"] == pytest.approx(1.0, abs=0.02)
    assert honest["nis_beyond"] == pytest.approx(0.05, abs=0.005)
    sure = run.nis_share(pl.DataFrame(given | {"nis": 3.0 * nis}))
    assert sure["nis_share"] == pytest.approx(3.0, abs=0.06)
    assert sure["nis_beyond"] > 0.3
    assert run.nis_share(pl.DataFrame(given).clear()) == {}


def test_the_product_writes_its_innovations_and_score_reads_them(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    kept = tmp_path / "kept"
    found = run.run(str(tmp_path / "tiny.toml"), None, kept, False, lambda *_: None)
    given = files.read(kept / "innovations.parquet", "innovations")
    assert 0.5 * 4 * 20 < (given["weight"] >= 0.9).sum() <= 4 * 25
    words = ["score", str(kept / "tracks.parquet"), str(kept / "truth.parquet"), "--innovations"]
    said = RUN.invoke(app, [*words, str(kept / "innovations.parquet"), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert told["nis_share"] == found.rows["lapwing"]["nis_share"]
    assert 0.5 < told["nis_share"] < 1.3
    (kept / "innovations.parquet").write_bytes(b"none")
    assert RUN.invoke(app, [*words, str(kept / "innovations.parquet")]).exit_code != 0
