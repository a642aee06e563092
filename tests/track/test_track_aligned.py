"""Sensors that place targets differently: found where it is so, not where it is not, and the picture is one again."""

from dataclasses import replace

import numpy as np
import pytest
from tests.track.test_track_registration import ORIGIN, PRIOR
from tests.track.test_track_shared import FLAT, LOW, OTHER, A, drones, moved, scan_of, surely

from lapwing.records import TrackStatus
from lapwing.track import (
    AIR,
    AlignSettings,
    TrackSettings,
    VisibilitySettings,
    looks,
    make_sensor,
    shared,
    watch_start,
    watch_step,
)
from lapwing.track.aligned import Alignment, Compared, aligned_step, as_agreed, comparable, learned, shifted
from lapwing.track.registration import residuals
from lapwing.track.shared import Before
from lapwing.track.tracklets import Plots, gathered, tracklets

SECOND = 1_000_000_000
MODELS = {"A": make_sensor(A, ORIGIN, FLAT), "B": make_sensor(OTHER, ORIGIN, FLAT)}
SENSORS = {name: Compared(model, Before(np.zeros(6), PRIOR)) for name, model in MODELS.items()}
RIGHT, WRONG = np.zeros(6), np.array([60.0, 0.014, 0.0, 1.5, 0.0, 0.0])
ALIGN = AlignSettings()
NOTHING = (Alignment(), Plots.empty(), 0)  # known, seen, seconds gone
NOBODY = np.zeros(0, dtype=np.int64)


def met(seed, biases, n=8, seconds=120, pairs=0, before=NOTHING):
    """What is known after both have looked in turn, every four seconds, at n drones that both see and at `pairs` of
    drones, 100 m apart, of which A sees the first alone and B the second. `biases` of A and of B."""
    rng = np.random.default_rng(seed)
    x, leaders = drones(rng, n + pairs), n + np.arange(pairs)
    way = rng.uniform(0, 2 * np.pi, pairs)
    beside = np.zeros((pairs, 6))
    beside[:, :2] = 100.0 * np.stack([np.sin(way), np.cos(way)], axis=1)
    alignment, plots, began = before
    for k in range(1, seconds // 2 + 1):
        x = moved(rng, x)
        name, ns = "AB"[k % 2], (began + 2 * k) * SECOND
        seen = x if name == "A" else np.concatenate([x[:n], x[leaders] + beside])
        scan, who = scan_of(rng, MODELS[name], seen, biases[k % 2], ns)
        if name == "A":
            plots = gathered(plots, scan, *surely(scan, who, seen), locates=True)
        alignment = learned(alignment, scan, plots, SENSORS, LOW, ALIGN)
    return alignment, plots, began + seconds


def test_radars_that_are_right_are_left_alone():
    """Thirty runs of two minutes in which nobody is off; in half of them three pairs fly side by side, too."""
    for seed in range(30):
        alignment = met(seed, (RIGHT, RIGHT), pairs=3 * (seed % 2))[0]
        assert alignment.anchor == "A"
        assert alignment.pairs[0].sensor == "B"
        assert len(alignment.pairs[0].look) > 50
        assert alignment.taken == ()


def test_targets_side_by_side_are_no_bias():
    """One or two pairs, each seen by one radar, and nobody else: too few voices, whatever they say."""
    for seed in range(10):
        assert met(seed, (RIGHT, RIGHT), n=0, pairs=1 + seed % 2)[0].taken == ()


def test_a_radar_that_is_off_is_found():
    """Twelve runs with twelve targets: the difference of the two within what it says of itself, no clock early."""
    squares = []
    for seed in range(12):
        taken = {t.sensor: t for t in met(seed, (RIGHT, WRONG), n=12, seconds=180)[0].taken}
        assert sorted(taken) == ["A", "B"]
        assert min(t.bias[3] for t in taken.values()) == pytest.approx(0.0, abs=1e-9)
        difference = taken["B"].bias - taken["A"].bias - WRONG
        sigma = np.sqrt(np.diagonal(taken["A"].cov + taken["B"].cov))
        known = [0, 1, 3, 4, 5]
        squares.append((difference[known] / sigma[known]) ** 2)
        assert abs(difference[1]) < np.radians(0.4)
        assert abs(difference[3]) < 1.2
    assert np.mean(squares) < 1.3


def test_a_radar_that_was_repaired_is_left_alone_again():
    first = met(3, (RIGHT, WRONG), n=12)
    assert first[0].taken
    assert met(4, (RIGHT, RIGHT), seconds=60, before=first)[0].taken
    assert met(4, (RIGHT, RIGHT), seconds=240, before=first)[0].taken == ()


def collected(seed, biases):
    """Pairs of plots of B with what A says, a minute long."""
    rng = np.random.default_rng(seed)
    x, plots = drones(rng, 5), Plots.empty()
    settings = shared.pairing(looks.RegistrationSettings())
    pairs = looks.begin("B", FLAT.value, settings)
    for k in range(1, 31):
        x = moved(rng, x)
        name = "AB"[k % 2]
        scan, who = scan_of(rng, MODELS[name], x, biases[k % 2], 2 * k * SECOND)
        if name == "A":
            plots = gathered(plots, scan, *surely(scan, who, x), locates=True)
        elif len((reference := tracklets(plots, MODELS["A"], LOW, 1.0, NOBODY)).address):
            pairs = looks.collect(pairs, scan, MODELS["B"], reference, settings)
    return pairs


def naive_gain(pairs, address, bias):
    """Log likelihood of one target's looks, plot by plot, over that of clutter alone."""
    at = shared.unbiased(pairs.at, MODELS["A"], bias[6:])
    nu = residuals(replace(pairs, at=at), MODELS["B"], bias[:6]).nu
    product = 1.0
    for look in np.unique(pairs.look[pairs.address == address]):
        total = 0.0
        for k in np.flatnonzero(pairs.look == look):
            S, p = pairs.S[k], pairs.p_detect[k]
            density = np.exp(-0.5 * nu[k] @ np.linalg.inv(S) @ nu[k]) / np.sqrt(np.linalg.det(2.0 * np.pi * S))
            total += p * density / pairs.spread[k]
        product *= total + 1.0 - p
    return np.log(0.5 * product + 0.5)


def test_evidence_is_that_of_the_definition():
    pairs = collected(1, (RIGHT, WRONG))
    models, known = (MODELS["B"], MODELS["A"]), (SENSORS["B"].before, SENSORS["A"].before)
    joint = shared.solve_both(pairs, models, known, shared.pairing(looks.RegistrationSettings()))
    assert joint.looks > 10
    names = np.unique(pairs.address)
    slow = np.array([naive_gain(pairs, a, joint.bias) - naive_gain(pairs, a, np.zeros(12)) for a in names])
    assert shared.gains(pairs, models, joint.bias) == pytest.approx(slow, rel=1e-6, abs=1e-9)
    prior = np.tile(PRIOR**2, 2)
    occam = 0.5 * (np.log(np.linalg.det(joint.cov / np.sqrt(np.outer(prior, prior)))) - (joint.bias**2 / prior).sum())
    told = shared.evidence(pairs, models, known, joint, 5.0)
    assert told == pytest.approx(np.clip(slow, -5.0, 5.0).sum() + occam, rel=1e-6)
    assert slow.max() > 5.0  # the bound matters
    assert shared.evidence(looks.begin("B", FLAT.value, looks.RegistrationSettings()), models, known, joint, 5.0) == 0.0


TRACKING = TrackSettings(prior=LOW, modes=AIR, visibility=VisibilitySettings(), align=ALIGN)


def watched(seed, settings, biases=(RIGHT, WRONG), seconds=180):
    """A watch over twelve drones that two radars see in turn, and the targets at the end."""
    rng, watch, alignment = np.random.default_rng(seed), watch_start(settings), Alignment()
    x = drones(rng, 12)
    for k in range(1, seconds // 2 + 1):
        x = moved(rng, x)
        scan, _ = scan_of(rng, MODELS["AB"[k % 2]], x, biases[k % 2], 2 * k * SECOND)
        model = MODELS[scan.sensor]
        watch = watch_step(watch, as_agreed(alignment, scan, model, LOW), model, settings)
        watch, alignment = aligned_step(watch, alignment, scan, SENSORS, settings)
    return watch, alignment, x


def test_each_target_has_one_track_again():
    """Two runs: confirmed tracks of twelve targets."""
    counts: dict[bool, list[int]] = {True: [], False: []}
    for seed in range(2):
        for on, found in counts.items():
            watch, alignment, _ = watched(seed, replace(TRACKING, align=ALIGN if on else None))
            assert bool(alignment.taken) is on
            tracks = watch.tracker.tracks
            found.append(int(((tracks.status == TrackStatus.CONFIRMED) & (tracks.existence > 0.5)).sum()))
    assert np.mean(counts[True]) < 13.5
    assert np.mean(counts[False]) > 16.0


def test_a_shift_moves_places_and_nothing_else():
    state = watched(1, replace(TRACKING, align=None), seconds=40)[0].tracker
    n = len(state.tracks)
    assert n > 5
    assert state.hypotheses.modes is not None
    offset = np.random.default_rng(1).normal(0, 100.0, (n, 2))
    out = shifted(state, offset)
    assert out.tracks.mean[:, :2] == pytest.approx(state.tracks.mean[:, :2] + offset)
    assert (out.tracks.mean[:, 2:] == state.tracks.mean[:, 2:]).all()
    assert (out.tracks.cov == state.tracks.cov).all()
    theirs = offset[state.hypotheses.track]
    assert out.hypotheses.mean[:, :2] == pytest.approx(state.hypotheses.mean[:, :2] + theirs)
    assert out.hypotheses.modes.mean[:, :, :2] == pytest.approx(state.hypotheses.modes.mean[:, :, :2] + theirs[:, None])
    back = shifted(out, -offset)
    assert back.hypotheses.modes.mean == pytest.approx(state.hypotheses.modes.mean)


def test_one_sensor_and_sensors_without_range_and_azimuth_are_left_alone():
    rng = np.random.default_rng(2)
    scan, _ = scan_of(rng, MODELS["A"], drones(rng, 4), RIGHT, SECOND)
    before = Alignment()
    assert learned(before, scan, Plots.empty(), {"A": SENSORS["A"]}, LOW, ALIGN) is before
    watch = watch_start(TRACKING)
    assert aligned_step(watch, before, scan, {}, TRACKING) == (watch, before)
    assert comparable(MODELS["A"], 0.0)
    assert not comparable(MODELS["A"], 12.0)


@pytest.mark.parametrize("wrong", [{"every_s": -1.0}, {"gain_min": 0.0}, {"target_gain_max": -2.0}])
def test_settings_that_are_no_times_or_gains_are_refused(wrong):
    with pytest.raises(ValueError, match="AlignSettings"):
        AlignSettings(**wrong)
