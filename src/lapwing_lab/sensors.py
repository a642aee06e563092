"""Sensors of the examiner: what each receives of the truth, as the bytes that it would send."""

import random
from dataclasses import dataclass, field, replace
from math import atan2, degrees, floor, hypot

from lapwing_lab import wire_adsb, wire_ais, wire_modes
from lapwing_lab.failings import FAULTLESS, Failings
from lapwing_lab.geo import Place, horizon_m, sight
from lapwing_lab.jamming import Air, Receiver
from lapwing_lab.reception import Delivery, Equipment, equipment
from lapwing_lab.truth import State, Target

ADSB_PERIODS_S = {"position": 0.5, "velocity": 0.5, "identification": 5.0, "status": 2.5, "all_call": 1.0}
COMM_B_S = 2.0  # a radar asks for each of its two registers in turn
SOUND_MPS = 340.3  # at sea level; 6.5 K less per km up to 11 km


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
    has: Equipment = field(default_factory=Equipment)


@dataclass(frozen=True, slots=True)
class Band:
    """What is on the air besides squitters: `comm_b`: radars ask for registers 5,0 and 6,0; `mixed`: the fleet's mix of
    transponders, with their own faults, over `duration_s`; the wind, towards east and north."""

    comm_b: bool = False
    mixed: bool = False
    duration_s: float = 600.0
    wind_mps: tuple[float, float] = (0.0, 0.0)


QUIET = Band()


class AdsbReceiver:
    """A 1090 MHz receiver: frames of all aircraft within its horizon, with loss, in Beast framing."""

    def __init__(
        self,
        place: Place,
        targets: list[Target],
        air: Air,
        rng: random.Random,
        band: Band = QUIET,
        failings: Failings = FAULTLESS,
    ) -> None:
        self.place, self.air, self.rng, self.band, self.failings = place, air, rng, band, failings
        self.delivery = Delivery(failings, rng)
        periods = ADSB_PERIODS_S | ({"comm_b": COMM_B_S} if band.comm_b else {})
        self.periods = periods
        self.senders = [
            Sender(
                t,
                Receiver(t.gnss_threshold_dbm),
                {k: rng.uniform(0, p) for k, p in periods.items()},
                0,
                rng.gauss(30.0, 30.0),
                rng.uniform(0.0, 6.28),
                equipment(rng, band.duration_s) if band.mixed else Equipment(),
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
            for kind, period in self.periods.items():
                while s.due_s[kind] < until_s:
                    at = s.due_s[kind]
                    s.due_s[kind] += period + self.rng.uniform(-0.1, 0.1) * period
                    now = s.target.path.at(at)
                    frame = self._frame(kind, s, at, now)
                    if frame and self._heard(now.place):
                        clock_s = max(at + self.failings.clock_bias_s, 0.0)
                        out.append((at, wire_adsb.beast(frame, int(clock_s * 12e6))))
        self.last_s = until_s
        for at, data in sorted(out):
            self.delivery.send(at, data)
        return b"".join(data for _, data in self.delivery.arrived(until_s))

    def _heard(self, place: Place) -> bool:
        range_m, _, _ = sight(self.place, place)
        return (
            range_m < min(horizon_m(self.place.height_m + 10.0, place.height_m), 380_000.0) and self.rng.random() < 0.95
        )

    def _frame(self, kind: str, s: Sender, at: float, state: State) -> bytes | None:
        t, q = s.target, s.receiver.quality
        if kind == "all_call":
            return wire_adsb.all_call(t.ident)
        if kind == "comm_b":
            return self._reply(s, at, state)
        told, deceived = self.air.believed(state.place, "adsb", s.phase, at)
        state = replace(state, place=told)
        clean = s.has.nic_at(at, self.rng)
        nic = clean if q > 0.95 else max(0, min(clean, floor(q * 7.0)))
        if kind == "identification":
            me = wire_adsb.identification(t.callsign)
        elif kind == "status":
            if s.has.version == 0:
                return None
            good = min(nic + 1, 10) if nic else 0
            nac_p = good if q > 0.95 else max(0, min(good, floor(q * 8.0)))
            sil = 3 if q > 0.0 and clean else 0
            me = wire_adsb.operational_status(nac_p, int(nic in (9, 3)), sil, version=s.has.version)
        elif kind == "velocity":
            if q == 0.0 or clean == 0:
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

    def _reply(self, s: Sender, at: float, state: State) -> bytes:
        """What a radar hears of air data and inertia: true motion through the air, whatever GNSS says."""
        east, north = state.ve - self.band.wind_mps[0], state.vn - self.band.wind_mps[1]
        air, baro = hypot(east, north), state.place.height_m - s.geo_minus_baro_m
        if int(at / COMM_B_S) % 2:
            before = s.target.path.at(at - 1.0)
            turn = _wrapped(atan2(state.ve, state.vn) - atan2(before.ve, before.vn))
            ground, track = hypot(state.ve, state.vn), degrees(atan2(state.ve, state.vn))
            mb = wire_modes.track_and_turn(atan2(turn * ground, 9.81), track, ground, turn, air)
        else:
            warmth = max(1.0 - 0.0065 * min(max(baro, 0.0), 11_000.0) / 288.15, 0.7)  # standard atmosphere
            pressed = air * warmth ** (4.2559 / 2.0)  # indicated, without compressibility
            mach = air / (SOUND_MPS * warmth**0.5)
            mb = wire_modes.heading_and_speed(degrees(atan2(east, north)), pressed, mach, state.vu)
        return wire_modes.reply(s.target.ident, baro, mb)


def _wrapped(angle_rad: float) -> float:
    return (angle_rad + 3.141592653589793) % 6.283185307179586 - 3.141592653589793


def _east(a: Place, b: Place) -> float:
    return max(min((b.lon_deg - a.lon_deg) * 88_000.0, 400.0), -400.0)


def _north(a: Place, b: Place) -> float:
    return max(min((b.lat_deg - a.lat_deg) * 111_000.0, 400.0), -400.0)


class AisReceiver:
    """A shore station: class A ships within its horizon, as AIVDM sentences."""

    def __init__(
        self,
        place: Place,
        targets: list[Target],
        air: Air,
        rng: random.Random,
        failings: Failings = FAULTLESS,
    ) -> None:
        self.place, self.air, self.rng, self.failings = place, air, rng, failings
        self.delivery = Delivery(failings, rng)
        self.ships = [(t, Receiver(t.gnss_threshold_dbm)) for t in targets]
        self.due = {t.name: (rng.uniform(0, 6.0), rng.uniform(0, 20.0)) for t in targets}
        self.last_s, self.sequence = 0.0, 0

    def between(self, until_s: float, utc_s: float) -> bytes:
        """Everything received since the last call."""
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
                said = self._report(t, replace(state, place=told), quality, utc_s)
                self.delivery.send(until_s, wire_ais.sentences(said, 0))
            if static_s < until_s:
                static_s = until_s + 60.0
                self.sequence += 1
                self.delivery.send(until_s, wire_ais.sentences(wire_ais.static(t.ident, t.callsign), self.sequence))
            self.due[t.name] = (report_s, static_s)
        self.last_s = until_s
        return b"".join(data for _, data in self.delivery.arrived(until_s))

    def _report(self, t: Target, state: State, quality: float, utc_s: float) -> wire_ais.Bits:
        speed, course = wire_adsb.course(state.ve, state.vn)
        if quality == 0.0:
            return wire_ais.report(t.ident, None, None, 0.0, course, 63)
        lat = state.place.lat_deg + self.rng.gauss(0, 5.0) / 111_000.0
        lon = state.place.lon_deg + self.rng.gauss(0, 5.0) / 90_000.0
        return wire_ais.report(t.ident, lat, lon, speed, course, int(utc_s % 60.0))
