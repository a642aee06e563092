"""Micro-Doppler: it tells rotors from wings, weighs no more than it may, and leaves probabilities that mean what they
say, on targets that do not follow its own distributions."""

from math import comb

import numpy as np
import pytest
from scipy.stats import betabinom
from tests.track.test_track_classes import BEHAVIOUR, SECOND, SETTINGS, reliability

from lapwing.records import MICRO_UNSAID, Detections, Kind, Position, SensorConfig, Space, TrackStatus
from lapwing.track import ClassSettings, Envelopes, MicroDoppler, make_sensor, watch_start, watch_step
from lapwing.track.classes import Features, probabilities

C = len(Kind)
BOTH = ClassSettings(classifiers=(Envelopes(), MicroDoppler()))
PLAIN = ClassSettings()
# Here: what share of a target's looks sees blades (uniform per target), median spread, and how single targets differ.
# Half of the small targets are too weak for it: their blades are seen in a fifth of the looks that would show them.
SHOWN = {
    Kind.MULTIROTOR: ((0.4, 1.0), 35.0, 0.5),
    Kind.FIXED_WING_DRONE: ((0.2, 0.9), 25.0, 0.6),
    Kind.BIRD: ((0.0, 0.15), 3.5, 0.5),
    Kind.AIRCRAFT: ((0.0, 0.6), 15.0, 0.8),
    Kind.HELICOPTER: ((0.7, 1.0), 150.0, 0.4),
    Kind.SHIP: ((0.0, 0.1), 3.0, 0.6),
    Kind.GROUND: ((0.0, 0.1), 6.0, 0.6),
}


def features(blades=0.0, blade_looks=0.0, spread_mps=1.0, spread_looks=0.0):
    row = (7, 5.0, 12.0, 4.0, 100.0, 1e6, 0.0, 0.0, blades, blade_looks, np.log(spread_mps), spread_looks)
    return Features(*(np.array([v]) for v in row))


def of(f, settings=BOTH):
    return probabilities(f, np.array([7]), np.zeros((1, C)), settings)[0]


def test_blades_tell_a_multirotor_from_a_bird_and_their_absence_little():
    silent, seen, absent = of(features()), of(features(1.0, 8.0)), of(features(0.0, 8.0))
    np.testing.assert_allclose(silent, of(features(), PLAIN))

    def odds(p):
        return p[Kind.MULTIROTOR] / p[Kind.BIRD]

    assert odds(seen) > 20.0 * odds(silent)
    assert odds(silent) > odds(absent) > odds(silent) / 10.0
    assert odds(of(features(spread_mps=40.0, spread_looks=8.0))) > 10.0 * odds(silent)
    assert odds(of(features(spread_mps=3.0, spread_looks=8.0))) < 0.2 * odds(silent)


def test_a_thousand_looks_weigh_no_more_than_a_dozen():
    for share in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(of(features(share, 12.0)), of(features(share, 1_000.0)))
    wide = [of(features(spread_mps=40.0, spread_looks=n)) for n in (12.0, 1_000.0)]
    np.testing.assert_allclose(*wide)


def test_the_share_of_looks_is_a_beta_mixture_of_binomials():
    """Against scipy's beta-binomial."""
    m, k, n = MicroDoppler(), 3, 7
    log = m.log_likelihood(features(k / n, float(n)))[0]

    def binomial(mean):
        return betabinom.pmf(k, n, m.concentration * mean, m.concentration * (1 - mean))

    for kind in Kind:
        expected = (1 - m.faint) * binomial(m.blades[kind]) + m.faint * binomial(m.faint_blades)
        assert np.exp(log[kind]) * comb(n, k) == pytest.approx(expected, rel=1e-9)


def traffic(seed, n=120, seconds=25):
    """Probabilities without and with micro-Doppler, and true kinds, of n targets as the tracker saw them."""
    rng = np.random.default_rng(seed)
    share = np.array([BOTH.prior[k] for k in BEHAVIOUR])
    kind = rng.choice([int(k) for k in BEHAVIOUR], n, p=share / share.sum())
    x, speed, course = np.zeros((n, 6)), np.zeros(n), rng.uniform(0, 2 * np.pi, n)
    x[:, :2] = rng.uniform(-20e3, 20e3, (n, 2))
    turn_s, blades, spread = np.zeros(n), np.zeros(n), np.zeros(n)
    for i, k in enumerate(kind):
        speeds, heights, turn_s[i] = BEHAVIOUR[Kind(k)]
        speed[i] = speeds[0] + (speeds[1] - speeds[0]) * rng.beta(2, 2)
        x[i, 2] = heights[0] * (heights[1] / heights[0]) ** rng.beta(2, 2)
        between, median, apart = SHOWN[Kind(k)]
        weak = k in (Kind.MULTIROTOR, Kind.FIXED_WING_DRONE, Kind.BIRD) and rng.random() < 0.5
        blades[i] = rng.uniform(*between) * (0.2 if weak else 1.0)
        spread[i] = median * np.exp(rng.normal(0, apart)) * (0.7 if weak else 1.0)
    place = Position(0.9, 0.4, 0.0)
    config = SensorConfig("s", place, "position", range_m_max=80e3, p_detect=0.9)
    sensor, watch = make_sensor(config, place, Space.POSITION_3D), watch_start(SETTINGS)
    x[:, 2] -= (x[:, 0] ** 2 + x[:, 1] ** 2) / (2 * 6378137.0)
    for t in range(1, seconds + 1):
        course += np.where(rng.random(n) < 1.0 / turn_s, rng.normal(0, 0.7, n), 0.0)
        x[:, 3], x[:, 4] = speed * np.sin(course), speed * np.cos(course)
        x[:, :3] += x[:, 3:]
        seen = np.flatnonzero(rng.random(n) < 0.9)
        m = len(seen)
        z = x[seen, :3] + rng.normal(0, 1, (m, 3)) * [8.0, 8.0, 12.0]
        micro = np.stack([rng.random(m) < blades[seen], spread[seen] * np.exp(rng.normal(0, 0.4, m))], axis=1)
        micro[rng.random(m) < 0.3] = MICRO_UNSAID  # not every look says it
        R = np.tile(np.diag([64.0, 64.0, 144.0]), (m, 1, 1))
        at = np.full(m, t * SECOND)
        scan = Detections("s", sensor.space, t * SECOND, at, z, R, seen, np.arange(m), micro=micro)
        watch = watch_step(watch, scan, sensor, SETTINGS)
    tracks = watch.tracker.tracks
    sure = np.flatnonzero((tracks.status != TrackStatus.TENTATIVE) & (tracks.address >= 0))
    names, none = tracks.track_id[sure], np.zeros((len(sure), C))
    plain, both = (probabilities(watch.features, names, none, s) for s in (PLAIN, BOTH))
    return plain, both, kind[tracks.address[sure]]


@pytest.mark.slow
def test_probabilities_stay_reliable_and_more_are_right():
    """Ten seeds that nothing was chosen on."""
    parts = [traffic(seed) for seed in range(2_000, 2_010)]
    plain, both, true = (np.concatenate([p[i] for p in parts]) for i in range(3))
    table = reliability(both, true)
    print("reliability", [(round(a, 3), round(b, 3), n) for a, b, n in table])
    right = [(p.argmax(axis=1) == true).mean() for p in (plain, both)]
    brier = [((p - np.eye(C)[true]) ** 2).sum(axis=1).mean() for p in (plain, both)]
    print("right", right, "Brier", brier)
    for said, was, count in table:
        assert abs(said - was) < 0.05 + 2.0 * np.sqrt(0.25 / count)
    assert right[1] > right[0] + 0.05
    assert brier[1] < 0.8 * brier[0]
    rotor = np.isin(true, (Kind.MULTIROTOR, Kind.BIRD))
    apart = [
        (p[rotor][:, Kind.MULTIROTOR] > p[rotor][:, Kind.BIRD]) == (true[rotor] == Kind.MULTIROTOR)
        for p in (plain, both)
    ]
    assert apart[1].mean() > apart[0].mean() + 0.05
