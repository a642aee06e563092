"""ASTERIX as a radar head sends it: CAT048 target reports and CAT034 north and sector messages.

Item layouts: EUROCONTROL-SPEC-0149-4 (CAT048) and -2b (CAT034) as summarised in the reference notes.
"""

from dataclasses import dataclass
from math import degrees, log10

from lapwing_lab.files import Scan

NM_M = 1852.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Plot:
    """One radar plot: slant range, azimuth, time of day, and what a secondary radar adds (0 and None: nothing)."""

    range_m: float
    azimuth_deg: float
    time_of_day_s: float
    icao: int = 0
    flight_level: float | None = None
    echo_dbm: float | None = None  # amplitude of the primary echo


def block(category: int, records: list[bytes]) -> bytes:
    """A data block."""
    body = b"".join(records)
    return bytes([category]) + (len(body) + 3).to_bytes(2, "big") + body


def fspec(items: set[int]) -> bytes:
    """The field specification of the given field reference numbers."""
    octets = []
    for first in range(1, max(items) + 1, 7):
        octets.append(sum(1 << (7 - k) for k in range(7) if first + k in items))
    return bytes(o | (1 if i < len(octets) - 1 else 0) for i, o in enumerate(octets))


def clock(seconds: float) -> bytes:
    """Time of day in 1/128 s."""
    return (round(seconds * 128.0) % (86_400 * 128)).to_bytes(3, "big")


def plot048(sac: int, sic: int, plot: Plot) -> bytes:
    """One CAT048 record: 010, 140, 020, 040; of a secondary plot 090 and 220; of 130 the primary amplitude."""
    items, out = {1, 2, 3, 4}, bytes([sac, sic]) + clock(plot.time_of_day_s)
    kind = 5 if plot.icao else 1  # single Mode S all-call, or single primary
    out += bytes([kind << 5])
    rho = round(plot.range_m / NM_M * 256.0)
    theta = round(plot.azimuth_deg / 360.0 * 65_536.0) % 65_536
    out += rho.to_bytes(2, "big") + theta.to_bytes(2, "big")
    if plot.flight_level is not None:
        items.add(6)
        out += (round(plot.flight_level * 4.0) & 0x3FFF).to_bytes(2, "big")
    if plot.echo_dbm is not None:
        items.add(7)
        out += bytes([0x08]) + max(-128, min(127, round(plot.echo_dbm))).to_bytes(1, "big", signed=True)
    if plot.icao:
        items.add(8)
        out += plot.icao.to_bytes(3, "big")
    return fspec(items) + out


def service034(sac: int, sic: int, kind: int, time_of_day_s: float, sector_deg: float | None, period_s: float) -> bytes:
    """One CAT034 record: north marker (kind 1) or sector crossing (kind 2), with the rotation period."""
    items, out = {1, 2, 3}, bytes([sac, sic, kind]) + clock(time_of_day_s)
    if sector_deg is not None:
        items.add(4)
        out += bytes([round(sector_deg / 360.0 * 256.0) % 256])
    items.add(5)
    out += round(period_s * 128.0).to_bytes(2, "big")
    return fspec(items) + out


def rotation(scan: Scan, sac: int, sic: int, period_s: float, echo: tuple[float, float] = (0.0, 0.0)) -> list[bytes]:
    """Datagrams of one rotation: its plots, then the north marker that ends it. Range, azimuth, amplitude; `echo` is
    that of one square metre at 10 km and that of the threshold, dBm."""
    r, a = scan.space.index("range_m"), scan.space.index("azimuth_rad")
    said = [None] * len(scan.z) if scan.rcs_dbsm is None else scan.rcs_dbsm.tolist()
    plots = [
        Plot(
            float(z[r]),
            degrees(float(z[a])) % 360.0,
            (int(t) * 1e-9) % DAY_S,
            echo_dbm=_echo(echo, float(z[r]), rcs),
        )
        for z, t, rcs in zip(scan.z, scan.time_ns, said, strict=True)
    ]
    records = [plot048(sac, sic, p) for p in plots]
    out = [block(48, records[i : i + 20]) for i in range(0, len(records), 20)]
    north = service034(sac, sic, 1, (scan.scan_ns * 1e-9) % DAY_S, None, period_s)
    return [*out, block(34, [north])]


def _echo(echo: tuple[float, float], range_m: float, rcs_dbsm: float | None) -> float | None:
    """The amplitude of an echo by the radar equation, over the threshold."""
    if rcs_dbsm is None:
        return None
    over_dbm = rcs_dbsm + echo[0] - 40.0 * log10(max(range_m, 1.0) / 10_000.0)
    return 10.0 * log10(10.0 ** (0.1 * over_dbm) + 10.0 ** (0.1 * echo[1]))
