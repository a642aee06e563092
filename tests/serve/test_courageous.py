"""COURAGEOUS documents: what the journal shows, true to the format; read back by the examiner, and scored."""

import json
import time
from dataclasses import replace

import jsonschema
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lapwing.decode import encode_courageous as courageous
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.kernel.geoid import geoid_height_m
from lapwing.records import AlarmState, Directions, Kind, Source, Subject, TrackStatus
from lapwing.serve import export_courageous
from lapwing.serve.cli import app
from lapwing.serve.export_paths import moment
from lapwing_lab import courageous as reader
from lapwing_lab.cli import app as lab
from lapwing_lab.files import FileError
from lapwing_lab.geo import Place
from tests.replay.test_replay import drive
from tests.replay.world import T0, border
from tests.serve.courageous_schema import SCHEMA
from tests.serve.fake_shelf import World, make_site

SITE = make_site()
VALID = jsonschema.Draft7Validator(SCHEMA)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, border(35.0))
    return folder


@pytest.fixture(scope="module")
def document(journal, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "night.courageous.json"
    done = CliRunner().invoke(app, ["export", str(journal), str(out)])
    assert done.exit_code == 0, done.output
    return out, done.output


def made(*pictures, site=SITE):
    sets = export_courageous.Sets(site)
    for picture in pictures:
        sets.add(picture)
    return json.loads("".join(export_courageous.pieces(sets, site)))


def test_a_journal_is_exported_true_to_the_schema(document):
    path, said = document
    told = json.loads(path.read_text())
    VALID.validate(told)
    records = [r for s in told["tracks"] + told["detection"] for r in s["records"]]
    assert told["tracks"]
    assert said.strip().endswith(f"{len(records)} records")
    numbers = [r["record_number"] for r in records]
    assert numbers == list(range(len(records)))
    times = [[r["time"] for r in t["records"]] for t in told["tracks"]]
    assert all(np.diff(t).tolist() == [1000] * (len(t) - 1) for t in times)  # once a second
    assert min(t[0] for t in times) > T0 // 10**6
    alarms = {r["alarm"]["active"] for t in told["tracks"] for r in t["records"]}
    assert alarms == {True, False}  # the world has a track that is warned of, and others
    assert not list(path.parent.glob("*.draft"))


def test_only_the_period_that_was_asked_for(journal, tmp_path):
    out = tmp_path / "a.courageous.json"
    since, until = moment(T0 + 33 * 10**9), moment(T0 + 34 * 10**9)
    assert (
        CliRunner().invoke(app, ["export", str(journal), str(out), "--since", since, "--until", until]).exit_code == 0
    )
    told = json.loads(out.read_text())
    assert {r["time"] // 1000 for t in told["tracks"] for r in t["records"]} == {T0 // 10**9 + 33}
    nothing = CliRunner().invoke(
        app, ["export", str(journal), str(tmp_path / "b.courageous.json"), "--since", "2190-01-01"]
    )
    assert nothing.exit_code == 2
    assert "nothing was tracked in that period" in nothing.output
    assert not list(tmp_path.glob("b*"))


def test_too_much_is_refused_before_the_memory_is_full(journal, tmp_path, monkeypatch):
    monkeypatch.setattr(export_courageous, "RECORDS_MAX", 3)
    done = CliRunner().invoke(app, ["export", str(journal), str(tmp_path / "b.courageous.json")])
    assert done.exit_code == 2
    assert "over 3 records; choose a shorter period" in done.output
    assert not list(tmp_path.iterdir())


def test_places_and_velocities_are_the_tracks_own():
    picture = World().picture(200)
    origin = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)
    told = dict(courageous.tracking(picture, SITE))
    tracks = picture.tracks
    shown = np.flatnonzero(tracks.status != TrackStatus.TENTATIVE)
    assert set(told) == set(tracks.track_id[shown].tolist())
    three = 0
    for i in shown.tolist():
        where, v = (told[int(tracks.track_id[i])][k] for k in ("location", "velocity"))
        latitude, longitude, height = (float(x[0]) for x in enu_to_geodetic(origin, tracks.mean[i : i + 1, :3]))
        assert [where["lat"], where["lon"]] == pytest.approx([np.degrees(latitude), np.degrees(longitude)], abs=1e-6)
        if where["$type"] == "Position3d":
            three += 1
            assert where["height_amsl"] == pytest.approx(height - geoid_height_m(latitude, longitude), abs=0.02)
        # a second later it is where its velocity says, seen from its own place
        after = enu_to_geodetic(origin, (tracks.mean[i, :3] + tracks.mean[i, 3:])[None])
        east = (float(after[1][0]) - longitude) * 6_378_137.0 * np.cos(latitude)
        north = (float(after[0][0]) - latitude) * 6_371_000.0
        assert [v["east"], v["north"]] == pytest.approx([east, north], rel=0.01, abs=0.1)
        assert v["up"] == pytest.approx(float(after[2][0]) - height, abs=0.05)
    assert three


def test_a_vague_height_is_not_told():
    picture = World().picture(200)
    cov = np.array(picture.tracks.cov)
    cov[:, 2, 2] = 501.0**2
    vague = replace(picture, tracks=replace(picture.tracks, cov=cov))
    assert {r["location"]["$type"] for _, r in courageous.tracking(vague, SITE)} == {"Position2d"}


def test_alarms_are_about_whom_they_are_about():
    picture = World().picture(200)
    n, first = len(picture.alarms), int(picture.tracks.track_id[np.flatnonzero(picture.tracks.status)[0]])
    assert n
    about = np.full(n, first)

    def alarm(**changes):
        columns = {"subject": np.full(n, Subject.TRACK), "subject_id": about, "state": np.full(n, AlarmState.RAISED)}
        alarms = replace(picture.alarms, **{**columns, **changes})
        return {i: r["alarm"] for i, r in courageous.tracking(replace(picture, alarms=alarms), SITE)}

    told = alarm()
    assert told.pop(first)["active"] is True
    assert told
    assert all(a == {"active": False, "certainty": 0.0} for a in told.values())
    assert not alarm(state=np.full(n, AlarmState.CLEARED))[first]["active"]
    assert not alarm(subject=np.full(n, Subject.CLAIM))[first]["active"]


def test_certainty_falls_with_the_probability_of_a_bird():
    picture = World().picture(200)
    i = int(np.flatnonzero(picture.tracks.status)[0])
    ident, n = int(picture.tracks.track_id[i]), len(picture.alarms)
    p = np.zeros((len(picture.tracks), len(Kind)))
    p[:, Kind.MULTIROTOR], p[:, Kind.BIRD] = 0.25, 0.75
    alarms = replace(
        picture.alarms, subject=np.full(n, Subject.TRACK), subject_id=np.full(n, ident), state=np.zeros(n, int)
    )
    classes = replace(picture.classes, track_id=picture.tracks.track_id, probability=p)
    record = dict(courageous.tracking(replace(picture, alarms=alarms, classes=classes), SITE))[ident]
    assert record["alarm"]["certainty"] == pytest.approx(0.25 * float(picture.tracks.existence[i]), abs=1e-3)
    assert (record["classification"], record["identification"]) == ("Other", "bird, probability 0.75")


@pytest.mark.parametrize(
    ("kinds", "word"),
    [
        ({Kind.MULTIROTOR: 0.3, Kind.FIXED_WING_DRONE: 0.3, Kind.BIRD: 0.4}, "UAV"),
        ({Kind.AIRCRAFT: 0.3, Kind.SHIP: 0.3, Kind.UNKNOWN: 0.4}, "Other"),
        ({Kind.MULTIROTOR: 0.4, Kind.BIRD: 0.4, Kind.UNKNOWN: 0.2}, "Unknown"),
        ({Kind.UNKNOWN: 1.0}, "Unknown"),
    ],
)
def test_classification(kinds, word):
    p = np.zeros(len(Kind))
    for kind, value in kinds.items():
        p[kind] = value
    assert courageous.classification(p) == word


def test_remote_ids_and_bearings_are_detections_and_each_is_told_once():
    picture = World().picture(200)
    claims = replace(picture.claims, source=np.full(len(picture.claims), Source.REMOTE_ID))
    wedge = Directions(
        ("ears",), np.array([picture.time_ns]), np.array([[20_000.0, 0.0, 10.0]]), np.array([np.pi / 2]),
        np.array([0.05]), np.array([3_000.0]), np.array([7]),
    )  # fmt: skip
    one = replace(picture, claims=claims, directions=wedge)
    told = made(one, one)
    VALID.validate(told)
    placed = int((claims.has_position > 0).sum())
    *drones, ears = told["detection"]
    assert len(drones) == placed > 0
    assert all(len(s["records"]) == 1 for s in told["detection"])
    assert all(s["records"][0]["classification"] == "UAV" for s in drones)
    assert {s["uas_id"] for s in drones} >= set(picture.integrity.track_id[picture.integrity.track_id >= 0].tolist())
    (record,) = ears["records"]
    assert (ears["name"], ears["uas_id"], record["classification"]) == ("ears", None, "Unknown")
    # east of the site, where meridians have turned by the difference of longitudes times the sine of the latitude
    turned = np.degrees(20_000.0 / 6_378_137.0 * np.tan(SITE.origin.latitude_rad))
    assert record["location"]["bearing"] == pytest.approx(90.0 + turned, abs=0.005)


def test_nobody_is_ever_given_an_intent(document):
    text = document[0].read_text().lower()
    assert not any(word in text for word in ("hostile", "threat", "enemy", "target"))


def test_what_was_exported_reads_back_where_it_was(document):
    path, _ = document
    told = json.loads(path.read_text())
    found = reader.read(path)
    assert (found.system, found.ground_stations, found.without_position) == (told["system_name"], 0, 0)
    frame = found.tracks.drop_nulls("track_id")
    assert len(frame) == sum(len(t["records"]) for t in told["tracks"])
    base = told["static_cuas_location"]
    origin = (np.radians(base["lat"]), np.radians(base["lon"]), base["height_amsl"])
    one = told["tracks"][0]
    mine = frame.filter(pl.col("track_id") == one["uas_id"])
    latitude, longitude, height = enu_to_geodetic(origin, mine.select("east_m", "north_m", "up_m").to_numpy())
    assert np.degrees(latitude) == pytest.approx([r["location"]["lat"] for r in one["records"]], abs=2e-7)
    assert np.degrees(longitude) == pytest.approx([r["location"]["lon"] for r in one["records"]], abs=2e-7)
    if "height_amsl" in one["records"][0]["location"]:
        assert height == pytest.approx([r["location"]["height_amsl"] for r in one["records"]], abs=0.05)


def test_scoring_a_document_against_itself_finds_nothing_to_say(document, tmp_path):
    """The tracks as truth: no miss, nothing false, no error; a document whose tracks are moved north has that error."""
    path, _ = document
    frame = reader.read(path).tracks.drop_nulls("track_id")
    truth = frame.select(
        "time_ns", pl.col("track_id").alias("target_id"), pl.exclude("time_ns", "track_id", "existence")
    )
    truth.write_parquet(tmp_path / "truth.parquet")
    moved = json.loads(path.read_text())
    for r in (r for t in moved["tracks"] for r in t["records"]):
        r["location"]["lat"] += 100.0 / 111_200.0
    shifted = tmp_path / "moved.json"
    shifted.write_text(json.dumps(moved))
    errors = []
    for file in (path, shifted):
        done = CliRunner().invoke(lab, ["score", str(file), str(tmp_path / "truth.parquet"), "--json"])
        assert done.exit_code == 0, done.output
        scores = json.loads(next(line for line in done.output.splitlines() if line.startswith("{")))
        assert (scores["missed_count"], scores["false_count"]) == (0.0, 0.0)
        errors.append(scores["siap"]["position_error_m"])
    assert errors == [pytest.approx(0.0, abs=1e-6), pytest.approx(100.0, abs=1.0)]


def record(time=1_000, **more):
    told = {"time": time, "record_number": 0, "classification": "UAV", "alarm": {"active": False, "certainty": 0.0}}
    return told | {"location": {"$type": "Position3d", "lat": 47.0, "lon": 8.0, "height_amsl": 500.0}} | more


def whole(*records, **more):
    head = {"version": "0.4.1", "vendor_name": "v", "system_name": "s", "detection": []}
    head["static_cuas_location"] = {"lat": 47.0, "lon": 8.0, "height_amsl": 400.0}
    return head | {"tracks": [{"uas_id": 5, "records": list(records)}]} | more


def save(tmp_path, told):
    path = tmp_path / "a.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return path


def test_other_locations_have_the_place_that_they_mean(tmp_path):
    polar = {"$type": "BearingElevationDistance", "bearing": 90.0, "elevation": 30.0, "distance": 1000.0}
    elsewhere = {"lat": 47.01, "lon": 8.0, "height_amsl": 400.0}
    flat = {"$type": "Position2d", "lat": 47.0, "lon": 8.01}
    told = whole(
        record(1_000, location=polar),
        record(2_000, location=polar, cuas_location=elsewhere),
        record(3_000, location=flat, velocity={"east": 3.0, "north": 4.0, "up": 5.0}),
        record(3_500, location={"$type": "Bearing", "bearing": 3.0}),
        record(3_600, location={"$type": "Quad", "quad": "North"}),
        record(3_700, classification="GCS"),
    )
    found = reader.read(save(tmp_path, told))
    assert (found.ground_stations, found.without_position) == (1, 2)
    rows = found.tracks.drop_nulls("track_id")
    assert rows["time_ns"].to_list() == [1_000_000_000, 2_000_000_000, 3_000_000_000]
    got = rows.select("east_m", "north_m", "up_m").to_numpy()
    assert got[0] == pytest.approx([1000 * np.cos(np.pi / 6), 0.0, 500.0], abs=1e-6)
    assert got[1] == pytest.approx([866.0, 1111.7, 500.0], abs=1.0)
    assert got[2, :2] == pytest.approx([760.6, 0.0], abs=0.5)
    assert rows.select("east_mps", "north_mps", "up_mps").row(2) == pytest.approx((3.0, 4.0, 5.0), abs=0.001)
    other = reader.read(save(tmp_path, told), Place(47.0, 8.01, 450.0)).tracks
    assert other.drop_nulls("track_id")["east_m"][2] == pytest.approx(0.0, abs=1e-6)
    assert "up_m" not in other.columns


def test_sets_of_tracks_hold_everybody_who_is_there(tmp_path):
    """Two tracks told at different times: each set has both, moved to its time; afterwards nobody."""
    moving = {"velocity": {"east": 10.0, "north": 0.0, "up": 0.0}}
    told = whole()
    told["tracks"] = [
        {"uas_id": 1, "records": [record(0, **moving), record(4_000, **moving)]},
        {"uas_id": 2, "records": [record(1_000), record(1_050), record(3_000)]},
        {"uas_id": 2, "records": [record(30_000)]},
    ]
    rows = reader.read(save(tmp_path, told)).tracks
    sets = {t // 10**6: sorted(g["track_id"].to_list(), key=str) for (t,), g in rows.group_by("time_ns")}
    assert sets == {0: [1], 1_050: [1, 2], 3_000: [1, 2], 4_000: [1], 4_200: [None], 30_000: [2], 30_200: [None]}
    moved = rows.filter((pl.col("track_id") == 1) & (pl.col("time_ns") == 3_000_000_000))
    assert moved["east_m"][0] == pytest.approx(30.0, abs=0.01)


def test_a_track_that_is_silent_for_long_is_not_there_in_between(tmp_path):
    told = whole()
    told["tracks"] = [
        {"uas_id": 1, "records": [record(0), record(40_000)]},
        {"uas_id": 2, "records": [record(10_000), record(20_000)]},
    ]
    rows = reader.read(save(tmp_path, told)).tracks.drop_nulls("track_id")
    assert sorted(zip(rows["time_ns"] // 10**9, rows["track_id"], strict=True)) == [
        (0, 1), (10, 1), (10, 2), (20, 2), (40, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ("[]", "the file"),
        ("\x00", "Invalid JSON"),
        (whole(version="0.3.2"), "version"),
        (whole(tracks={}), "tracks"),
        (whole(record(time=-1)), "tracks[0].records[0].time"),
        (whole(record(time=10**300)), "tracks[0].records[0].time"),
        (whole(record(time="1")), "tracks[0].records[0].time"),
        (whole(record(classification="hostile")), "tracks[0].records[0].classification"),
        (whole(record(alarm=None)), "tracks[0].records[0].alarm"),
        (whole(record(alarm={"active": 1, "certainty": 0.5})), "alarm.active"),
        (whole(record(alarm={"active": True, "certainty": 1.5})), "alarm.certainty"),
        (whole(record(location={"$type": "Position3d", "lat": 47.0, "lon": 8.0})), "height_amsl"),
        (whole(record(location={"$type": "Position3d", "lat": float("nan"), "lon": 8.0, "height_amsl": 1.0})), "lat"),
        (whole(record(location={"$type": "Position2d", "lat": 91.0, "lon": 8.0})), "lat"),
        (whole(record(location={"$type": "Nowhere"})), "location"),
        (whole(record(location={"lat": 47.0, "lon": 8.0})), "location"),
        (whole(record(velocity={"east": 1.0, "north": float("inf"), "up": 0.0})), "velocity.north"),
        (whole(tracks=[{"uas_id": 2**64, "records": []}]), "tracks[0].uas_id"),
        (whole(tracks=[{"uas_id": True, "records": []}]), "tracks[0].uas_id"),
    ],
)
def test_what_is_wrong_is_named(told, says, tmp_path):
    path = save(tmp_path, told)
    with pytest.raises(FileError, match="no COURAGEOUS document") as caught:
        reader.read(path)
    assert says in str(caught.value)
    done = CliRunner().invoke(lab, ["import", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path, whole(record(0), record(1_000)))
    monkeypatch.setattr(reader, "ROWS_MAX", 1)
    with pytest.raises(FileError, match="over 1 positions of tracks"):
        reader.read(path)
    monkeypatch.setattr(reader, "BYTES_MAX", 10)
    with pytest.raises(FileError, match="larger than"):
        reader.read(path)
    with pytest.raises(FileError, match="cannot be read"):
        reader.read(tmp_path / "none.json")


def test_many_long_and_silent_tracks_take_no_long_time(tmp_path):
    """Tracks that span everything and say little: what is not there is not looked at."""
    told = whole()
    ends = [{"uas_id": i, "records": [record(i * 20_000), record(10**9 + i * 20_000)]} for i in range(2_000)]
    path = save(tmp_path, told | {"tracks": ends})
    began = time.process_time()
    rows = reader.read(path).tracks.drop_nulls("track_id")
    assert time.process_time() - began < 5.0
    assert len(rows) == 4_000


@pytest.fixture(scope="module")
def valid():
    polar = {"$type": "BearingElevationDistance", "bearing": 90.0, "elevation": 30.0, "distance": 1000.0}
    return json.dumps(
        whole(record(1_000, velocity={"east": 1.0, "north": 2.0, "up": 0.0}), record(2_000, location=polar))
    )


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=300)
def test_a_document_with_broken_bytes_is_read_or_refused(seed, valid, tmp_path_factory):
    rng = np.random.default_rng(seed)
    raw = bytearray(valid.encode())
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, len(raw)))
        piece = bytes(rng.integers(0, 256, int(rng.integers(0, 4)), dtype=np.uint8)) + rng.choice(
            [b"", b"e999", b"-", b"[", b"null"]
        )
        raw[at : at + int(rng.integers(0, 8))] = piece
    path = tmp_path_factory.getbasetemp() / "broken.json"
    path.write_bytes(raw)
    try:
        frame = reader.read(path).tracks
    except FileError:
        return
    assert np.isfinite(frame.drop_nulls("track_id").to_numpy()).all()


def test_import_writes_tracks_and_a_site_gives_the_origin(tmp_path):
    path = save(tmp_path, whole(record(1_000), detection=[{"records": []}]))
    site = tmp_path / "site.toml"
    site.write_text("[origin]\nlatitude_deg = 47.0\nlongitude_deg = 8.01\n")
    done = CliRunner().invoke(lab, ["import", str(path), "--out", str(tmp_path), "--site", str(site)])
    assert done.exit_code == 0, done.output
    assert "s: 1 tracks; left out: 1 detection sets" in done.output
    assert pl.read_parquet(tmp_path / "tracks.parquet")["east_m"][0] == pytest.approx(-760.6, abs=0.5)
    truth = pl.DataFrame({"time_ns": [1_000_000_000], "target_id": [1], "east_m": [-760.6], "north_m": [0.0]})
    truth.write_parquet(tmp_path / "truth.parquet")
    score = ["score", str(path), str(tmp_path / "truth.parquet"), "--site", str(site)]
    scored = CliRunner().invoke(lab, score)
    assert scored.exit_code == 0
    assert "the tracks say no covariance" in scored.output  # and not that they are honest
    refused = CliRunner().invoke(lab, [*score, "--dims", "3"])
    assert refused.exit_code == 2
    assert "heights above the sea" in refused.output
    site.write_text("name = 1\n")
    assert "no site file with an origin" in CliRunner().invoke(lab, score).output
