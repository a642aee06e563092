"""Who is there: one scan in, better tracks out. Axes: n tracks, l local hypotheses, m detections, k pairs, d columns,
h = n + m tracks together with those that may begin, M modes, p parts of mixtures.

A track-oriented Poisson multi-Bernoulli mixture filter by clusters. Targets nobody has seen yet are a Poisson
intensity (`undetected`). A track is one or several Gaussians with an existence probability each; tracks that contest
detections share global hypotheses, branched by the best assignments (`kernel.branching`); where a cluster grows too
large, association is marginal by belief propagation, in the manner of TOMB/P (Williams, IEEE T-AES 51(3), 2015).

A rotating radar meets each target at its own time. Tracks stand at the end of the scan; a plot taken `age` earlier is
a measurement of F(-age) x. The gain uses the covariance without the noise that came after the plot, which makes the
result the same as predicting to the plot, updating there, and predicting on (proved in tests/naive). A plot older
than the state itself (sensors that overlap) is used the same way, without taking out noise that is older.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.beliefs import best_choice
from lapwing.kernel.meanset import mean_sets
from lapwing.kernel.scanning import Known, Scanned, scanned
from lapwing.records import Array, Detections, Innovations, Tracks, TrackStatus
from lapwing.track import clutter, visible
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, evidence, gate
from lapwing.track.flat import widened
from lapwing.track.life import look, past
from lapwing.track.posterior import ahead, hypotheses, predicted, ways
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.silence import quiet
from lapwing.track.state import TrackerState
from lapwing.track.timely import sifted, those
from lapwing.track.undetected import looked, newborn

FLOOD = 10.0


def step(
    state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings
) -> tuple[TrackerState, Innovations]:
    """The tracker after one scan, and which detection was given to which track. A scan that ended before the state's
    time leaves the clock where it is; what no clock can mean is put aside and counted (`track.timely`). Raises
    ValueError where the model is another sensor's."""
    if scan.sensor != sensor.sensor or scan.space is not sensor.space:
        mine, known = f"{scan.sensor!r} in {scan.space.name}", f"{sensor.sensor!r} in {sensor.space.name}"
        raise ValueError(f"Detections.sensor, space: {mine} met the model of {known}")
    state, rows = sifted(state, scan, settings)
    if rows is None:
        none = np.zeros(0, dtype=np.int64)
        return state, Innovations(scan.sensor, scan.scan_ns, none, none, np.zeros(0), np.zeros(0), scan.z.shape[1])
    to_ns = max(scan.scan_ns, state.tracks.time_ns)
    after, told = _after(state, those(scan, rows), sensor, settings, to_ns)
    return after, told if len(rows) == len(scan) else replace(told, detection=rows[told.detection])


def _after(
    state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings, to_ns: int
) -> tuple[TrackerState, Innovations]:
    """The tracker after a scan of which every row is of its time: the paper's paragraph."""
    prior = predicted(state, settings, to_ns)
    place = sensor.invert(scan.z, scan.R, settings.prior)
    new = newborn(state, scan, place, sensor, settings, to_ns)
    learned = clutter.found(state.clutter, scan)
    clutter_per_scan, clutter_intensity = clutter.expected(learned, scan.z, sensor, settings.clutter)
    p_seen = np.minimum(sensor.p_detect(prior.mean), PROBABILITY_MAX)
    sees = None if settings.visibility is None else visible.seen_by(state, scan, settings.visibility)
    p_detect = p_seen if sees is None else p_seen * sees[state.hypotheses.track]
    flood = _flood(scan, prior, p_detect, clutter_per_scan, settings)
    clutter_intensity = np.maximum(clutter_intensity, clutter.CLUTTER_MIN / sensor.volume)
    if flood > 1.0:
        clutter_intensity *= flood

    near, shed = gate(prior, scan, place, sensor, settings, to_ns)
    before, pairs, r_new = evidence(prior, near, p_detect, (new.intensity, clutter_intensity))
    every, begun = (prior.mode, prior.mode_mean, prior.mode_cov), (new.mode, new.mean, new.cov)
    out = scanned(
        Known((*state.hypotheses.forest,), (*before,), every, (*past(state),), state.tracks.next_id),
        Scanned(
            (*look(scan, sensor, to_ns),),
            (*visible.seeing(state, scan, sensor, sees, p_seen, settings.visibility),),
            (*pairs,),
            (*near.gains,),
            begun,
            r_new,
            quiet(state, sensor),
        ),
        ways(sensor, settings),
    )
    maps = state.clutter
    if settings.clutter is not None and clutter.mapped(sensor):
        false = out.p_new * (1.0 - r_new) / np.sqrt(flood)  # one flood must not make the map blind for half an hour
        maps = clutter.kept(maps, clutter.learned(learned, scan, false, sensor, settings.clutter))

    rows, life, counts = out.rows, out.rows.life, (new.expected, out.lost + float(np.add.reduce(out.gone)))
    after = replace(
        state,
        tracks=Tracks(to_ns, rows.track_id, out.mean, out.cov, *life[:6], rows.next_id),
        hits=life.hits,
        unplaced=life.unplaced,
        flat=life.flat,
        radar_m=life.radar_m,
        visible=rows.visible,
        hypotheses=hypotheses(out.left),
        clutter=maps,
        cut=state.cut + out.cut + int(shed) + int(flood > 1.0),
        **looked(state, scan, sensor, settings, counts, to_ns),
    )
    return after, Innovations(scan.sensor, scan.scan_ns, *rows.told, scan.z.shape[1])


def _flood(
    scan: Detections,
    prior: Locals,
    p_detect: Float64[Array, " l"],
    clutter_per_scan: float,
    settings: TrackSettings,
) -> float:
    """How much more clutter there is than the sensor is known to make: 1, unless detections outnumber by FLOOD what
    tracks, undetected targets and declared clutter explain. Then almost none of them may begin a track."""
    if len(scan) <= FLOOD * (clutter_per_scan + settings.undetected_start):
        return 1.0
    held = float(np.add.reduce(prior.weight * prior.existence * p_detect))
    expected = held + clutter_per_scan + settings.undetected_start + 1.0
    return max(1.0, len(scan) / (FLOOD * expected)) ** 2


def estimates(
    state: TrackerState, existence_min: float = 0.5, cutoff_m: float | None = None
) -> tuple[Int64[Array, " e"], Float64[Array, "e 6"]]:
    """Ids and states of the targets in the most probable global hypothesis of each cluster: the sharpest answer to
    "where are they", where `tracks` answer "where may they be". With `cutoff_m` they stand where the expected squared
    GOSPA of that cut-off is least over all hypotheses (`kernel.meanset`): nearer in the mean, and while two targets
    cannot be told apart, one id's state may be between two that this track might have."""
    of = state.hypotheses
    if cutoff_m is not None:
        spread = of.cov[:, 0, 0] + of.cov[:, 1, 1]
        x = mean_sets(of.forest, len(state.tracks), (of.existence, of.mean, spread), existence_min, cutoff_m)
        there = np.flatnonzero(~np.isnan(x[:, 0]))
        return state.tracks.track_id[there], x[there]
    best = best_choice(of.forest, len(state.tracks))
    sure = np.flatnonzero(best >= 0)
    sure = sure[of.existence[best[sure]] >= existence_min]
    return state.tracks.track_id[sure], of.mean[best[sure]]


def predict_tracks(state: TrackerState, to_ns: int, settings: TrackSettings) -> Tracks:
    """What to show at `to_ns`: every track that was ever confirmed, and tentative ones that are not mere clutter.
    Where height was never measured, covariances hold the target at any height within the prior (`track.flat`)."""
    to_ns = max(to_ns, state.tracks.time_ns)
    faded = np.exp((state.tracks.time_ns - to_ns) * NS / settings.lifetime_s)
    known = state.tracks.status != TrackStatus.TENTATIVE
    shown = known | (state.tracks.existence * faded >= settings.show_existence)
    tracks = ahead(state, settings, to_ns, shown)
    flat, radar_m = state.flat[shown], state.radar_m[shown]
    return replace(tracks, cov=widened(tracks.mean, tracks.cov, flat, radar_m, settings.prior))
