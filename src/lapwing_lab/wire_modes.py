"""Mode S replies with content (DF20 with Comm-B registers 5,0 and 6,0), as radars ask them from aircraft: airspeed,
heading and roll come from air data and inertia, not from GNSS, and so contradict a deceived receiver.

Register layouts: ICAO Doc 9871, tables A-2-80 and A-2-96, as summarised in the reference notes; one status bit before
each value, values in two's complement.
"""

from math import degrees

from lapwing_lab.wire_adsb import parity

KNOT_MPS = 0.514444
FOOT_M = 0.3048


def _field(value: float, step: float, width: int) -> int:
    """Status bit and a number of `width` bits (sign included)."""
    limit = 1 << (width - 1)
    number = max(-limit, min(limit - 1, round(value / step)))
    return 1 << width | number & ((1 << width) - 1)


def _plain(value: float, step: float, width: int) -> int:
    """Status bit and an unsigned number."""
    return 1 << width | max(0, min((1 << width) - 1, round(value / step)))


def _turned(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


def track_and_turn(roll_rad: float, track_deg: float, ground_mps: float, turn_radps: float, true_air_mps: float) -> int:
    """Register 5,0."""
    mb = _field(degrees(roll_rad), 45.0 / 256.0, 10) << 45
    mb |= _field(_turned(track_deg), 90.0 / 512.0, 11) << 33
    mb |= _plain(ground_mps / KNOT_MPS, 2.0, 10) << 22
    mb |= _field(degrees(turn_radps), 8.0 / 256.0, 10) << 11
    return mb | _plain(true_air_mps / KNOT_MPS, 2.0, 10)


def heading_and_speed(heading_deg: float, indicated_mps: float, mach: float, climb_mps: float) -> int:
    """Register 6,0. The heading is magnetic; here the needle points true north."""
    rate = climb_mps / FOOT_M * 60.0
    mb = _field(_turned(heading_deg), 90.0 / 512.0, 11) << 44
    mb |= _plain(indicated_mps / KNOT_MPS, 1.0, 10) << 33
    mb |= _plain(mach, 2.048 / 512.0, 10) << 22
    mb |= _field(rate, 32.0, 10) << 11
    return mb | _field(rate, 32.0, 10)


def altitude_13(altitude_m: float) -> int:
    """Thirteen bits in steps of 25 feet: the metric bit 0, the 25-foot bit 1."""
    n = max(0, min(2047, round((altitude_m / FOOT_M + 1000.0) / 25.0)))
    return n >> 5 << 7 | (n >> 4 & 1) << 5 | 1 << 4 | n & 15


def reply(icao: int, altitude_m: float, mb: int) -> bytes:
    """A DF20 frame: the address lies over the parity."""
    body = 20 << 107 | altitude_13(altitude_m) << 80 | mb << 24
    return (body | parity(body, 112) ^ icao).to_bytes(14, "big")
