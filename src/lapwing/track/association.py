"""Which detection belongs to which track: gate, likelihood, marginal probability. Axes: n tracks, l local hypotheses,
m detections, k pairs, M modes, d columns. Decides nothing: every gated pair keeps its weight."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.evidence import Before, Gated, Worth
from lapwing.kernel.gating import candidates, few_candidates
from lapwing.kernel.gaussian import GATE
from lapwing.kernel.hypotheses import Limits
from lapwing.kernel.turning import at_plots
from lapwing.kernel.weighing import Gains, Sight, weigh_pairs
from lapwing.records import ANONYMOUS, Array, Detections
from lapwing.track.sensors import PositionSensor, SensorModel
from lapwing.track.settings import TrackSettings

NS = 1e-9
HORIZONTAL_SLACK = 1.5  # of the coarse gate: some sensors measure along curves. Misses few pairs; see docs/tracking.md
PLANE_SLACK = 1.1  # where the plane is what a sensor measures, its gate is the coarse one but for rounding
HALVINGS_MAX = 20  # of a gate with too many pairs; detections in one and the same place are inside any
LOG_WEIGHT_MAX, LOG_WEIGHT_MIN = 300.0, -27.0
LBP_TOLERANCE, LBP_SWEEPS = 1e-4, 100  # the marginals choose what to look at exactly, and mix what is too large for it
PROBABILITY_MAX = 1.0 - 1e-9


class Locals(NamedTuple):
    """Predicted local hypotheses of all tracks, by track."""

    track: Int64[Array, " l"]
    first: Int64[Array, " h"]  # of each track, and the end
    mean: Float64[Array, "l 6"]
    cov: Float64[Array, "l 6 6"]  # wide enough that its gate holds the gates of all modes
    existence: Float64[Array, " l"]
    weight: Float64[Array, " l"]
    address: Int64[Array, " l"]
    free_s: float  # how much of each covariance is noise since the last scan
    mode: Float64[Array, "l M"]
    mode_mean: Float64[Array, "l M 6"]
    mode_cov: Float64[Array, "l M 6 6"]
    to_ns: int


class Near(NamedTuple):
    """k pairs inside the gate, sorted by local hypothesis: how far the detection is from it, over all modes."""

    local: Int64[Array, " k"]
    detection: Int64[Array, " k"]
    nis: Float64[Array, " k"]
    log_likelihood: Float64[Array, " k"]
    gains: Gains


def gate(
    prior: Locals,
    scan: Detections,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    sensor: SensorModel,
    settings: TrackSettings,
    to_ns: int,
) -> tuple[Near, bool]:
    """Pairs whose normalised innovation squared is inside the gate, each evaluated at the plot's own time; and whether
    there were too many, so that the gate was made smaller or some were left out."""
    gate_d2 = GATE[scan.z.shape[1]] if settings.gate_d2 is None else settings.gate_d2
    ages, wide = ages_s(scan, to_ns), _slack(sensor, gate_d2, len(settings.kinematics.modes))
    most = settings.exactness.pairs_max
    local, detection, slack, shed = _near(prior, place, ages, sensor.locates, (gate_d2, wide), most)
    if np.count_nonzero(scan.address != ANONYMOUS):
        theirs, its = prior.address[local], scan.address[detection]
        same = (theirs == its) | (theirs == ANONYMOUS) | (its == ANONYMOUS)
        local, detection = local[same], detection[same]
    sight = _sight(prior, (local, detection), (scan, ages), sensor, settings)
    modes, gate_d2 = settings.kinematics.modes, min(1.0, slack) * gate_d2
    inside, nis, like, gains = weigh_pairs((prior.mode, prior.mode_cov), local, sight, modes, gate_d2)
    return Near(local[inside], detection[inside], nis, like, gains), shed


def _slack(sensor: SensorModel, gate_d2: float, modes: int) -> float:
    """How much wider the coarse gate, in the horizontal plane and by a covariance that holds those of all modes (whose
    value is at most one more), is made than the gate itself. Enough for positions of one mode; nearly enough for
    radars, and for old plots of what turns."""
    if isinstance(sensor, PositionSensor):
        return PLANE_SLACK + (1.0 / max(gate_d2, 1e-9) if modes > 1 else 0.0)
    return HORIZONTAL_SLACK


def _sight(
    prior: Locals,
    pairs: tuple[Int64[Array, " k"], Int64[Array, " k"]],
    plots: tuple[Detections, Float64[Array, " m"]],
    sensor: SensorModel,
    settings: TrackSettings,
) -> Sight:
    """Of each pair and mode the innovation and the Jacobian, both at the plot's own time; plots = (scan, ages)."""
    (local, detection), (scan, ages) = pairs, plots
    k, M, d = len(local), prior.mode.shape[1], scan.z.shape[1]
    at = at_plots(prior.mode_mean, local, detection, ages, settings.kinematics.modes)
    z_hat, H = sensor.expect(at.reshape(k * M, 6))
    z = scan.z.take(detection, axis=0) if M == 1 else np.repeat(scan.z[detection], M, axis=0)
    nu = sensor.innovation(z, z_hat).reshape(k, M, d)
    return Sight(detection, H.reshape(k, M, d, 6), nu, scan.R, ages, prior.free_s)


def _near(
    prior: Locals,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    ages: Float64[Array, " m"],
    locates: bool,
    wanted: tuple[float, float],
    pairs_max: int,
) -> tuple[Int64[Array, " k"], Int64[Array, " k"], float, bool]:
    """Pairs worth a closer look, fewer than pairs_max; by how much the gate had to differ for that; and whether any
    were shed. wanted = (gate, how much wider to look). Detections that are no place are worth it with everyone, as far
    as that goes. Where no gate is small enough, every local hypothesis keeps its share of what is left, one pair at
    least."""
    (n, m), (gate_d2, slack) = (len(prior.mean), len(ages)), wanted
    if not locates and n * m < pairs_max:
        return np.repeat(np.arange(n), m), np.tile(np.arange(m), n), slack, False
    mean, cov = place
    plane = prior.mean, prior.cov, mean, cov, ages
    for halvings in range(HALVINGS_MAX + 1):
        local, detection = candidates(*plane, slack * gate_d2, pairs_max)
        if len(local) < pairs_max:
            return local, detection, slack, halvings > 0
        slack *= 0.5
    local, detection = few_candidates(*plane, slack * gate_d2, max(pairs_max // max(n, 1), 1))
    return local, detection, 1.0, True


def evidence(
    prior: Locals, near: Near, p_detect: Float64[Array, " l"], intensity: tuple[Float64[Array, " m"], Array]
) -> tuple[Before, Gated, Float64[Array, " m"]]:
    """What the scan is weighed against, the pairs' weights, and of each detection the probability that it is a target,
    if no track's; intensity = (of detections of new targets, of clutter)."""
    birth, clutter = intensity
    other = birth + clutter
    seen = np.minimum(prior.existence * p_detect, PROBABILITY_MAX)
    log_miss = np.log1p(-seen)
    log_odds = np.log(np.maximum(seen, 1e-300)) - log_miss
    log_psi = log_odds[near.local] + near.log_likelihood - np.log(other)[near.detection]
    psi = np.exp(np.minimum(log_psi, LOG_WEIGHT_MAX))
    before = Before(prior.first, prior.track, prior.weight, prior.existence, p_detect, seen, log_miss)
    return before, Gated(near.local, near.detection, log_psi, psi, near.nis), birth / other


def worth(settings: TrackSettings) -> tuple[Worth, Limits]:
    """Which pairs are worth keeping, and where exactness ends."""
    e = settings.exactness
    limits = Limits(e.hypotheses_max, e.weight_min, 0.1 * settings.prune_existence, e.cluster_tracks_max, e.nodes_max)
    return Worth(e.edge_min, LOG_WEIGHT_MIN, LBP_TOLERANCE, LBP_SWEEPS, PROBABILITY_MAX), limits


def ages_s(scan: Detections, to_ns: int) -> Float64[Array, " m"]:
    """How long before `to_ns` each detection was true."""
    return (to_ns - scan.time_ns) * NS


def noise_of(settings: TrackSettings) -> tuple[float, float]:
    """Spectral densities of the acceleration, horizontal and vertical, in the modes' long run."""
    k = settings.kinematics
    return float(k.start @ k.modes[:, 0]), float(k.start @ k.modes[:, 1])
