"""The least error that any estimator can have in the worlds of integrity_source.py: `python -m bench.integrity_oracle`.

An oracle knows the world's own rules and numbers (thresholds, hysteresis, shadowing and its memory, fuselage, flips,
height of the source): a hidden Markov chain per aircraft over (lost or not, shadowing), exact but for the grids, summed
over the threshold of each. It knows neither place nor power. The places of affected aircraft are those that an observer
has (carried on). Its posterior mean has the least mean square error of all estimators with that prior.
"""

import argparse

import numpy as np
from bench.integrity_source import EVERY, STEP_S, Emitter, world
from numba import njit
from scipy.special import ndtr

SHADOW_DB, HYSTERESIS_DB, FLIP = 3.0, 6.0, 0.002
U_DB = 1.5  # steps of power minus threshold
SHADOWS = np.arange(-9.0, 9.1, 1.5)
FIRST_DBM, POWERS = 22.0, 25  # 22 to 58 dBm


def chain(shadow_s):
    """Transition matrix of the shadowing over one step on its grid, and its stationary weights."""
    edge = np.append(SHADOWS - 0.75, 1e9)
    edge[0] = -1e9
    keep = np.exp(-STEP_S / shadow_s) if shadow_s else 0.0
    sigma = SHADOW_DB * np.sqrt(1.0 - keep**2)
    move = np.diff(ndtr((edge[None, :] - keep * SHADOWS[:, None]) / sigma), axis=1)
    return np.ascontiguousarray(move), np.diff(ndtr(edge / SHADOW_DB))


@njit(cache=True)
def over(level, limit, grid):
    """Share of each shadow bin in which level + shadow > limit."""
    out = np.empty(len(grid))
    for k in range(len(grid)):
        out[k] = min(max((level + grid[k] - limit) / 1.5 + 0.5, 0.0), 1.0)
    return out


@njit(cache=True)
def speaker(loss, told, every, first_u, number_u, move, still, grid):
    """log P(told | u) per u = power minus threshold, steps of U_DB."""
    out = np.zeros(number_u)
    n = len(grid)
    top = -1e9
    for t in range(len(loss)):
        top = max(top, -loss[t])
    hit, anew = told.max() > 0, np.all(move[0] == move[-1])
    for iu in range(number_u):
        u = first_u + 1.5 * iu
        if u + top < -14.0 and not hit:
            out[iu] = np.log(1.0 - 0.002) * len(told)
            continue
        a = np.zeros((2, n))
        a[0] = still
        total, far = 0.0, 100
        for t in range(len(loss)):
            level = u - loss[t]
            far = far + 1 if level < -14.0 or level > 9.0 else 0
            if far > 12:  # long so far from the threshold that nothing is remembered
                certain = 1 if level > 9.0 else 0
                a[certain], a[1 - certain] = still, 0.0
                if t % every == 0:
                    total += np.log(0.998 if told[t // every] == certain else 0.002)
                continue
            b = np.zeros((2, n))
            if t:
                for old in range(2):
                    if anew:
                        b[old] = a[old].sum() * still
                        continue
                    for k in range(n):
                        if a[old, k] > 1e-12:
                            for m in range(n):
                                b[old, m] += a[old, k] * move[k, m]
            else:
                b[:] = a
            up, stay = over(level, 0.0, grid), over(level, -6.0, grid)
            for k in range(n):
                lost = b[0, k] * up[k] + b[1, k] * stay[k]
                a[0, k] = b[0, k] + b[1, k] - lost
                a[1, k] = lost
            if t % every == 0:
                yes = told[t // every]
                a[1] *= 0.998 if yes else 0.002
                a[0] *= 0.002 if yes else 0.998
                s = a.sum()
                total += np.log(s)
                a /= s
        out[iu] = total
    return out


def losses(path, cell, height_m=30.0):
    """Loss per speaker and step towards a source at `cell`, dB, as the world has it."""
    d = np.hypot(path[..., 0] - cell[0], path[..., 1] - cell[1])
    above = path[..., 2] - height_m
    shade = 4.0 + 14.0 * np.clip(np.degrees(np.arctan2(above, d)) / 45.0, 0.0, 1.0)
    reach = 4120.0 * (np.sqrt(height_m) + np.sqrt(path[..., 2]))
    free = 32.44 + 20.0 * np.log10(np.hypot(d, above) / 1e3) + 20.0 * np.log10(1575.42)
    return free + shade + np.where(d < reach, 0.0, 200.0)


@njit(cache=True)
def every_speaker(loss, told, every, first_u, weight, move, still, grid, out):
    """Adds to out[p] the log-likelihood of all speakers, each summed over its threshold."""
    count = len(weight)
    for s in range(len(loss)):
        row = speaker(loss[s], told[s], every, first_u, len(out) + count - 1, move, still, grid)
        top = row.max()
        for p in range(len(out)):
            total = 0.0
            for k in range(count):
                total += weight[k] * np.exp(row[p + k] - top)
            out[p] += np.log(total + 1e-300) + top


def table(path, told, cells, shadow_s):
    """log P(all | source in cell, power): cells x POWERS."""
    move, still = chain(shadow_s)
    nodes = np.arange(-16.5, 16.6, U_DB)
    weight = np.exp(-0.5 * (nodes / 5.0) ** 2)
    weight /= weight.sum()
    first_u = FIRST_DBM + 95.0 + nodes[0]  # the highest threshold first; the weights are symmetric
    out = np.zeros((len(cells), POWERS))
    for c, cell in enumerate(cells):
        every_speaker(losses(path, cell), told, EVERY, first_u, weight, move, still, SHADOWS, out[c])
    return out


def tracks(columns, n):
    """Believed places between looks by straight lines (n, steps, 3), and what was told (n, looks)."""
    who, _, place, told = columns
    looks = len(who) // n
    place, told = place.reshape(looks, n, 3).transpose(1, 0, 2), told.reshape(looks, n).T
    steps = (looks - 1) * EVERY + 1
    at = np.arange(steps) / EVERY
    path = np.empty((n, steps, 3))
    for s in range(n):
        for k in range(3):
            path[s, :, k] = np.interp(at, np.arange(looks), place[s, :, k])
    return path, np.ascontiguousarray(told.astype(np.int64))


def oracle(columns, n, shadow_s, known_dbm=None, box_m=60e3):
    """Posterior mean (east, north), sigma, from two grids."""
    path, told = tracks(columns, n)
    hit = told.sum(axis=1) > 1
    low, high = np.full(2, -box_m), np.full(2, box_m)
    grid = 13
    for level in range(2):
        cell = (high - low) / grid
        axes = [low[k] + (np.arange(grid) + 0.5) * cell[k] for k in range(2)]
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        reach = np.hypot(path[None, :, ::9, 0] - cells[:, None, None, 0].mean(), path[None, :, ::9, 1]).min(axis=2)[0]
        use = hit | (reach < 3e5)
        like = table(path[use], told[use], cells, shadow_s)
        if known_dbm is not None:
            like = like[:, [round((known_dbm - FIRST_DBM) / U_DB)]]
        best = like.max(axis=1)
        if level == 0:
            near = cells[best > best.max() - 9.0]
            low, high = near.min(axis=0) - 0.5 * cell, near.max(axis=0) + 0.5 * cell
    p = np.exp(like - like.max()).sum(axis=1)
    p /= p.sum()
    mean = p @ cells
    return mean, float(np.sqrt(p @ ((cells - mean) ** 2).sum(axis=1)))


def main() -> None:
    """Prints the least errors of docs/integrity.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=2_026)
    parser.add_argument("--present", type=int, nargs="*", default=[30, 50, 110])
    parser.add_argument("--known", action="store_true", help="the power is known too")
    a = parser.parse_args()
    for shadow_s in (0.0, 60.0):
        for n in a.present:
            errors, sigmas = [], []
            for run in range(a.runs):
                rng = np.random.default_rng([a.seed, n, run])
                east, north = rng.uniform(-6e4, 6e4, 2)
                while True:
                    columns, hit = world([Emitter(east, north, 40.0)], n, rng, shadow_s=shadow_s)
                    if hit >= 3:
                        break
                mean, sigma = oracle(columns, n, shadow_s, 40.0 if a.known else None)
                errors.append(np.hypot(mean[0] - east, mean[1] - north) / 1e3)
                sigmas.append(sigma / 1e3)
            print(f"shadowing {shadow_s:.0f} s, {n} present: error median {np.median(errors):.1f} km, rms"
                  f" {np.sqrt(np.mean(np.square(errors))):.1f}, posterior sigma {np.median(sigmas):.1f};"
                  f" {' '.join(f'{e:.0f}' for e in errors)}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
