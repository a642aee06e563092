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

from lapwing.kernel import beliefs
from lapwing.kernel.branching import branch
from lapwing.kernel.hypotheses import Branches, Limits
from lapwing.kernel.manoeuvre import matched
from lapwing.kernel.meanset import mean_sets
from lapwing.kernel.telling import associations
from lapwing.records import Array, Detections, Innovations, Tracks, TrackStatus
from lapwing.track import clutter, visible
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, Pairs, evidence, gate
from lapwing.track.flat import widened
from lapwing.track.life import (
    PROBABLY,
    Chances,
    Everyone,
    Posterior,
    Told,
    everyone,
    judge,
    sure_enough,
    worth_keeping,
)
from lapwing.track.posterior import ahead, chances, corrected, predicted
from lapwing.track.sensors import RadarSensor, SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.silence import heed_silence, still_unplaced
from lapwing.track.state import Hypotheses, ModeBeliefs, TrackerState
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
    sees = visible.seen_by(state, scan, settings.visibility)
    p_detect = p_seen * sees[state.hypotheses.track]
    flood = _flood(scan, prior, p_detect, clutter_per_scan, settings)
    clutter_intensity = np.maximum(clutter_intensity, clutter.CLUTTER_MIN / sensor.volume) * flood

    pairs, shed = gate(prior, scan, place, sensor, settings, to_ns)
    said, pairs = evidence(prior, pairs, p_detect, new.intensity, clutter_intensity, settings)
    false = said.p_new * (1.0 - said.r_new) / np.sqrt(flood)  # one flood must not make the map blind for half an hour
    maps = clutter.after(state.clutter, learned, scan, false, sensor, settings.clutter)
    said = heed_silence(said, prior.existence, state, sensor)
    branches = branch(state.hypotheses.forest, said, _limits(settings))
    odds = chances(branches, len(state.tracks) + len(scan))
    told = _told(odds, pairs, branches, len(state.tracks))

    sees = _sees(state, scan, sees, visible.of_tracks(p_seen, prior.first), (told, odds), settings)
    both, hits = everyone(state.tracks, state.hits, scan, odds, told, to_ns)
    unplaced = still_unplaced(state.unplaced, told.assigned, len(scan), sensor)
    if settings.visibility is not None:
        both = both._replace(existence=both.existence * visible.placed(sees, _placing(state, sensor), unplaced))
    both = judge(both, hits, scan, told, settings)
    sure = sure_enough(both, odds, settings)
    posterior = corrected(prior, pairs, (branches, odds, sure), new, sensor, settings)
    flat, radar_m = _seen_flat(state, scan, sensor, told)
    alive = worth_keeping(both, sure, posterior.own_sigma_m, settings)
    stay = np.flatnonzero(alive)
    recycled = branches.lost + float(both.existence[(odds.at >= 0) & ~alive].sum())
    after = replace(
        state,
        tracks=_labelled(both, alive, posterior, (sure, len(state.tracks)), state.tracks.next_id),
        hits=hits.take(stay),
        flat=flat.take(stay),
        radar_m=radar_m.take(stay, axis=0),
        unplaced=unplaced.take(stay),
        visible=sees.take(stay, axis=0),
        hypotheses=_survivors(posterior, branches, alive, settings.exactness.merge_d2),
        clutter=maps,
        cut=state.cut + branches.cut + int(shed) + int(flood > 1.0),
    )
    innovations = _innovations(after.tracks, alive, scan, told, settings)
    return looked(state, after, scan, sensor, settings, recycled), innovations


def _sees(
    state: TrackerState,
    scan: Detections,
    sees: Float64[Array, " n"],
    p_seen: Float64[Array, " n"],
    found: tuple[Told, Chances],
    settings: TrackSettings,
) -> Float64[Array, "h s"]:
    """Which sensor sees which track, after the scan."""
    told, odds = found
    given = np.minimum(told.assigned / np.maximum(odds.existence[: len(told.assigned)], 1e-300), 1.0)
    return visible.after_look(state, scan, sees, p_seen, given, settings.visibility)


def _placing(state: TrackerState, sensor: SensorModel) -> Int64[Array, " s"]:
    """1 for those of all sensors heard so far, this one included, that place targets."""
    places = dict(zip(state.sensors, state.placing.tolist(), strict=True)) | {sensor.sensor: int(sensor.locates)}
    return np.array([places[name] for name in sorted(places)], dtype=np.int64)


def _flood(
    scan: Detections,
    prior: Locals,
    p_detect: Float64[Array, " l"],
    clutter_per_scan: float,
    settings: TrackSettings,
) -> float:
    """How much more clutter there is than the sensor is known to make: 1, unless detections outnumber by FLOOD what
    tracks, undetected targets and declared clutter explain. Then almost none of them may begin a track."""
    held = float((prior.weight * prior.existence * p_detect).sum())
    expected = held + clutter_per_scan + settings.undetected_start + 1.0
    return max(1.0, len(scan) / (FLOOD * expected)) ** 2


def _limits(settings: TrackSettings) -> Limits:
    e = settings.exactness
    return Limits(e.hypotheses_max, e.weight_min, 0.1 * settings.prune_existence, e.cluster_tracks_max, e.nodes_max)


def _told(odds: Chances, pairs: Pairs, branches: Branches, n: int) -> Told:
    """Which detection belongs to which old track, with what probability; sorted by track, then detection."""
    parts = branches.part_child, branches.part_local, branches.part_pair, branches.part_weight
    there = odds.weight * branches.child_r
    track, detection, weight, nis, assigned = associations(
        parts, branches.child_track, there, (pairs.detection, pairs.nis), n
    )
    return Told(track, detection, np.minimum(weight, 1.0), nis, np.minimum(assigned, 1.0))


def _labelled(tracks: Everyone, alive: Array, posterior: Posterior, of: tuple[Array, int], next_id: int) -> Tracks:
    """The tracks that live on; new ones get ids in the scan's order. of = (which tracks the posterior is of, how many
    tracks are old)."""
    sure, n = of
    new = alive.copy()
    new[:n] = False
    count = int(new.sum())
    tracks.track_id[new] = np.arange(next_id, next_id + count)
    mean, cov = _rows(np.flatnonzero(alive[sure]), posterior.track_mean, posterior.track_cov)
    return tracks.those(alive, mean, cov, next_id + count)


def _rows(chosen: Int64[Array, " c"], *columns: Array) -> tuple[Array, ...]:
    """The chosen rows of each of these columns, which are the columns themselves where all are chosen."""
    if len(chosen) == len(columns[0]):
        return columns
    return tuple(column.take(chosen, axis=0) for column in columns)


def _survivors(posterior: Posterior, branches: Branches, alive: Array, merge_d2: float) -> Hypotheses:
    """The local hypotheses of the tracks that live on, by track, those that say nearly the same made one."""
    of = branches.child_track[posterior.child]
    stays = np.flatnonzero(alive[of])
    r, weight = posterior.existence.copy(), posterior.weight.copy()
    every = (posterior.mode, posterior.mean, posterior.cov)  # made in this step, and not needed any more as they are
    into = beliefs.merge(of, stays, r, weight, every, merge_d2)
    own = into == np.arange(len(into))
    row, local = np.cumsum(alive) - 1, np.full(len(branches.child_r), -1, dtype=np.int64)
    local[posterior.child[stays]] = (np.cumsum(own) - 1)[into]
    forest = beliefs.keep(branches.forest, alive, row, local)
    track, r, weight, w, mean, cov = _rows(stays[own], row[of], r, weight, *every)
    if w.shape[1] == 1:
        mean.flags.writeable = cov.flags.writeable = False  # then `freeze` needs no copy of what is a view of them
        return Hypotheses(track, mean[:, 0], cov[:, 0], r, weight, forest)
    return Hypotheses(track, *matched(w, mean, cov, False), r, weight, forest, ModeBeliefs(w, mean, cov))


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
    best = beliefs.best_choice(of.forest, len(state.tracks))
    sure = np.flatnonzero(best >= 0)
    sure = sure[of.existence[best[sure]] >= existence_min]
    return state.tracks.track_id[sure], of.mean[best[sure]]


def _seen_flat(
    state: TrackerState, scan: Detections, sensor: SensorModel, told: Told
) -> tuple[Int64[Array, " h"], Float64[Array, "h 3"]]:
    """Which tracks were last seen by a radar without elevation, and where that stands."""
    flat = np.concatenate([state.flat, np.zeros(len(scan), dtype=np.int64)])
    radar_m = np.concatenate([state.radar_m, np.zeros((len(scan), 3))])
    if isinstance(sensor, RadarSensor) and not sensor.measures_height:
        seen = np.concatenate([told.assigned >= PROBABLY, np.ones(len(scan), dtype=bool)])
        flat[seen], radar_m[seen] = 1, sensor.position_m
    return flat, radar_m


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


def _innovations(after: Tracks, alive: Array, scan: Detections, told: Told, settings: TrackSettings) -> Innovations:
    """Associations with tracks that live on."""
    row = np.cumsum(alive) - 1
    shown = (told.weight >= settings.report_weight_min) & alive[told.track]
    return Innovations(
        scan.sensor,
        scan.scan_ns,
        after.track_id[row[told.track[shown]]],
        told.detection[shown],
        told.weight[shown],
        told.nis[shown],
        scan.z.shape[1],
    )
