"""False alarms, delays and ROC of the sequential test, measured: `python -m bench.integrity_detection`.

The world here is its own: losses without interference come per aircraft (a hazard per aircraft, gamma distributed, so
that a few are flaky) and in bursts that hit several of a region at once (a hiccup of a receiver, a bad hour of a
satellite). It does not know the test's null. Compared on the same data with the rules of 2 and 10 % bad aircraft in ten
minutes, bad counted as (bad - 1) / (good + bad).
"""

import argparse
from dataclasses import dataclass

import numpy as np

from lapwing.integrity.detection import DetectionSettings, cusum

STEP_S = 10.0
WEEK = 60_480  # steps


@dataclass(frozen=True)
class Quiet:
    """The world without interference."""

    losses_per_h: float = 0.05  # of a mean aircraft
    flaky_shape: float = 0.3  # of the gamma over aircraft
    burst_per_day: float = 0.02  # real daily counts: excess at p < 1e-5 in 8e-5 of cell-days, 40 cells a region: 0.003
    burst: tuple[float, float] = (1.0, 12.0)  # beta of the share that a burst hits
    stay: float = 0.99  # share of aircraft still there a step later
    bad_s: float = 60.0  # how long a spontaneous loss lasts


def traffic(regions: int, steps: int, rng: np.random.Generator):
    """Aircraft present per step and region: a daily cycle between a fifth and the whole of each region's peak."""
    peak = np.exp(rng.uniform(np.log(5.0), np.log(60.0), regions))
    phase = rng.uniform(0.0, 1.0, regions)
    for t in range(steps):
        yield np.maximum(1, peak * (0.6 + 0.4 * np.sin(2.0 * np.pi * (t / 8_640.0 + phase)))).astype(np.int64)


def losses(n: np.ndarray, world: Quiet, rng: np.random.Generator) -> np.ndarray:
    """New losses among n good aircraft in one step."""
    per_step = world.losses_per_h * STEP_S / 3600.0
    # the sum of n gamma hazards of shape f is gamma of shape n f
    mean = rng.gamma(n * world.flaky_shape) / world.flaky_shape * per_step
    k = rng.poisson(mean)
    burst = rng.random(len(n)) < world.burst_per_day * STEP_S / 86_400.0
    share = rng.beta(*world.burst, len(n))
    return np.minimum(k + np.where(burst, rng.binomial(n, share), 0), n)


def wilson(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, p = 1.96, k / max(n, 1)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) - half) / (1 + z * z / n), (p + z * z / (2 * n) + half) / (1 + z * z / n)


class Rules:
    """The 2 and 10 % rules on a sliding window of ten minutes, from the same counts."""

    def __init__(self, regions: int) -> None:
        self.bad = np.zeros((60, regions))

    def step(self, t: int, k: np.ndarray, n: np.ndarray) -> np.ndarray:
        self.bad[t % 60] = k
        return np.maximum(self.bad.sum(axis=0) - 1.0, 0.0) / np.maximum(n, 1)


def run_quiet(
    regions: int, weeks: float, settings: DetectionSettings, world: Quiet, seed: int
) -> dict[str, np.ndarray]:
    """Highest statistic per region and day, alarms of each threshold, and alarms of the rules."""
    rng = np.random.default_rng(seed)
    steps = int(weeks * WEEK)
    many, few = np.zeros(regions), np.zeros(regions)
    thresholds = np.arange(6.0, 26.0, 1.0)
    above = np.zeros((len(thresholds), regions), bool)
    alarms = np.zeros(len(thresholds))
    rules, ruled, rule_alarms = Rules(regions), np.zeros((2, regions), bool), np.zeros(2)
    for t, n in enumerate(traffic(regions, steps, rng)):
        k = losses(n, world, rng)
        many, few = cusum(many, k, n, settings.many, settings), cusum(few, k, n, settings.few, settings)
        now = np.maximum(many, few) >= thresholds[:, None]
        alarms += (now & ~above).sum(axis=1)
        above = now
        percent = rules.step(t, k, n)
        told = np.stack([percent >= 0.02, percent >= 0.10])
        rule_alarms += (told & ~ruled).sum(axis=1)
        ruled = told
    return {"thresholds": thresholds, "alarms": alarms, "rules": rule_alarms, "region_weeks": regions * weeks}


def run_events(exposed: int, present: int, trials: int, settings: DetectionSettings, world: Quiet, seed: int):
    """Delay in seconds of each event for the test and the rules; infinity when not told within 15 minutes."""
    rng = np.random.default_rng(seed)
    n = np.full(trials, present)
    many, few = np.zeros(trials), np.zeros(trials)
    rules = Rules(trials)
    for t in range(120):
        k = losses(n, world, rng)
        many, few = cusum(many, k, n, settings.many, settings), cusum(few, k, n, settings.few, settings)
        rules.step(t, k, n)
    # each exposed one is hit when the source reaches it: most at once, some as they fly in; 2 to 17 s until it shows
    hit_s = np.where(rng.random((trials, exposed)) < 0.6, 0.0, rng.exponential(180.0, (trials, exposed)))
    hit_s += np.where(rng.random((trials, exposed)) < 0.5, 2.0, 15.0) + rng.uniform(0.0, 2.0, (trials, exposed))
    offset = rng.uniform(0.0, STEP_S, trials)  # when, within a step, it begins
    good = np.full(trials, present)
    delay = np.full((3, trials), np.inf)
    for step in range(90):
        at = (step + 1) * STEP_S - offset
        k = ((hit_s <= at[:, None]) & (hit_s > (at - STEP_S)[:, None])).sum(axis=1)
        k = np.minimum(k + losses(np.maximum(good - exposed, 1), world, rng), good)
        many, few = cusum(many, k, good, settings.many, settings), cusum(few, k, good, settings.few, settings)
        percent = rules.step(120 + step, k, n)
        told = (np.maximum(many, few) >= settings.threshold, percent >= 0.02, percent >= 0.10)
        for row, now in zip(delay, told, strict=True):
            row[now & np.isinf(row)] = at[now & np.isinf(row)]
        good = good - k
    return delay


def main() -> None:
    """Prints the tables of docs/integrity.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--regions", type=int, default=400)
    parser.add_argument("--weeks", type=float, default=1.0)
    parser.add_argument("--trials", type=int, default=500)
    a = parser.parse_args()
    settings, world = DetectionSettings(), Quiet()
    quiet = run_quiet(a.regions, a.weeks, settings, world, 20_260_101)
    weeks = quiet["region_weeks"]
    print(f"quiet traffic, {weeks:.0f} region-weeks; alarms per region and week by threshold")
    for h, alarms in zip(quiet["thresholds"], quiet["alarms"], strict=True):
        low, high = max(alarms - 1.96 * np.sqrt(alarms), 0.0) / weeks, (alarms + 1.96 * np.sqrt(alarms) + 1.9) / weeks
        mark = "  <- in use" if h == settings.threshold else ""
        print(f"  {h:4.0f}  {alarms / weeks:8.3f}  ({low:.3f} .. {high:.3f}){mark}")
    two, ten = quiet["rules"] / weeks
    print(f"  2 % rule {two:.1f}, 10 % rule {ten:.1f}")
    print("events: P(told in 15 min) and median delay in s: sequential test | 2 % rule | 10 % rule")
    for exposed, present in ((3, 10), (6, 6), (6, 20), (6, 40), (12, 40), (22, 60)):
        delay = run_events(exposed, present, a.trials, settings, world, 7 * exposed + present)
        told = [int(np.isfinite(d).sum()) for d in delay]
        text = []
        for d, k in zip(delay, told, strict=True):
            low, high = wilson(k, a.trials)
            text.append(f"{k / a.trials:.3f} ({low:.3f}..{high:.3f}) {np.median(d):5.0f} s")
        print(f"  {exposed:2d} exposed of {present:2d}: " + " | ".join(text))


if __name__ == "__main__":
    main()
