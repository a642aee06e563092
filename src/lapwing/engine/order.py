"""Scans in order: a fixed-lag buffer. What comes later than the lag, or from the future, is a counted fault."""

from dataclasses import dataclass

from lapwing.records import Detections, Fault


@dataclass(frozen=True, slots=True)
class Held:
    """Scans that wait for their turn, and the time up to which scans were released."""

    scans: tuple[Detections, ...] = ()
    released_ns: int = 0


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """`lag_s`: how long a scan waits for earlier ones. `ahead_s_max`: how far a sensor's clock may run ahead."""

    lag_s: float = 0.3
    ahead_s_max: float = 2.0
    held_max: int = 256


def order(
    held: Held, scans: tuple[Detections, ...], now_ns: int, settings: OrderSettings
) -> tuple[Held, list[Detections], dict[str, list[Fault]]]:
    """What still waits, the scans whose turn has come (sorted by time, then sensor), and faults per sensor."""
    faults: dict[str, list[Fault]] = {}
    waiting = list(held.scans)
    for scan in scans:
        reason = _refusal(scan, held.released_ns, now_ns, settings)
        if reason:
            seq = int(scan.frame_seq[0]) if len(scan) else -1
            faults.setdefault(scan.sensor, []).append(Fault(reason, 1, seq, b""))
        else:
            waiting.append(scan)
    waiting.sort(key=lambda s: (s.scan_ns, s.sensor, s.space.name))
    due_ns = now_ns - int(settings.lag_s * 1e9)
    n = sum(scan.scan_ns <= due_ns for scan in waiting)
    n = max(n, len(waiting) - settings.held_max)
    due, rest = waiting[:n], waiting[n:]
    released_ns = max([held.released_ns, *(scan.scan_ns for scan in due)])
    return Held(tuple(rest), released_ns), due, faults


def _refusal(scan: Detections, released_ns: int, now_ns: int, settings: OrderSettings) -> str:
    if scan.scan_ns < released_ns:
        return "scan came too late: its time was already passed (sensor clock behind, or slow delivery)"
    if scan.scan_ns > now_ns + settings.ahead_s_max * 1e9:
        return "scan is dated in the future (sensor clock ahead)"
    return ""
