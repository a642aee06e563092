"""Looks of one sensor at targets whose place is known. Axes: k pairs, b biases, d columns, n references, m plots.

Every plot in a wide gate about a reference is a pair: what was measured, what was expected, and the covariance of both.
Pairs are kept in a sliding window, as measured: no correction comes in.

A plot that something else explains as well says little. To the clutter about a plot comes what every other reference
and every track that nobody explains would put there, the sensor's biases drawn from their prior (`others`).
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.records import BIASES, Array, Claims, Condition, Detections, Integrity, Registration, Space
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.sensors import SensorModel

NS = 1e-9
B = len(BIASES)
ROWS = ("look", "time_ns", "address", "z", "at", "S", "lasting_m", "spread", "p_detect")
ELSEWHERE_MAX = 100_000  # plots against everything else that is there
TRIED_MAX = 20_000  # plots against references in one scan: of more references, those looked at longest ago


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """`sigma`: what may be off before anything is known, in the order of BIASES."""

    sigma: tuple[float, ...] = (150.0, 0.12, 0.07, 1.5, 60.0, 60.0)
    window_s: float = 180.0
    apart_s: float = 10.0  # least time between two looks at one reference: its own error does not change in less
    every_s: float = 4.0  # between solutions
    pairs_max: int = 600  # per sensor
    fresh_s: float = 6.0  # a claim not renewed for longer is no reference
    claim_m: float = 15.0  # added to every claim's own sigma: antenna, time stamp
    lasting: tuple[float, float] = (0.5, 0.9)  # share of a reference's variance that is alike in all looks at it: h, v
    alike: float = 0.5  # share of lasting variance of height that is alike in all references: pressure, geoid
    noise_m2ps3: float = 9.0  # of a claim that is moved to the plot's time
    gate_sigmas: float = 3.5
    steep_rad_max: float = 0.05  # an angle that the prior of place turns by more is left out
    observable_ratio: float = 0.35  # posterior sigma over prior sigma
    looks_min: float = 8.0
    targets_min: int = 2
    gain_min: float = 20.0  # nats over "all are clutter"


class Reference(NamedTuple):
    """Trusted targets at one time."""

    time_ns: int
    address: Int64[Array, " n"]
    mean: Float64[Array, "n 6"]
    cov: Float64[Array, "n 6 6"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """k pairs of one sensor, by look, oldest first; and its biases when last solved."""

    sensor: str
    columns: tuple[str, ...]  # of the sensor's space
    look: Int64[Array, " k"]  # pairs of one look exclude each other
    time_ns: Int64[Array, " k"]
    address: Int64[Array, " k"]
    z: Float64[Array, "k d"]
    at: Float64[Array, "k 6"]  # the reference at the plot's own time
    S: Float64[Array, "k d d"]  # of all errors
    lasting_m: Float64[Array, "k 3"]  # sigmas of the reference's errors that are the same in every look at it
    spread: Float64[Array, " k"]  # clutter and other targets per unit of measurement volume
    p_detect: Float64[Array, " k"]
    found: Registration
    next_look: int = 0
    solved_ns: int = 0

    def __post_init__(self) -> None:
        same_length(self, *ROWS)
        freeze_columns(self)


def trusted(claims: Claims, integrity: Integrity, settings: RegistrationSettings) -> Reference:
    """Claims that are fresh, undoubted and whose navigation integrity calls good."""
    now = claims.time_ns
    good = (claims.has_position > 0) & (now - claims.position_ns < settings.fresh_s * 1e9)
    good &= (claims.doubt == 0) & (claims.rejected == 0) & (integrity.condition == Condition.OK)
    rows = np.flatnonzero(good)
    return Reference(now, claims.address[rows], claims.mean[rows], claims.cov[rows])


def nothing_known(sensor: str, settings: RegistrationSettings) -> Registration:
    """The prior."""
    zero = np.zeros(B)
    return Registration(sensor, 0, 0, zero, np.array(settings.sigma), np.zeros(B, dtype=np.int64), zero.copy())


def begin(sensor: str, columns: tuple[str, ...], settings: RegistrationSettings) -> Pairs:
    """No pairs."""
    i, f, d = np.zeros(0, dtype=np.int64), np.zeros(0), len(columns)
    rows = (i, i.copy(), i.copy(), np.zeros((0, d)), np.zeros((0, 6)), np.zeros((0, d, d)), np.zeros((0, 3)))
    return Pairs(sensor, columns, *rows, f, f.copy(), nothing_known(sensor, settings))


class Tried(NamedTuple):
    """Plots against references, k pairs: which, and what was expected."""

    row: Int64[Array, " k"]
    who: Int64[Array, " k"]
    at: Float64[Array, "k 6"]
    P: Float64[Array, "k 6 6"]
    nu: Float64[Array, "k d"]
    H: Float64[Array, "k d 6"]
    S: Float64[Array, "k d d"]
    prior: Float64[Array, "k d d"]  # S and what the sensor may be off
    p_detect: Float64[Array, " k"]


def _try(
    scan: Detections, rows: Array, sensor: SensorModel, reference: Reference, settings: RegistrationSettings
) -> Tried:
    """Every plot of `rows` against every reference."""
    row, who = (a.ravel() for a in np.meshgrid(rows, np.arange(len(reference.mean)), indexing="ij"))
    dt_s = (scan.time_ns[row] - reference.time_ns) * NS
    at = motion.shift(reference.mean[who], dt_s)
    P = motion.predict(reference.mean[who], reference.cov[who], np.abs(dt_s), settings.noise_m2ps3, 1.0)[1]
    P[:, [0, 1, 2], [0, 1, 2]] += settings.claim_m**2
    z_hat, H = sensor.expect(at)
    J = jacobian(H, at, scan.space)
    S = H @ P @ np.swapaxes(H, 1, 2) + scan.R[row]
    prior = J @ (np.square(settings.sigma)[:, None] * np.swapaxes(J, 1, 2)) + S
    return Tried(row, who, at, P, sensor.innovation(scan.z[row], z_hat), H, S, prior, sensor.p_detect(at))


def collect(
    pairs: Pairs,
    scan: Detections,
    sensor: SensorModel,
    reference: Reference,
    settings: RegistrationSettings,
    others: Reference | None = None,
) -> Pairs:
    """The window with the looks of one raw scan (not corrected) at the references, and without what is too old.
    `others`: what else is known to be there, of which some plots may be."""
    if scan.space.value != pairs.columns:
        pairs = begin(scan.sensor, scan.space.value, settings)
    old = scan.scan_ns - round(settings.window_s * 1e9)
    kept = _chosen(pairs, (pairs.time_ns >= old) & (pairs.time_ns <= scan.scan_ns))
    due = scan.scan_ns - round(settings.apart_s * 1e9)
    fresh = ~np.isin(reference.address, kept.address[kept.time_ns > due])
    fresh = _few(fresh, reference, kept, max(TRIED_MAX // max(len(scan), 1), 1))
    if not 0 < len(scan) <= TRIED_MAX or not fresh.any():
        return kept
    looked = Reference(reference.time_ns, reference.address[fresh], reference.mean[fresh], reference.cov[fresh])
    t = _try(scan, np.arange(len(scan)), sensor, looked, settings)
    reach = settings.gate_sigmas * np.sqrt(np.diagonal(t.prior, axis1=1, axis2=2))
    near = (np.abs(t.nu) < reach).all(axis=1) & (t.p_detect > 0.05) & _linear(t.H, scan.space, settings)
    if not near.any():
        return kept
    volume = np.prod(2.0 * reach, axis=1)
    count = np.bincount(t.who[near], minlength=len(looked.mean))
    spread = np.maximum(sensor.clutter_intensity(scan.z)[t.row], (count[t.who] - 1) / volume)
    others_at = _elsewhere(
        scan, t.row[near], reference.address[fresh][t.who[near]], sensor, (reference, others), settings
    )
    if np.isinf(others_at).any():
        return kept
    share = np.array([settings.lasting[0], settings.lasting[0], settings.lasting[1]])
    new = replace(
        kept,
        look=kept.next_look + t.who[near],
        time_ns=scan.time_ns[t.row][near],
        address=looked.address[t.who[near]],
        z=scan.z[t.row][near],
        at=t.at[near],
        S=t.S[near],
        lasting_m=np.sqrt(share * np.diagonal(t.P[near][:, :3, :3], axis1=1, axis2=2)),
        spread=spread[near] + others_at,
        p_detect=t.p_detect[near],
        next_look=kept.next_look + len(looked.mean),
    )
    return _newest(_joined(kept, new), settings.pairs_max)


def _few(fresh: Array, reference: Reference, kept: Pairs, most: int) -> Array:
    """At most so many of the fresh references, those that were looked at longest ago first, then by address."""
    if np.count_nonzero(fresh) <= most:
        return fresh
    newest = dict(zip(kept.address.tolist(), kept.time_ns.tolist(), strict=True))
    seen_ns = np.array([newest.get(a, 0) for a in reference.address.tolist()], dtype=np.int64)
    rows = np.flatnonzero(fresh)
    few = rows[np.lexsort((reference.address[rows], seen_ns[rows]))[:most]]
    out = np.zeros(len(fresh), dtype=bool)
    out[few] = True
    return out


def _elsewhere(
    scan: Detections,
    row: Int64[Array, " k"],
    address: Int64[Array, " k"],
    sensor: SensorModel,
    known: tuple[Reference, Reference | None],
    settings: RegistrationSettings,
) -> Float64[Array, " k"]:
    """How densely everything known but the reference itself puts plots where each pair's plot is. Infinitely where that
    is too much to work out: in such a crowd no plot tells whose it is."""
    density = np.zeros(len(row))
    rows, back = np.unique(row, return_inverse=True)
    for every in known:
        if every is None:
            continue
        seen = sensor.p_detect(every.mean) > 0.0
        those = Reference(every.time_ns, every.address[seen], every.mean[seen], every.cov[seen])
        if not len(those.address):
            continue
        if len(rows) * len(those.address) > ELSEWHERE_MAX:
            return np.full(len(row), np.inf)
        most = max(TRIED_MAX // len(those.address), 1)
        for begin in range(0, len(rows), most):
            t = _try(scan, rows[begin : begin + most], sensor, those, settings)
            d2 = np.einsum("ki,ki->k", t.nu, np.linalg.solve(t.prior, t.nu[:, :, None])[:, :, 0])
            log = -0.5 * (d2 + np.linalg.slogdet(t.prior)[1] + t.nu.shape[1] * np.log(2.0 * np.pi))
            there = (t.p_detect * np.exp(log)).reshape(-1, len(those.address))
            mine = np.flatnonzero((back >= begin) & (back < begin + most))
            other = those.address[None, :] != address[mine, None]
            density[mine] += (there[back[mine] - begin] * other).sum(axis=1)
    return density


def _linear(H: Float64[Array, "k d 6"], space: Space, settings: RegistrationSettings) -> Array:
    """False where a target is so near that an angle is not linear in where the sensor stands."""
    steep = np.linalg.norm(H[:, :, :3], axis=2) * max(settings.sigma[4:])
    angles = [c for c, name in enumerate(space.value) if name.endswith("_rad")]
    return np.asarray((steep[:, angles] < settings.steep_rad_max).all(axis=1))


def jacobian(H: Float64[Array, "k d 6"], at: Float64[Array, "k 6"], space: Space) -> Float64[Array, "k d b"]:
    """How each column changes with each bias: one for its own; a late clock sees the target where it was earlier; a
    sensor that stands east of its place sees the target farther west."""
    J = np.zeros((*H.shape[:2], B))
    for c, name in enumerate(space.value):
        if name in BIASES[:3]:
            J[:, c, BIASES.index(name)] = 1.0
    J[:, :, 3] = -np.einsum("kdi,ki->kd", H[:, :, :3], at[:, 3:])
    J[:, :, 4:] = -H[:, :, :2]
    return J


def _with(pairs: Pairs, rows: dict[str, Array]) -> Pairs:
    return replace(pairs, **cast(dict[str, Any], rows))


def _chosen(pairs: Pairs, rows: Array) -> Pairs:
    return _with(pairs, {name: getattr(pairs, name)[rows] for name in ROWS})


def _joined(a: Pairs, b: Pairs) -> Pairs:
    return _with(b, {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ROWS})


def _newest(pairs: Pairs, pairs_max: int) -> Pairs:
    """Whole looks only."""
    if len(pairs.look) <= pairs_max:
        return pairs
    cut = np.sort(pairs.look)[len(pairs.look) - pairs_max - 1]  # within a scan pairs lie by plot, not by look
    return _chosen(pairs, pairs.look > cut)
