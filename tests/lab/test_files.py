"""Files end to end: import, track, score; and every mistake told."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lapwing.serve.cli import app as product
from lapwing_lab import files
from lapwing_lab.cli import app as lab
from lapwing_lab.examine import Measure, examine, looks
from lapwing_lab.files import FileError, Scan
from tests.conftest import recording

RUN = CliRunner()


def arrays(path, n=3, scans=15, seed=2):
    """A small set of benchmark arrays: n targets 200 m apart, no clutter to speak of."""
    rng = np.random.default_rng(seed)
    k = np.arange(scans)[:, None]
    truth = np.zeros((scans, n, 4))
    truth[:, :, 0] = 100.0 + 200.0 * np.arange(n) + 5.0 * k
    truth[:, :, 1] = 5.0
    truth[:, :, 2] = 300.0
    z, scan, origin = [], [], []
    for t in range(scans):
        for i in range(n):
            if rng.random() < 0.9 and t != 7:  # scan 7 is empty
                z.append(truth[t, i, [0, 2]] + rng.normal(0, 5.0, 2))
                scan.append(t)
                origin.append(i)
    np.savez(path, truth=truth, z=np.array(z), scan=np.array(scan), origin=np.array(origin), T=1.0, q=0.5,
             sigma=5.0, pd=0.9, lam=0.5, side=800.0, N=n, seed=seed)  # fmt: skip
    return truth


def test_import_track_score_end_to_end(tmp_path):
    arrays(tmp_path / "small.npz")
    out = tmp_path / "out"
    assert RUN.invoke(lab, ["import", str(tmp_path / "small.npz"), "--out", str(out)]).exit_code == 0
    frame = pl.read_parquet(out / "detections.parquet")
    assert "origin" not in frame.columns
    assert frame["scan_ns"].n_unique() == 15
    assert frame.filter(pl.col("east_m").is_null()).height == 1  # the empty scan
    command = ["track", str(out / "detections.parquet"), "--site", str(out / "site.toml")]
    command += ["--settings", str(out / "settings.toml"), "--out", str(out / "tracks.parquet")]
    said = RUN.invoke(product, command)
    assert said.exit_code == 0, said.output
    assert said.output.startswith("15 scans")
    pair = [str(out / "tracks.parquet"), str(out / "truth.parquet")]
    said = RUN.invoke(lab, ["score", *pair, "--json", "--skip-s", "4"])
    assert said.exit_code == 0, said.output
    scores = json.loads(said.output)
    assert scores["missed_count"] == 0.0
    assert scores["false_count"] == 0.0
    assert 0.0 < scores["gospa"] < 15.0
    assert scores["clear"]["id_switches"] == 0
    assert sum(b["trials"] for b in scores["per_range"]) == scores["clear"]["truths"]
    assert all(b["low"] <= b["share"] <= b["high"] for b in scores["per_range"] if b["trials"])
    assert "identity switches 0" in RUN.invoke(lab, ["score", *pair]).output


def test_perfect_tracks_score_perfectly_and_a_lost_one_costs_what_the_definition_says(tmp_path):
    arrays(tmp_path / "small.npz")
    RUN.invoke(lab, ["import", str(tmp_path / "small.npz"), "--out", str(tmp_path)])
    truth = files.read(tmp_path / "truth.parquet", "truth")
    cov = np.tile(25.0 * np.eye(6), (len(truth), 1, 1))
    state = truth.select(files.AXES).to_numpy()
    said = files.tracks(
        truth["time_ns"].to_numpy(), truth["target_id"].to_numpy() + 10, np.ones(len(truth)), state, cov
    )
    how = Measure(cutoff_m=50.0)
    best = examine(said, truth, how)
    assert (best.gospa, best.t_gospa_normalised, best.ospa2, best.clear.mota) == pytest.approx((0, 0, 0, 1), abs=1e-9)
    assert best.siap.completeness == 1.0
    assert best.existence.brier == 0.0
    two = examine(said.filter(pl.col("track_id") != 11), truth, how)
    assert two.gospa == pytest.approx(np.sqrt(50.0**2 / 2))
    assert two.missed_count == 1.0
    assert two.ospa2 == pytest.approx(50.0 / 3)
    late = examine(said.with_columns(time_ns=pl.col("time_ns") - 10**9), truth, how)
    assert late.gospa == pytest.approx(5.0 * np.sqrt(3))  # a clock wrong by 1 s at 5 m/s, three targets
    assert late.clear.misses == 0


def test_a_time_without_tracks_is_not_the_time_before():
    rows = {"time_ns": [0, 10**9], "track_id": [1, None], "existence": [1.0, None], "east_m": [0.0, None],
            "north_m": [0.0, None]}  # fmt: skip
    truth = pl.DataFrame({"time_ns": [0, 10**9], "target_id": [5, 5], "east_m": [0.0, 0.0], "north_m": [0.0, 0.0]})
    both = looks(pl.DataFrame(rows), truth)
    assert [len(k.track_id) for k in both] == [1, 0]


def test_scans_survive_the_file():
    given = [
        Scan("b", ("range_m", "azimuth_rad"), 20, np.array([18, 19]), np.array([[1.0, 2.0], [3.0, 4.0]])),
        Scan("a", ("east_m", "north_m"), 10, np.zeros(0, dtype=np.int64), np.zeros((0, 2))),
        Scan("a", ("east_m", "north_m"), 30, np.array([30]), np.array([[5.0, 6.0]])),
    ]
    back = list(files.scans(files.detections(given)))
    assert [(s.sensor, s.space, s.scan_ns) for s in back] == [(s.sensor, s.space, s.scan_ns) for s in
                                                              sorted(given, key=lambda s: s.scan_ns)]  # fmt: skip
    assert back[1].z.tolist() == given[0].z.tolist()
    assert len(back[0].z) == 0


@pytest.mark.parametrize("kind", ["tracks", "truth"])
def test_a_wrong_file_is_told(tmp_path, kind):
    (tmp_path / "x.parquet").write_bytes(b"no")
    with pytest.raises(FileError, match="not a Parquet file"):
        files.read(tmp_path / "x.parquet", kind)
    pl.DataFrame({"time_ns": [1]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(FileError, match="needs the columns"):
        files.read(tmp_path / "y.parquet", kind)
    said = RUN.invoke(lab, ["score", str(tmp_path / "x.parquet"), str(tmp_path / "y.parquet")])
    assert said.exit_code == 2


def test_the_product_tells_what_is_wrong_with_its_files(tmp_path):
    (tmp_path / "site.toml").write_text('name = "x"\norigin = {latitude_deg = 0.0, longitude_deg = 0.0}\n')
    pl.DataFrame({"scan_ns": [1], "sensor": ["r"], "time_ns": [1], "east_m": [0.0], "north_m": [0.0]}).write_parquet(
        tmp_path / "d.parquet"
    )
    said = RUN.invoke(product, ["track", str(tmp_path / "d.parquet"), "--site", str(tmp_path / "site.toml")])
    assert said.exit_code == 1
    assert "no sensor 'r'" in said.output
    (tmp_path / "s.toml").write_text("speed = 3\n")
    command = ["track", str(tmp_path / "d.parquet"), "--site", str(tmp_path / "site.toml")]
    said = RUN.invoke(product, [*command, "--settings", str(tmp_path / "s.toml")])
    assert "not tracker settings" in said.output


def test_the_four_target_arrays_import_run_by_run(tmp_path):
    path = recording("tracking/williams15_seed9.npz")
    assert RUN.invoke(lab, ["import", str(path), "--out", str(tmp_path), "--run", "2"]).exit_code == 0
    with np.load(path) as f:
        counts, z = f["counts"], f["z"]
    frame = pl.read_parquet(tmp_path / "detections.parquet").drop_nulls("east_m")
    assert frame.height == counts[1].sum()
    assert frame["east_m"][0] == z[counts[0].sum(), 0]
    truth = pl.read_parquet(tmp_path / "truth.parquet")
    assert truth.height == 40 + 3 * 81  # one of the four ends after scan 40
    assert RUN.invoke(lab, ["import", str(path), "--out", str(tmp_path), "--run", "101"]).exit_code == 2


def test_detection_tracking_and_identification_per_range(tmp_path):
    """One multirotor that is seen and called right, one bird called a multirotor, on a sensor of positions."""
    from lapwing_lab.ranges import classes, detected

    second = 10**9
    told = pl.DataFrame({
        "time_ns": [second, second, 2 * second, 2 * second], "target_id": [1, 2, 1, 2],
        "kind": ["multirotor", "bird", "multirotor", "bird"], "counts": [True, False, True, False],
        "east_m": [100.0, 900.0, 110.0, 900.0], "north_m": [0.0] * 4, "east_mps": [10.0, 0.0, 10.0, 0.0],
        "north_mps": [0.0] * 4,
    })  # fmt: skip
    said = pl.DataFrame({
        "time_ns": [second, second, 2 * second, 2 * second], "track_id": [5, 6, 5, 6], "existence": [0.9] * 4,
        "p_class_bird": [0.2, 0.4, 0.2, 0.4], "p_class_multirotor": [0.8, 0.6, 0.8, 0.6],
        "east_m": [102.0, 905.0, 111.0, 903.0], "north_m": [1.0] * 4,
    })  # fmt: skip
    found = examine(said, told, Measure(cutoff_m=50.0))
    assert found.classes.samples == 4
    assert found.classes.right == 0.5
    assert found.classes.brier == pytest.approx(0.5 * (2 * 0.2**2) + 0.5 * (2 * 0.6**2))
    assert sum(b.successes for b in found.identified) == sum(b.trials for b in found.identified) == 2
    assert classes(looks(said.drop("p_class_bird", "p_class_multirotor"), told), 50.0, 0.5)[0].samples == 0
    site = '[origin]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\n[[sensor]]\nname = "s"\nrange_sigma_m = 5.0\n'
    (tmp_path / "site.toml").write_text(site + "[sensor.at]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\n")
    frame = pl.DataFrame({"scan_ns": [second, 2 * second], "sensor": ["s", "s"], "time_ns": [second // 2, 2 * second],
                          "east_m": [93.0, None], "north_m": [0.0, None]})  # fmt: skip
    r, seen = detected(frame, told, tmp_path / "site.toml")
    assert seen.tolist() == [True, False]  # near where it was half a second before; then nothing
    assert r.tolist() == [100.0, 110.0]


def test_the_product_tells_of_times_that_cannot_be(tmp_path):
    """A plot of another hour in a scan, and a clock that goes on an hour later."""
    site = 'name = "x"\norigin = {latitude_deg = 0.0, longitude_deg = 0.0}\n[[sensor]]\nname = "r"\nkind = "position"\n'
    (tmp_path / "site.toml").write_text(site + "at = {latitude_deg = 0.0, longitude_deg = 0.0}\n")
    ends = [*range(1, 20), *range(7_200, 7_220)]
    times = [k if k != 10 else k + 3_600 for k in ends]
    rows = {"scan_ns": ends, "sensor": ["r"] * len(ends), "time_ns": times}
    frame = pl.DataFrame(rows).with_columns(pl.col("scan_ns", "time_ns") * 10**9, east_m=100.0, north_m=5.0)
    frame.write_parquet(tmp_path / "d.parquet")
    command = [
        "track",
        str(tmp_path / "d.parquet"),
        "--site",
        str(tmp_path / "site.toml"),
        "--out",
        str(tmp_path / "t"),
    ]
    said = RUN.invoke(product, command).output
    assert "1 detections or scans put aside, their time cannot be" in said
    assert "begun anew 1 times, the clock jumped" in said


def test_what_a_sensor_declares_in_a_file_is_heeded_as_far_as_it_is_reliable(tmp_path):
    """The same detections with and without: odds of a bird times (0.8 + 0.2/8) / (0.2/8) = 33, however often said;
    of the target of which nothing is said, and of a sensor that is not heeded, the same as before."""
    arrays(tmp_path / "a.npz")
    out = tmp_path / "out"
    assert RUN.invoke(lab, ["import", str(tmp_path / "a.npz"), "--out", str(out)]).exit_code == 0
    plain = pl.read_parquet(out / "detections.parquet")
    first = pl.col("east_m") < 200.0  # of three targets 200 m apart
    said = plain.with_columns(declared_bird=pl.when(first).then(1.0))
    site = (out / "site.toml").read_text()
    deaf = site.replace("[[sensor]]", "[[sensor]]\nclass_reliability = 0.0")
    assert deaf != site

    def odds(frame, text=site):
        (out / "site.toml").write_text(text)
        frame.write_parquet(out / "d.parquet")
        done = RUN.invoke(product, ["track", str(out / "d.parquet"), "--site", str(out / "site.toml"),
                                    "--out", str(out / "t.parquet")])  # fmt: skip
        assert done.exit_code == 0, done.output
        last = pl.read_parquet(out / "t.parquet")
        last = last.filter(pl.col("time_ns") == last["time_ns"].max(), pl.col("existence") > 0.9).sort("east_m")
        assert len(last) == 3
        return (last["p_class_bird"] / last["p_class_multirotor"]).to_numpy()

    before = odds(plain)
    assert odds(said) / before == pytest.approx([33.0, 1.0, 1.0], rel=1e-6)
    assert odds(said, deaf) == pytest.approx(before)
    assert odds(plain.with_columns(declared_bird=pl.lit(None, pl.Float64))) == pytest.approx(before)
    for wrong in (1.5, -0.1):
        plain.with_columns(declared_bird=pl.lit(wrong)).write_parquet(out / "d.parquet")
        told = RUN.invoke(product, ["track", str(out / "d.parquet"), "--site", str(out / "site.toml"),
                                    "--out", str(out / "t.parquet")])  # fmt: skip
        assert told.exit_code == 1
        assert "no probabilities of 8 kinds" in told.output
    said.write_parquet(out / "d.parquet")  # others read the same file
    naive = RUN.invoke(lab, ["baseline", str(out / "d.parquet"), "--site", str(out / "site.toml"),
                             "--out", str(out / "n.parquet")])  # fmt: skip
    assert naive.exit_code == 0, naive.output
