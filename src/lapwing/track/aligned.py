"""Sensors that place the same targets differently, made to agree where no traffic says who is right. Axes: b biases of
one sensor, d columns.

A radar that is off by several of its own sigmas sees every target beside where another one sees it: each keeps a track
of its own. One target and a bias explain that better than two targets of which each hides from one sensor, and not in
one place but wherever both look. So this is asked of all targets at once (`track.shared`: tracklets of the anchor, raw
plots of the other, biases of both from their priors): does a bias explain the looks better than none, by `gain_min`
nats of evidence in which no target has more than `target_gain_max` to say? Two targets that fly side by side, one seen
by each sensor, are one voice; it takes several that are all displaced as one sensor's biases would displace them.

Taken out are the values that are most probable. What turns or shifts the whole picture is known by geometry, by stated
tolerances and by the priors alone. A shift of all clocks is never seen: no clock is taken to be early, for a plot that
is stamped on arrival is late. Noise grows by what is not known of the difference, half for each of the two.

Refuses sensors that do not measure range and azimuth (bearings are paired with the wrong target among many and are then
sure of it), and sensors that deliver tracks. All rests on plots as measured: what is taken out feeds nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lapwing.records import Array, Detections
from lapwing.records.arrays import freeze_columns
from lapwing.track import looks, shared
from lapwing.track.looks import B, Pairs, RegistrationSettings
from lapwing.track.registration import taken_out
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import AlignSettings, TargetPrior, TrackSettings
from lapwing.track.shared import Before, Joint, unbiased
from lapwing.track.state import TrackerState
from lapwing.track.tracklets import Plots, tracklets
from lapwing.track.watch import Watch

NOISE_M2PS3 = 1.0  # of a target over the few seconds of a tracklet
PAIRS_MAX = 100_000  # of plots and tracklets that are tried at once: a flood of plots tells nothing of biases
FIXED = 1e-3  # of a prior sigma: what another pair of sensors has settled
REFUTED = 0.5  # of the evidence that found biases, against any, gives them up
CLOCK = 3
REGISTRATION = RegistrationSettings()


class Compared(NamedTuple):
    """A sensor that may be compared: its model, and what is known of its biases (`before`)."""

    model: SensorModel
    before: Before


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken out of one sensor's scans: biases in the order of BIASES, and how well they are known."""

    sensor: str
    bias: Float64[Array, " b"]
    cov: Float64[Array, "b b"]

    def __post_init__(self) -> None:
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Alignment:
    """What sensors saw alike lately, beside the anchor, and what is taken out of each: nothing until that is clear."""

    anchor: str = ""
    pairs: tuple[Pairs, ...] = ()
    taken: tuple[Taken, ...] = ()
    solved_ns: int = 0


def comparable(model: SensorModel, correlation_s: float) -> bool:
    """True for a sensor that measures range and azimuth by itself."""
    return model.locates and correlation_s <= 0.0 and {"range_m", "azimuth_rad"} <= set(model.space.value)


def as_agreed(alignment: Alignment, scan: Detections, model: SensorModel, target: TargetPrior) -> Detections:
    """The scan without what its sensor is known to be off."""
    mine = next((t for t in alignment.taken if t.sensor == scan.sensor), None)
    return scan if mine is None else taken_out(scan, model, mine.bias, mine.cov, target)


def aligned_step(
    watch: Watch, before: Alignment, scan: Detections, sensors: Mapping[str, Compared], settings: TrackSettings
) -> tuple[Watch, Alignment]:
    """The watch and what is known of its sensors after a scan, as measured, that the watch has taken as `as_agreed`
    gave it. `sensors`: those heard so far that may be compared."""
    if settings.align is None or scan.sensor not in sensors:
        return watch, before
    now = learned(before, scan, watch.plots, sensors, settings.prior, settings.align)
    start = settings.visibility.start if settings.visibility is not None else 1.0
    return moved_over(watch, before, now, sensors, start), now


def moved_over(
    watch: Watch, before: Alignment, after: Alignment, sensors: Mapping[str, Compared], start: float
) -> Watch:
    """The watch when it becomes known what sensors are off, or that they are not. Tracks that one of these sensors
    alone feeds stand where it now places them. What looked hidden from it may only have been displaced: it is seen with
    probability `start` again, so that of two tracks of one target the tracker keeps one."""
    old, new = ({t.sensor: t for t in a.taken} for a in (before, after))
    changed = [name for name in sorted(sensors) if (name in old) != (name in new)]
    tracker, plots = watch.tracker, watch.plots
    if not changed or not len(tracker.tracks):
        return watch
    offset_m, visible = np.zeros((len(tracker.tracks), 2)), tracker.visible.copy()
    for name in changed:
        if name not in tracker.sensors or name not in plots.sensors:  # its clock jumped, and all began anew
            continue
        s = tracker.sensors.index(name)
        visible[:, s] = np.maximum(visible[:, s], start)
        mine = plots.sensor == plots.sensors.index(name)
        alone = np.setdiff1d(plots.track_id[mine], plots.track_id[~mine])
        rows = np.flatnonzero(np.isin(tracker.tracks.track_id, alone))
        x, model = tracker.tracks.mean[rows], sensors[name].model
        if name in new:
            offset_m[rows] = (unbiased(x, model, new[name].bias) - x)[:, :2]
        else:
            offset_m[rows] = (x - unbiased(x, model, old[name].bias))[:, :2]  # nearly: the way back, from where it is
    return replace(watch, tracker=shifted(replace(tracker, visible=visible), offset_m))


def shifted(state: TrackerState, offset_m: Float64[Array, "n 2"]) -> TrackerState:
    """The state with every track moved in the plane, and nothing else changed."""
    of, mean = state.hypotheses, state.tracks.mean.copy()
    mean[:, :2] += offset_m
    local = of.mean.copy()
    local[:, :2] += offset_m[of.track]
    modes = of.modes
    if modes is not None:
        each = modes.mean.copy()
        each[:, :, :2] += offset_m[of.track][:, None, :]
        modes = replace(modes, mean=each)
    return replace(state, tracks=replace(state.tracks, mean=mean), hypotheses=replace(of, mean=local, modes=modes))


def learned(
    before: Alignment,
    scan: Detections,
    plots: Plots,
    sensors: Mapping[str, Compared],
    target: TargetPrior,
    settings: AlignSettings,
) -> Alignment:
    """After one more scan, as measured. `plots` are what the tracker has given to its tracks so far; `sensors` those
    heard that may be compared, this one among them."""
    if len(sensors) < 2:
        return before
    anchor = min(sensors.values(), key=lambda s: (not s.model.measures_height, s.model.sensor)).model
    if anchor.sensor != before.anchor:
        before = Alignment(anchor.sensor, solved_ns=scan.scan_ns)
    now = before if scan.sensor == anchor.sensor else _collected(before, scan, plots, sensors, target)
    if scan.scan_ns - now.solved_ns < settings.every_s * 1e9:
        return now
    return replace(now, taken=_taken(now, sensors, settings), solved_ns=scan.scan_ns)


def _collected(
    before: Alignment, scan: Detections, plots: Plots, sensors: Mapping[str, Compared], target: TargetPrior
) -> Alignment:
    """With the looks of this scan at the anchor's targets."""
    every = {p.sensor: p for p in before.pairs}
    mine = every.get(scan.sensor, looks.begin(scan.sensor, scan.space.value, REGISTRATION))
    reference = tracklets(plots, sensors[before.anchor].model, target, NOISE_M2PS3, np.zeros(0, dtype=np.int64))
    k = len(reference.address)
    if not 0 < k * len(scan) <= PAIRS_MAX or abs(scan.scan_ns - reference.time_ns) >= REGISTRATION.fresh_s * 1e9:
        return before
    model = sensors[scan.sensor].model
    every[scan.sensor] = looks.collect(mine, scan, model, reference, shared.pairing(REGISTRATION))
    return replace(before, pairs=tuple(every[name] for name in sorted(every)))


def _taken(now: Alignment, sensors: Mapping[str, Compared], settings: AlignSettings) -> tuple[Taken, ...]:
    """What is to be taken out from now on. The pair that speaks most clearly says what the anchor is off; the others
    are then compared with the anchor as it is without that. Where no pair is clear, what was found stays, until all
    that say anything say that nothing is off."""
    joints = {p.sensor: _solved(p, now.anchor, sensors, None) for p in now.pairs}
    gain = {p.sensor: _evidence(p, now.anchor, sensors, joints[p.sensor], settings) for p in now.pairs}
    clear = {name: joints[name] for name in joints if joints[name].looks and gain[name] >= settings.gain_min}
    if not clear:
        told = [gain[name] for name in joints if joints[name].looks]
        return () if told and max(told) <= -REFUTED * settings.gain_min else now.taken
    first = max(sorted(clear), key=lambda name: gain[name])
    joint = clear[first]
    out = {now.anchor: Taken(now.anchor, joint.bias[B:], 0.5 * _between(joint)), first: _of(first, joint)}
    for pairs in now.pairs:
        if pairs.sensor != first:
            other = _solved(pairs, now.anchor, sensors, joint.bias[B:])
            if other.looks:
                out[pairs.sensor] = _of(pairs.sensor, other)
    early_s = min(t.bias[CLOCK] for t in out.values())
    return tuple(replace(out[n], bias=out[n].bias - early_s * (np.arange(B) == CLOCK)) for n in sorted(out))


def _solved(pairs: Pairs, anchor: str, sensors: Mapping[str, Compared], settled: Float64[Array, " b"] | None) -> Joint:
    """The biases of a sensor and its anchor; the anchor's may be settled."""
    mine, theirs = sensors[pairs.sensor], sensors[anchor]
    known = theirs.before if settled is None else Before(settled, FIXED * theirs.before.sigma)
    models = (mine.model, theirs.model)
    return shared.solve_both(pairs, models, (mine.before, known), shared.pairing(REGISTRATION))


def _evidence(
    pairs: Pairs, anchor: str, sensors: Mapping[str, Compared], joint: Joint, settings: AlignSettings
) -> float:
    mine, theirs = sensors[pairs.sensor], sensors[anchor]
    models, known = (mine.model, theirs.model), (mine.before, theirs.before)
    return shared.evidence(pairs, models, known, joint, settings.target_gain_max)


def _of(sensor: str, joint: Joint) -> Taken:
    return Taken(sensor, joint.bias[:B], 0.5 * _between(joint))


def _between(joint: Joint) -> Float64[Array, "b b"]:
    """Covariance of the difference of the two sensors' biases."""
    D = np.concatenate([np.eye(B), -np.eye(B)], axis=1)
    return np.asarray(D @ joint.cov @ D.T)
