"""Claims: one filter per speaker, drawn where it says it is, jumps held back until they agree with themselves."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.geodesy import enu_axes, enu_to_geodetic, geodetic_to_enu
from lapwing.records import Decoded, Doubt, Field, Position, Positions, Source, Texts, Values, Word
from lapwing.records.claims import FIELD_COLUMN
from lapwing.track import ClaimSettings, claims_start, claims_step, predict_claims

ORIGIN = Position(np.radians(50.0), np.radians(22.0), 200.0)
PLACE = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
SETTINGS = ClaimSettings()
T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def at(seconds):
    return T0 + round(seconds * SECOND)


def said(positions=(), values=(), texts=()):
    """Rows (s, source, address, enu, doubt), (s, source, address, field, value), (s, source, address, word, text)."""
    p, v, t = list(positions), list(values), list(texts)
    enu = np.array([row[3] for row in p], dtype=float).reshape(-1, 3)
    latitude, longitude, _ = enu_to_geodetic(PLACE, enu)

    def col(rows, i):
        return np.array([row[i] for row in rows], dtype=np.int64)

    def when(rows):
        return np.array([at(row[0]) for row in rows], dtype=np.int64)

    seq = np.arange(len(p) + len(v) + len(t))
    return Decoded(
        Positions(when(p), seq[: len(p)], col(p, 1), col(p, 2), latitude, longitude, col(p, 4)),
        Values(when(v), seq[: len(v)], col(v, 1), col(v, 2), col(v, 3), np.array([r[4] for r in v], dtype=float)),
        Texts(when(t), seq[: len(t)], col(t, 1), col(t, 2), col(t, 3), tuple(r[4] for r in t)),
    )


def level(enu, height=10_000.0):
    """The ENU point below or above which `height` over the ellipsoid is reached."""
    latitude, longitude, _ = enu_to_geodetic(PLACE, np.atleast_2d(np.array(enu, dtype=float)))
    return geodetic_to_enu(PLACE, latitude, longitude, np.full(len(latitude), height))[0]


def fly(seconds, velocity, address=1, source=Source.ADSB, begin=(10e3, 5e3), noise=0.0, period=0.5, first=0.0):
    """Claims after a straight flight at 10 km said in 0.2 s ticks, positions and velocities each period."""
    rng, claims = np.random.default_rng(1), claims_start(SETTINGS)
    for tick in range(1, round(seconds / 0.2) + 1):
        claims = claims_step(
            claims, *tick_of(rng, tick, velocity, address, source, begin, noise, period), at(tick * 0.2)
        )
    return claims


def tick_of(rng, tick, velocity, address, source, begin, noise, period):
    rows, values = [], []
    for s in np.arange(0, tick * 0.2 + 1e-9, period):
        if (tick - 1) * 0.2 < s <= tick * 0.2 + 1e-9:
            x = level([begin[0] + velocity[0] * s, begin[1] + velocity[1] * s, 0.0]) + rng.normal(0, noise, 3)
            rows.append((s, source, address, x, 0))
            speed, track = np.hypot(*velocity), np.arctan2(*velocity)
            values += [(s, source, address, Field.HEIGHT_ELLIPSOID_M, 10_000.0)]
            values += [
                (s, source, address, Field.GROUND_SPEED_MPS, speed),
                (s, source, address, Field.TRACK_RAD, track),
            ]
    return said(rows, values), SETTINGS, ORIGIN


def test_a_straight_flight():
    claims = fly(30.0, (200.0, -100.0), noise=15.0)
    assert claims.address.tolist() == [1]
    assert claims.has_position[0] == 1
    want = level([10e3 + 200.0 * 30.0, 5e3 - 100.0 * 30.0, 0.0])
    assert np.linalg.norm(claims.mean[0, :2] - want[:2]) < 25.0
    assert abs(claims.mean[0, 2] - want[2]) < 60.0
    assert np.allclose(claims.mean[0, 3:5], [200.0, -100.0], atol=5.0)
    assert claims.rejected[0] == 0
    assert claims.doubt[0] == Doubt.NONE
    np.linalg.cholesky(claims.cov)
    later = predict_claims(claims, SETTINGS, at(32.0))
    assert np.allclose(later.mean[0, :2], claims.mean[0, :2] + 2.0 * claims.mean[0, 3:5], rtol=1e-9)


def test_velocity_is_turned_into_the_sites_frame():
    """400 km east of the site, flying due north there is not due north here."""
    claims, begin = claims_start(SETTINGS), level([400e3, 0.0, 0.0])
    latitude, longitude, _ = enu_to_geodetic(PLACE, begin[None])
    for k in range(20):
        values = [
            (0.5 * k, 0, 5, Field.HEIGHT_ELLIPSOID_M, 1e4),
            (0.5 * k, 0, 5, Field.GROUND_SPEED_MPS, 250.0),
            (0.5 * k, 0, 5, Field.TRACK_RAD, 0.0),
        ]
        x = geodetic_to_enu(PLACE, latitude + 250.0 * 0.5 * k / 6.38e6, longitude, np.array([1e4]))[0]
        claims = claims_step(claims, said([(0.5 * k, 0, 5, x, 0)], values), SETTINGS, ORIGIN, at(0.5 * k))
    north = enu_axes(*PLACE[:2]) @ enu_axes(latitude[0], longitude[0])[1]
    assert np.allclose(claims.mean[0, 3:], 250.0 * north, atol=4.0)
    assert abs(north[0]) > 0.02


def test_one_jump_is_disbelieved_three_that_agree_are_followed():
    velocity, claims = (200.0, 0.0), fly(10.0, (200.0, 0.0))
    far = level([80e3, 60e3, 0.0])
    claims = claims_step(claims, said([(10.1, 0, 1, far, 0)]), SETTINGS, ORIGIN, at(10.2))
    assert claims.rejected[0] == 1
    assert claims.doubt[0] & Doubt.JUMP
    assert claims.mean[0, 0] < 13e3
    true = level([10e3 + 200.0 * 10.5, 5e3, 0.0])
    claims = claims_step(claims, said([(10.5, 0, 1, true, 0)]), SETTINGS, ORIGIN, at(10.6))
    assert claims.rejected[0] == 0
    assert claims.doubt[0] & Doubt.JUMP  # visible for a while
    for k, (x, count) in enumerate(
        [(far, 1), (level([-90e3, 0.0, 0.0]), 2), (far, 3), (far + np.array([100, 0, 0]), 4)]
    ):
        claims = claims_step(claims, said([(11.0 + 0.5 * k, 0, 1, x, 8)]), SETTINGS, ORIGIN, at(11.2 + 0.5 * k))
        assert claims.rejected[0] == count
    assert claims.mean[0, 0] < 14e3
    claims = claims_step(claims, said([(13.0, 0, 1, far + np.array([200, 0, 0]), 0)]), SETTINGS, ORIGIN, at(13.2))
    assert claims.rejected[0] == 0
    assert np.linalg.norm(claims.mean[0, :2] - far[:2]) < 300.0
    assert claims.doubt[0] & Doubt.JUMP
    assert velocity == (200.0, 0.0)


def test_doubt_passes():
    claims = fly(10.0, (200.0, 0.0))
    claims = claims_step(claims, said([(10.1, 0, 1, level([80e3, 60e3, 0.0]), 0)]), SETTINGS, ORIGIN, at(10.2))
    for k in range(1, 71):
        x = level([10e3 + 200.0 * (10.1 + k), 5e3, 0.0])
        claims = claims_step(claims, said([(10.1 + k, 0, 1, x, 4)]), SETTINGS, ORIGIN, at(10.2 + k))
    assert claims.doubt[0] == Doubt.SINGLE


def test_who_is_one_voice():
    x = level([1e3, 1e3, 0.0])
    rows = [(1.0, Source.ADSB, 9, x, 0), (1.0, Source.MLAT, 9, x, 0), (1.0, Source.AIS, 3, x, 0)]
    heard = [
        (1.0, Source.MODE_S, 9, Field.DOWNLINK_FORMAT, 11.0),
        (1.0, Source.MODE_S, 4, Field.ALTITUDE_BARO_M, 900.0),
    ]
    words = [(1.0, Source.ADSB, 9, Word.CALLSIGN, "LOT12"), (1.0, Source.AIS, 3, Word.NAME, "ORP")]
    claims = claims_step(claims_start(SETTINGS), said(rows, heard, words), SETTINGS, ORIGIN, at(1.0))
    assert claims.address.tolist() == [4, 9, 9, 3]
    assert claims.source.tolist() == [Source.MODE_S, Source.ADSB, Source.MLAT, Source.AIS]
    assert claims.has_position.tolist() == [0, 1, 1, 1]
    assert claims.names == ("", "LOT12", "", "ORP")
    value, when = claims.said(Field.ALTITUDE_BARO_M)
    assert value[0] == 900.0
    assert when[0] == at(1.0)
    assert (when[1:] == 0).all()
    assert (claims.mean[0] == 0.0).all()
    assert (claims.cov[0] == 0.0).all()


def test_silence_is_forgotten():
    x = level([1e3, 1e3, 0.0])
    claims = claims_step(
        claims_start(SETTINGS), said([(0, Source.ADSB, 1, x, 0), (0, Source.AIS, 2, x, 0)]), SETTINGS, ORIGIN, at(0)
    )
    assert len(claims) == 2
    claims = claims_step(claims, Decoded(), SETTINGS, ORIGIN, at(119.0))
    assert claims.address.tolist() == [1, 2]
    claims = claims_step(claims, Decoded(), SETTINGS, ORIGIN, at(121.0))
    assert claims.address.tolist() == [2]
    assert claims.has_position.tolist() == [1]
    claims = claims_step(claims, Decoded(), SETTINGS, ORIGIN, at(700.0))
    assert claims.has_position.tolist() == [0]
    assert len(claims_step(claims, Decoded(), SETTINGS, ORIGIN, at(901.0))) == 0


def test_strange_rows_are_ignored():
    x = level([1e3, 1e3, 0.0])
    rows = [(0, 77, 1, x, 0), (0, Source.ADSB, -1, x, 0), (0, Source.ADSB, 1 << 60, x, 0)]
    claims = claims_step(
        claims_start(SETTINGS), said(rows, [(0, 0, 1, 999, 5.0), (0, -3, 1, 2, 5.0)]), SETTINGS, ORIGIN, at(0)
    )
    assert claims.address.tolist() == [1]
    assert (claims.values == 0.0).all()


def test_what_it_says_of_its_accuracy_counts():
    x, sigma = level([1e3, 1e3, 0.0]), {}
    for nac in (10, 8, 5, 0):
        values = [(0, 0, 1, Field.NAC_P, nac), (0, 0, 1, Field.HEIGHT_ELLIPSOID_M, 1e4)]
        claims = claims_step(claims_start(SETTINGS), said([(0, 0, 1, x, 0)], values), SETTINGS, ORIGIN, at(0))
        sigma[nac] = np.sqrt(claims.cov[0, 0, 0])
    assert np.isclose(sigma[10], SETTINGS.sigma_m_min, rtol=0.01)
    assert np.isclose(sigma[8], 92.6 / 2.4477, rtol=0.01)
    assert np.isclose(sigma[5], 926 / 2.4477, rtol=0.01)
    assert np.isclose(sigma[0], SETTINGS.sigma_m[Source.ADSB], rtol=0.01)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_sound_and_split_does_not_matter(seed):
    """Any mix of rows: covariances positive, rows sorted; telling it in one step or in two ends at the same place."""
    rng = np.random.default_rng(seed)
    rows = [
        (s, int(rng.choice([0, 4, 6])), int(rng.integers(1, 4)), level(rng.normal(0, 2e4, 3)), 0)
        for s in np.sort(rng.uniform(0, 4, 20))
    ]
    once = claims_step(claims_start(SETTINGS), said(rows), SETTINGS, ORIGIN, at(4.0))
    np.linalg.cholesky(once.cov[once.has_position == 1])
    half = claims_step(claims_start(SETTINGS), said([r for r in rows if r[0] <= 2.0]), SETTINGS, ORIGIN, at(2.0))
    twice = claims_step(half, said([r for r in rows if r[0] > 2.0]), SETTINGS, ORIGIN, at(4.0))
    assert once.address.tolist() == twice.address.tolist()
    assert np.array_equal(once.rejected, twice.rejected)
    assert np.array_equal(once.position_ns, twice.position_ns)
    assert np.allclose(once.mean, twice.mean, rtol=1e-6, atol=1e-3)
    assert np.allclose(once.cov, twice.cov, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(("speakers", "rows", "limit_s"), [(60, 40, 0.01), (2_000, 4_000, 0.06)])
def test_a_tick_is_cheap(speakers, rows, limit_s):
    """Best of ten ticks, generous for a loaded machine: docs/tracking.md states what was measured."""
    rng, claims = np.random.default_rng(0), claims_start(SETTINGS)
    x = [level(v) for v in rng.normal(0, 1e5, (speakers, 3))]
    claims = claims_step(claims, said([(0, 0, i, x[i], 0) for i in range(speakers)]), SETTINGS, ORIGIN, at(0))
    best = np.inf
    for tick in range(1, 11):
        who = rng.integers(0, speakers, rows)
        d = said(
            [(0.2 * tick, 0, int(i), x[i], 0) for i in who[: rows // 5]],
            [(0.2 * tick, 0, int(i), Field.ALTITUDE_BARO_M, 9e3) for i in who[rows // 5 :]],
        )
        begin = time.process_time()
        claims = claims_step(claims, d, SETTINGS, ORIGIN, at(0.2 * tick))
        best = min(best, time.process_time() - begin)
    print(speakers, rows, best)
    assert best < limit_s


@pytest.mark.parametrize(("keep_s", "known"), [(0.0, [0, 0, 0]), (120.0, [1, 1, 0]), (5.0, [1, 0, 0])])
def test_where_a_person_is_has_its_own_retention(keep_s, known):
    settings = ClaimSettings(operator_forget_s=keep_s)
    column = FIELD_COLUMN[Field.OPERATOR_LATITUDE_RAD]
    claims, found = claims_start(settings), []
    for t in (1, 60, 125):
        drone = [(t, Source.REMOTE_ID, 7, Field.UA_TYPE, 2)]
        person = [(1, Source.REMOTE_ID, 7, Field.OPERATOR_LATITUDE_RAD, 0.87)] if t == 1 else []
        claims = claims_step(claims, said(values=[*drone, *person]), settings, ORIGIN, at(t + 0.1))
        assert len(claims) == 1
        assert claims.values[0, FIELD_COLUMN[Field.UA_TYPE]] == 2
        found.append(int(claims.values_ns[0, column] > 0))
        assert (claims.values[0, column] != 0.0) == (claims.values_ns[0, column] > 0)
    assert found == known


def test_who_has_not_said_where_it_is_has_its_newest_frame_as_evidence():
    """Then the page can say which receiver heard it. Once it has a place, evidence is the frame of the place."""
    claims = claims_start(SETTINGS)
    empty = said()
    for seq, second in ((40, 1), (41, 2)):
        d = said(values=[(second, Source.REMOTE_ID, 9, Field.NO_POSITION, 1.0)])
        v = Values(
            d.values.time_ns, np.array([seq]), *(getattr(d.values, n) for n in ("source", "address", "field", "value"))
        )
        claims = claims_step(claims, Decoded(empty.positions, v, empty.texts), SETTINGS, ORIGIN, at(second))
        assert claims.frame_seq.tolist() == [seq]
    placed = said(positions=[(3, Source.REMOTE_ID, 9, (100.0, 100.0, 0.0), 0)])
    claims = claims_step(claims, placed, SETTINGS, ORIGIN, at(3))
    assert claims.frame_seq.tolist() == [0]  # the frame of the position, numbered 0 here
    later = said(
        positions=[],
        values=[(4, Source.REMOTE_ID, 8, Field.NO_POSITION, 1.0), (4, Source.REMOTE_ID, 9, Field.NO_POSITION, 1.0)],
    )
    claims = claims_step(claims, later, SETTINGS, ORIGIN, at(4))
    assert claims.frame_seq.tolist() == [0, 0]  # of 8 its own first (0), of 9 still that of its place, not 1


@pytest.mark.parametrize(
    ("add", "saturated", "height", "sigma"),
    [(-96.0, 0.0, 2_904.0, 50.0), (-96.0, 1.0, 3_000.0, 200.0), (None, 0.0, 3_000.0, 200.0)],
)
def test_a_height_is_pressure_and_what_the_aircraft_adds_and_its_error_lasts(add, saturated, height, sigma):
    """Velocity messages say geometric less pressure altitude; a hundred reports do not average its error away."""
    claims = claims_start(SETTINGS)
    for k in range(1, 101):
        values = [(k * 0.5, Source.ADSB, 1, Field.ALTITUDE_BARO_M, 3_000.0)]
        if add is not None:
            values.append((k * 0.5, Source.ADSB, 1, Field.GEOMETRIC_MINUS_BARO_M, add))
            values.append((k * 0.5, Source.ADSB, 1, Field.GEOMETRIC_MINUS_BARO_SATURATED, saturated))
        where = (k * 0.5, Source.ADSB, 1, (5e3, 4e3 + 40.0 * k, 0.0), 0)
        claims = claims_step(claims, said([where], values), SETTINGS, ORIGIN, at(k * 0.5))
    up = level(claims.mean[0, :3], height)[2]
    assert abs(claims.mean[0, 2] - up) < 1.0
    assert 0.85 * sigma < np.sqrt(claims.cov[0, 2, 2]) < sigma
    assert np.sqrt(claims.cov[0, 0, 0]) < 25.0


def turning(s):
    """A place, ten kilometres up, of an aircraft at 200 m/s: straight on, after half a minute in a turn."""
    w = np.radians(3.0)
    bend = max(s - 30.0, 0.0)
    along, across = 200.0 * (min(s, 30.0) + np.sin(w * bend) / w), 200.0 * (1.0 - np.cos(w * bend)) / w
    return level([along, across, 0.0])


def told(reports, to_s, claims=None):
    """Claims after reports of (s, arrival), every 0.2 s up to `to_s`."""
    claims, doubts = claims or claims_start(SETTINGS), 0
    for tick in range(1, round(to_s / 0.2) + 1):
        now = tick * 0.2
        rows = [s for s, come in reports if now - 0.2 + 1e-9 < come <= now + 1e-9]
        heights = [(s, Source.ADSB, 1, Field.HEIGHT_ELLIPSOID_M, 10_000.0) for s in rows]
        claims = claims_step(
            claims, said([(s, Source.ADSB, 1, turning(s), 0) for s in rows], heights), SETTINGS, ORIGIN, at(now)
        )
        doubts += int(claims.doubt.sum())
    return claims, doubts


def test_reports_that_a_link_kept_back_say_the_same_as_on_time():
    """In order and with their own times: 80 s of a turn within a second, to a decimetre what they said on time."""
    when = np.arange(1.0, 120.0)
    on_time, _ = told([(s, s) for s in when], 121.0)
    late, doubts = told([(s, s if s <= 40 else 119.0 + s / 120.0) for s in when], 121.0)
    assert doubts == 0
    assert np.abs(late.mean[0, :2] - on_time.mean[0, :2]).max() < 0.1
    np.testing.assert_allclose(late.cov[0, :2, :2], on_time.cov[0, :2, :2], rtol=1e-2, atol=1.0)


def test_who_was_not_heard_may_have_turned_but_not_have_jumped():
    """After a minute's silence an aircraft is anywhere that its speed allows; farther is a jump."""
    heard = [(s, s) for s in np.arange(1.0, 41.0)] + [(s, s) for s in np.arange(100.0, 103.0)]
    claims, doubts = told(heard, 103.0)
    assert doubts == 0
    assert np.hypot(*(claims.mean[0, :2] - turning(102.0)[:2])) < 400.0
    before, _ = told(heard[:40], 90.0)
    far = before.mean[0, :3] + np.array([25_000.0, 0.0, 0.0])
    jumped = claims_step(before, said([(90.1, Source.ADSB, 1, level(far), 0)]), SETTINGS, ORIGIN, at(90.2))
    assert jumped.rejected[0] == 1
    assert jumped.doubt[0] & Doubt.JUMP
