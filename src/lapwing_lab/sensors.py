"""Sensors of the examiner: what each receives of the truth, as the bytes that it would send."""

import random
from dataclasses import dataclass, replace
from math import floor

from lapwing_lab import wire_adsb, wire_ais
from lapwing_lab.geo import Place, horizon_m, sight
from lapwing_lab.jamming import Air, Receiver
from lapwing_lab.truth import State, Target

ADSB_PERIODS_S = {"position": 0.5, "velocity": 0.5, "identification": 5.0, "status": 2.5, "all_call": 1.0}


def alive(target: Target, t_s: float) -> bool:
    """Whether a target is there at all; paths that are formulas have no end."""
    begin, end = getattr(target.path, "begin_s", 0.0), getattr(target.path, "end_s", t_s)
    return bool(begin <= t_s <= end)


@dataclass
class Sender:
    """One target's transponder: when it sends what next."""

    target: Target
    receiver: Receiver
    due_s: dict[str, float]
    odd: int = 0
    geo_minus_baro_m: float = 0.0
    phase: float = 0.0  # on the circle of a spoofer


class AdsbReceiver:
    """A 1090 MHz receiver: frames of all aircraft within its horizon, with loss, in Beast framing."""

    def __init__(self, place: Place, targets: list[Target], air: Air, rng: random.Random) -> None:
        self.place, self.air, self.rng = place, air, rng
        self.senders = [
            Sender(
                t,
                Receiver(t.gnss_threshold_dbm),
                {k: rng.uniform(0, p) for k, p in ADSB_PERIODS_S.items()},
                0,
                rng.gauss(30.0, 30.0),
                rng.uniform(0.0, 6.28),
            )
            for t in targets
        ]
        self.last_s = 0.0

    def between(self, until_s: float) -> bytes:
        """Everything received since the last call, in order of time."""
        out: list[tuple[float, bytes]] = []
        for s in self.senders:
            state = s.target.path.at(until_s)
            s.receiver.feel(self.air.power_dbm(state.place, until_s), until_s - self.last_s)
            if not alive(s.target, until_s):
                continue
            for kind, period in ADSB_PERIODS_S.items():
                while s.due_s[kind] < until_s:
                    at = s.due_s[kind]
                    s.due_s[kind] += period + self.rng.uniform(-0.1, 0.1) * period
                    now = s.target.path.at(at)
                    frame = self._frame(kind, s, at, now)
                    if frame and self._heard(now.place):
                        out.append((at, wire_adsb.beast(frame, int(at * 12e6))))
        self.last_s = until_s
        return b"".join(data for _, data in sorted(out))

    def _heard(self, place: Place) -> bool:
        range_m, _, _ = sight(self.place, place)
        return (
            range_m < min(horizon_m(self.place.height_m + 10.0, place.height_m), 380_000.0) and self.rng.random() < 0.95
        )

    def _frame(self, kind: str, s: Sender, at: float, state: State) -> bytes | None:
        t, q = s.target, s.receiver.quality
        told, deceived = self.air.believed(state.place, "adsb", s.phase, at)
        state = replace(state, place=told)
        nic = 8 if q > 0.95 else max(0, floor(q * 7.0))
        if kind == "all_call":
            return wire_adsb.all_call(t.ident)
        if kind == "identification":
            me = wire_adsb.identification(t.callsign)
        elif kind == "status":
            me = wire_adsb.operational_status(9 if q > 0.95 else max(0, floor(q * 8.0)), 0, 3 if q > 0.0 else 0)
        elif kind == "velocity":
            if q == 0.0:
                return None
            if deceived:
                before, _ = self.air.believed(t.path.at(at - 1.0).place, "adsb", s.phase, at - 1.0)
                state = replace(state, ve=_east(before, told), vn=_north(before, told))
            me = wire_adsb.velocity(
                state.ve, state.vn, state.vu, 2 if q > 0.5 else 1, s.geo_minus_baro_m - 960.0 * deceived
            )
        else:
            s.odd ^= 1
            # A good receiver errs by metres; a jammed one by more before it gives up.
            sigma = 4.0 + 40.0 * (1.0 - q)
            lat = state.place.lat_deg + self.rng.gauss(0, sigma) / 111_000.0
            lon = state.place.lon_deg + self.rng.gauss(0, sigma) / 90_000.0
            me = wire_adsb.position(lat, lon, state.place.height_m - s.geo_minus_baro_m, s.odd, nic)
        return wire_adsb.squitter(t.ident, me)


def _east(a: Place, b: Place) -> float:
    return max(min((b.lon_deg - a.lon_deg) * 88_000.0, 400.0), -400.0)


def _north(a: Place, b: Place) -> float:
    return max(min((b.lat_deg - a.lat_deg) * 111_000.0, 400.0), -400.0)


class AisReceiver:
    """A shore station: class A ships within its horizon, as AIVDM sentences."""

    def __init__(self, place: Place, targets: list[Target], air: Air, rng: random.Random) -> None:
        self.place, self.air, self.rng = place, air, rng
        self.ships = [(t, Receiver(t.gnss_threshold_dbm)) for t in targets]
        self.due = {t.name: (rng.uniform(0, 6.0), rng.uniform(0, 20.0)) for t in targets}
        self.last_s, self.sequence = 0.0, 0

    def between(self, until_s: float, utc_s: float) -> bytes:
        """Everything received since the last call."""
        out = b""
        for t, receiver in self.ships:
            report_s, static_s = self.due[t.name]
            state = t.path.at(until_s)
            mast = Place(state.place.lat_deg, state.place.lon_deg, 20.0)
            quality = receiver.feel(self.air.power_dbm(mast, until_s), until_s - self.last_s)
            if sight(self.place, mast)[0] > 1.15 * horizon_m(self.place.height_m, 20.0):
                continue
            if report_s < until_s:
                report_s = until_s + self.rng.uniform(4.0, 8.0)
                told, _ = self.air.believed(mast, "ais", float(t.ident % 63) / 10.0, until_s)
                out += wire_ais.sentences(self._report(t, replace(state, place=told), quality, utc_s), 0)
            if static_s < until_s:
                static_s = until_s + 60.0
                self.sequence += 1
                out += wire_ais.sentences(wire_ais.static(t.ident, t.callsign), self.sequence)
            self.due[t.name] = (report_s, static_s)
        self.last_s = until_s
        return out

    def _report(self, t: Target, state: State, quality: float, utc_s: float) -> wire_ais.Bits:
        speed, course = wire_adsb.course(state.ve, state.vn)
        if quality == 0.0:
            return wire_ais.report(t.ident, None, None, 0.0, course, 63)
        lat = state.place.lat_deg + self.rng.gauss(0, 5.0) / 111_000.0
        lon = state.place.lon_deg + self.rng.gauss(0, 5.0) / 90_000.0
        return wire_ais.report(t.ident, lat, lon, speed, course, int(utc_s % 60.0))
