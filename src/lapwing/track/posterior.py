"""The Gaussians of local hypotheses: predicted, corrected, summed up per track. Axes: n tracks, l local hypotheses,
m detections, M modes, h = n + m tracks together with those that may begin, p parts of mixtures.

Where settings name several modes, every Gaussian is an interacting multiple model (`kernel.manoeuvre`)."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from lapwing.kernel import beliefs
from lapwing.kernel.correction import parts, sound_rows
from lapwing.kernel.gaussian import make_positive
from lapwing.kernel.hypotheses import Branches
from lapwing.kernel.manoeuvre import changes, matched, predict_modes, spread_modes
from lapwing.records import Array, Tracks, freeze
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, Pairs
from lapwing.track.life import Chances, Posterior, select
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.state import TrackerState
from lapwing.track.undetected import Newborn

PART_S = 0.25  # in so little time modes do not part: at 50 m/s^2, an airliner's hardest turn here, by 1.6 m


def mode_beliefs(
    state: TrackerState, settings: TrackSettings
) -> tuple[Float64[Array, "l M"], Float64[Array, "l M 6"], Float64[Array, "l M 6 6"]]:
    """Per local hypothesis and mode of the settings: probability, mean, covariance."""
    of, k = state.hypotheses, settings.kinematics
    if len(k.modes) == 1:
        return np.ones((len(of.track), 1)), of.mean[:, None], of.cov[:, None]
    if of.modes is None or of.modes.weight.shape[1] != len(k.modes):
        w, mean, cov = spread_modes(k.start, of.mean, of.cov, np.zeros(len(of.track)), k.modes)
        return w, mean, cov
    return of.modes.weight, of.modes.mean, of.modes.cov


def mode_probabilities(state: TrackerState, settings: TrackSettings) -> Float64[Array, "n M"]:
    """Of each track the probability of each mode of the settings, were it there."""
    of = state.hypotheses
    there = np.maximum(of.weight * of.existence, 1e-300)
    out = np.zeros((len(state.tracks), len(settings.kinematics.modes)))
    np.add.at(out, of.track, there[:, None] * mode_beliefs(state, settings)[0])
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def predicted(state: TrackerState, settings: TrackSettings, to_ns: int) -> Locals:
    """Local hypotheses at `to_ns`: moved, vaguer, a little less certain to be there."""
    of, k, dt_s = state.hypotheses, settings.kinematics, (to_ns - state.tracks.time_ns) * NS
    w, mean, cov = predict_modes(mode_beliefs(state, settings), *_way(settings, dt_s))
    middle, wide = (mean[:, 0], cov[:, 0]) if len(k.modes) == 1 else matched(w, mean, cov, True)
    existence = np.minimum(of.existence * np.exp(-dt_s / settings.lifetime_s), PROBABILITY_MAX)
    first = beliefs.beginnings(of.track, len(state.tracks))
    address = state.tracks.address[of.track]
    return Locals(of.track, first, middle, wide, existence, of.weight, address, dt_s, w, mean, cov, to_ns)


def _way(settings: TrackSettings, dt_s: float) -> tuple[Array, float, Array, tuple[float, float, float]]:
    """How beliefs are predicted by dt_s: what nobody measures is kept no vaguer than the prior."""
    k = settings.kinematics
    return changes(k.rates, dt_s), dt_s, k.modes, _vague(settings)


def _vague(settings: TrackSettings) -> tuple[float, float, float]:
    prior = settings.prior
    return prior.height_m_mean, prior.height_m_sigma, prior.climb_mps_sigma


def ahead(state: TrackerState, settings: TrackSettings, to_ns: int, chosen: Array) -> Tracks:
    """The chosen tracks (n,) at `to_ns`: moved, vaguer, a little less certain to be there; never vaguer in height than
    the prior. Up to PART_S on they move straight, with the noise that modes have in the mean."""
    of, k, dt_s = state.hypotheses, settings.kinematics, (to_ns - state.tracks.time_ns) * NS
    tracks = select(state.tracks, chosen)
    existence = tracks.existence * np.exp(-dt_s / settings.lifetime_s)
    if len(k.modes) == 1 or dt_s <= PART_S:
        mode = np.append(k.start @ k.modes[:, :2], (0.0, 0.0))[None] if len(k.modes) > 1 else k.modes
        belief = freeze(np.ones((len(tracks), 1))), tracks.mean[:, None], tracks.cov[:, None]
        # read-only like what the state holds, so that the kernel is not compiled once more
        _, mean, cov = predict_modes(belief, np.ones((1, 1)), dt_s, freeze(mode), _vague(settings))
        return replace(tracks, time_ns=to_ns, mean=mean[:, 0], cov=cov[:, 0], existence=existence)
    theirs = chosen[of.track]
    w, means, covs = mode_beliefs(state, settings)
    w, means, covs = predict_modes((w[theirs], means[theirs], covs[theirs]), *_way(settings, dt_s))
    place = np.append(np.cumsum(theirs) - 1, -1)  # of each local hypothesis among theirs; the best may be none
    best = place[beliefs.best_choice(of.forest, len(chosen))[chosen]]
    track = (np.cumsum(chosen) - 1)[of.track[theirs]]
    there = (of.weight * of.existence)[theirs]
    at, first = beliefs.seats(best, track, there)[0], beliefs.beginnings(track, len(best))
    x, P = np.empty((len(at), 6)), np.empty((len(at), 6, 6))
    beliefs.moments(at, first, there, matched(w, means, covs, False), (x, P))
    return replace(tracks, time_ns=to_ns, mean=x, cov=P, existence=existence)


def chances(branches: Branches, h: int) -> Chances:
    """How probable the branches make their local hypotheses, and the h tracks."""
    weight, at, total = beliefs.chances(branches.forest, branches.child_track, branches.child_r, h)
    return Chances(weight, at, np.clip(total, 1e-300, PROBABILITY_MAX))


def corrected(
    prior: Locals,
    pairs: Pairs,
    grown: tuple[Branches, Chances, Array],
    new: Newborn,
    sensor: SensorModel,
    settings: TrackSettings,
) -> Posterior:
    """The Gaussians that the branches chose, and what they say of each track; grown = (branches, chances, which tracks
    (h,) are sure enough to be worked out).

    A sensor that does not measure height leaves it alone (Schmidt-Kalman): the height's mean and variance stay, its
    correlations with what is measured are kept up, so that what it does to the ground position stays visible."""
    branches, odds, sure = grown
    child, place, first = beliefs.staying(branches.child_track, sure)
    w, mean, cov = _parts(prior, pairs, (branches, child, place), new, sensor)
    M, r, weight = w.shape[1], branches.child_r[child], odds.weight[child]
    _make_sound(mean.reshape(-1, 6), cov.reshape(-1, 6, 6), settings.prior)
    middle, spread = (mean[:, 0], cov[:, 0]) if M == 1 else matched(w, mean, cov, False)
    at = place[odds.at[sure]]
    x, P = np.empty((len(at), 6)), np.empty((len(at), 6, 6))
    beliefs.moments(at, first, weight * r, (middle, spread), (x, P))
    own = np.sqrt(spread[at, 0, 0] + spread[at, 1, 1])
    return Posterior(w, mean, cov, weight, r, child, x, P, own)


def _parts(
    prior: Locals,
    pairs: Pairs,
    chosen: tuple[Branches, Array, Array],
    new: Newborn,
    sensor: SensorModel,
) -> tuple[Float64[Array, "l M"], Float64[Array, "l M 6"], Float64[Array, "l M 6 6"]]:
    """The chosen children = (branches, their rows, their places): each missed, corrected by a detection, begun by one,
    or a mixture of such parts."""
    branches, child, place = chosen
    mixed = len(branches.part_child) > len(place)
    part = np.flatnonzero(place[branches.part_child] >= 0) if mixed else child
    local, row = branches.part_local[part], branches.part_pair[part]
    old, begun = (prior.mode, prior.mode_mean, prior.mode_cov), (new.mode, new.mean, new.cov)
    paired = (local >= 0) & (row >= 0)
    pair = np.full(len(row), -1, dtype=np.int64)
    pair[paired] = pairs.seen[row[paired]]
    w, mean, cov = parts(old, begun, (local, pair, row), pairs.gains, not sensor.measures_height)
    if not mixed:
        return w, mean, cov
    count, M = len(child), w.shape[1]
    group = (place[branches.part_child[part]][:, None] * M + np.arange(M)).ravel()
    share = (branches.part_weight[part][:, None] * w).ravel()
    total, x, P = beliefs.match(group, share, mean.reshape(-1, 6), cov.reshape(-1, 6, 6), count * M)
    w = total.reshape(count, M)
    return w / w.sum(axis=1, keepdims=True), x.reshape(count, M, 6), P.reshape(count, M, 6, 6)


def _make_sound(mean: Float64[Array, "l 6"], cov: Float64[Array, "l 6 6"], target: TargetPrior) -> None:
    """Covariances symmetric and positive definite; heights, where poorly known, between the prior's bounds: in place,
    the caller made the arrays."""
    bounds = target.height_m_min, target.height_m_max, 0.05 * target.height_m_sigma
    rough = np.flatnonzero(~sound_rows(mean, cov, bounds))
    if len(rough):
        x, P = mean[rough], cov[rough]
        make_positive(P)
        sound_rows(x, P, bounds)
        mean[rough], cov[rough] = x, P
