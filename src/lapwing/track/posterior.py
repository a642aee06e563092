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
from lapwing.records import Array, Tracks
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, Pairs
from lapwing.track.life import Posterior, select
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.state import TrackerState
from lapwing.track.undetected import Newborn


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
    return Locals(first, middle, wide, existence, of.weight, address, dt_s, w, mean, cov, to_ns)


def _way(settings: TrackSettings, dt_s: float) -> tuple[Array, float, Array, tuple[float, float, float]]:
    """How beliefs are predicted by dt_s: what nobody measures is kept no vaguer than the prior."""
    k, prior = settings.kinematics, settings.prior
    return changes(k.rates, dt_s), dt_s, k.modes, (prior.height_m_mean, prior.height_m_sigma, prior.climb_mps_sigma)


def ahead(state: TrackerState, settings: TrackSettings, to_ns: int, chosen: Array) -> Tracks:
    """The chosen tracks (n,) at `to_ns`: moved, vaguer, a little less certain to be there; never vaguer in height than
    the prior."""
    of, k, dt_s = state.hypotheses, settings.kinematics, (to_ns - state.tracks.time_ns) * NS
    tracks = select(state.tracks, chosen)
    existence = tracks.existence * np.exp(-dt_s / settings.lifetime_s)
    theirs = chosen[of.track]
    w, means, covs = mode_beliefs(state, settings)
    if len(k.modes) == 1:
        one, mean, cov = np.ones((len(tracks), 1)), tracks.mean[:, None], tracks.cov[:, None]
        _, mean, cov = predict_modes((one, mean, cov), *_way(settings, dt_s))
        return replace(tracks, time_ns=to_ns, mean=mean[:, 0], cov=cov[:, 0], existence=existence)
    w, means, covs = predict_modes((w[theirs], means[theirs], covs[theirs]), *_way(settings, dt_s))
    place = np.append(np.cumsum(theirs) - 1, -1)  # of each local hypothesis among theirs; the best may be none
    best = place[beliefs.best_choice(of.forest, len(chosen))[chosen]]
    track = (np.cumsum(chosen) - 1)[of.track[theirs]]
    there = (of.weight * of.existence)[theirs]
    _, _, x, P = beliefs.summary(best, track, there, *matched(w, means, covs, False))
    return replace(tracks, time_ns=to_ns, mean=x, cov=P, existence=existence)


def corrected(
    prior: Locals,
    pairs: Pairs,
    branches: Branches,
    new: Newborn,
    sensor: SensorModel,
    settings: TrackSettings,
) -> Posterior:
    """The Gaussians that the branches chose, and what they say of each track.

    A sensor that does not measure height leaves it alone (Schmidt-Kalman): the height's mean and variance stay, its
    correlations with what is measured are kept up, so that what it does to the ground position stays visible."""
    h, count = len(prior.first) - 1 + len(new.mean), len(branches.child_r)
    w, mean, cov = _parts(prior, pairs, branches, new, sensor)
    M = w.shape[1]
    if len(branches.part_child) > count:
        group = (branches.part_child[:, None] * M + np.arange(M)).ravel()
        share = (branches.part_weight[:, None] * w).ravel()
        total, x, P = beliefs.match(group, share, mean.reshape(-1, 6), cov.reshape(-1, 6, 6), count * M)
        w, mean, cov = total.reshape(count, M), x.reshape(count, M, 6), P.reshape(count, M, 6, 6)
        w = w / w.sum(axis=1, keepdims=True)
    _make_sound(mean.reshape(-1, 6), cov.reshape(-1, 6, 6), settings.prior)
    weight = beliefs.local_weights(branches.forest, count)
    middle, spread = (mean[:, 0], cov[:, 0]) if M == 1 else matched(w, mean, cov, False)
    best = beliefs.best_choice(branches.forest, h)
    at, total, x, P = beliefs.summary(best, branches.child_track, weight * branches.child_r, middle, spread)
    seated, own = at >= 0, np.zeros(h)
    own[seated] = np.sqrt(spread[at[seated], 0, 0] + spread[at[seated], 1, 1])
    return Posterior(w, mean, cov, weight, np.clip(total, 1e-300, PROBABILITY_MAX), x, P, seated, own)


def _parts(
    prior: Locals, pairs: Pairs, branches: Branches, new: Newborn, sensor: SensorModel
) -> tuple[Float64[Array, "p M"], Float64[Array, "p M 6"], Float64[Array, "p M 6 6"]]:
    """One local hypothesis per part: missed, corrected by a detection, or begun by one."""
    local, row = branches.part_local, branches.part_pair
    old, begun = (prior.mode, prior.mode_mean, prior.mode_cov), (new.mode, new.mean, new.cov)
    paired = (local >= 0) & (row >= 0)
    pair = np.full(len(row), -1, dtype=np.int64)
    pair[paired] = pairs.seen[row[paired]]
    return parts(old, begun, (local, pair, row), pairs.gains, not sensor.measures_height)


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
