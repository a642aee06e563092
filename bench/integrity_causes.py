"""Confusion matrix of causes, and the live step's speed, measured: `python -m bench.integrity_causes`.

The world is lapwing_lab's: its jammers, spoofers and receivers act on aircraft that fly straight through 300 by 300 km;
what the aircraft would say becomes claims, and lapwing.integrity judges them once a second. Equipment: one aircraft of
all loses its position or its quality. Outage: the receiver hears most of them no more, or no positions of them.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from lapwing.integrity import IntegritySettings, start, step
from lapwing.integrity.causes import CauseSettings, counted, outcomes, posterior
from lapwing.records import CAUSES, Claims, Field, Source, Tracks
from lapwing.records.claims import FIELD_COLUMN
from lapwing_lab.geo import Place, offset, surface
from lapwing_lab.jamming import Air, Jammer, Receiver, Spoofer

S = 10**9
T0 = 1_726_560_000 * S
ORIGIN = Place(50.0, 15.0, 300.0)
ONSET_S, END_S = 120, 260


class Fleet:
    """n airliners, their receivers, and what they say each second."""

    def __init__(self, n, rng, air=None, cause="none"):
        self.n, self.rng, self.air, self.cause = n, rng, air or Air(), cause
        self.place = rng.uniform(-1.5e5, 1.5e5, (n, 2))
        course = rng.uniform(0, 2 * np.pi, n)
        self.velocity = rng.uniform(200, 250, n)[:, None] * np.stack([np.sin(course), np.cos(course)], axis=1)
        self.height = rng.uniform(8_000, 12_000, n)
        self.receivers = [Receiver(rng.normal(-92.0, 5.0)) for _ in range(n)]
        self.position_ns, self.heard_ns = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.said = np.zeros((n, 4))  # east, north, velocity as believed
        self.version = np.where(rng.random(n) < 0.1, 0.0, 2.0)
        self.kind = rng.choice(["silent", "poor", "none"])
        self.deaf = rng.random(n) < (0.9 if cause == "outage" else 0.0)
        self.partial = rng.random() < 0.3  # an outage that takes positions only

    def second(self, t):
        """The claims at second t."""
        rng, n, now = self.rng, self.n, T0 + t * S
        self.place = self.place + self.velocity
        trouble = t >= ONSET_S
        out = trouble & self.deaf & (self.cause == "outage")
        nic, no_fix = np.where(rng.random(n) < 0.05, 7.0, 8.0), np.zeros(n, bool)
        speaks = np.ones(n, bool)
        for i in range(n):
            place = offset(ORIGIN, *self.place[i], self.height[i])
            quality = self.receivers[i].feel(self.air.power_dbm(place, t), 1.0)
            if quality < 1.0:
                nic[i], no_fix[i] = (0.0, True) if quality <= 0.0 else (4.0, False)
            told, deceived = self.air.believed(place, "adsb", 0.1 * i, t)
            here = np.array(surface(ORIGIN, told))[:2] if deceived else self.place[i]
            before = self.said[i, :2] if t else here
            moved = here - before if deceived else self.velocity[i]
            if not no_fix[i]:
                self.said[i] = [*here, *(moved if np.hypot(*moved) < 1_000 else [0.0, 0.0])]
        if self.cause == "equipment" and trouble:
            nic[0] = 0.0 if self.kind != "silent" else nic[0]
            no_fix[0] |= self.kind == "none"
            speaks[0] = self.kind != "silent"
        heard = ~out | (self.partial & (rng.random(n) < 0.9))
        self.heard_ns = np.where(heard, now, self.heard_ns)
        placed = heard & ~no_fix & speaks & ~out
        self.position_ns = np.where(placed, now, self.position_ns)
        return self._claims(now, nic, no_fix & heard, placed, heard & ~out)

    def _claims(self, now, nic, no_fix, placed, squitters):
        n, one = self.n, np.ones(self.n, np.int64)
        empty = Claims.empty(now)
        values = np.zeros((n, empty.values.shape[1]))
        said = np.zeros((n, empty.values.shape[1]), np.int64)
        speed = np.hypot(*self.said[:, 2:].T)
        for field, value, where in (
            (Field.NIC, nic, squitters), (Field.NAC_P, np.where(nic < 5, 0.0, 9.0), squitters),
            (Field.ADSB_VERSION, self.version, one > 0), (Field.NO_POSITION, one, no_fix),
            (Field.ALTITUDE_BARO_M, self.height, one > 0), (Field.GROUND_SPEED_MPS, speed, placed),
        ):  # fmt: skip
            values[:, FIELD_COLUMN[field]] = np.where(where, value, 0.0)
            said[:, FIELD_COLUMN[field]] = np.where(where, now, 0)
        mean = np.zeros((n, 6))
        mean[:, :2], mean[:, 2], mean[:, 3:5] = self.said[:, :2], self.height, self.said[:, 2:]
        return replace(
            empty, address=np.arange(n) + 0x400000, source=one * Source.ADSB, has_position=one, mean=mean,
            cov=np.tile(np.eye(6), (n, 1, 1)), position_ns=self.position_ns, heard_ns=self.heard_ns, frame_seq=one,
            doubt=one * 0, rejected=one * 0, values=values, values_ns=said, names=("",) * n,
            suspect_m=np.zeros((n, 2)), position_m=np.zeros((n, 2)), suspect_ns=one * 0, suspects=one * 0,
        )  # fmt: skip


def scene(cause, run):
    """A fleet and what befalls it from ONSET_S on."""
    rng = np.random.default_rng([CAUSES.index(cause), run])
    n = int(rng.integers(12, 40))
    where = offset(ORIGIN, *rng.uniform(-4e4, 4e4, 2), 50.0)
    air = Air()
    if cause == "jamming":
        air = Air(jammers=(Jammer(where, rng.uniform(40.0, 52.0), ONSET_S, 1e9),))
    if cause == "spoofing":
        claimed = offset(ORIGIN, *rng.uniform(-2e5, 2e5, 2), 50.0)
        circle = float(rng.choice([0.0, 2_000.0]))
        air = Air(spoofers=(Spoofer(where, rng.uniform(6e4, 1.2e5), claimed, ONSET_S, 1e9, circle_m=circle),))
    return Fleet(n, rng, air, cause)


def verdict(cause, run):
    """Causes of all exposed around the affected, at END_S after onset and before; and how many were affected."""
    fleet, settings = scene(cause, run), IntegritySettings()
    state = start(settings)
    for t in range(END_S):
        claims = fleet.second(t)
        state, _ = step(state, claims, Tracks.empty(claims.time_ns), settings)
    outcome = outcomes(state.navigation, claims, T0 + ONSET_S * S, np.arange(fleet.n))
    hit = np.flatnonzero(outcome > 0)
    good = state.navigation.good_m
    exposed = np.zeros(fleet.n, bool)
    if len(hit):
        centre = good[hit].mean(axis=0)
        radius = np.hypot(*(good[hit] - centre).T).max()
        exposed = np.hypot(*(good - centre).T) <= max(radius, 75_000.0) + 1.0
    return posterior(counted(outcome[exposed]), CauseSettings())[0], len(hit)


def matrix(runs, first):
    """The confusion matrix."""
    kinds = ("jamming", "spoofing", "equipment", "outage")
    print("truth      | runs | " + " | ".join(f"{c:9s}" for c in CAUSES))
    for cause in kinds:
        told = np.zeros(len(CAUSES), int)
        count, run = 0, first
        while count < runs:
            p, hit = verdict(cause, run)
            run += 1
            if hit >= (1 if cause == "equipment" else 3):  # an event that hits nobody is none
                told[int(np.argmax(p))] += 1
                count += 1
        print(f"{cause:10s} | {count:4d} | " + " | ".join(f"{k:9d}" for k in told), flush=True)


def speed(n=2_000, seconds=300):
    """CPU time of a live step of n aircraft in quiet and with a jammer among them, once a second, ms."""
    rng = np.random.default_rng(1)
    settings = IntegritySettings()
    for name, air in (("quiet", Air()), ("jammed", Air(jammers=(Jammer(offset(ORIGIN, 0, 0, 50.0), 45.0, 0, 1e9),)))):
        fleet, state, spent = Fleet(n, rng, air), start(settings), []
        fleet.place = fleet.place * 3.0
        for t in range(ONSET_S, ONSET_S + seconds):
            claims = fleet.second(t)
            tracks = Tracks.empty(claims.time_ns)
            began = time.process_time()
            state, _ = step(state, claims, tracks, settings)
            spent.append((time.process_time() - began) * 1e3)
        run = spent[30:]
        print(f"live step, {n} aircraft, {name}: mean {np.mean(run):.2f} ms, median {np.median(run):.2f} ms, largest"
              f" {max(run):.1f} ms")  # fmt: skip


def first_answers(runs, first, end_s=420):
    """How long after the onset of a jammer among 120 aircraft in 450 by 450 km a region stands, a first answer and a
    full one of its source come; whether their 90 % regions hold the jammer."""
    settings, rows = IntegritySettings(), []
    for run in range(first, first + runs):
        rng = np.random.default_rng([99, run])
        where = offset(ORIGIN, *rng.uniform(-6e4, 6e4, 2), 30.0)
        fleet = Fleet(120, rng, Air(jammers=(Jammer(where, 43.0, ONSET_S, 1e9),)))
        fleet.place *= 1.5
        jammer = np.array(surface(ORIGIN, where))[:2]
        state, times, told = start(settings), [np.nan] * 3, [np.nan] * 2
        for t in range(end_s):
            claims = fleet.second(t)
            state, verdict_now = step(state, claims, Tracks.empty(claims.time_ns), settings)
            sources = verdict_now.sources
            done = (
                len(verdict_now.interference) > 0,
                len(sources) > 0,
                len(sources) > 0 and not len(state.seeking.early),
            )
            for k in range(3):
                if done[k] and np.isnan(times[k]):
                    times[k] = t - ONSET_S
                    if k:
                        told[k - 1] = holds(sources, jammer) if sources.unique.all() else -1
        rows.append((*times, *told))
    rows = np.array(rows)
    for k, name in enumerate(("region", "first answer", "full answer")):
        of = rows[~np.isnan(rows[:, k]), k]
        print(
            f"{name}: {len(of)} of {runs}, after {np.median(of):.0f} s in the median, {of.max():.0f} s at most", end=""
        )
        if k:
            held = rows[:, 2 + k]
            print(f"; no unique source {(held == -1).sum()}, else its 90 % region holds the jammer {(held == 1).sum()}"
                  f" of {(held >= 0).sum()}", end="")  # fmt: skip
        print()


def holds(sources, place_m):
    """Whether a place lies in the 90 % region of any source: an odd number of its rings' edges to the east of it."""
    inside = False
    for ring in np.unique(sources.ring_number[sources.ring_share == 0.9]):
        at = sources.ring_number == ring
        east, north = sources.ring_east_m[at], sources.ring_north_m[at]
        cross = (north[:-1] > place_m[1]) != (north[1:] > place_m[1])
        a, b = np.stack([east[:-1], north[:-1]])[:, cross], np.stack([east[1:], north[1:]])[:, cross]
        x = a[0] + (place_m[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        inside |= bool(np.count_nonzero(x > place_m[0]) % 2)
    return inside


def main() -> None:
    """Prints the tables of docs/integrity.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="number of the first scene")
    parser.add_argument("--speed", action="store_true", help="only the live step's speed")
    parser.add_argument("--sources", action="store_true", help="only when sources are told")
    a = parser.parse_args()
    if a.sources:
        first_answers(a.runs, a.first)
        return
    speed()
    if not a.speed:
        matrix(a.runs, a.first)


if __name__ == "__main__":
    main()
