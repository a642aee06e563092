"""What each speaker claims: a constant-velocity Kalman filter per (source family, address), all of them at once.
Axes: n claims, k rows.

A claim is drawn where it says it is. A report that contradicts the speaker's own motion is kept out of the filter and
counted; when three in a row agree with each other instead, the filter follows them, and the doubt stays visible for a
while. Whether a claim is true is not judged here.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.kernel.gaussian import condition, positive
from lapwing.kernel.geodesy import enu_axes, enu_to_geodetic, geodetic_to_enu
from lapwing.records import FIELDS, Array, Claims, Decoded, Doubt, Field, Position, Word
from lapwing.records.reports import Positions
from lapwing.track.settings import ClaimSettings
from lapwing.track.speakers import SHIP, Columns, keys_of, seat

NS = 1e-9
HEIGHT_LASTS = 0.8  # share of the variance of a height that is the same in every report of one speaker
ROUNDS_MAX = 64  # newest position reports of one speaker that one step weighs
COLUMN = {f: i for i, f in enumerate(FIELDS)}
COLUMN_OF_CODE = np.full(max(FIELDS) + 1, -1, dtype=np.int64)
COLUMN_OF_CODE[list(FIELDS)] = np.arange(len(FIELDS))
PERSONAL = np.array([i for i, f in enumerate(FIELDS) if f.name.startswith("OPERATOR_")], dtype=np.int64)

# 95 % horizontal radius in metres per NACp 0..11 and containment radius per NIC 0..11 (reference notes on GNSS
# quality indicators); 0 = says nothing.
NAC_P_95_M = np.array([0, 18520, 7408, 3704, 1852, 926, 555.6, 185.2, 92.6, 30, 10, 3.0])
NIC_RADIUS_M = np.array([0, 37040, 14816, 7408, 3704, 1852, 1111.2, 370.4, 185.2, 75, 25, 7.5])
RADIUS_95_SIGMAS = 2.4477  # of a circular Gaussian
RADIUS_CONTAINMENT_SIGMAS = 5.0  # containment at 1e-5 per hour and worse is beyond any Gaussian: a rough scale


def claims_start(_settings: ClaimSettings, time_ns: int = 0) -> Claims:
    """Nobody has spoken yet: no settings change that."""
    return Claims.empty(time_ns)


def predict_claims(claims: Claims, settings: ClaimSettings, to_ns: int) -> Claims:
    """Claims moved on to `to_ns` without hearing anything."""
    dt_s = max(to_ns - claims.time_ns, 0) * NS
    mean, cov = _predict(claims.mean, claims.cov, claims.source, claims.has_position, dt_s, settings)
    return replace(claims, time_ns=max(to_ns, claims.time_ns), mean=mean, cov=cov)


def claims_step(claims: Claims, decoded: Decoded, settings: ClaimSettings, origin: Position, to_ns: int) -> Claims:
    """Claims at `to_ns`, given what was decoded since."""
    to_ns = max(to_ns, claims.time_ns)
    if not len(claims) and not any(len(rows) for rows in (decoded.positions, decoded.values, decoded.texts)):
        return replace(claims, time_ns=to_ns)
    dt_s = (to_ns - claims.time_ns) * NS
    c, names, keys = seat(claims, decoded)
    word_ns = np.maximum(c.position_ns, c.values_ns[:, COLUMN[Field.TRACK_RAD]])
    turned = _hear(c, names, keys, decoded)
    c.mean, c.cov = _predict(c.mean, c.cov, c.source, c.has_position, dt_s, settings)
    # how much of each covariance is noise since the last word
    free_s = np.where(word_ns > 0, np.maximum((to_ns - word_ns) * NS, dt_s), dt_s)
    begun = _weigh_positions(c, keys, decoded.positions, settings, origin, to_ns, free_s)
    _update_velocity(c, turned | begun, settings, origin, to_ns, free_s)
    old = (to_ns - c.values_ns[:, PERSONAL]) * NS >= settings.operator_forget_s
    for column in (c.values, c.values_ns):
        column[:, PERSONAL] = np.where(old, 0, column[:, PERSONAL])
    keep = _worth_keeping(c, settings, to_ns)
    return c.record(to_ns, tuple(names), None if keep.all() else keep)


def _predict(
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    source: Int64[Array, " n"],
    has_position: Int64[Array, " n"],
    dt_s: float,
    settings: ClaimSettings,
) -> tuple[Float64[Array, "n 6"], Float64[Array, "n 6 6"]]:
    q = _noise(source, settings) * has_position
    return motion.predict(mean, cov, dt_s, q, q)


def _noise(source: Int64[Array, " n"], settings: ClaimSettings) -> Float64[Array, " n"]:
    return np.where(SHIP[source], settings.noise_ship_m2ps3, settings.noise_aircraft_m2ps3)


def _hear(c: Columns, names: list[str], keys: Int64[Array, " n"], decoded: Decoded) -> Array:
    """Writes down who was heard, the newest numbers and names; True where a new velocity was said."""
    for rows in (decoded.positions, decoded.values, decoded.texts):
        row_keys = keys_of(rows)
        known = row_keys >= 0
        at = np.searchsorted(keys, row_keys[known])
        np.maximum.at(c.heard_ns, at, rows.time_ns[known])
        np.minimum.at(c.source, at, rows.source[known])
        silent = c.position_ns[at] == 0
        np.maximum.at(c.frame_seq, at[silent], rows.frame_seq[known][silent])
    v = decoded.values
    row_keys = keys_of(v)
    code = np.clip(v.field, 0, len(COLUMN_OF_CODE) - 1)
    column = np.where(code == v.field, COLUMN_OF_CODE[code], -1)
    known = (row_keys >= 0) & (column >= 0)
    at, column = np.searchsorted(keys, row_keys[known]), column[known]
    c.values[at, column] = v.value[known]  # of a repeated index the last assignment stays: rows are in order
    c.values_ns[at, column] = v.time_ns[known]
    turned = np.zeros(len(keys), dtype=bool)
    turned[at[(column == COLUMN[Field.TRACK_RAD]) | (column == COLUMN[Field.GROUND_SPEED_MPS])]] = True
    for key, word, text in zip(keys_of(decoded.texts), decoded.texts.word, decoded.texts.text, strict=True):
        if key >= 0 and word in (Word.CALLSIGN, Word.NAME):
            names[int(np.searchsorted(keys, key))] = text
    return turned


def _fresh(c: Columns, at: Array, field: Field, settings: ClaimSettings, to_ns: int) -> tuple[Array, Array]:
    """The newest value of a field, and whether it is fresh enough to use."""
    said_ns = c.values_ns[at, COLUMN[field]]
    return c.values[at, COLUMN[field]], (said_ns > 0) & ((to_ns - said_ns) * NS <= settings.fresh_s)


def _sigma_m(c: Columns, at: Array, settings: ClaimSettings, to_ns: int) -> Float64[Array, " k"]:
    """Horizontal standard deviation per axis: what it says itself, else a default for its source."""
    sigma = np.asarray(settings.sigma_m)[c.source[at]]
    for field, table, sigmas in (
        (Field.NIC, NIC_RADIUS_M, RADIUS_CONTAINMENT_SIGMAS),
        (Field.NAC_P, NAC_P_95_M, RADIUS_95_SIGMAS),
    ):
        value, fresh = _fresh(c, at, field, settings, to_ns)
        said = table[np.clip(value, 0, len(table) - 1).astype(np.int64)] / sigmas
        sigma = np.where(fresh & (said > 0.0), said, sigma)
    return np.asarray(np.maximum(sigma, settings.sigma_m_min))


def _height(
    c: Columns, at: Array, settings: ClaimSettings, to_ns: int
) -> tuple[Float64[Array, " k"], Float64[Array, " k"]]:
    """Height over the ellipsoid and its standard deviation: as said, else pressure altitude and what the aircraft says
    to add to it (velocity messages), else pressure altitude alone; ships float."""
    height, sigma = np.zeros(len(at)), np.full(len(at), settings.height_unknown_m_sigma)
    sigma[SHIP[c.source[at]]] = settings.height_ellipsoid_m_sigma
    pressure, pressure_fresh = _fresh(c, at, Field.ALTITUDE_BARO_M, settings, to_ns)
    add, add_fresh = _fresh(c, at, Field.GEOMETRIC_MINUS_BARO_M, settings, to_ns)
    saturated, _ = _fresh(c, at, Field.GEOMETRIC_MINUS_BARO_SATURATED, settings, to_ns)
    said, said_fresh = _fresh(c, at, Field.HEIGHT_ELLIPSOID_M, settings, to_ns)
    for value, fresh, known in (
        (pressure, pressure_fresh, settings.height_baro_m_sigma),
        (pressure + add, pressure_fresh & add_fresh & ~(saturated > 0), settings.height_ellipsoid_m_sigma),
        (said, said_fresh, settings.height_ellipsoid_m_sigma),
    ):
        height, sigma = np.where(fresh, value, height), np.where(fresh, known, sigma)
    return height, sigma


def _turn(origin: Position, latitude_rad: Array, longitude_rad: Array) -> Float64[Array, "k 3 3"]:
    """Rotations from east, north, up at each place to the site's."""
    sl, cl = np.sin(latitude_rad), np.cos(latitude_rad)
    so, co = np.sin(longitude_rad), np.cos(longitude_rad)
    local = np.stack([-so, -sl * co, cl * co, co, -sl * so, cl * so, np.zeros_like(sl), cl, sl], axis=1)
    turned: Array = enu_axes(origin.latitude_rad, origin.longitude_rad) @ local.reshape(-1, 3, 3)
    return turned


def _spread(turn: Array, horizontal: Array, vertical: Array) -> Float64[Array, "k 3 3"]:
    """Covariance in the site's frame of a local diag(horizontal^2, horizontal^2, vertical^2)."""
    scaled = turn * np.stack([horizontal, horizontal, vertical], axis=1)[:, None, :]
    return np.asarray(scaled @ np.swapaxes(scaled, 1, 2))


def _weigh_positions(
    c: Columns,
    keys: Int64[Array, " n"],
    p: Positions,
    settings: ClaimSettings,
    origin: Position,
    to_ns: int,
    free_s: Float64[Array, " n"],
) -> Array:
    """Every position report, in order, against its speaker's filter; True where a filter has (re)begun."""
    begun = np.zeros(len(keys), dtype=bool)
    row_keys = keys_of(p)
    age = (to_ns - p.time_ns) * NS
    rows = np.flatnonzero((row_keys >= 0) & (age <= settings.position_forget_s))
    rows = rows[np.lexsort((p.time_ns[rows], row_keys[rows]))]
    at = np.searchsorted(keys, row_keys[rows])
    turn = _turn(origin, p.latitude_rad[rows], p.longitude_rad[rows])
    height, sigma_up = _height(c, at, settings, to_ns)
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    z = geodetic_to_enu(place, p.latitude_rad[rows], p.longitude_rad[rows], height)
    R = _spread(turn, _sigma_m(c, at, settings, to_ns), sigma_up)
    first = np.flatnonzero(np.diff(at, prepend=-1))
    count = np.diff(np.append(first, len(at)))
    back = np.repeat(count, count) - (np.arange(len(at)) - np.repeat(first, count))  # 1 = the newest of its speaker
    for turn_of in range(int(min(count.max(initial=0), ROUNDS_MAX)), 0, -1):
        now = np.flatnonzero(back == turn_of)
        who, row = at[now], rows[now]
        new = c.has_position[who] == 0
        believed = _update_position(c, who, z[now], R[now], np.maximum(age[row], 0.0), settings, free_s)
        believed |= new
        far = ~believed
        again = np.zeros(len(who), dtype=bool)
        again[far] = _may_have_turned(c, who[far], z[now][far], R[now][far], p.time_ns[row[far]], to_ns, settings)
        far &= ~again
        again[far] = _suspect(c, who[far], z[now][far], R[now][far], p.time_ns[row[far]], settings)
        fresh = new | again
        age_s = np.maximum(age[row[fresh]], 0.0)
        _begin(c, who[fresh], z[now][fresh], R[now][fresh], age_s, settings)
        free_s[who[fresh]] = age_s
        begun[who[fresh]] = True
        lasting = HEIGHT_LASTS * np.square(sigma_up[now])
        c.cov[who, 2, 2] = np.maximum(c.cov[who, 2, 2], np.where(believed | fresh, lasting, 0.0))
        _note(c, who, believed, again, p, row, settings)
        c.position_m[who[believed | again]] = z[now, :2][believed | again]
    return begun


def _update_position(
    c: Columns,
    who: Array,
    z: Float64[Array, "k 3"],
    R: Float64[Array, "k 3 3"],
    age_s: Float64[Array, " k"],
    settings: ClaimSettings,
    free_s: Float64[Array, " n"],
) -> Array:
    """Kalman update of those inside the gate; True where that was so."""
    H = np.zeros((len(who), 3, 6))
    H[:, [0, 1, 2], [0, 1, 2]] = 1.0
    nu = z - motion.shift(c.mean[who], -age_s)[:, :3]
    q = _noise(c.source[who], settings)
    cov = motion.without_noise(c.cov[who], np.minimum(age_s, free_s[who]), q, q)
    H_now = motion.aged_jacobian(H, age_s)
    flat = condition(cov, np.ascontiguousarray(H_now[:, :2]), np.ascontiguousarray(R[:, :2, :2]), nu[:, :2])
    believed = (flat.nis <= settings.gate_d2) & (c.has_position[who] == 1)
    full = condition(cov[believed], H_now[believed], R[believed], nu[believed])
    _apply(c, who[believed], full.gain, full.S, nu[believed])
    free_s[who[believed]] = np.minimum(free_s[who[believed]], age_s[believed])
    return np.asarray(believed)


def _apply(c: Columns, who: Array, gain: Array, S: Array, nu: Array) -> None:
    c.mean[who] += np.matmul(gain, nu[:, :, None])[:, :, 0]
    c.cov[who] = positive(c.cov[who] - np.matmul(np.matmul(gain, S), np.swapaxes(gain, 1, 2)))


def _suspect(c: Columns, who: Array, z: Array, R: Array, time_ns: Array, settings: ClaimSettings) -> Array:
    """Remembers disbelieved reports; True where enough of them in a row agree with each other."""
    away = np.hypot(*(z[:, :2] - c.suspect_m[who]).T)
    apart_s = np.abs(time_ns - c.suspect_ns[who]) * NS
    sigma = np.sqrt(R[:, 0, 0] + R[:, 1, 1])
    agree = (c.suspects[who] > 0) & (away <= settings.speed_mps_max * apart_s + 5.0 * sigma)
    c.suspects[who] = np.where(agree, c.suspects[who] + 1, 1)
    c.suspect_m[who], c.suspect_ns[who] = z[:, :2], time_ns
    return np.asarray(c.suspects[who] >= settings.reinitialise_after)


def _may_have_turned(
    c: Columns, who: Array, z: Array, R: Array, time_ns: Array, to_ns: int, settings: ClaimSettings
) -> Array:
    """Who was silent for some time, and is where a turn could have taken it: no farther from its last place than its
    speed allows, and no farther from where it would be straight on than its acceleration across allows."""
    silent_s = (time_ns - c.position_ns[who]) * NS
    fastest = np.hypot(*c.mean[who, 3:5].T) + 3.0 * np.sqrt((c.cov[who, 3, 3] + c.cov[who, 4, 4]) / 2.0)
    noise = 5.0 * np.sqrt(R[:, 0, 0] + R[:, 1, 1])
    straight = motion.shift(c.mean[who], -np.maximum((to_ns - time_ns) * NS, 0.0))
    across = np.where(SHIP[c.source[who]], settings.turn_ship_mps2, settings.turn_aircraft_mps2)
    near = np.hypot(*(z[:, :2] - c.position_m[who]).T) <= fastest * silent_s + noise
    bent = np.hypot(*(z - straight[:, :3])[:, :2].T) <= 0.5 * across * silent_s**2 + noise
    return np.asarray((silent_s >= settings.turned_after_s) & near & bent)


def _begin(c: Columns, who: Array, z: Array, R: Array, age_s: Array, settings: ClaimSettings) -> None:
    """Filters that start from one report age_s ago, velocity unknown."""
    mean, cov = np.zeros((len(who), 6)), np.zeros((len(who), 6, 6))
    mean[:, :3], cov[:, :3, :3] = z, R
    speed = np.where(SHIP[c.source[who]], settings.speed_mps_sigma_ship, settings.speed_mps_sigma_aircraft)
    cov[:, 3, 3] = cov[:, 4, 4] = speed**2
    cov[:, 5, 5] = settings.climb_mps_sigma**2
    q = _noise(c.source[who], settings)
    c.mean[who], c.cov[who] = motion.predict(mean, cov, age_s, q, q)
    c.has_position[who] = 1


def _note(
    c: Columns, who: Array, believed: Array, again: Array, p: Positions, row: Array, settings: ClaimSettings
) -> None:
    """Evidence columns: a disbelieved jump stays visible for doubt_hold_s."""
    accepted = believed | again
    c.position_ns[who] = np.where(accepted, np.maximum(c.position_ns[who], p.time_ns[row]), c.position_ns[who])
    c.frame_seq[who] = p.frame_seq[row]
    c.rejected[who] = np.where(accepted, 0, c.rejected[who] + 1)
    c.suspects[who] = np.where(accepted, 0, c.suspects[who])
    held = (c.suspect_ns[who] > 0) & ((p.time_ns[row] - c.suspect_ns[who]) * NS < settings.doubt_hold_s)
    c.doubt[who] = p.doubt[row] | np.where(held, np.int64(Doubt.JUMP), np.int64(Doubt.NONE))


def _update_velocity(
    c: Columns, due: Array, settings: ClaimSettings, origin: Position, to_ns: int, free_s: Float64[Array, " n"]
) -> None:
    """Kalman update by the newest speed and track over ground said together, as local level velocity."""
    at = np.flatnonzero(due & (c.has_position == 1))
    speed, fresh = _fresh(c, at, Field.GROUND_SPEED_MPS, settings, to_ns)
    track, fresh_too = _fresh(c, at, Field.TRACK_RAD, settings, to_ns)
    said_ns = c.values_ns[at, COLUMN[Field.TRACK_RAD]]
    ok = fresh & fresh_too & (said_ns == c.values_ns[at, COLUMN[Field.GROUND_SPEED_MPS]])
    at, speed, track, said_ns = at[ok], speed[ok], track[ok], said_ns[ok]
    if not len(at):
        return
    turn = _turn_at(origin, c.mean[at, :3])
    local = np.stack([speed * np.sin(track), speed * np.cos(track), np.zeros(len(at))], axis=1)
    z = np.einsum("kij,kj->ki", turn, local)
    sigma = np.full(len(at), settings.velocity_mps_sigma)
    R = _spread(turn, sigma, np.full(len(at), settings.climb_mps_sigma))
    age_s = np.maximum((to_ns - said_ns) * NS, 0.0)
    q = _noise(c.source[at], settings)
    H = np.zeros((len(at), 3, 6))
    H[:, [0, 1, 2], [3, 4, 5]] = 1.0
    nu = z - c.mean[at, 3:]
    found = condition(motion.without_noise(c.cov[at], np.minimum(age_s, free_s[at]), q, q), H, R, nu)
    _apply(c, at, found.gain, found.S, nu)
    free_s[at] = np.minimum(free_s[at], age_s)


def _turn_at(origin: Position, enu_m: Float64[Array, "k 3"]) -> Float64[Array, "k 3 3"]:
    """Rotations from the local level at points of the site's frame to the site's."""
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    latitude, longitude, _ = enu_to_geodetic(place, enu_m)
    return _turn(origin, latitude, longitude)


def _worth_keeping(c: Columns, settings: ClaimSettings, to_ns: int) -> Array:
    """True for speakers heard lately; positions not renewed for too long are given up (in place)."""
    lost = (c.has_position == 1) & ((to_ns - c.position_ns) * NS > settings.position_forget_s)
    c.has_position[lost] = 0
    c.mean[lost], c.cov[lost] = 0.0, 0.0
    forget_s = np.where(SHIP[c.source], settings.forget_ship_s, settings.forget_aircraft_s)
    keep = (to_ns - c.heard_ns) * NS <= forget_s
    if np.count_nonzero(keep) > settings.claims_max:
        keep[np.argsort(-c.heard_ns, kind="stable")[settings.claims_max :]] = False
    return np.asarray(keep)
