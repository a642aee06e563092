"""The picture on the wire: what comes back is what went in, to one count; nothing is NaN; nothing wraps by surprise."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lapwing.kernel.geodesy import frame_between
from lapwing.records import Field, Picture, Source, Tracks
from lapwing.serve import wire, wire_text
from tests.serve import fake_shelf

ORIGIN, World = fake_shelf.ORIGIN, fake_shelf.World
COLUMNS = {name: {c.name: c for c in columns} for name, columns in wire.TABLES.items()}


def decoded(picture: Picture):
    header, tables = wire.decode_picture(wire.encode_picture(picture, ORIGIN))
    real = {name: {c: values * COLUMNS[name][c].scale for c, values in table.items()} for name, table in tables.items()}
    return header, tables, real


def with_tracks(mean: np.ndarray, cov: np.ndarray, existence: np.ndarray | None = None) -> Picture:
    base = World(n_tracks=0, n_claims=0).picture(1)
    n = len(mean)
    i = np.arange(n, dtype=np.int64)
    r = np.ones(n) if existence is None else existence
    return replace(base, tracks=Tracks(base.time_ns, i, mean, cov, r, i * 0, i, i, i, i, n))


def test_layout_is_aligned_and_self_describing():
    picture = World().picture(50)
    message = wire.encode_picture(picture, ORIGIN)
    length = int.from_bytes(message[4:8], "little")
    header = json.loads(message[8 : 8 + length])
    assert message[:4] == b"LWP1"
    assert (8 + length) % 8 == 0
    assert (header["tick"], header["time_ns"]) == (50, str(picture.time_ns))
    for name, table in header["tables"].items():
        assert [c[0] for c in table["columns"]] == list(COLUMNS[name])
        assert all(offset % 8 == 0 for _, _, offset, _ in table["columns"])
    assert len(message) % 8 == 0


def test_tracks_come_back_to_half_a_count():
    picture = World().picture(777)
    _, tables, real = decoded(picture)
    where = wire.place(ORIGIN, picture.tracks.mean, picture.tracks.cov)
    got = real["tracks"]
    assert (tables["tracks"]["id"] == picture.tracks.track_id).all()
    for name, expected in {
        "latitude": np.degrees(where.latitude_rad),
        "longitude": np.degrees(where.longitude_rad),
        "height": where.height_ellipsoid_m,
        "speed": where.speed_mps,
        "climb": where.velocity_mps[:, 2],
        "major": where.major_m,
        "minor": where.minor_m,
        "existence": picture.tracks.existence,
        "age": (picture.time_ns - picture.tracks.updated_ns) * 1e-9,
    }.items():
        assert np.abs(got[name] - expected).max() <= 0.5001 * COLUMNS["tracks"][name].scale, name
    turn = (got["course"] - np.degrees(where.course_rad) + 180.0) % 360.0 - 180.0
    assert np.abs(turn).max() <= 0.5001 * 360 / 65536


def test_claims_say_source_condition_and_what_was_not_said():
    picture = World().picture(10)
    _, tables, real = decoded(picture)
    got = tables["claims"]
    assert (got["source"] == picture.claims.source).all()
    assert (got["condition"] == picture.integrity.condition).all()
    assert (got["placed"] == picture.claims.has_position).all()
    adsb = picture.claims.source == 0
    assert (got["nic"][adsb] == 8).all()
    assert (got["nic"][~adsb] == wire.NOT_SAID).all()
    agrees = picture.integrity.track_id >= 0
    assert agrees.any()
    assert (got["track"][agrees] == picture.integrity.track_id[agrees]).all()
    assert (got["track"][~agrees] == wire.NO_TRACK_WIRE).all()
    never = picture.claims.has_position == 0
    assert (got["age"][never] == 65535).all()  # never = as old as the column can say
    lost = np.flatnonzero(picture.integrity.condition == 2)
    rows = tables["good"]["row"].tolist()
    assert set(lost[picture.claims.has_position[lost] == 1].tolist()) <= set(rows)
    assert not set(rows) & set(np.flatnonzero(picture.integrity.condition == 0).tolist())
    row = rows.index(int(lost[0]))
    home = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    good = (math.radians(real["good"]["latitude"][row]), math.radians(real["good"]["longitude"][row]), 50.0)
    enu = frame_between(home, good)[0]
    assert abs(enu[0] - picture.integrity.good_east_m[lost[0]]) < 5.0
    assert abs(enu[1] - picture.integrity.good_north_m[lost[0]]) < 5.0


def test_size_stays_small():
    picture = World(n_tracks=1000, n_claims=0).picture(1)
    assert len(wire.encode_picture(picture, ORIGIN)) <= 32 * 1000
    assert sum(np.dtype(c.dtype).itemsize for c in wire.TRACK_COLUMNS) <= 32
    assert sum(np.dtype(c.dtype).itemsize for c in wire.CLAIM_COLUMNS) <= 40


def test_far_target_keeps_its_own_level_and_north():
    """400 km east the site's up is not the target's: a level eastbound flight there must not climb or turn."""
    home = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    position, rotation = frame_between(home, (ORIGIN.latitude_rad, ORIGIN.longitude_rad + 0.08, 10_000.0))
    local = np.array([200.0, 0.0, 0.0])
    mean = np.concatenate([position, rotation.T @ local])[None, :]
    where = wire.place(ORIGIN, mean, np.eye(6)[None])
    assert np.abs(where.velocity_mps[0] - local).max() < 1e-6
    assert abs(where.height_ellipsoid_m[0] - 10_000.0) < 1e-6


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, (3, 6), elements=st.floats(-1e300, 1e300)), st.floats(-1e300, 1e300), st.floats(0, 1))
def test_law_whatever_the_state_the_columns_stay_in_range(mean, variance, existence):
    cov = np.zeros((3, 6, 6))
    cov[:] = np.eye(6) * variance
    cov[1, 0, 1] = cov[1, 1, 0] = -variance
    _, _, real = decoded(with_tracks(mean, cov, np.full(3, existence)))
    got = real["tracks"]
    for name, values in got.items():
        assert np.isfinite(values).all(), name
    assert (np.abs(got["latitude"]) <= 90.0).all()
    assert (np.abs(got["longitude"]) <= 180.0).all()
    assert (got["course"] < 360.0).all()
    assert (got["minor"] <= got["major"]).all()
    assert np.abs(got["existence"] - existence).max() <= 0.5001 / 255


@settings(deadline=None, max_examples=60)
@given(st.floats(0.1, 1e4), st.floats(0.01, 1.0), st.floats(0.0, math.pi))
def test_law_ellipse_is_the_covariance(major, ratio, orientation):
    """Build a covariance from an ellipse; the ellipse comes back. Definition: R diag(major^2, minor^2) R'."""
    axis = np.array([math.sin(orientation), math.cos(orientation)])  # clockwise from north, as (east, north)
    across = np.array([axis[1], -axis[0]])
    minor = major * ratio
    c = major**2 * np.outer(axis, axis) + minor**2 * np.outer(across, across)
    got = wire.ellipse(np.array([c[0, 0]]), np.array([c[1, 1]]), np.array([c[0, 1]]))
    assert got[0][0] == pytest.approx(major, rel=1e-6)
    assert got[1][0] == pytest.approx(minor, rel=1e-4, abs=1e-5 * major)
    if ratio < 0.95:
        turn = (got[2][0] - orientation + math.pi / 2) % math.pi - math.pi / 2
        assert abs(turn) < 1e-5


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(12)))
def test_law_order_of_tracks_only_permutes_rows(order):
    picture = World(n_tracks=12, n_claims=0).picture(3)
    t, rows = picture.tracks, list(order)
    shuffled = Tracks(
        t.time_ns, t.track_id[rows], t.mean[rows], t.cov[rows], t.existence[rows], t.status[rows], t.born_ns[rows],
        t.updated_ns[rows], t.address[rows], t.frame_seq[rows], t.next_id,
    )  # fmt: skip
    straight = decoded(picture)[1]["tracks"]
    turned = decoded(replace(picture, tracks=shuffled))[1]["tracks"]
    for name in straight:
        assert (turned[name] == straight[name][rows]).all(), name


@pytest.mark.parametrize("message", [b"", b"LWP2\0\0\0\0", b"{}", b"LWP1"])
def test_what_is_not_a_picture_is_refused(message):
    with pytest.raises(ValueError, match="not a Lapwing picture"):
        wire.decode_picture(message)


def test_a_claim_keeps_its_name_when_only_its_source_changes():
    key = wire_text.claim_key
    assert key(Source.ADSB, 0x71BC00) == key(Source.MODE_S, 0x71BC00) == "0:7453696"
    assert len({key(s, 5) for s in (Source.ADSB, Source.AIS, Source.REMOTE_ID)}) == 3
    assert key(Source.AIS, 5) == key(Source.AIS_OTHER, 5)


def test_field_codes_are_the_columns_of_values():
    assert list(wire.FIELD_COLUMN) == list(Field)
    assert wire.FIELD_COLUMN[Field.DOWNLINK_FORMAT] == 0


@settings(deadline=None, max_examples=50)
@given(*[st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=3))] * 2)
def test_law_names_difference_takes_one_set_to_the_next(before, after):
    message = wire_text.names_difference(before, after)
    names = dict(before)
    if message is not None:
        told = json.loads(message)
        names.update(told["names"])
        for key in told["gone"]:
            del names[key]
    assert names == after
    assert (message is None) == (before == after)


def test_texts_are_json_with_reasons_and_evidence():
    picture = World().picture(600)
    texts = {kind: json.loads(text) for kind, text in wire_text.texts(picture, ORIGIN).items()}
    alarms = texts["alarms"]["alarms"]
    assert [a["priority"] for a in alarms] == ["critical", "high", "low"]
    assert alarms[0]["subject_id"] == fake_shelf.DRONE_ID
    assert alarms[0]["frames"] == [14, 15, 16]
    assert set(texts["reasons"]["reasons"]) == {
        wire_text.claim_key(int(picture.claims.source[i]), int(picture.claims.address[i]))
        for i in np.flatnonzero(np.isin(picture.integrity.condition, (1, 2, 3)))
    }
    assert texts["regions"]["regions"][0]["affected"] == 8
    assert [f["quiet"] for f in texts["feeds"]["feeds"]] == [False, True, False]


def test_site_is_geojson_with_closed_rings():
    site = wire_text.site(fake_shelf.make_site())
    zones = [f for f in site["features"] if f["properties"]["kind"] == "zone"]
    assert [z["properties"]["name"] for z in zones] == ["Terminal", "North field"]
    for zone in zones:
        ring = zone["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
    assert zones[0]["properties"]["centre"] == pytest.approx([37.86, 126.68])
    assert zones[0]["properties"]["radius_m"] == 2_500.0
    assert [z["properties"]["kind_min"] for z in zones] == [{}, {}]
    home = (math.radians(37.86), math.radians(126.68), 50.0)
    for lon, lat in zones[0]["geometry"]["coordinates"][0]:
        enu = frame_between(home, (math.radians(lat), math.radians(lon), 50.0))[0]
        assert math.hypot(enu[0], enu[1]) == pytest.approx(2_500.0, abs=1.0)


def test_frame_text_is_printable_and_bounded():
    told = wire_text.frame(3, "f", 7, b"\x00<b>\xff" + b"x" * wire_text.BYTES_SHOWN_MAX)
    assert told["printable"].startswith(".<b>.xxx")
    assert told["truncated"]
    assert len(told["hex"]) == 2 * wire_text.BYTES_SHOWN_MAX
