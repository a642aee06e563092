"""Births from one Gaussian: a wide one, seen by a radar, begins tracks where the posterior is."""

import numpy as np
import pytest

from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space
from lapwing.serve.tracking import TrackingError, load_settings
from lapwing.track import TargetBirths, TargetPrior, TrackSettings, make_sensor, start, step

ORIGIN = Position(0.0, 0.0, 0.0)
AT = ((0.0, 0.95), (100.0, 0.8), (200.0, 0.4))


def radar(**more):
    config = SensorConfig(
        "r", ORIGIN, "radar", 2.0, 0.03, range_m_max=400.0, p_detect=0.9, clutter_per_scan=1.0, **more
    )
    return make_sensor(config, ORIGIN, Space.RANGE_AZIMUTH)


def look(z):
    z = np.array(z).reshape(-1, 2)
    m = len(z)
    R = np.tile(np.diag([4.0, 9e-4]), (m, 1, 1))
    return Detections("r", Space.RANGE_AZIMUTH, 10**9, np.full(m, 10**9), z, R, np.full(m, ANONYMOUS), np.arange(m))


@pytest.mark.parametrize("at", [(), AT])
def test_a_wide_birth_is_linearised_where_the_plot_is(at):
    """Against integrals: mean, spread and existence of the track that one plot begins, far from the middle."""
    births = TargetBirths(np.array([60.0, 60.0, 0.0, 0.0, 0.0, 0.0]), np.diag([60.0**2, 60.0**2, 0.01, 1.0, 1.0, 0.01]),
                          0.5, 0.1)  # fmt: skip
    settings = TrackSettings(prior=TargetPrior(1.0, 0.1, 0.0, 0.1), births=births, noise_horizontal_m2ps3=0.01)
    sensor = radar(p_detect_at=at)
    state, _ = step(start(settings), look([120.0, 1.4]), sensor, settings)
    r, azimuth = np.meshgrid(np.linspace(106.0, 134.0, 701), np.linspace(1.19, 1.61, 701), indexing="ij")
    x = np.stack([r * np.sin(azimuth), r * np.cos(azimuth)], axis=-1).reshape(-1, 2)
    r, azimuth = r.ravel(), azimuth.ravel()
    p = np.interp(r, *np.array(at).T) if at else 0.9
    near = np.exp(-0.5 * ((120.0 - r) ** 2 / 4.0 + (1.4 - azimuth) ** 2 / 9e-4)) / (2.0 * np.pi * 2.0 * 0.03)
    born = np.exp(-0.5 * ((x - births.mean[:2]) ** 2).sum(axis=1) / 60.0**2) / (2.0 * np.pi * 60.0**2)
    w = p * near * born * r * (28.0 / 700.0) * (0.42 / 700.0)  # dx dy = r dr d azimuth
    e = 0.5 * w.sum()
    w /= w.sum()
    mean = w @ x
    assert len(state.tracks) == 1
    assert np.allclose(state.tracks.mean[0, :2], mean, atol=0.06)
    assert np.allclose(state.tracks.cov[0, :2, :2], (w[:, None] * (x - mean)).T @ (x - mean), atol=0.02)
    odds = state.tracks.existence[0] / (1.0 - state.tracks.existence[0])
    assert odds / (400.0 * 2.0 * np.pi) == pytest.approx(e, rel=2e-3)  # p_detect three in a thousand off is seen


def test_what_was_looked_at_stays_thinned_as_far_as_it_fades():
    """Around 150 m with 1 m across and up, the mean range is 1 / 150 m more; p falls by 0.004 a metre."""
    births = TargetBirths(np.array([0.0, 150.0, 0.0, 0.0, 0.0, 0.0]), np.diag([1.0] * 3 + [0.01] * 3), 1.0, 0.0)
    settings = TrackSettings(births=births)
    for at, p in (((), 0.9), (AT, 0.6 - 0.004 / 150.0)):
        state, _ = step(start(settings), look([]), radar(p_detect_at=at), settings)
        assert state.hidden.sum() == pytest.approx(1.0 - p, abs=1e-6)


@pytest.mark.parametrize("azimuth", [1.2, -1.2, -1.57])
def test_a_bearing_alone_begins_nothing_and_leaves_what_a_radar_may_find(azimuth):
    """Births are expected in the east; bearings point anywhere, one of them away from there."""
    births = TargetBirths(np.array([5e3, 0.0, 1e3, 0.0, 0.0, 0.0]),
                          np.diag([5e3**2, 5e3**2, 300.0**2, 20.0**2, 20.0**2, 9.0]), 5.0, 0.02)  # fmt: skip
    settings = TrackSettings(births=births)
    finder = make_sensor(SensorConfig("b", ORIGIN, "bearing", p_detect=0.9, range_m_max=30e3), ORIGIN, Space.AZIMUTH)
    state = start(settings)
    for k in range(1, 8):
        t = k * 10**9
        scan = Detections("b", Space.AZIMUTH, t, np.array([t]), np.array([[azimuth]]), np.full((1, 1, 1), 1e-3),
                          np.array([ANONYMOUS]), np.zeros(1, np.int64))  # fmt: skip
        state, _ = step(state, scan, finder, settings)
        assert not len(state.tracks)
    lived = np.exp(-np.arange(7) / settings.lifetime_s)
    assert state.hidden.sum() == pytest.approx(5.0 * lived[6] + 0.02 * lived[:6].sum())


def test_a_file_of_settings_says_where_targets_come_from(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("[births]\nat_start = 2.0\nper_s = 0.5\neast_m = 7.0\neast_m_sigma = 3.0\nnorth_m_sigma = 4.0\n"
                    "[prior]\nheight_m_mean = 50.0\nheight_m_sigma = 9.0\nspeed_mps_sigma = 11.0\n")  # fmt: skip
    births = load_settings(path).births
    assert (births.at_start, births.per_s) == (2.0, 0.5)
    assert births.mean.tolist() == [7.0, 0.0, 50.0, 0.0, 0.0, 0.0]
    assert np.sqrt(np.diag(births.cov)).tolist() == [3.0, 4.0, 9.0, 11.0, 11.0, 8.0]
    path.write_text("noise_horizontal_m2ps3 = 1.0\n")
    assert load_settings(path).births is None
    good = {"east_m_sigma": "3.0", "north_m_sigma": "4.0", "at_start": "1.0", "per_s": "0.1"}
    wrongs = ({"north_m_sigma": "0.0"}, {"at_start": "-1.0"}, {"up_mm": "1.0"}, {"per_s": "inf"}, {"east_m": '"a"'})
    for wrong in ({}, *wrongs):
        lines = [f"{name} = {value}\n" for name, value in (good | wrong).items()]
        path.write_text("[births]\n" + "".join(lines))
        if not wrong:
            assert load_settings(path).births is not None
            continue
        with pytest.raises(TrackingError, match=r"births|must be a number"):
            load_settings(path)
