"""The tracker survives what it may be given, and refuses what makes no sense with a message that names it."""

import numpy as np
import pytest
from tests.track.ordeals import FLAT, ORDEALS, SCAN_S_MAX, endure, scan_of, sound

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import Exactness, PositionSensor, TrackSettings, association, start, step

SECOND = 1_000_000_000


@pytest.mark.parametrize("ordeal", ORDEALS, ids=lambda f: f.__name__)
def test_ordeals(ordeal):
    """20,000 Gaussian steps of each; `python -m tests.track.ordeals 10e6` does ten million of all."""
    done, _, longest, cut = endure(ordeal, 20_000, seed=1, n=60)
    assert done >= 20_000
    assert longest < SCAN_S_MAX
    assert cut > 0 or ordeal.__name__ not in ("flood",)


def wrong(**columns):
    m = 2
    good = {
        "sensor": "s",
        "space": Space.POSITION_2D,
        "scan_ns": SECOND,
        "time_ns": np.full(m, SECOND),
        "z": np.zeros((m, 2)),
        "R": np.broadcast_to(np.eye(2), (m, 2, 2)).copy(),
        "address": np.full(m, ANONYMOUS, dtype=np.int64),
        "frame_seq": np.arange(m),
        "rcs_dbsm": None,
        "declared": None,
        "micro": None,
        "measured": None,
    }
    bare = object.__new__(Detections)  # the wall itself, without the run-time type checks of the tests
    for column, value in (good | columns).items():
        object.__setattr__(bare, column, value)
    bare.__post_init__()


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"z": np.array([[0.0, np.nan], [0.0, 0.0]])}, "z"),
        ({"z": np.zeros((2, 3))}, "z"),
        ({"z": np.zeros((3, 2))}, "z"),
        ({"R": np.full((2, 2, 2), np.inf)}, "R"),
        ({"R": np.broadcast_to(-np.eye(2), (2, 2, 2)).copy()}, "R"),
        ({"R": np.broadcast_to(np.diag([1.0, 0.0]), (2, 2, 2)).copy()}, "R"),
        ({"R": np.array([[[1.0, 2.0], [2.0, 1.0]]] * 2)}, "R"),
        ({"time_ns": np.zeros(1, dtype=np.int64)}, "z"),
        ({"frame_seq": np.zeros(5, dtype=np.int64)}, "frame_seq"),
        ({"rcs_dbsm": np.array([-20.0, np.nan])}, "rcs_dbsm"),
        ({"rcs_dbsm": np.array([-20.0])}, "rcs_dbsm"),
        ({"declared": np.full((2, 8), 0.2)}, "declared"),
        ({"declared": np.zeros((2, 3))}, "declared"),
        ({"micro": np.array([[1.0, np.inf], [0.0, 1.0]])}, "micro"),
        ({"micro": np.zeros((2, 3))}, "micro"),
        ({"micro": np.zeros((3, 2))}, "micro"),
        ({"measured": np.array([[0.0, np.nan], [0.0, 0.0]])}, "measured"),
        ({"measured": np.zeros((2, 3))}, "measured"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(columns, name):
    with pytest.raises(ValueError, match=rf"Detections.*\b{name}\b"):
        wrong(**columns)


def test_another_sensors_model_is_refused():
    scan = scan_of(FLAT, np.zeros((1, 2)), np.eye(2), SECOND)
    other = PositionSensor("other", Space.POSITION_2D, 0.9, 1.0, 1e8)
    deep = PositionSensor("s", Space.POSITION_3D, 0.9, 1.0, 1e8)
    for model, said in ((other, "'other' in POSITION_2D"), (deep, "'s' in POSITION_3D")):
        with pytest.raises(ValueError, match=rf"Detections.sensor, space: 's' in POSITION_2D met .*{said}"):
            step(start(TrackSettings()), scan, model, TrackSettings())


def plots_of(sensor, k, z, sigma_m=5.0):
    z = np.array(z)
    return scan_of(sensor, z, np.eye(z.shape[1]) * sigma_m**2, k * SECOND)


def test_a_search_that_is_cut_loses_no_cluster():
    """Eight contested tracks and twenty plots with default settings: where the search ended before it had found
    anything, the tracker stepped outside an empty table. Now the best pairing is always known, and no track is lost."""
    sensor, settings = PositionSensor("s", Space.POSITION_2D, 0.5, 10.0, 4e8), TrackSettings()
    for seed in (1, 7, 11, 16):
        rng, state = np.random.default_rng(seed), start(settings)
        near = rng.normal([63.0, 0.0], 62.0, (6, 2))
        for k in range(1, 9):
            z = [[0.0, 0.0], [8.7, 0.0], *(near if k == 8 else ())]
            state, _ = step(state, plots_of(sensor, k, z), sensor, settings)
        near = rng.normal([63.0, 0.0], 62.0, (18, 2))
        after, _ = step(state, plots_of(sensor, 9, [[6.3, 36.7], *near, [4.35, 0.0]]), sensor, settings)
        assert after.cut == state.cut + 1
        assert len(state.tracks) == 8
        assert set(state.tracks.track_id.tolist()) <= set(after.tracks.track_id.tolist())
        assert (after.tracks.existence[:2] > 0.5).all()
        assert np.isfinite(after.tracks.mean).all()


@pytest.mark.parametrize(
    ("m", "places", "pairs_max"),
    [(600, 1, 300_000), (5_000, 1, 300_000), (5_000, 7, 300_000), (90, 1, 1_000), (30, 1, 1), (30, 3, 0), (0, 1, 0)],
)
def test_plots_in_one_place_are_shed_in_bounded_time(monkeypatch, m, places, pairs_max):
    """They lie inside any gate, however small, of tracks in that place: of those each track keeps a few, one at least,
    and no track and no plot is left without."""
    tries, near, of = [], association.candidates, []
    weigh = association.weigh_pairs

    def counted(*arguments):
        tries.append(0)
        assert len(tries) < 150
        return near(*arguments)

    def seen(belief, local, *rest):
        of.append(len(local))
        return weigh(belief, local, *rest)

    monkeypatch.setattr(association, "candidates", counted)
    monkeypatch.setattr(association, "weigh_pairs", seen)
    where = np.array([1_000.0, 2_000.0]) + np.arange(places)[:, None] * [40.0, 0.0]
    settings = TrackSettings(undetected_start=max(float(m), 1.0), exactness=Exactness(pairs_max=pairs_max))
    state = start(settings)
    for k in range(1, 4):
        before = len(state.hypotheses.track)
        scan = plots_of(FLAT, k, where[np.arange(m) % places], 20.0)
        state, _ = step(state, scan, FLAT, settings)
        sound(state)
        assert len(of) == k
        assert of[-1] <= max(pairs_max, before)
        assert k == 1 or of[-1] >= min(before, m)
    assert state.cut >= (2 if m else 0)
    assert state.tracks.existence.sum() >= 0.8 * m
