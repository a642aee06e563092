"""Who is there: one scan in, better tracks out. Axes: n tracks, l local hypotheses, m detections, k pairs, d columns,
h = n + m tracks together with those that may begin, p parts of mixtures.

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

from lapwing.kernel import beliefs, motion
from lapwing.kernel.branching import Branches, Limits, branch
from lapwing.kernel.gaussian import positive, settle
from lapwing.records import Array, Detections, Innovations, Tracks, TrackStatus
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, Pairs, evidence, gate, noise_of
from lapwing.track.flat import widened
from lapwing.track.life import PROBABLY, Posterior, Told, everyone, judge, select, worth_keeping
from lapwing.track.sensors import RadarSensor, SensorModel, height_m
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.silence import heed_silence, still_unplaced
from lapwing.track.state import Hypotheses, TrackerState
from lapwing.track.undetected import Newborn, looked, newborn

FLOOD = 10.0
CLUTTER_MIN = 1e-3  # false detections per scan: no single plot proves a target


def step(
    state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings
) -> tuple[TrackerState, Innovations]:
    """The tracker after one scan, and which detection was given to which track. A scan that ended before the state's
    time leaves the clock where it is."""
    to_ns = max(scan.scan_ns, state.tracks.time_ns)
    prior = _locals(state, settings, to_ns)
    place = sensor.invert(scan.z, scan.R, settings.prior)
    new = newborn(state, scan, place, sensor, settings, to_ns)
    clutter_intensity = np.maximum(sensor.clutter_intensity(scan.z), CLUTTER_MIN / sensor.volume)
    p_detect = np.minimum(sensor.p_detect(prior.mean), PROBABILITY_MAX)
    flood = _flood(scan, prior, p_detect, sensor, settings)
    clutter_intensity = clutter_intensity * flood

    pairs, shed = gate(prior, scan, place, sensor, settings, to_ns)
    said, pairs = evidence(prior, pairs, p_detect, new.intensity, clutter_intensity, settings)
    said = heed_silence(said, prior.existence, state.unplaced[state.hypotheses.track], sensor)
    branches = branch(state.hypotheses.forest, said, _limits(settings))
    posterior = _posterior(prior, pairs, branches, new, sensor.measures_height, settings.prior)
    told = _told(posterior, pairs, branches, len(state.tracks))

    both, hits = everyone(state.tracks, state.hits, scan, posterior, told, to_ns)
    both = judge(both, hits, scan, told, settings)
    flat, radar_m = _seen_flat(state, scan, sensor, told)
    alive = worth_keeping(both, posterior, settings)
    recycled = branches.lost + float(both.existence[posterior.seated & ~alive].sum())
    after = replace(
        state,
        tracks=_labelled(both, alive, len(state.tracks), state.tracks.next_id),
        hits=hits[alive],
        flat=flat[alive],
        radar_m=radar_m[alive],
        unplaced=still_unplaced(state.unplaced, told.assigned, len(scan), sensor)[alive],
        hypotheses=_survivors(posterior, branches, alive, settings.exactness.merge_d2),
        cut=state.cut + branches.cut + int(shed) + int(flood > 1.0),
    )
    innovations = _innovations(after.tracks, alive, scan, told, settings)
    return looked(state, after, scan, sensor, settings, recycled), innovations


def _locals(state: TrackerState, settings: TrackSettings, to_ns: int) -> Locals:
    """Local hypotheses at `to_ns`: moved, vaguer, a little less certain to be there."""
    of, dt_s = state.hypotheses, (to_ns - state.tracks.time_ns) * NS
    mean, cov = _moved(of.mean, of.cov, dt_s, settings)
    existence = np.minimum(of.existence * np.exp(-dt_s / settings.lifetime_s), PROBABILITY_MAX)
    first = np.searchsorted(of.track, np.arange(len(state.tracks) + 1))
    return Locals(first, mean, cov, existence, of.weight, state.tracks.address[of.track], dt_s)


def _flood(
    scan: Detections,
    prior: Locals,
    p_detect: Float64[Array, " l"],
    sensor: SensorModel,
    settings: TrackSettings,
) -> float:
    """How much more clutter there is than the sensor is said to make: 1, unless detections outnumber by FLOOD what
    tracks, undetected targets and declared clutter explain. Then almost none of them may begin a track."""
    clutter = float(sensor.clutter_intensity(scan.z).mean()) * sensor.volume if len(scan) else 0.0
    expected = float((prior.weight * prior.existence * p_detect).sum()) + clutter + settings.undetected_start + 1.0
    return max(1.0, len(scan) / (FLOOD * expected)) ** 2


def _limits(settings: TrackSettings) -> Limits:
    e = settings.exactness
    return Limits(e.hypotheses_max, e.weight_min, 0.1 * settings.prune_existence, e.cluster_tracks_max, e.nodes_max)


def _posterior(
    prior: Locals, pairs: Pairs, branches: Branches, new: Newborn, measures_height: bool, target: TargetPrior
) -> Posterior:
    """The Gaussians that the branches chose.

    A sensor that does not measure height leaves it alone (Schmidt-Kalman): the height's mean and variance stay, its
    correlations with what is measured are kept up, so that what it does to the ground position stays visible."""
    h, count = len(prior.first) - 1 + len(new.mean), len(branches.child_r)
    mean, cov = beliefs.correct(
        prior.mean,
        prior.cov,
        branches.part_local,
        branches.part_pair,
        pairs.gain,
        pairs.S,
        pairs.nu,
        not measures_height,
    )
    fresh = branches.part_local < 0
    mean[fresh], cov[fresh] = new.mean[branches.part_pair[fresh]], new.cov[branches.part_pair[fresh]]
    if len(branches.part_child) > count:
        _, mean, cov = beliefs.match(branches.part_child, branches.part_weight, mean, cov, count)
    cov = positive(cov)
    _keep_within_bounds(mean, cov, target)
    weight = beliefs.local_weights(branches.forest, count)
    there = weight * branches.child_r
    existence, middle, track_cov = beliefs.match(branches.child_track, there, mean, cov, h)
    best = beliefs.best_choice(branches.forest, h)
    rising = np.argsort(there, kind="stable")
    heaviest = np.full(h, -1, dtype=np.int64)
    heaviest[branches.child_track[rising]] = rising  # of a repeated index the last assignment stays
    best = np.where(best >= 0, best, heaviest)
    seated = best >= 0
    track_mean, own_cov = np.zeros((h, 6)), np.zeros((h, 2))
    track_mean[seated], own_cov[seated] = mean[best[seated]], cov[best[seated]][:, [0, 1], [0, 1]]
    off = np.where(seated[:, None], middle - track_mean, 0.0)
    track_cov += off[:, :, None] * off[:, None, :]
    existence = np.clip(existence, 1e-300, PROBABILITY_MAX)
    return Posterior(
        mean, cov, weight, existence, track_mean, track_cov, seated, np.sqrt(own_cov[:, 0] + own_cov[:, 1])
    )


def _told(posterior: Posterior, pairs: Pairs, branches: Branches, n: int) -> Told:
    """Which detection belongs to which old track, with what probability; sorted by track, then detection."""
    child, row = branches.part_child, branches.part_pair
    total = np.bincount(child, branches.part_weight, len(branches.child_r))
    there = (posterior.weight * branches.child_r)[child] * branches.part_weight / np.maximum(total[child], 1e-300)
    used = (branches.part_local >= 0) & (row >= 0)
    track, row, there = branches.child_track[child[used]], row[used], there[used]
    detection, nis = pairs.detection[row], pairs.nis[row]
    order = np.lexsort((detection, track))
    track, detection, nis, there = track[order], detection[order], nis[order], there[order]
    first = np.flatnonzero((np.diff(track, prepend=-1) != 0) | (np.diff(detection, prepend=-1) != 0))
    if not len(first):
        return Told(track, detection, there, nis, np.zeros(n))
    weight = np.add.reduceat(there, first)
    mean_nis = np.add.reduceat(there * nis, first) / weight
    assigned = np.bincount(track[first], weight, n)
    return Told(track[first], detection[first], np.minimum(weight, 1.0), mean_nis, np.minimum(assigned, 1.0))


def _labelled(tracks: Tracks, alive: Array, n: int, next_id: int) -> Tracks:
    """The tracks that live on; new ones get ids in the scan's order."""
    new = alive.copy()
    new[:n] = False
    ids = tracks.track_id.copy()
    count = int(new.sum())
    ids[new] = np.arange(next_id, next_id + count)
    return replace(select(replace(tracks, track_id=ids), alive), next_id=next_id + count)


def _survivors(posterior: Posterior, branches: Branches, alive: Array, merge_d2: float) -> Hypotheses:
    """The local hypotheses of the tracks that live on, by track, those that say nearly the same made one."""
    row = np.cumsum(alive) - 1
    stays = np.flatnonzero(alive[branches.child_track])
    stays = stays[np.argsort(branches.child_track[stays], kind="stable")]
    track, mean, cov = row[branches.child_track[stays]], posterior.mean[stays], posterior.cov[stays]
    r, weight = branches.child_r[stays], posterior.weight[stays]
    into = beliefs.merge(track, r, weight, mean, cov, merge_d2)
    own = into == np.arange(len(into))
    local = np.full(len(branches.child_r), -1, dtype=np.int64)
    local[stays] = (np.cumsum(own) - 1)[into]
    forest = beliefs.keep(branches.forest, alive, row, local)
    return Hypotheses(track[own], mean[own], cov[own], r[own], weight[own], forest)


def estimates(state: TrackerState, existence_min: float = 0.5) -> tuple[Int64[Array, " e"], Float64[Array, "e 6"]]:
    """Ids and states of the targets in the most probable global hypothesis of each cluster: the sharpest answer to
    "where are they", where `tracks` answer "where may they be"."""
    of = state.hypotheses
    best = beliefs.best_choice(of.forest, len(state.tracks))
    sure = np.flatnonzero(best >= 0)
    sure = sure[of.existence[best[sure]] >= existence_min]
    return state.tracks.track_id[sure], of.mean[best[sure]]


def predict(tracks: Tracks, settings: TrackSettings, to_ns: int) -> Tracks:
    """Tracks at `to_ns`: moved, vaguer, a little less certain to be there; never vaguer in height than the prior."""
    dt_s = (to_ns - tracks.time_ns) * NS
    mean, cov = _moved(tracks.mean, tracks.cov, dt_s, settings)
    existence = tracks.existence * np.exp(-dt_s / settings.lifetime_s)
    return replace(tracks, time_ns=to_ns, mean=mean, cov=cov, existence=existence)


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
    tracks = predict(state.tracks, settings, max(to_ns, state.tracks.time_ns))
    tracks = replace(tracks, cov=widened(tracks.mean, tracks.cov, state.flat, state.radar_m, settings.prior))
    known = tracks.status != TrackStatus.TENTATIVE
    return select(tracks, known | (tracks.existence >= settings.show_existence))


def _moved(
    mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], dt_s: float, settings: TrackSettings
) -> tuple[Float64[Array, "n 6"], Float64[Array, "n 6 6"]]:
    """Mean and covariance dt_s later, what nobody measures kept no vaguer than the prior."""
    mean, cov = motion.predict(mean, cov, dt_s, *noise_of(settings))
    prior = settings.prior
    settle(mean, cov, 2, mean[:, 2] + prior.height_m_mean - height_m(mean), prior.height_m_sigma)
    settle(mean, cov, 5, np.zeros(len(mean)), prior.climb_mps_sigma)
    return mean, cov


def _keep_within_bounds(mean: Float64[Array, "l 6"], cov: Float64[Array, "l 6 6"], target: TargetPrior) -> None:
    """Heights, where poorly known, between the prior's bounds: in place, the caller made the arrays."""
    height = height_m(mean)
    excess = height - np.clip(height, target.height_m_min, target.height_m_max)
    mean[:, 2] -= np.where(cov[:, 2, 2] > (0.05 * target.height_m_sigma) ** 2, excess, 0.0)


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
