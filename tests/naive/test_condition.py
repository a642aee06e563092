"""The navigation state machine by its definition: one speaker, plain Python, one rule after the other."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.integrity.evidence import NavigationSettings, judge_rows
from lapwing.kernel import condition as kernel
from lapwing.kernel.condition import NO_HEIGHT, Rows

S = 10**9
T0 = 5_000 * S
C = NavigationSettings()


class Speaker:
    """What the rules say, remembered in attributes."""

    def __init__(self):
        self.condition, self.since, self.changing, self.reason = kernel.UNKNOWN, 0, None, 0
        self.ever_ok = self.fast = False
        self.good = None  # (time, latitude, longitude)
        self.last = self.version = self.version_at = self.geometric = None
        self.nic, self.nac_p, self.learned = C.prior_nic, C.prior_nac_p, 0.0

    def evidence(self, r):
        bits = r["bits"]
        if not bits & kernel.JUDGED:
            return kernel.UNKNOWN, 0
        age = (r["time"] - r["position"]) / S
        heard = bool(bits & kernel.HEARD)
        had = r["position"] > 0 and (age < C.memory_s or self.condition == kernel.LOST)
        if had and not heard and self.condition != kernel.UNKNOWN:
            return self.condition, self.reason
        told = [(kernel.UNKNOWN, 0)]
        if had and heard:
            told.append((kernel.OK, 0))
            for value, floor, normal, why, trusted in (
                (r["nic"], C.nic_floor, self.nic, kernel.LOW_NIC, True),
                (r["nac_p"], C.nac_p_floor, self.nac_p, kernel.LOW_NAC_P, self.version_settled(r["time"])),
            ):
                if trusted and value >= 0 and (value <= floor or value < normal - C.drop):
                    told.append((kernel.DEGRADED, why if self.ever_ok else kernel.ALWAYS_POOR))
            if bits & kernel.AIRCRAFT and age > C.silent_s:
                told.append((kernel.LOST, kernel.SILENT))
            if bits & kernel.NO_POSITION:
                told.append((kernel.LOST, kernel.NO_FIX))
            if bits & kernel.MANOEUVRE and self.condition == kernel.OK:
                told.append((kernel.OK, 0))
        if bits & kernel.SATURATED:
            told.append((kernel.INCONSISTENT, kernel.SATURATION))
        if heard and told[-1][0] != kernel.LOST:
            why = self.impossible(r)
            if why:
                told.append((kernel.INCONSISTENT, why))
            if r["contradiction"] and not 0 <= r["nic"] <= C.nic_floor:
                told.append((kernel.INCONSISTENT, r["contradiction"]))
        return told[-1]

    def version_settled(self, now):
        return self.version_at is None or (now - self.version_at) / S > C.version_s

    def impossible(self, r):
        aircraft = r["bits"] & kernel.AIRCRAFT
        if aircraft and 0 <= r["speed"] < C.slow_mps and r["altitude"] > C.slow_above_m and self.fast:
            return kernel.SLOW
        if aircraft and r["wind"] > C.wind_mps_max:
            return kernel.WIND
        told = r["geometric"] > NO_HEIGHT and self.geometric is not None and self.learned >= C.settled_s
        if aircraft and told and abs(r["geometric"] - self.geometric) > C.geometric_m_max:
            return kernel.GEOMETRIC
        if not aircraft and r["speed"] > C.ship_mps_max:
            return kernel.FAST
        if self.good and r["position"] > self.good[0]:
            north = r["latitude"] - self.good[1]
            east = (r["longitude"] - self.good[2]) * math.cos(0.5 * (r["latitude"] + self.good[1]))
            mps = C.reach_mps if aircraft else C.ship_mps_max
            reach = mps * (r["position"] - self.good[0]) / S + C.slack_m
            return kernel.ASTRAY if 6_371_000.0 * math.hypot(north, east) > reach else 0
        return 0

    def hear(self, r):
        if r["version"] >= 0 and r["version"] != self.version:
            self.version_at = r["time"] if self.version is not None else None
            self.version = r["version"]
        seen, why = self.evidence(r)
        if seen == self.condition:
            self.changing, self.reason = None, why
        else:
            if self.changing is None:
                self.changing = r["position"] if why == kernel.SILENT else r["time"]
            needed = C.recover_s if seen == kernel.OK else C.onset_s
            if self.condition == kernel.UNKNOWN or (r["time"] - self.changing) / S >= needed:
                self.condition, self.since, self.reason, self.changing = seen, self.changing, why, None
        dt = 0.0 if self.last is None else min((r["time"] - self.last) / S, C.silent_s)
        self.last = r["time"]
        if self.condition == kernel.OK:
            self.ever_ok, self.reason = True, 0
            if seen == kernel.OK and r["position"] > 0:
                self.good = (r["position"], r["latitude"], r["longitude"])
                if r["learn"]:
                    self.learn(r, dt)
        return self.condition, self.reason, self.since

    def learn(self, r, dt):
        weight = min(dt / C.baseline_s, 1.0)
        self.nic += weight * (r["nic"] - self.nic) if r["nic"] >= 0 else 0.0
        self.nac_p += weight * (r["nac_p"] - self.nac_p) if r["nac_p"] >= 0 else 0.0
        if r["geometric"] > NO_HEIGHT:
            self.geometric = r["geometric"] if self.geometric is None else self.geometric
            self.geometric += weight * (r["geometric"] - self.geometric)
        self.fast |= r["speed"] > C.airliner_mps
        self.learned += dt


def story(seed, n):
    """n rows of one speaker: mostly good, in spells of trouble."""
    rng = np.random.default_rng(seed)
    time, position, rows = T0, 0, []
    place, trouble = np.array([0.8, 0.4]), ""
    for _ in range(n):
        time += int(rng.choice([S, 2 * S, 5 * S, 20 * S]))
        if rng.random() < 0.15:
            trouble = rng.choice(["", "", "nic", "nac", "silent", "none", "slow", "wind", "geometric", "jump", "bank"])
        if trouble not in ("silent", "none"):
            position, place = time, place + rng.normal(0.0, 1e-5, 2) + (0.01 if trouble == "jump" else 0.0)
        bits = kernel.JUDGED * (rng.random() < 0.97) + kernel.HEARD * (rng.random() < 0.9)
        bits += kernel.AIRCRAFT * (seed % 4 > 0) + kernel.SATURATED * (rng.random() < 0.01)
        bits += kernel.NO_POSITION * (trouble == "none") + kernel.MANOEUVRE * (trouble == "bank")
        rows.append(
            {
                "time": time, "bits": bits, "position": position,
                "nic": float(rng.choice([-1, 7, 8])) if trouble not in ("nic", "bank") else float(rng.integers(0, 7)),
                "nac_p": float(rng.choice([-1, 8, 9])) if trouble != "nac" else float(rng.integers(0, 7)),
                "version": float(rng.choice([-1, 2, 2, 2, 2, 0])), "altitude": float(rng.choice([NO_HEIGHT, 11_000.0])),
                "speed": 40.0 if trouble == "slow" else 230.0, "wind": 120.0 if trouble == "wind" else 20.0,
                "geometric": 600.0 if trouble == "geometric" else float(rng.choice([NO_HEIGHT, 30.0])),
                "contradiction": kernel.TWO_PLACES * (rng.random() < 0.03),
                "latitude": place[0], "longitude": place[1], "learn": int(rng.random() < 0.9),
            }
        )  # fmt: skip
    return rows


@given(st.integers(0, 10_000), st.integers(1, 120))
@settings(deadline=None, max_examples=60)
def test_the_loop_says_what_the_rules_say(seed, n):
    rows = story(seed, n)
    names = ("time", "bits", "position", "nic", "nac_p", "version", "altitude", "speed", "wind", "geometric")
    columns = [np.array([r[name] for r in rows]) for name in (*names, "contradiction", "latitude", "longitude")]
    table = Rows(np.zeros(n, np.int64), *columns)
    learn = np.array([r["learn"] for r in rows])
    memory, *found = judge_rows(table, kernel.memory(1, C.prior_nic, C.prior_nac_p), learn, C)
    speaker = Speaker()
    for i, row in enumerate(rows):
        assert tuple(int(c[i]) for c in found) == speaker.hear(row), i
    assert np.isclose(memory.nic_normal[0], speaker.nic)
    # all at once is the same as one by one
    again = kernel.memory(1, C.prior_nic, C.prior_nac_p)
    for i in range(n):
        again, *last = judge_rows(Rows(*(c[i : i + 1] for c in table)), again, learn[i : i + 1], C)
        assert [int(x[0]) for x in last] == [int(c[i]) for c in found]
