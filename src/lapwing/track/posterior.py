"""The Gaussians of local hypotheses: predicted, corrected, summed up per track. Axes: n tracks, l local hypotheses,
m detections, M modes, h = n + m tracks together with those that may begin, p parts of mixtures.

Where settings name several modes, every Gaussian is an interacting multiple model (`kernel.manoeuvre`)."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from lapwing.kernel import beliefs
from lapwing.kernel.growing import Keeping, Left
from lapwing.kernel.manoeuvre import changes, faded, foreseen, matched, predict_modes, spread_modes
from lapwing.kernel.scanning import Ways
from lapwing.records import Array, Tracks, freeze
from lapwing.track.association import NS, PROBABILITY_MAX, Locals, worth
from lapwing.track.life import rules, select
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.state import Hypotheses, ModeBeliefs, TrackerState

PART_S = 0.25  # in so little time modes do not part: at 50 m/s^2, an airliner's hardest turn here, by 1.6 m


def mode_beliefs(
    state: TrackerState, settings: TrackSettings
) -> tuple[Float64[Array, "l M"], Float64[Array, "l M 6"], Float64[Array, "l M 6 6"]]:
    """Per local hypothesis and mode of the settings: probability, mean, covariance. Read-only, wherever they come from:
    kernels are compiled for one kind of array, not for two."""
    of, k = state.hypotheses, settings.kinematics
    if len(k.modes) == 1:
        return freeze(np.ones((len(of.track), 1))), of.mean[:, None], of.cov[:, None]
    if of.modes is None or of.modes.weight.shape[1] != len(k.modes):
        w, mean, cov = spread_modes(k.start, of.mean, of.cov, np.zeros(len(of.track)), k.modes)
        return freeze(w), freeze(mean), freeze(cov)
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
    of, k, dt_s, t = state.hypotheses, settings.kinematics, (to_ns - state.tracks.time_ns) * NS, state.tracks
    every, plain = foreseen(mode_beliefs(state, settings), (k.rates, k.modes), dt_s, _vague(settings))
    share = float(np.exp(-dt_s / settings.lifetime_s))
    existence, first, address = faded(of.existence, share, PROBABILITY_MAX, of.track, t.address, len(t))
    return Locals(of.track, first, *plain, existence, of.weight, address, dt_s, *every, to_ns)


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
        _, mean, cov = predict_modes(belief, np.ones((1, 1)), dt_s, freeze(mode), _vague(settings))
        return replace(tracks, time_ns=to_ns, mean=mean[:, 0], cov=cov[:, 0], existence=existence)
    theirs = chosen[of.track]
    w, means, covs = (freeze(column[theirs]) for column in mode_beliefs(state, settings))
    w, means, covs = predict_modes((w, means, covs), *_way(settings, dt_s))
    place = np.append(np.cumsum(theirs) - 1, -1)  # of each local hypothesis among theirs; the best may be none
    best = place[beliefs.best_choice(of.forest, len(chosen))[chosen]]
    track = (np.cumsum(chosen) - 1)[of.track[theirs]]
    there = (of.weight * of.existence)[theirs]
    at, first = beliefs.seats(best, track, there)[0], beliefs.beginnings(track, len(best))
    x, P = np.empty((len(at), 6)), np.empty((len(at), 6, 6))
    beliefs.moments(at, first, there, matched(w, means, covs, False), (x, P))
    return replace(tracks, time_ns=to_ns, mean=x, cov=P, existence=existence)


def ways(sensor: SensorModel, settings: TrackSettings) -> Ways:
    """The settings, and how the sensor measures, as plain numbers.

    A sensor that does not measure height leaves it alone (Schmidt-Kalman): the height's mean and variance stay, its
    correlations with what is measured are kept up, so that what it does to the ground position stays visible. Heights,
    where poorly known, are kept between the prior's bounds."""
    s, target = settings, settings.prior
    bounds = target.height_m_min, target.height_m_max, 0.05 * target.height_m_sigma
    keeping = Keeping(s.coast_existence, s.ghost_sigma_m, s.lost_sigma_m, s.tracks_max, s.exactness.merge_d2)
    matters, limits = worth(s)
    plain = (*matters,), (*limits,), (*rules(s),), (*keeping,)
    return Ways(*plain, bounds, not sensor.measures_height, s.report_weight_min)


def hypotheses(left: Left) -> Hypotheses:
    """What is left of the local hypotheses, as the state keeps it."""
    modes = ModeBeliefs(*left.modes) if left.modes[0].shape[1] > 1 else None
    return Hypotheses(left.track, *left.plain, left.existence, left.weight, left.forest, modes)
