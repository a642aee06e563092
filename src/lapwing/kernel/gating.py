"""Which detections can belong to which tracks: candidates in the horizontal plane, without a dense n x m table.

Axes: n tracks, m detections, k pairs. Detections are sorted into strips once; each track looks only at those within
its own reach, and keeps those inside the ellipse of the summed covariances. Each detection is met at its own time: the
track is moved back by the detection's age in a straight line. The exact gate in measurement space comes after. This one
holds all of it where detections are places in the plane and targets move straight. Elsewhere it does not: a radar
without elevation measures along curves about a height that it does not know, and what turns was not on the straight
line. There the caller asks for a wider gate, and a few pairs at the edge are still missed (docs/tracking.md).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _bin(value: float, bins: tuple[float, float, int]) -> int:
    """The bin of a value; bins = (lower end, bins per unit, how many). The first where the value is no number."""
    at = (value - bins[0]) * bins[1]
    return int(min(at, bins[2] - 1.0)) if at > 0.0 else 0


@njit(cache=True, nogil=True)
def _rising(values: F64) -> I64:
    """The places of the values from the least up: sorted into as many bins as there are values, and within them by
    insertion; by comparison of all where many share a bin. How ties fall is not said."""
    m = len(values)
    lowest, highest = values.min(), values.max()
    bins = (lowest, m / max(highest - lowest, 1e-9), m)
    first, bin_of, order = np.zeros(m + 1, np.int64), np.empty(m, np.int64), np.empty(m, np.int64)
    for s in range(m):
        bin_of[s] = _bin(values[s], bins)
        first[bin_of[s] + 1] += 1
    if first.max() > 32:
        return np.argsort(values)
    for k in range(m):
        first[k + 1] += first[k]
    place = first[:m].copy()
    for s in range(m):
        k = bin_of[s]
        t = place[k]
        while t > first[k] and values[order[t - 1]] > values[s]:
            order[t] = order[t - 1]
            t -= 1
        order[t] = s
        place[k] += 1
    return order


@njit(cache=True, nogil=True)
def _strips(north: F64, by_north: I64, by_east: I64) -> tuple[I64, I64, F64]:
    """Detections in strips from south to north, as many in each as there are strips, from west to east within: the
    order, where each strip begins, and the northern coordinate of its southernmost."""
    m = len(north)
    width = max(int(np.sqrt(m)), 1)
    strips = (m + width - 1) // width
    strip, order = np.empty(m, np.int64), np.empty(m, np.int64)
    first, south = np.empty(strips + 1, np.int64), np.empty(strips)
    for s in range(m):
        strip[by_north[s]] = s // width
    for b in range(strips):
        first[b], south[b] = b * width, north[by_north[b * width]]
    place = first.copy()
    for s in by_east:
        order[place[strip[s]]] = s
        place[strip[s]] += 1
    first[strips] = m
    return order, first, south


@njit(cache=True, nogil=True)
def _binned(values: F64, first: I64, lowest: float, highest: float) -> tuple[I64, tuple[float, float, int]]:
    """Where each bin begins (strips, bins + 1) in values, which rise within each strip, and the bins: as many as a
    strip has values."""
    count = max(first[1] - first[0], 1)
    bins = (lowest, count / max(highest - lowest, 1e-9), count)
    start = np.zeros((len(first) - 1, count + 1), np.int64)
    for b in range(len(first) - 1):
        for s in range(first[b], first[b + 1]):
            start[b, _bin(values[s], bins) + 1] += 1
        start[b, 0] = first[b]
        for k in range(count):
            start[b, k + 1] += start[b, k]
    return start, bins


@njit(cache=True, nogil=True)
def _at_least(values: F64, start: I64, b: int, bins: tuple[float, float, int], wanted: float) -> int:
    """The first place in strip b of the values that is not below `wanted`: in its bin, by halves."""
    k = _bin(wanted, bins)
    lo, hi = int(start[b, k]), int(start[b, k + 1])
    while lo < hi:
        middle = (lo + hi) >> 1
        if values[middle] < wanted:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True, nogil=True)
def _window(
    x: float, v: float, P: tuple[float, float, float], ages: tuple[float, float], wide: tuple[float, float]
) -> tuple[float, float]:
    """From where to where along one axis a detection of any age in (youngest, oldest) can lie inside the gate: position
    x, velocity v, their variances and covariance P, and (gate, largest noise variance)."""
    young, old = ages
    V_young = P[0] - 2.0 * young * P[1] + young * young * P[2]
    V_old = P[0] - 2.0 * old * P[1] + old * old * P[2]
    reach = np.sqrt(wide[0] * (max(V_young, V_old, 0.0) + wide[1]))
    a, b = x - young * v, x - old * v
    return min(a, b) - reach, max(a, b) + reach


@njit(cache=True, nogil=True)
def _laid_out(z: F64, R: F64, age_s: F64) -> tuple[tuple, tuple, tuple, tuple]:
    """Detections in strips: (their order, where each strip begins); by north (southern ends of the strips, bins) and by
    east (values, bins); and of each detection north, age and noise, their largest and least at the end."""
    order, first, south = _strips(z[:, 1], _rising(z[:, 1]), _rising(z[:, 0]))
    east, north, age = z[order, 0], z[order, 1], age_s[order]
    R00, R01, R11 = R[:, 0, 0][order], R[:, 0, 1][order], R[:, 1, 1][order]
    one = np.array([0, len(south)])
    south_start, south_bins = _binned(south, one, south[0], south[-1])
    east_start, east_bins = _binned(east, first, east.min(), east.max())
    ends = ((age.min(), age.max()), R00.max(), R11.max())
    return (
        (order, first),
        (south, south_start, south_bins),
        (east, east_start, east_bins),
        (north, age, R00, R01, R11, ends),
    )


@njit(cache=True, nogil=True)
def _walk(mean: F64, cov: F64, plots: tuple[F64, F64, F64], gate: float, room: int) -> tuple[I64, I64]:
    """The pairs, by track and there by detection; as soon as there are `room`, no more. plots = (z, R, age_s)."""
    (order, first), (south, south_start, south_bins), (east, east_start, east_bins), rest = _laid_out(*plots)
    north, age, R00, R01, R11, (ages, R_east, R_north) = rest
    found, size = 0, min(room, 4 * len(mean) + 64)
    track, plot = np.empty(size, np.int64), np.empty(size, np.int64)
    for i in range(len(mean)):
        e, n, ve, vn, begin = mean[i, 0], mean[i, 1], mean[i, 3], mean[i, 4], found
        P00, P03, P33 = cov[i, 0, 0], cov[i, 0, 3], cov[i, 3, 3]
        P11, P14, P44 = cov[i, 1, 1], cov[i, 1, 4], cov[i, 4, 4]
        P01, P04, P34 = cov[i, 0, 1], cov[i, 0, 4] + cov[i, 1, 3], cov[i, 3, 4]
        west, stop = _window(e, ve, (P00, P03, P33), ages, (gate, R_east))
        low, high = _window(n, vn, (P11, P14, P44), ages, (gate, R_north))
        b = max(_at_least(south, south_start, 0, south_bins, low) - 1, 0)
        while b < len(south) and south[b] <= high:
            s = _at_least(east, east_start, b, east_bins, west)
            while s < first[b + 1] and east[s] <= stop:
                a = age[s]
                d0, d1 = east[s] - (e - a * ve), north[s] - (n - a * vn)
                S00 = P00 - 2.0 * a * P03 + a * a * P33 + R00[s]
                S11 = P11 - 2.0 * a * P14 + a * a * P44 + R11[s]
                S01 = P01 - a * P04 + a * a * P34 + R01[s]
                if S11 * d0 * d0 - 2.0 * S01 * d0 * d1 + S00 * d1 * d1 <= gate * (S00 * S11 - S01 * S01):
                    if found == len(plot):
                        if found == room:
                            return track, plot
                        track, plot = _longer(track, room), _longer(plot, room)
                    track[found], plot[found] = i, order[s]
                    found += 1
                s += 1
            b += 1
        if found > begin + 32:
            plot[begin:found] = np.sort(plot[begin:found])
        else:
            _sort_few(plot, begin, found)
    return track[:found].copy(), plot[:found].copy()


@njit(cache=True, nogil=True)
def _longer(values: I64, room: int) -> I64:
    """The values with space behind them for as many again, or as `room` allows."""
    grown = np.empty(min(room, 2 * len(values)), np.int64)
    grown[: len(values)] = values
    return grown


@njit(cache=True, nogil=True)
def _sort_few(values: I64, lo: int, hi: int) -> None:
    """values[lo:hi] in rising order, in place, by insertion."""
    for s in range(lo + 1, hi):
        value, t = values[s], s
        while t > lo and values[t - 1] > value:
            values[t] = values[t - 1]
            t -= 1
        values[t] = value


@njit(cache=True, nogil=True)
def _reach(mean: F64, cov: F64, gate: float, ends: tuple) -> tuple[tuple[float, float], tuple[float, float]]:
    """From where to where one track (6,), (6, 6) looks, eastwards and northwards."""
    ages, R_east, R_north = ends
    across = _window(mean[0], mean[3], (cov[0, 0], cov[0, 3], cov[3, 3]), ages, (gate, R_east))
    along = _window(mean[1], mean[4], (cov[1, 1], cov[1, 4], cov[4, 4]), ages, (gate, R_north))
    return across, along


@njit(cache=True, nogil=True)
def _inside(
    mean: F64, cov: F64, at: tuple[float, float, float], noise: tuple[float, float, float], gate: float
) -> bool:
    """Whether a detection at = (east, north, age) is inside the ellipse of one track."""
    a = at[2]
    d0, d1 = at[0] - (mean[0] - a * mean[3]), at[1] - (mean[1] - a * mean[4])
    S00 = cov[0, 0] - 2.0 * a * cov[0, 3] + a * a * cov[3, 3] + noise[0]
    S11 = cov[1, 1] - 2.0 * a * cov[1, 4] + a * a * cov[4, 4] + noise[2]
    S01 = cov[0, 1] - a * (cov[0, 4] + cov[1, 3]) + a * a * cov[3, 4] + noise[1]
    return bool(S11 * d0 * d0 - 2.0 * S01 * d0 * d1 + S00 * d1 * d1 <= gate * (S00 * S11 - S01 * S01))


@njit(cache=True, nogil=True)
def _few(mean: F64, cov: F64, plots: tuple[F64, F64, F64], gate: float, each: int) -> tuple[I64, I64]:
    """At most `each` pairs of every track, by track and there by detection. Each track begins elsewhere among what is
    near it, so that where many tracks meet many detections in one place, all detections are met."""
    (order, _), (south, south_start, south_bins), (east, east_start, east_bins), rest = _laid_out(*plots)
    north, age, R00, R01, R11, ends = rest
    found = 0
    track, plot = np.empty(each * len(mean), np.int64), np.empty(each * len(mean), np.int64)
    lo, until = np.empty(len(south), np.int64), np.empty(len(south), np.int64)
    for i in range(len(mean)):
        x, P, begin, strips, near = mean[i], cov[i], found, 0, 0
        (west, stop), (low, high) = _reach(x, P, gate, ends)
        b = max(_at_least(south, south_start, 0, south_bins, low) - 1, 0)
        while b < len(south) and south[b] <= high:
            lo[strips] = _at_least(east, east_start, b, east_bins, west)
            near += max(_at_least(east, east_start, b, east_bins, np.nextafter(stop, np.inf)) - lo[strips], 0)
            until[strips] = near
            strips, b = strips + 1, b + 1
        q, b = (i * each) % max(near, 1), 0
        for _ in range(near):
            while q >= until[b]:
                b += 1
            s = lo[b] + q - (until[b - 1] if b > 0 else 0)
            if _inside(x, P, (east[s], north[s], age[s]), (R00[s], R01[s], R11[s]), gate):
                track[found], plot[found] = i, order[s]
                found += 1
                if found == begin + each:
                    break
            q += 1
            if q == near:
                q = b = 0
        plot[begin:found] = np.sort(plot[begin:found])
    return track[:found].copy(), plot[:found].copy()


def candidates(
    mean: F64, cov: F64, z: F64, R: F64, age_s: F64, gate: float, pairs_max: int = 1 << 40
) -> tuple[I64, I64]:
    """Track index and detection index (k,), (k,) of the pairs whose horizontal distance is inside the gate, sorted
    by track, then detection. mean (n, 6), cov (n, 6, 6); z and R begin with the detections' places in the plane, (m, 2)
    and (m, 2, 2), and what more they hold is not read. pairs_max of them at most: who gets that many knows that some
    are missing."""
    if not len(mean) or not len(z):
        none = np.zeros(0, dtype=np.int64)
        return none, none
    return _walk(mean, cov, (z, R, age_s), gate, pairs_max)


def few_candidates(mean: F64, cov: F64, z: F64, R: F64, age_s: F64, gate: float, each: int) -> tuple[I64, I64]:
    """`candidates`, at most `each` of every track."""
    if not len(mean) or not len(z):
        none = np.zeros(0, dtype=np.int64)
        return none, none
    mean, cov, z, R, age_s = (np.array(column) for column in (mean, cov, z, R, age_s))  # of one kind: compiled once
    return _few(mean, cov, (z, R, age_s), gate, each)
