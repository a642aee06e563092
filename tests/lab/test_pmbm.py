"""The slow twin of the authors' filter: its ranking against every assignment, its updates against numeric integrals."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from lapwing_lab import authors
from lapwing_lab.importing import Births, Known, Polar
from lapwing_lab.literature import draw
from lapwing_lab.pmbm import NONE, Limits, begun, murty, predicted, pruned, ranked, told, updated
from lapwing_lab.pmbm_models import Motion, Places, RangeAzimuth, kld, log_normal, sigma_points
from lapwing_lab.scenario import read_table


@pytest.mark.parametrize("seed", range(6))
def test_murty_ranks_as_every_assignment_does(seed):
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(3, 6))
    cost[rng.random(cost.shape) < 0.3] = np.inf
    sums = sorted(cost[np.arange(3), list(p)].sum() for p in permutations(range(6), 3))
    sums = np.array([s for s in sums if np.isfinite(s)])
    picks, costs = murty(cost, 25)
    assert len(picks) == min(25, len(sums)) > 0
    assert np.allclose(costs, sums[: len(picks)])
    assert np.allclose(cost[np.arange(3), picks].sum(axis=1), costs)
    assert len({tuple(p) for p in picks.tolist()}) == len(picks)


def test_what_only_a_new_track_can_have_takes_no_part():
    gain = np.array([[1.0, -np.inf, -np.inf], [2.0, -np.inf, 0.5]])
    log_new = np.array([-3.0, -4.0, -5.0])
    picks, value = ranked(gain, log_new, 10)
    assert (picks[:, 1] == NONE).all()
    all_of_it = {(a, c): (-3.0 if a < 0 else gain[a, 0]) - 4.0 + (-5.0 if c < 0 else gain[c, 2])
                 for a, c in [(-1, -1), (-1, 1), (0, -1), (0, 1), (1, -1)]}  # fmt: skip
    assert {(int(a), int(c)): pytest.approx(v) for (a, _, c), v in zip(picks, value, strict=True)} == all_of_it
    assert (np.diff(value) <= 0.0).all()
    none, rest = ranked(np.zeros((0, 3)), log_new, 5)
    assert none.tolist() == [[NONE] * 3]
    assert rest.tolist() == [-12.0]


def test_one_step_is_the_closed_form():
    """One Poisson component, one detection, then a miss: existence as on paper."""
    motion = Motion(0.02, 100.0, np.zeros(4), np.eye(4) * 4.0, 0.7, 0.1)
    sensor, limits = Places(1.0, 0.9, 0.01), Limits()
    z = np.array([[0.5, -0.2]])
    state = updated(begun(motion), z, sensor, limits)
    likelihood = np.exp(-0.5 * (z**2).sum() / 5.0) / (2.0 * np.pi * 5.0)
    e = 0.7 * 0.9 * likelihood
    ((_, h),) = told(state, limits)
    assert h.existence == pytest.approx(e / (e + 0.01))
    assert np.allclose(h.mean, [0.4, 0.0, -0.16, 0.0])
    assert state.number == pytest.approx([0.07])
    later = updated(predicted(pruned(state, limits), motion, 1.0), np.zeros((0, 2)), sensor, limits)
    r = np.exp(-0.01) * e / (e + 0.01)
    ((track,),) = later.tracks
    assert track.existence == pytest.approx(r * 0.1 / (1.0 - r + r * 0.1))
    assert later.number == pytest.approx([0.007 * np.exp(-0.01), 0.01])


def test_range_and_azimuth_as_by_numbers():
    """Posterior, likelihood with detection probability, and chance of a miss, against weighted draws of the prior."""
    sensor = RangeAzimuth((100.0, 100.0), (1.7, 0.032), 900.0, 0.0)
    rng = np.random.default_rng(3)
    for wide in (8.0, 60.0):
        mean, cov = np.array([180.0, 0.5, 150.0, 0.2]), np.diag([wide**2, 0.5, wide**2, 0.5])
        x = mean + rng.normal(size=(400_000, 4)) * np.sqrt(np.diag(cov))
        z = np.array([[102.0, 0.95]])
        y = np.stack([np.hypot(x[:, 0] - 100.0, x[:, 2] - 100.0), np.arctan2(x[:, 0] - 100.0, x[:, 2] - 100.0)], axis=1)
        p = np.exp(-y[:, 0] / 900.0)
        weight = p * np.exp(log_normal(z - y, np.diag([1.7**2, 0.032**2])))
        (seen,) = sensor.seen(mean, cov, z, wide > 20.0)
        share = weight / weight.sum()
        assert seen.weight == pytest.approx(weight.mean(), rel=0.05)
        assert np.allclose(seen.mean[[0, 2]], share @ x[:, [0, 2]], atol=0.15)
        spread = x[:, [0, 2]] - share @ x[:, [0, 2]]
        assert np.allclose(seen.cov[np.ix_([0, 2], [0, 2])], (share[:, None] * spread).T @ spread, atol=0.5)
        assert sensor.p_detect(mean, cov) == pytest.approx(p.mean(), abs=2e-3)
    assert sensor.seen(mean, np.eye(4), np.array([[300.0, -2.0]]), False) == []
    assert kld(mean, cov, mean, cov) == pytest.approx(0.0, abs=1e-12)
    points, w = sigma_points(mean, cov)
    assert np.allclose(w @ points, mean)


def test_births_between_two_looks_are_those_drawn():
    motion = Motion(0.2, 5.0, np.array([200.0, 3.0, 250.0, 0.0]), np.diag([25.0, 1.0, 25.0, 1.0]), 0.0, 0.12, True)
    number, mean, cov = motion.births(4.0)
    rng = np.random.default_rng(1)
    age = rng.uniform(0.0, 4.0, 400_000)
    age = age[rng.random(len(age)) < np.exp(-age / 5.0)]
    x = motion.mean + rng.normal(size=(len(age), 4)) * np.sqrt(np.diag(motion.cov))
    F = np.array([motion.motion(a)[0] for a in age[:2000]])
    assert np.allclose(F[:, 0, 1], age[:2000])
    white = np.array([np.linalg.cholesky(motion.motion(a)[1]) for a in age[:20_000]])
    moved = np.stack([x[:, 0] + age * x[:, 1], x[:, 1], x[:, 2] + age * x[:, 3], x[:, 3]], axis=1)[:20_000]
    moved = moved + np.einsum("kij,kj->ki", white, rng.normal(size=(20_000, 4)))
    assert number == pytest.approx(0.12 * 4.0 * len(age) / 400_000, rel=0.01)
    assert np.allclose(mean, moved.mean(axis=0), atol=0.15)
    assert np.allclose(cov, np.cov(moved.T), atol=1.0)
    assert motion.births(0.0)[0] == 0.0


def test_late_scans_are_taken_in_order_and_everyone_is_told_the_same():
    known, scans, _ = draw(read_table("out-of-sequence")["arrays"], 5)
    scans = scans[:12]
    shuffled = [scans[i] for i in np.random.default_rng(2).permutation(len(scans))]
    assert authors.track(known, scans).equals(authors.track(known, shuffled))
    assert known.births == Births((200.0, 3.0, 250.0, 0.0), (50.0, 1.0, 50.0, 1.0), 0.0, 0.12, True)
    fades = Known(0.0, 0.85, 10.0, 400.0, 1.0, 0.01, 1.0, 100.0, 10.0, 0.0, Polar(100.0, 100.0, 1.7, 1.8),
                  known.births, 900.0)  # fmt: skip
    sensor = authors.sensor_of(fades)
    reach = np.hypot(300.0, 300.0)
    assert sensor.clutter(np.zeros((1, 2)))[0] * 2.0 * np.pi * reach == pytest.approx(10.0)
    mean, cov, z = np.array([180.0, 0.0, 150.0, 0.0]), np.eye(4), np.array([[94.0, 1.01]])
    assert sensor.p_detect(mean, cov) == pytest.approx(np.exp(-94.34 / 900.0), abs=1e-3)
    steady = authors.sensor_of(replace(fades, p_detect_range_m=np.inf))  # then p_detect is what is said
    assert steady.p_detect(mean, cov) == pytest.approx(0.85)
    (seen,), (sure,) = (s.seen(mean, cov, z, False) for s in (steady, replace(steady, p=1.0)))
    assert seen.weight == pytest.approx(0.85 * sure.weight)
    assert authors.targets_of(known).births(1.0)[0] == pytest.approx(0.12 / 0.02 * (1.0 - np.exp(-0.02)))
    assert authors.applies(known)
    assert not authors.applies(draw(read_table("williams15")["arrays"], 1)[0])
