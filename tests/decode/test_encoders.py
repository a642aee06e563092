"""What goes out: Cursor on Target and ASTERIX CAT062, read back."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.checks import feed
from tests.serve.fake_shelf import World, make_site

from lapwing.decode import encode_asterix, encode_cot
from lapwing.decode.asterix import AsterixDecoder, records_of
from lapwing.decode.asterix_items import parts
from lapwing.decode.asterix_reports import place_deg
from lapwing.decode.faults import Refusals
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import AlarmState, Field, Frame, TrackStatus
from lapwing.records.reports import merged

SITE = make_site()
PICTURE = World().picture(200)
PLACE = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)


def read(events: list[bytes]) -> dict[str, ElementTree.Element]:
    found = [ElementTree.fromstring(raw) for raw in events]
    named = {str(e.get("uid")).rsplit("lapwing.")[-1].split(".", 1)[1]: e for e in found}
    assert len(named) == len(events)
    return named


def test_every_track_claim_sensor_and_alarm_is_an_event() -> None:
    events = read(encode_cot.events(PICTURE, SITE))
    t, c, a = PICTURE.tracks, PICTURE.claims, PICTURE.alarms
    shown = int((t.status != TrackStatus.TENTATIVE).sum())
    standing = int((a.state != AlarmState.CLEARED).sum())
    kinds = ("track.", "claim.", "sensor.", "alarm.", "region.", "zone.")
    counts = [sum(uid.startswith(kind) for uid in events) for kind in kinds]
    assert counts == [shown, int((c.has_position > 0).sum()), len(SITE.sensors), standing, 1, len(SITE.zones)]
    assert shown > 10
    i = int(np.flatnonzero(t.status == TrackStatus.CONFIRMED)[0])
    event = events[f"track.{t.track_id[i]}"]
    point, track = event.find("point"), event.find("detail/track")
    assert point is not None
    assert track is not None
    latitude, longitude, height = (float(v[0]) for v in enu_to_geodetic(PLACE, t.mean[i : i + 1, :3]))
    assert float(point.get("lat", "")) == pytest.approx(np.degrees(latitude), abs=1e-7)
    assert float(point.get("lon", "")) == pytest.approx(np.degrees(longitude), abs=1e-7)
    assert float(point.get("hae", "")) == pytest.approx(height, abs=0.06)
    assert float(point.get("ce", "")) == pytest.approx(np.sqrt(np.linalg.eigvalsh(t.cov[i, :2, :2])[1]), abs=0.06)
    assert float(track.get("speed", "")) == pytest.approx(np.hypot(*t.mean[i, 3:5]), abs=0.06)


def test_zones_and_regions_have_their_shapes() -> None:
    events = read(encode_cot.events(PICTURE, SITE, frozenset({"zones", "regions"})))
    assert set(events) == {"zone.Terminal", "zone.North field", "region.1"}
    circle = events["zone.Terminal"].find("detail/shape/ellipse")
    assert circle is not None
    assert (circle.get("major"), circle.get("minor")) == ("2500.0", "2500.0")
    ring = [link.get("point") for link in events["zone.North field"].findall("detail/link")]
    assert len(ring) == 5
    assert ring[0] == ring[4] == "37.9800000,126.4200000"
    region = events["region.1"].find("detail/shape/ellipse")
    assert region is not None
    assert region.get("major") == "9500.0"


def test_an_alarm_that_stands_is_fresh() -> None:
    """However long ago it was updated: it goes stale when nobody repeats it."""
    old = replace(PICTURE.alarms, updated_ns=PICTURE.alarms.raised_ns - 600 * 10**9)
    events = read(encode_cot.events(replace(PICTURE, alarms=old), SITE, frozenset({"alarms"})))
    track = read(encode_cot.events(PICTURE, SITE, frozenset({"tracks"})))["track.1"]
    assert events
    assert {e.get("time") for e in events.values()} == {track.get("time")}


def test_no_machine_calls_anybody_hostile() -> None:
    """Affiliation is unknown, our own sensors apart; events go stale; no operator's place is in them."""
    raw = encode_cot.events(PICTURE, SITE)
    for event in read(raw).values():
        kind = str(event.get("type"))
        assert kind in encode_cot.TYPES
        assert not kind.startswith(("a-h", "a-s", "a-j", "a-k"))
        times = [str(event.get(name)) for name in ("time", "start", "stale")]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", t) for t in times)
        assert times[0] == times[1] < times[2]
    assert b"OPERATOR" not in b"".join(raw)


def test_vague_heights_are_not_told() -> None:
    cov = PICTURE.tracks.cov.copy()
    cov[:, 2, 2] = 600.0**2
    vague = replace(PICTURE, tracks=replace(PICTURE.tracks, cov=cov))
    events = read(encode_cot.events(vague, SITE))
    points = [e.find("point") for uid, e in events.items() if uid.startswith("track.")]
    assert {p.get("hae") for p in points if p is not None} == {"9999999.0"}
    blocks = encode_asterix.blocks(vague, SITE.origin, 25, 7)
    for category, items in (r for b in blocks for r in records_of(Frame(1, "f", 0, b), Refusals())):
        assert category == 65 or not {"130", "220"} & set(items)


def test_what_is_gone_is_deleted() -> None:
    t = PICTURE.tracks
    keep = np.arange(len(t)) > 0
    columns = {n: getattr(t, n)[keep] for n in ("track_id", "mean", "cov", "existence", "status", "born_ns")}
    columns |= {n: getattr(t, n)[keep] for n in ("updated_ns", "address", "frame_seq")}
    (raw,) = encode_cot.deletes(PICTURE, replace(PICTURE, tracks=replace(t, **columns)), SITE)
    event = ElementTree.fromstring(raw)
    link = event.find("detail/link")
    assert event.get("type") == "t-x-d-d"
    assert link is not None
    assert str(link.get("uid")).endswith(f".track.{t.track_id[0]}")
    assert event.find("detail/__forcedelete") is not None
    assert encode_cot.deletes(PICTURE, PICTURE, SITE) == []


def test_names_cannot_break_out_of_the_text() -> None:
    names = ('"/><evil a="<&\x00\x1b', *PICTURE.claims.names[1:])
    (source, address) = (int(PICTURE.claims.source[0]), int(PICTURE.claims.address[0]))
    placed = np.ones(len(names), np.int64)
    odd = replace(PICTURE, claims=replace(PICTURE.claims, names=names, has_position=placed))
    contact = read(encode_cot.events(odd, SITE))[f"claim.{source}.{address:X}"].find("detail/contact")
    assert contact is not None
    assert contact.get("callsign") == '"/><evil a="<&'


def test_system_tracks_read_back() -> None:
    """Every told track: place within the item's unit, velocity, height, accuracy, coasting; blocks fit a datagram."""
    blocks = encode_asterix.blocks(PICTURE, SITE.origin, 25, 7)
    assert all(len(b) <= encode_asterix.BLOCK_BYTES_MAX for b in blocks)
    refusals = Refusals()
    told = [r for b in blocks for r in records_of(Frame(1, "f", PICTURE.time_ns, b), refusals)]
    assert refusals.faults() == ()
    assert [(category, items["000"]) for category, items in told[-2:]] == [(65, b"\x02"), (65, b"\x01")]
    assert told[-1][1]["040"] == b"\x00"
    t = PICTURE.tracks
    at = np.flatnonzero(t.status != TrackStatus.TENTATIVE)
    assert len(told) - 2 == len(at)
    latitude, longitude, height = enu_to_geodetic(PLACE, t.mean[at, :3])
    for k, (_, items) in enumerate(told[:-2]):
        assert items["010"] == b"\x19\x07"
        assert int.from_bytes(items["040"], "big") == t.track_id[at[k]] & 0xFFFF
        where = place_deg(items, "105", 4, 1 << 25)
        assert where == pytest.approx((np.degrees(latitude[k]), np.degrees(longitude[k])), abs=180 / 2**25)
        velocity = [int.from_bytes(items["185"][j : j + 2], "big", signed=True) * 0.25 for j in (0, 2)]
        assert velocity == pytest.approx(t.mean[at[k], 3:5], abs=0.13)
        assert int.from_bytes(items["130"], "big", signed=True) * 6.25 * 0.3048 == pytest.approx(height[k], abs=1.0)
        apw = parts(62, "500", items["500"])[2]
        sigma_m = int.from_bytes(apw[:2], "big") * np.pi / 2**25 * 6_371_000.0
        assert sigma_m == pytest.approx(np.sqrt(t.cov[at[k], 1, 1]), abs=0.6)
        assert (len(items["080"]) > 3) == (t.status[at[k]] == TrackStatus.COASTING)


def test_our_own_decoder_takes_them_for_another_trackers_opinion() -> None:
    blocks = encode_asterix.blocks(PICTURE, SITE.origin, 25, 7)
    frames = [Frame(i + 1, "f", PICTURE.time_ns, b) for i, b in enumerate(blocks)]
    d = merged(feed(AsterixDecoder("f", None), frames)[1])
    confirmed = int((PICTURE.tracks.status == TrackStatus.CONFIRMED).sum())
    assert len(d.positions) == confirmed
    assert np.count_nonzero(d.values.field == Field.GROUND_SPEED_MPS) == confirmed
