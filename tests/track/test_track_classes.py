"""Kinds: probabilities that mean what they say, on traffic that follows the envelopes and on some that does not."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import Detections, Kind, Position, SensorConfig, Space, TrackStatus
from lapwing.track import ClassSettings, TargetPrior, TrackSettings, make_sensor, watch_start, watch_step
from lapwing.track.classes import Classifier, Envelopes, Features, observe, probabilities

SECOND = 1_000_000_000
MICRO_FEATURES = ("blades", "blade_looks", "spread_log", "spread_looks")
SETTINGS = TrackSettings(prior=TargetPrior(height_m_mean=500.0, height_m_sigma=2_000.0))
CLASSES = ClassSettings()
# What each kind does here: speeds and heights between, at the ends rarely (beta 2, 2); how often it changes course, s.
BEHAVIOUR = {
    Kind.MULTIROTOR: ((2.0, 22.0), (20.0, 250.0), 15.0),
    Kind.FIXED_WING_DRONE: ((11.0, 34.0), (40.0, 600.0), 25.0),
    Kind.BIRD: ((6.0, 24.0), (10.0, 900.0), 10.0),
    Kind.AIRCRAFT: ((45.0, 250.0), (300.0, 11_000.0), 120.0),
    Kind.HELICOPTER: ((20.0, 80.0), (80.0, 900.0), 60.0),
    Kind.SHIP: ((2.0, 13.0), (3.0, 25.0), 300.0),
    Kind.GROUND: ((4.0, 30.0), (2.0, 15.0), 20.0),
}


# Median radar cross section of each kind here, dBsm; single targets differ by 5 dB, single looks by Swerling 1.
ECHO = {Kind.MULTIROTOR: -20.0, Kind.FIXED_WING_DRONE: -13.0, Kind.BIRD: -24.0, Kind.AIRCRAFT: 7.0,
        Kind.HELICOPTER: 9.0, Kind.SHIP: 27.0, Kind.GROUND: 8.0}  # fmt: skip


def as_the_envelopes_say(rng, k):
    """Speed, height and median echo of a target of kind k: log-normal, a third of the bird tracks several birds."""
    e = Envelopes()
    several = 10.0 if k == Kind.BIRD and rng.random() < e.flocks else 0.0
    speed, height = (m[k] * np.exp(s[k] * rng.normal()) for m, s in ((e.speed_mps, e.speed_spread),
                                                                     (e.height_m, e.height_spread)))  # fmt: skip
    return speed, height, e.rcs_dbsm[k] + several + e.rcs_spread_db[k] * rng.normal()


def traffic(seed, n=150, seconds=30, amplitude=False, matched=False):
    """Probabilities and true kinds of n targets after half a minute, as the tracker saw them. `matched`: they are as
    different as the envelopes say, and some are of no known kind."""
    rng = np.random.default_rng(seed)
    kinds = list(Kind) if matched else list(BEHAVIOUR)
    share = np.array([CLASSES.prior[k] for k in kinds])
    kind = rng.choice([int(k) for k in kinds], n, p=share / share.sum())
    x = np.zeros((n, 6))
    x[:, :2] = rng.uniform(-20e3, 20e3, (n, 2))
    speed, course = np.zeros(n), rng.uniform(0, 2 * np.pi, n)
    turn_s = np.zeros(n)
    for i, k in enumerate(kind):
        speeds, heights, turn_s[i] = BEHAVIOUR.get(Kind(k), BEHAVIOUR[Kind.BIRD])
        speed[i] = speeds[0] + (speeds[1] - speeds[0]) * rng.beta(2, 2)
        x[i, 2] = heights[0] * (heights[1] / heights[0]) ** rng.beta(2, 2)
    sensor = make_sensor(SensorConfig("s", Position(0.9, 0.4, 0.0), "position", range_m_max=80e3, p_detect=0.9),
                         Position(0.9, 0.4, 0.0), Space.POSITION_3D)  # fmt: skip
    x[:, 2] -= (x[:, 0] ** 2 + x[:, 1] ** 2) / (2 * 6378137.0)
    watch = watch_start(SETTINGS)
    other = np.random.default_rng(seed)  # leaves the course of things as it is without amplitudes
    if matched:
        speed, x[:, 2], echo = np.array([as_the_envelopes_say(rng, k) for k in kind]).T
        x[:, 2] -= (x[:, 0] ** 2 + x[:, 1] ** 2) / (2 * 6378137.0)
    else:
        echo = np.array([ECHO[Kind(k)] for k in kind]) + other.normal(0, 5, n)
    for t in range(1, seconds + 1):
        course += np.where(rng.random(n) < 1.0 / turn_s, rng.normal(0, 0.7, n), 0.0)
        x[:, 3], x[:, 4] = speed * np.sin(course), speed * np.cos(course)
        x[:, :3] += x[:, 3:]
        seen = np.flatnonzero(rng.random(n) < 0.9)
        z = x[seen, :3] + rng.normal(0, 1, (len(seen), 3)) * [8.0, 8.0, 12.0]
        m = len(z)
        R = np.tile(np.diag([64.0, 64.0, 144.0]), (m, 1, 1))
        rcs = echo[seen] + 10.0 * np.log10(other.exponential(1.0, m)) if amplitude else None
        scan = Detections("s", sensor.space, t * SECOND, np.full(m, t * SECOND), z, R, seen, np.arange(m), rcs)
        watch = watch_step(watch, scan, sensor, SETTINGS)
    tracks = watch.tracker.tracks
    sure = np.flatnonzero((tracks.status != TrackStatus.TENTATIVE) & (tracks.address >= 0))
    p = probabilities(watch.features, tracks.track_id[sure], np.zeros((len(sure), len(Kind))), CLASSES)
    return p, kind[tracks.address[sure]]


def reliability(p, true):
    """Of all (track, kind) probabilities, in five bins: mean probability, share that was true, count."""
    flat, hit = p.ravel(), (np.arange(len(Kind))[None, :] == true[:, None]).ravel()
    which = np.minimum((flat * 5).astype(int), 4)
    return [(flat[which == b].mean(), hit[which == b].mean(), int((which == b).sum())) for b in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize(("amplitude", "right"), [(False, 0.6), (True, 0.75)])
def test_probabilities_of_kinds_are_reliable_on_unseen_traffic(amplitude, right, matched):
    """Two dozen seeds that nothing was chosen on (the envelopes were looked at on seeds 0 to 5, the sharpness chosen on
    3000 to 3119 and 5000 to 5059)."""
    parts = [traffic(seed, amplitude=amplitude, matched=matched) for seed in range(1_000, 1_024)]
    p, true = np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])
    table = reliability(p, true)
    print("reliability", [(round(a, 3), round(b, 3), n) for a, b, n in table], "right", (p.argmax(1) == true).mean())
    for said, was, count in table:
        assert abs(said - was) < 0.05 + 2.0 * np.sqrt(0.25 / count)
    assert (p.argmax(axis=1) == true).mean() > right


def test_several_birds_in_one_cell_echo_like_a_drone_and_are_birds_all_the_same():
    """The likelihood of an echo under "bird" is the mixture of one bird's and of a flock's; the others' stay."""
    n, envelopes = 41, Envelopes()
    rcs, sigma2 = np.linspace(-40.0, 0.0, n), 7.0**2 + 5.57**2 / 8.0
    zero = np.zeros(n)
    columns = (np.arange(n), zero + 8, zero + 14.7, zero + 2, zero + 300, zero + 1e6, rcs - 2.51, zero + 8)
    f = Features(*columns, *(zero.copy() for _ in range(4)))
    silent = replace(f, rcs_looks=zero)
    told = np.exp(envelopes.log_likelihood(f) - envelopes.log_likelihood(silent))
    one, many = (np.exp(-0.5 * (rcs - m) ** 2 / sigma2) / np.sqrt(sigma2) for m in (-25.0, -15.0))
    assert told[:, Kind.BIRD] == pytest.approx(0.7 * one + 0.3 * many, rel=1e-9)
    alone = replace(envelopes, flocks=1e-12)
    other = np.exp(alone.log_likelihood(f) - alone.log_likelihood(silent))
    assert told[:, Kind.MULTIROTOR] == pytest.approx(other[:, Kind.MULTIROTOR])
    p, before = (
        probabilities(f, f.track_id, np.zeros((n, len(Kind))), replace(CLASSES, classifiers=(e,)))[:, Kind.BIRD]
        for e in (envelopes, alone)
    )
    odds, odds_before = p / (1.0 - p), before / (1.0 - before)
    assert odds / odds_before == pytest.approx(
        told[:, Kind.BIRD] / other[:, Kind.BIRD], rel=1e-9
    )  # an echo counts once
    assert p[rcs == -14.0] > before[rcs == -14.0] + 0.1


@pytest.mark.parametrize("unknown", ["height", "speed"])
def test_what_is_not_known_does_not_count(unknown):
    one = {"track_id": np.array([5]), "looks": np.ones(1), "speed_mps": np.array([9.0]), "height_m": np.array([70.0])}
    one |= {name: np.zeros(1) for name in ("rcs_dbsm", "rcs_looks", *MICRO_FEATURES)}
    sharp = Features(**one, speed_sigma_mps=np.array([1.0]), height_sigma_m=np.array([5.0]))
    vague = Features(
        **one,
        speed_sigma_mps=np.array([1.0 if unknown == "height" else 1e4]),
        height_sigma_m=np.array([1e6 if unknown == "height" else 5.0]),
    )
    none = np.zeros((1, len(Kind)))
    prior = np.array(CLASSES.prior)
    far = [np.abs(np.log(probabilities(f, np.array([5]), none, CLASSES)[0] / prior)).max() for f in (sharp, vague)]
    assert far[1] < far[0]


def test_a_height_that_no_sensor_measures_tells_nothing_and_an_amplitude_does():
    """A car at 22 m/s before a radar without elevation: neither ground nor sky, until its echo is known."""

    def seen(rcs_dbsm):
        rng, watch = np.random.default_rng(4), watch_start(SETTINGS)
        config = SensorConfig("r", Position(0.9, 0.4, 0.0), "radar", range_m_max=40e3, p_detect=0.9)
        radar = make_sensor(config, Position(0.9, 0.4, 0.0), Space.RANGE_AZIMUTH)
        for t in range(1, 40):
            z = np.array([[np.hypot(6000.0, 22.0 * t), np.arctan2(6000.0, 22.0 * t)]]) + rng.normal(0, [[20, 0.002]])
            at, R = np.array([t * SECOND]), np.diag([400.0, 4e-6])[None]
            rcs = None if rcs_dbsm is None else np.array([rcs_dbsm + 10.0 * np.log10(rng.exponential())])
            scan = Detections("r", radar.space, t * SECOND, at, z, R, np.array([-1]), np.array([t]), rcs)
            watch = watch_step(watch, scan, radar, SETTINGS)
        oldest = int(np.argmax(watch.features.looks))
        name = watch.features.track_id[oldest : oldest + 1]
        return watch.features, oldest, probabilities(watch.features, name, np.zeros((1, len(Kind))), CLASSES)[0]

    features, row, plain = seen(None)
    assert features.height_sigma_m[row] > 1e4
    assert features.rcs_looks[row] == 0
    drone = [Kind.MULTIROTOR, Kind.FIXED_WING_DRONE]
    features, row, strong = seen(8.0)
    assert features.rcs_looks[row] > 20
    assert features.rcs_dbsm[row] + 2.51 == pytest.approx(8.0, abs=3.0)
    assert strong[Kind.GROUND] > plain[Kind.GROUND]
    assert strong[drone].sum() < 0.02 < plain[drone].sum()
    assert seen(-17.0)[2][drone].sum() > 0.6 > 0.5 > plain[drone].sum()


def test_a_learned_classifier_fits_the_socket():
    class Coin:
        def log_likelihood(self, features):
            out = np.zeros((len(features.track_id), len(Kind)))
            out[:, Kind.BIRD] = 9.0
            return out

    assert isinstance(Coin(), Classifier)
    assert isinstance(Envelopes(), Classifier)
    f = Features(*(np.array([v]) for v in (7, 1.0, 9.0, 1.0, 70.0, 5.0, *[0.0] * 6)))
    p = probabilities(f, np.array([7]), np.zeros((1, len(Kind))), ClassSettings(classifiers=(Envelopes(), Coin())))
    assert p[0].argmax() == Kind.BIRD
    assert p.sum() == pytest.approx(1.0)
    nobody = np.zeros(0, dtype=bool)
    assert observe(f, watch_start(SETTINGS).tracker.tracks, 0, nobody).track_id.tolist() == []
