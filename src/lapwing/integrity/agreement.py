"""Which track agrees with which claim: the second source that makes a claim a fact. Axes: n claims, t tracks.

A pair must agree in place and velocity for some seconds before it counts, and disagree for some seconds before it
ends, so that one noisy scan neither makes nor breaks it. A firm pair outlives the claim's position: a speaker that
goes on talking without saying where it is (jammed) is still the target that its track follows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import NO_TRACK, Array, Claims, Tracks, TrackStatus
from lapwing.records.arrays import freeze_columns


@dataclass(frozen=True, slots=True)
class AgreementSettings:
    """`d2_max` gates the 4-D horizontal distance (place, velocity); the sigmas allow for registration error."""

    d2_max: float = 20.0
    place_sigma_m: float = 100.0
    place_sigma_ratio: float = 0.005  # of the distance from the site: angular bias
    velocity_sigma_mps: float = 8.0
    height_sigma_m: float = 500.0  # a track vaguer in height than this came from a radar without elevation
    fresh_s: float = 20.0
    make_s: float = 3.0
    break_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs remembered: address and family of the claim, track, since when they agree, when they last did."""

    address: Int64[Array, " p"]
    family: Int64[Array, " p"]
    track_id: Int64[Array, " p"]
    since_ns: Int64[Array, " p"]
    last_ns: Int64[Array, " p"]

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Agreement:
    """No pair."""
    i = np.zeros(0, np.int64)
    return Agreement(i, i, i, i, i)


def agree(
    before: Agreement, claims: Claims, family: Int64[Array, " n"], tracks: Tracks, settings: AgreementSettings
) -> tuple[Agreement, Int64[Array, " n"]]:
    """Pairs now, and per claim the track that has agreed with it long enough (or NO_TRACK)."""
    now = claims.time_ns
    old = {(int(f), int(a)): (int(t), int(s), int(u)) for f, a, t, s, u in _rows(before)}
    held = {key: pair for key, pair in old.items() if now - pair[2] < settings.break_s * 1e9}
    held |= _mute(old, claims, family, settings)
    ci = np.flatnonzero((claims.has_position > 0) & (now - claims.position_ns < settings.fresh_s * 1e9))
    ti = np.flatnonzero(tracks.status != TrackStatus.TENTATIVE)
    if len(ci) and len(ti):
        prefer = {pair[0]: key for key, pair in held.items()}
        for c, t in _assigned(
            distance2(claims, ci, tracks, ti, settings), settings.d2_max, ci, ti, claims, tracks, prefer
        ):
            key, track = (int(family[c]), int(claims.address[c])), int(tracks.track_id[t])
            since = held[key][1] if key in held and held[key][0] == track else now
            held[key] = (track, since, now)
    alive = set(tracks.track_id.tolist())
    rows = sorted((f, a, *pair) for (f, a), pair in held.items() if pair[0] in alive)
    table = np.array(rows, np.int64).reshape(-1, 5)
    after = Agreement(table[:, 1], table[:, 0], table[:, 2], table[:, 3], table[:, 4])
    firm = {(f, a): t for f, a, t, s, u in rows if u - s >= settings.make_s * 1e9}
    if not firm:
        return after, np.full(len(claims), NO_TRACK, np.int64)
    pairs = zip(family.tolist(), claims.address.tolist(), strict=True)
    return after, np.array([firm.get(pair, NO_TRACK) for pair in pairs], np.int64).reshape(len(claims))


def _mute(
    old: dict[tuple[int, int], tuple[int, int, int]],
    claims: Claims,
    family: Int64[Array, " n"],
    settings: AgreementSettings,
) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Firm pairs whose claim is heard but says no position: kept as they were."""
    if not old:
        return {}
    now = claims.time_ns
    mute = (now - claims.position_ns > settings.break_s * 0.5e9) & (now - claims.heard_ns < settings.fresh_s * 1e9)
    keys = zip(family[mute].tolist(), claims.address[mute].tolist(), strict=True)
    firm = ((k, old[k]) for k in keys if k in old and old[k][2] - old[k][1] >= settings.make_s * 1e9)
    return {k: (t, s, now) for k, (t, s, _) in firm}


def _rows(pairs: Agreement) -> list[tuple[int, int, int, int, int]]:
    columns = (pairs.family, pairs.address, pairs.track_id, pairs.since_ns, pairs.last_ns)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def distance2(
    claims: Claims, ci: Int64[Array, " c"], tracks: Tracks, ti: Int64[Array, " t"], settings: AgreementSettings
) -> Float64[Array, "c t"]:
    """Squared Mahalanobis distances in (east, north, east velocity, north velocity) between claims and tracks."""
    axes = np.array([0, 1, 3, 4])
    floor = settings.place_sigma_m**2 + (settings.place_sigma_ratio * np.hypot(*tracks.mean[ti, :2].T)) ** 2
    extra = np.zeros((len(ti), 4, 4))
    extra[:, 0, 0] = extra[:, 1, 1] = floor
    extra[:, 2, 2] = extra[:, 3, 3] = settings.velocity_sigma_mps**2
    p_tracks = tracks.cov[np.ix_(ti, axes, axes)] + extra
    p_claims = claims.cov[np.ix_(ci, axes, axes)]
    delta = seen_as(claims.mean[ci], tracks, ti, settings.height_sigma_m) - tracks.mean[ti][None][:, :, axes]
    out = np.full((len(ci), len(ti)), np.inf)
    near = np.hypot(delta[:, :, 0], delta[:, :, 1]) < 10.0 * np.sqrt(floor)[None, :] + 3_000.0
    c, t = np.nonzero(near)
    d = delta[c, t]
    out[c, t] = np.einsum("ki,ki->k", d, np.linalg.solve(p_claims[c] + p_tracks[t], d[:, :, None])[:, :, 0])
    return out


def seen_as(
    claimed: Float64[Array, "c 6"], tracks: Tracks, ti: Int64[Array, " t"], height_sigma_m: float
) -> Float64[Array, "c t 4"]:
    """Each claim's (east, north, velocities) as each track would have it: a radar without elevation measures slant
    range and puts a high target too far out, at the height that the track assumes. The radar is taken to stand at
    the site's origin."""
    place, velocity, height = claimed[:, :2], claimed[:, 3:5], claimed[:, 2]
    ground2 = np.maximum(np.einsum("ci,ci->c", place, place), 1.0)
    vague = tracks.cov[ti, 2, 2] > height_sigma_m**2
    lift2 = np.where(vague[None, :], height[:, None] ** 2 - tracks.mean[ti, 2][None, :] ** 2, 0.0)
    out2 = np.maximum(ground2[:, None] + lift2, 1.0)  # ground range squared at the track's height
    scale = np.sqrt(out2 / ground2[:, None])
    unit = place / np.sqrt(ground2)[:, None]
    radial = np.einsum("ci,ci->c", unit, velocity)
    # d/dt of the stretched range keeps range * rate; across the line of sight velocity stretches like the range.
    along = radial[:, None] / scale - radial[:, None] * scale
    v = velocity[:, None, :] * scale[:, :, None] + along[:, :, None] * unit[:, None, :]
    return np.concatenate([place[:, None, :] * scale[:, :, None], v], axis=2)


def _assigned(
    d2: Float64[Array, "c t"],
    d2_max: float,
    ci: Int64[Array, " c"],
    ti: Int64[Array, " t"],
    claims: Claims,
    tracks: Tracks,
    prefer: dict[int, tuple[int, int]],
) -> list[tuple[int, int]]:
    """Pairs (claim row, track row), one to one: standing pairs first, then the nearest."""
    c, t = np.nonzero(d2 <= d2_max)
    standing = np.array(
        [
            prefer.get(int(tracks.track_id[ti[j]]), (0, -1))[1] == int(claims.address[ci[i]])
            for i, j in zip(c, t, strict=True)
        ],
        bool,
    )
    used_c: set[int] = set()
    used_t: set[int] = set()
    out = []
    for k in np.lexsort((t, c, d2[c, t], ~standing)):
        if c[k] not in used_c and t[k] not in used_t:
            used_c.add(c[k])
            used_t.add(t[k])
            out.append((int(ci[c[k]]), int(ti[t[k]])))
    return out
