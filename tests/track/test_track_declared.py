"""Declared kinds: one opinion per sensor and track, bounded by what the sensor is worth, and calibrated."""

import numpy as np
import pytest

from lapwing.records import ANONYMOUS, Detections, Innovations, Kind, Space
from lapwing.track import ClassSettings
from lapwing.track.classes import Features, probabilities
from lapwing.track.declared import Declared, heard, log_likelihoods
from lapwing.track.timely import those

C = len(Kind)


def scan(declared, sensor="camera"):
    m = len(declared)
    zero = np.zeros(m, dtype=np.int64)
    return Detections(
        sensor, Space.POSITION_2D, 0, zero, np.zeros((m, 2)), np.tile(np.eye(2), (m, 1, 1)), zero + ANONYMOUS, zero,
        None, np.array(declared, dtype=float).reshape(m, C),
    )  # fmt: skip


def told(track_id, weight=None, sensor="camera"):
    n = len(track_id)
    weight = np.ones(n) if weight is None else np.array(weight)
    return Innovations(sensor, 0, np.array(track_id, dtype=np.int64), np.arange(n), weight, np.zeros(n), 2)


def one_hot(kind, p=1.0):
    out = np.zeros(C)
    out[kind] = p
    return out


def test_it_is_the_mean_of_what_surely_belongs_written_out():
    """Against a loop over dictionaries."""
    rng = np.random.default_rng(5)
    kept, sums = Declared.empty(), {}
    alive = np.arange(10, 16)
    for i in range(200):
        sensor = ("camera", "microphone")[i % 2]
        m = int(rng.integers(1, 5))
        said = rng.dirichlet(np.ones(C), m) * rng.integers(0, 2, (m, 1))
        ids, weight = rng.choice(alive, m, replace=False), rng.uniform(0, 1, m)
        kept = heard(kept, alive, scan(said, sensor), told(ids, weight, sensor))
        for row in range(m):
            if weight[row] >= 0.5 and said[row].sum() > 0:
                sums.setdefault((int(ids[row]), sensor), []).append(said[row])
    rho = {"camera": 0.8, "microphone": 0.3}
    expected = np.zeros((len(alive), C))
    for (track, sensor), rows in sums.items():
        mean = np.mean(rows, axis=0)
        mean = mean + (1 - mean.sum()) / C
        expected[list(alive).index(track)] += np.log(rho[sensor] * mean + (1 - rho[sensor]) / C)
    np.testing.assert_allclose(log_likelihoods(kept, alive, rho), expected, rtol=1e-9)
    shuffled = rng.permutation(alive)
    again = log_likelihoods(kept, shuffled, rho)
    np.testing.assert_allclose(again, expected[shuffled - 10], rtol=1e-9)


@pytest.mark.parametrize("reports", [1, 3, 1_000])
def test_however_often_and_surely_it_is_said_it_weighs_no_more_than_the_sensor(reports):
    kept, alive = Declared.empty(), np.array([7])
    for _ in range(reports):
        kept = heard(kept, alive, scan([one_hot(Kind.BIRD)]), told([7]))
    log = log_likelihoods(kept, alive, {"camera": 0.8})[0]
    assert np.exp(log.max() - log.min()) == pytest.approx(1 + C * 0.8 / 0.2)
    assert len(kept.track_id) == 1


def test_a_sensor_that_nobody_believes_and_a_track_that_is_gone_say_nothing():
    alive = np.array([7, 8])
    kept = heard(Declared.empty(), alive, scan([one_hot(Kind.BIRD), one_hot(Kind.SHIP)]), told([7, 8]))
    assert np.ptp(log_likelihoods(kept, alive, {"camera": 0.0}), axis=1) == pytest.approx(0.0)
    assert np.ptp(log_likelihoods(kept, alive, {}), axis=1) == pytest.approx(0.0)
    left = heard(kept, np.array([8]), scan([]), told([]))
    assert left.track_id.tolist() == [8]
    assert not log_likelihoods(left, np.array([7]), {"camera": 0.8}).any()
    assert not log_likelihoods(Declared.empty(), alive, {"camera": 0.8}).any()


def test_what_probably_belongs_to_another_does_not_count():
    kept = heard(Declared.empty(), np.array([7]), scan([one_hot(Kind.BIRD)]), told([7], [0.4]))
    assert len(kept.track_id) == 0


def test_rows_that_are_chosen_keep_their_kinds():
    both = scan([one_hot(Kind.BIRD), one_hot(Kind.SHIP)])
    assert those(both, np.array([1])).declared.tolist() == [one_hot(Kind.SHIP).tolist()]


@pytest.mark.parametrize("bad", [np.full((1, C), 0.5), np.full((1, C), -0.1), np.full((1, C), np.nan)])
def test_what_are_no_probabilities_is_refused(bad):
    with pytest.raises(ValueError, match="declared"):
        scan(bad)


def test_a_boastful_sensor_does_not_spoil_the_probabilities():
    """Right in 82.5 % of all targets and always "99 %, a hundred times over", believed at 0.8: what the tracker then
    says of kinds is true as often as it says, in every bin."""
    rng, settings = np.random.default_rng(11), ClassSettings()
    n = 4_000
    true = rng.choice(C, n, p=settings.prior)
    said = np.where(rng.random(n) < 0.8, true, rng.integers(0, C, n))
    kept, alive = Declared.empty(), np.arange(n)
    rows = np.full((n, C), 0.01 / (C - 1))
    rows[np.arange(n), said] = 0.99
    for _ in range(100):
        kept = heard(kept, alive, scan(rows), told(alive))
    log = log_likelihoods(kept, alive, {"camera": 0.8})
    p = probabilities(Features.empty(), alive, log, settings)
    hit = np.arange(C)[None, :] == true[:, None]
    which = np.minimum((p * 5).astype(int), 4)
    for b in range(5):
        inside = which == b
        if inside.sum() > 100:
            assert p[inside].mean() == pytest.approx(hit[inside].mean(), abs=0.03)
    naive = probabilities(Features.empty(), alive, np.log(rows) * 100, settings)  # every report taken for news
    sure = naive.max(axis=1) > 0.999
    assert hit[np.arange(n), naive.argmax(axis=1)][sure].mean() < 0.9
