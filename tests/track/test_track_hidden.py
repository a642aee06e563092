"""Undetected targets as Gaussians (`track.births`): against integrals and sums written out; few, and none forgotten."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from lapwing.kernel.gaussian import GATE
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import TargetBirths, TrackSettings, start, step
from lapwing.track.births import NEAR, Hidden, divergence, merged, poured
from lapwing.track.sensors import PositionSensor, RadarSensor
from lapwing.track.undetected import newborn

SECOND = 1_000_000_000
WIDE = TargetBirths(
    np.array([60e3, 0.0, 1e3, 0.0, 0.0, 0.0]), np.diag(np.square([40e3, 40e3, 500.0, 100.0, 100.0, 5.0])), 5.0, 0.02
)
RANGED = PositionSensor("s", Space.POSITION_2D, 0.9, 1.0, np.pi * 50e3**2, range_m_max=50e3)
ELSEWHERE = PositionSensor("far", Space.POSITION_2D, 0.9, 1.0, 1e9, (900e3, 0.0), 20e3)


def scan(time_s, z=(), sensor="s", R=400.0):
    z = np.array(z, dtype=np.float64).reshape(-1, 2)
    m, t = len(z), round(time_s * SECOND)
    noise = np.tile(np.eye(2) * R, (m, 1, 1))
    return Detections(
        sensor, Space.POSITION_2D, t, np.full(m, t), z, noise, np.full(m, ANONYMOUS), np.zeros(m, np.int64)
    )


def test_births_whose_middle_no_sensor_sees_begin_tracks_where_one_sees():
    settings = TrackSettings(births=WIDE)
    state = start(settings)
    for k in range(1, 12):
        state, _ = step(state, scan(k, [[30e3 + 50.0 * k, 0.0]]), RANGED, settings)
    assert state.tracks.existence[0] > 0.99


@pytest.mark.parametrize(
    ("sensor", "births"),
    [
        (RANGED, WIDE),
        (
            RadarSensor("s", Space.RANGE_AZIMUTH, np.zeros(3), np.eye(3), 0.4, 1.0, 40e3,
                        ((0.0, 0.99), (5e3, 0.95), (3e4, 0.1))),
            TargetBirths(np.array([0.0, 0.0, 1e3, 0.0, 0.0, 0.0]),
                         np.diag(np.square([15e3, 15e3, 300.0, 20.0, 20.0, 3.0])), 5.0, 0.0),
        ),
    ],
)  # fmt: skip
def test_one_look_leaves_what_the_integral_says_and_where_it_does_not_look(sensor, births):
    settings = TrackSettings(births=births)
    empty = replace(scan(1), space=sensor.space)
    state, _ = step(start(settings), empty, sensor, settings)
    s = (np.arange(400) + 0.5) / 50.0 - 4.0
    east, north = np.meshgrid(s, s, indexing="ij")
    w = np.exp(-0.5 * (east**2 + north**2)).ravel() / (2.0 * np.pi * 50.0**2)
    x = np.tile(births.mean, (w.size, 1))
    x[:, 0] += east.ravel() * np.sqrt(births.cov[0, 0])
    x[:, 1] += north.ravel() * np.sqrt(births.cov[1, 1])
    missed = 5.0 * w * (1.0 - sensor.p_detect(x))
    assert state.hidden.sum() == pytest.approx(missed.sum(), rel=0.015)
    mean = missed @ x / missed.sum()
    spread = np.sqrt(missed @ (x - mean) ** 2 / missed.sum())
    assert np.allclose(state.hidden_mean[0, :2], mean[:2], atol=0.05 * spread[0])
    assert np.allclose(np.sqrt(np.diag(state.hidden_cov[0]))[:2], spread[:2], rtol=0.05)


def test_inside_what_is_seen_little_is_left_and_outside_all():
    """A disc that sees two thirds of all births: after one look, the intensity of what begins inside is what was missed
    there, and what has come since. A Gaussian cannot be a ring: ours says half to all of that, never the ten times
    more that its width alone would say."""
    births = TargetBirths(np.zeros(6), np.diag(np.square([100.0, 100.0, 1.0, 0.01, 0.01, 0.01])), 10.0, 0.1)
    settings = TrackSettings(births=births, noise_horizontal_m2ps3=1e-6)
    disc = PositionSensor("s", Space.POSITION_2D, 0.98, 1.0, np.pi * 141.0**2, range_m_max=141.0)
    state, _ = step(start(settings), scan(1, R=1.0), disc, settings)
    plots = scan(2, [[0.0, 0.0], [40.0, 10.0], [-60.0, 80.0]], R=1.0)
    new = newborn(state, plots, disc.invert(plots.z, plots.R, settings.prior), disc, settings, plots.scan_ns)
    density = np.exp(-0.5 * (plots.z**2).sum(axis=1) / 100.0**2) / (2.0 * np.pi * 100.0**2)
    true = 0.98 * density * (10.0 * 0.02 + 0.1)
    assert (new.intensity > 0.5 * true).all()
    assert (new.intensity < 1.1 * true).all()
    unknown = replace(state, sensors=("other",))  # without what is known of this sensor's last look
    wide = newborn(unknown, plots, disc.invert(plots.z, plots.R, settings.prior), disc, settings, plots.scan_ns)
    assert (wide.intensity > 4.0 * true).all()
    assert state.hidden.sum() == pytest.approx(10.0 * (0.98 * np.exp(-0.5 * 1.43**2) + 0.02), rel=0.05)


def slowly(per_s):
    """Births around the origin, one at a time."""
    cov = np.diag(np.square([5e3, 5e3, 500.0, 50.0, 50.0, 5.0]))
    return TargetBirths(np.array([0.0, 0.0, 1e3, 0.0, 0.0, 0.0]), cov, 0.0, per_s)


@pytest.mark.parametrize("per_s", [1e-4, 1e-9])
@pytest.mark.parametrize("every_s", [1.0, 0.05])
def test_births_that_come_slowly_add_up_however_often_others_look(per_s, every_s):
    settings = TrackSettings(births=slowly(per_s))
    state = start(settings)
    for k in range(1, round(20.0 / every_s) + 1):
        state, _ = step(state, scan(k * every_s, sensor="far"), ELSEWHERE, settings)
    lived_s = settings.lifetime_s * (1.0 - np.exp(-(20.0 - every_s) / settings.lifetime_s))
    assert state.hidden.sum() == pytest.approx(per_s * lived_s, rel=2e-3, abs=0.0)
    assert len(state.hidden) < 25


def test_many_weak_looks_leave_as_many_as_come_between_them():
    settings = TrackSettings(births=slowly(1e-4))
    weak = replace(RANGED, range_m_max=np.inf, detection_probability=0.1)
    state = start(settings)
    for k in range(1, 201):
        state, _ = step(state, scan(k * 0.05), weak, settings)
    assert state.hidden.sum() == pytest.approx(1e-4 * 0.05 * 0.9 / 0.1, rel=0.01)


def test_a_mixture_that_nobody_looks_at_stays_small_and_loses_nobody():
    few = replace(WIDE, components_max=4)
    settings = TrackSettings(births=few)
    state = start(settings)
    for k in range(1, 201):
        state, _ = step(state, scan(k, sensor="far"), ELSEWHERE, settings)
    assert len(state.hidden) <= 4
    lived = np.exp(-np.arange(200) / settings.lifetime_s)
    assert state.hidden.sum() == pytest.approx(5.0 * lived[199] + 0.02 * lived[:199].sum(), rel=1e-9)
    with pytest.raises(ValueError, match="components_max"):
        replace(WIDE, components_max=0)


def mixture(rng, b):
    A = rng.normal(size=(b, 6, 6))
    return Hidden(rng.normal(size=(b, 6)), A @ np.swapaxes(A, 1, 2) + np.eye(6), rng.uniform(0.1, 2.0, b))


def moments(of):
    share = of.number / of.number.sum()
    mean = share @ of.mean
    off = of.mean - mean
    return of.number.sum(), mean, np.einsum("b,bij->ij", share, of.cov) + (share[:, None] * off).T @ off


@pytest.mark.parametrize("most", [1, 3, 20])
def test_merging_keeps_number_mean_and_covariance(most):
    rng = np.random.default_rng(most)
    of = mixture(rng, 12)
    of = Hidden(np.repeat(of.mean, 2, axis=0), np.repeat(of.cov, 2, axis=0), np.repeat(of.number, 2))
    few = merged(of, most)
    assert len(few.number) == min(most, 12)  # twins are one
    for a, b in zip(moments(of), moments(few), strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-9)
    assert merged(Hidden(of.mean[:0], of.cov[:0], of.number[:0]), most).number.size == 0


def test_births_go_where_those_of_late_went_until_they_differ():
    one = poured(Hidden(WIDE.mean[None], WIDE.cov[None], np.ones(1)), 0.5, WIDE)
    assert one.number.tolist() == [1.5]
    moved = Hidden(WIDE.mean[None] + [30e3, 0, 0, 0, 0, 0], WIDE.cov[None], np.ones(1))
    apart = divergence(moved, Hidden(WIDE.mean[None], WIDE.cov[None], np.ones(1)))[0]
    assert apart == pytest.approx((30.0 / 40.0) ** 2)
    assert apart > NEAR
    assert poured(moved, 0.5, WIDE).number.tolist() == [1.0, 0.5]
    assert poured(moved, 0.0, WIDE) is moved


SITES = [
    PositionSensor("s", Space.POSITION_2D, 0.9, 1.0, 1e9),
    PositionSensor("s", Space.POSITION_3D, 0.9, 1.0, 1e9),
    RadarSensor("s", Space.RANGE_AZIMUTH, np.array([1e3, 2e3, 50.0]), np.eye(3), 0.8, 1.0, 60e3),
    RadarSensor("s", Space.RANGE_AZIMUTH_RANGE_RATE, np.zeros(3), np.eye(3), 0.8, 1.0, 60e3, ((0.0, 0.9), (5e4, 0.3))),
]
SIGMA = {"east_m": 30.0, "north_m": 30.0, "up_m": 50.0, "range_m": 40.0, "azimuth_rad": 0.004, "range_rate_mps": 2.0}


@pytest.mark.parametrize("sensor", SITES)
def test_what_begins_is_the_sum_over_all_components_gated_or_not(sensor, monkeypatch):
    """Pair by pair, in blocks of a few: the loose gate in place must drop nobody whom the gate lets in."""
    monkeypatch.setattr("lapwing.track.undetected.BLOCK", 64)
    rng = np.random.default_rng(3)
    births = TargetBirths(np.array([8e3, 0.0, 3e3, 5.0, 0.0, 0.0]),
                          np.diag(np.square([4e3, 9e3, 900.0, 60.0, 60.0, 5.0])), 3.0, 0.5)  # fmt: skip
    settings = TrackSettings(births=births)
    state, _ = step(start(settings), scan(1, sensor="far"), ELSEWHERE, settings)
    b, m = 6, 40
    spread = rng.uniform(200.0, 6e3, (b, 1)) * [1.0, 1.0, 0.1, 0.01, 0.01, 0.001]
    state = replace(
        state, hidden_mean=births.mean + rng.normal(size=(b, 6)) * np.sqrt(np.diag(births.cov)),
        hidden_cov=spread[:, :, None] ** 2 * np.eye(6), hidden=rng.uniform(0.1, 2.0, b),
    )  # fmt: skip
    x = births.mean + rng.normal(size=(m, 6)) * np.sqrt(np.diag(births.cov))
    sigma = np.array([SIGMA[name] for name in sensor.space.value])
    z = sensor.expect(x)[0] + rng.normal(size=(m, len(sigma))) * sigma
    to = 3 * SECOND
    plots = Detections("s", sensor.space, to, to - rng.integers(0, SECOND, m), z, np.tile(np.diag(sigma**2), (m, 1, 1)),
                       np.full(m, ANONYMOUS), np.zeros(m, np.int64))  # fmt: skip
    place = sensor.invert(z, plots.R, settings.prior)
    new = newborn(state, plots, place, sensor, settings, to)
    F = np.eye(6)
    F[:3, 3:] = 2.0 * np.eye(3)
    q = np.array([4.0, 4.0, 1.0])
    Q = np.block([[np.diag(q * 8 / 3), np.diag(q * 2)], [np.diag(q * 2), np.diag(q * 2)]])
    means = [*(state.hidden_mean @ F.T), births.mean]
    covs = [*(F @ state.hidden_cov @ F.T + Q), births.cov]
    numbers = [*(state.hidden * np.exp(-2.0 / settings.lifetime_s)), 0.5 * 2.0]
    total = np.zeros(m)
    for j in range(m):
        back = np.eye(6)
        back[:3, 3:] = -(to - plots.time_ns[j]) * 1e-9 * np.eye(3)
        for mean, P, number in zip(means, covs, numbers, strict=True):
            then = back @ mean
            about = np.concatenate([place[0][j, :3], then[3:]])[None]
            z_hat, H = sensor.expect(about)
            nu = sensor.innovation(z[j : j + 1], z_hat)[0] - H[0] @ (then - about[0])
            S = H[0] @ back @ P @ back.T @ H[0].T + plots.R[j]
            nis = nu @ np.linalg.solve(S, nu)
            if nis <= GATE[len(sigma)]:
                total[j] += number * np.exp(-0.5 * nis) / np.sqrt(np.linalg.det(2.0 * np.pi * S))
    assert (total > 0.0).sum() > m / 2
    assert np.allclose(new.intensity, total * sensor.p_detect(place[0]), rtol=1e-6, atol=0.0)


def test_many_plots_and_many_components_take_little_memory():
    settings = TrackSettings(births=WIDE)
    state = start(settings)
    for k in range(1, 61):
        state, _ = step(state, scan(20 * k, sensor="far"), ELSEWHERE, settings)
    assert len(state.hidden) >= 10
    plots = scan(1_201, np.random.default_rng(0).uniform(-5e4, 5e4, (30_000, 2)))
    place = RANGED.invert(plots.z, plots.R, settings.prior)
    tracemalloc.start()
    new = newborn(state, plots, place, RANGED, settings, plots.scan_ns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (new.intensity > 0.0).mean() > 0.8
    assert peak < 100e6
