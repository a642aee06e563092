"""Order: the belief is the fold over the scans sorted by time, however they came; late and future ones are counted."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.engine import codec
from lapwing.engine.labels import Labels, labelled
from lapwing.engine.order import OrderSettings, Window, order, refolded, thinned
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space, Tracks
from lapwing.track import TrackSettings, make_sensor, watch_start, watch_step

S = OrderSettings(window_s=2.0, snapshot_s=0.5, ahead_s_max=2.0, scans_max=8)
ORIGIN = Position(0.9, 0.4, 0.0)


def scan(time_s, sensor="r"):
    return Detections.empty(sensor, Space.RANGE_AZIMUTH, round(time_s * 1e9))


def take(belief, one):
    return (*belief, (one.scan_ns, one.sensor))


def now(window):
    return [t / 1e9 for t, _ in window.now]


def test_a_scan_is_taken_at_once_and_a_late_one_put_in_its_place():
    window, taken, _ = order(Window(()), (scan(10.0), scan(9.5, "b")), round(10.2e9), S, take)
    assert (now(window), taken) == ([9.5, 10.0], 2)
    window, taken, faults = order(window, (scan(9.0),), round(10.4e9), S, take)
    assert (now(window), taken) == ([9.0, 9.5, 10.0], 3)
    assert faults == {}
    assert window.replayed == 2


def test_a_replay_begins_at_the_last_snapshot_before():
    window = Window(())
    for k in range(20):
        window, _, _ = order(window, (scan(10.0 + k / 10),), round((10.0 + k / 10) * 1e9), S, take)
    window, taken, _ = order(window, (scan(11.75),), round(12e9), S, take)
    assert taken <= 8
    assert now(window) == sorted(now(window))
    assert len(now(window)) == 21


def test_late_and_future_are_faults_of_their_sensor_and_a_little_ahead_waits():
    window, _, faults = order(Window(()), (scan(7.9), scan(13.0, "b"), scan(11.0, "c")), round(10e9), S, take)
    assert now(window) == []
    assert "too late" in faults["r"][0].reason
    assert "future" in faults["b"][0].reason
    window, taken, faults = order(window, (), round(11e9), S, take)
    assert (now(window), taken, faults) == ([11.0], 1, {})


def test_what_has_settled_is_not_touched_again():
    window, _, _ = order(Window(()), tuple(scan(10 + i / 4) for i in range(4)), round(11e9), S, take)
    window, _, _ = order(window, (scan(14.0),), round(14e9), S, take)
    assert [t / 1e9 for t, _ in window.base][:2] == [10.0, 10.25]
    assert now(window) == [10.0, 10.25, 10.5, 10.75, 14.0]


def test_a_flood_is_bounded():
    window, taken, _ = order(Window(()), tuple(scan(10 + i / 100) for i in range(50)), round(11e9), S, take)
    assert taken == 50
    assert len(window.scans) <= 8
    assert len(window.now) == 50
    window, _, _ = order(window, tuple(scan(12 + i / 100) for i in range(50)), round(11e9), S, take)
    assert len(window.waiting) <= 8


def world(rng, seconds):
    """Scans of a radar and of two direction finders over the same targets, clutter in all of them."""
    places = {"radar": (0.0, 0.0), "df1": (0.0003, 0.0), "df2": (0.0, 0.0005)}
    models = {}
    for name, (north, east) in places.items():
        space = Space.RANGE_AZIMUTH if name == "radar" else Space.AZIMUTH
        config = SensorConfig(name, Position(0.9 + north, 0.4 + east, 20.0), "radar", range_m_max=8_000.0)
        models[name, space] = make_sensor(config, ORIGIN, space)
    x = np.zeros((3, 6))
    x[:, :2], x[:, 2], x[:, 3:5] = rng.uniform(-3e3, 3e3, (3, 2)), 200.0, rng.normal(0, 15, (3, 2))
    out = []
    for k in range(seconds):
        x[:, :3] += x[:, 3:]
        for (name, space), model in models.items():
            end_ns = round((100 + k + rng.random() * 0.9) * 1e9)
            sigma = np.array([20.0, 0.01])[-len(space.value) :]
            z = model.expect(x)[0] + sigma * rng.normal(0, 1, (3, len(sigma)))
            low, high = np.array([500.0, -3.0])[-len(sigma) :], np.array([6e3, 3.0])[-len(sigma) :]
            z = np.concatenate([z, rng.uniform(low, high, (2, len(sigma)))])
            R = np.tile(np.diag(sigma**2), (5, 1, 1))
            nobody, seq = np.full(5, ANONYMOUS, dtype=np.int64), np.arange(5)
            out.append(Detections(name, space, end_ns, np.full(5, end_ns), z, R, nobody, seq))
    return models, out


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32 - 1))
def test_any_order_of_arrival_inside_the_window_gives_the_same_tracks_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    models, scans = world(rng, 8)
    rules, limits = TrackSettings(), OrderSettings(window_s=20.0)

    def step(watch, one):
        return watch_step(watch, one, models[one.sensor, one.space], rules)

    straight = watch_start(rules)
    for one in sorted(scans, key=lambda s: s.scan_ns):
        straight = step(straight, one)
    window, end_ns = Window(watch_start(rules)), round(108e9)
    for i in rng.permutation(len(scans)):
        window, _, faults = order(window, (scans[i],), end_ns, limits, step)
        assert not faults
        if rng.random() < 0.2:
            window = codec.decode(codec.encode(window))  # a checkpoint in between changes nothing
        if rng.random() < 0.2:
            thin = codec.decode(codec.encode(thinned(window)))
            assert [belief for _, belief in thin.snapshots] == [None] * len(window.snapshots)
            assert codec.encode(refolded(thin, step)) == codec.encode(window)  # nor does leaving out what folds again
            window = refolded(thin, step)
    assert codec.encode(window.now) == codec.encode(straight)
    assert len(straight.tracker.tracks)


def tracks(names, time_s):
    n = len(names)
    zero = np.zeros(n, dtype=np.int64)
    return Tracks(
        round(time_s * 1e9), np.array(names, dtype=np.int64), np.zeros((n, 6)), np.tile(np.eye(6), (n, 1, 1)),
        np.ones(n), zero, zero, zero, zero, zero, 1,
    )  # fmt: skip


def test_a_label_is_given_once_and_survives_a_replay_that_lost_the_track_for_a_moment():
    labels, shown = labelled(Labels.empty(), tracks([900, 5], 1))
    assert shown.track_id.tolist() == [1, 2]
    labels, shown = labelled(labels, tracks([77, 900], 2))
    assert shown.track_id.tolist() == [3, 1]
    labels, shown = labelled(labels, tracks([5], 3))
    assert shown.track_id.tolist() == [2]
    labels, _ = labelled(labels, tracks([5], 200))
    labels, shown = labelled(labels, tracks([5, 900], 300))
    assert shown.track_id.tolist() == [2, 4]  # forgotten after a minute; 1 is never used again
    assert shown.next_id == 5
