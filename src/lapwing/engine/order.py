"""Scans in order: what comes is shown at once, and a late scan is put in its place by replay from a snapshot.

The belief is always the fold over the scans received so far, sorted by time: whatever the order of arrival inside the
window, the last bit is the same. What is older than the window, or from the future, is a counted fault; a scan a little
ahead of our clock waits for its time. `take` is the science's own step; this module knows nothing of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lapwing.records import Detections, Fault

Take = Callable[[Any, Detections], Any]


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """`window_s`: how late a scan may come. `snapshot_s`: least time between snapshots, which is what a replay repeats
    at most. `ahead_s_max`: how far a sensor's clock may run ahead. `scans_max`: kept for replay, the window shrinks."""

    window_s: float = 10.0
    snapshot_s: float = 1.0
    ahead_s_max: float = 2.0
    scans_max: int = 256


@dataclass(frozen=True, slots=True)
class Window:
    """The belief before the window, the scans of the window in order, and the belief after some of them."""

    base: Any
    scans: tuple[Detections, ...] = ()
    snapshots: tuple[tuple[int, Any], ...] = ()  # (scans taken, belief); the last one has taken all
    waiting: tuple[Detections, ...] = ()  # ahead of our clock
    base_ns: int = -1  # end of the last scan in `base`
    replayed: int = 0  # scans taken a second time, since the start

    @property
    def now(self) -> Any:
        """The belief after all scans."""
        return self.snapshots[-1][1] if self.snapshots else self.base


def order(
    window: Window, scans: tuple[Detections, ...], now_ns: int, settings: OrderSettings, take: Take
) -> tuple[Window, int, dict[str, list[Fault]]]:
    """The window with these scans in their places, how many scans were taken, and faults per sensor."""
    faults: dict[str, list[Fault]] = {}
    ready: list[Detections] = []
    waiting: list[Detections] = []
    for scan in (*window.waiting, *scans):
        reason = _refusal(scan, window, now_ns, settings)
        if reason:
            seq = int(scan.frame_seq[0]) if len(scan) else -1
            faults.setdefault(scan.sensor, []).append(Fault(reason, 1, seq, b""))
        else:
            (ready if scan.scan_ns <= now_ns else waiting).append(scan)
    waiting.sort(key=_place)
    ready, waiting = ready + waiting[settings.scans_max :], waiting[: settings.scans_max]
    inserted, taken = _inserted(window, ready, settings, take)
    kept = _settled(inserted, now_ns - round(settings.window_s * 1e9), settings)
    return Window(kept.base, kept.scans, kept.snapshots, tuple(waiting), kept.base_ns, kept.replayed), taken, faults


def _place(scan: Detections) -> tuple[int, str, str, bytes, bytes]:
    """Where a scan stands among others: by time, sensor, space; the same three twice, by what they say."""
    return scan.scan_ns, scan.sensor, scan.space.name, scan.time_ns.tobytes(), scan.z.tobytes()


def _inserted(window: Window, ready: list[Detections], settings: OrderSettings, take: Take) -> tuple[Window, int]:
    """All scans in order, and the beliefs from the first new one on made again."""
    if not ready:
        return window, 0
    scans = sorted([*window.scans, *ready], key=_place)
    first = next(
        (i for i, (a, b) in enumerate(zip(scans, window.scans, strict=False)) if a is not b), len(window.scans)
    )
    snapshots = [s for s in window.snapshots if s[0] <= first]
    count, belief = snapshots[-1] if snapshots else (0, window.base)
    since_ns = scans[count - 1].scan_ns if count else window.base_ns
    taken = len(scans) - count
    for i in range(count, len(scans)):
        if scans[i].scan_ns - since_ns >= settings.snapshot_s * 1e9 and i > count:
            snapshots.append((i, belief))
            count, since_ns = i, scans[i].scan_ns
        belief = take(belief, scans[i])
    snapshots = [s for k, s in enumerate(snapshots) if k == 0 or _apart(scans, snapshots[k - 1][0], s[0], settings)]
    snapshots.append((len(scans), belief))
    again = window.replayed + taken - len(ready)
    return Window(window.base, tuple(scans), tuple(snapshots), (), window.base_ns, again), taken


def _apart(scans: list[Detections], a: int, b: int, settings: OrderSettings) -> bool:
    """Whether two snapshots are far enough from each other for both to be kept."""
    return scans[b - 1].scan_ns - scans[a - 1].scan_ns >= settings.snapshot_s * 1e9


def _settled(window: Window, edge_ns: int, settings: OrderSettings) -> Window:
    """The window without what is older than its edge, as far as there is a snapshot to begin from."""
    old = sum(scan.scan_ns < edge_ns for scan in window.scans)
    over = len(window.scans) - settings.scans_max
    fit = [s for s in window.snapshots if s[0] <= old]
    if over > 0 and (not fit or fit[-1][0] < over):
        fit = [next(s for s in window.snapshots if s[0] >= over)]
    if not fit:
        return window
    n, belief = fit[-1]
    rest = tuple((count - n, b) for count, b in window.snapshots if count > n)
    base_ns = window.scans[n - 1].scan_ns if n else window.base_ns
    return Window(belief, window.scans[n:], rest, (), base_ns, window.replayed)


def _refusal(scan: Detections, window: Window, now_ns: int, settings: OrderSettings) -> str:
    if scan.scan_ns < now_ns - settings.window_s * 1e9 or scan.scan_ns <= window.base_ns:
        return "scan came too late: its time had already settled (sensor clock behind, or slow delivery)"
    if scan.scan_ns > now_ns + settings.ahead_s_max * 1e9:
        return "scan is dated in the future (sensor clock ahead)"
    return ""


def thinned(window: Window) -> Window:
    """The window without the beliefs that the scans after `base` give again: what a checkpoint keeps. With ten
    thousand tracks that is a tenth of it."""
    counts = tuple((count, None) for count, _ in window.snapshots)
    return Window(window.base, window.scans, counts, window.waiting, window.base_ns, window.replayed)


def refolded(window: Window, take: Take) -> Window:
    """The window that was `thinned`, whole again, to the last bit: its beliefs are the fold over its scans."""
    if all(belief is not None for _, belief in window.snapshots):
        return window
    belief, done, snapshots = window.base, 0, []
    for count, _ in window.snapshots:
        for scan in window.scans[done:count]:
            belief = take(belief, scan)
        done = count
        snapshots.append((count, belief))
    return Window(window.base, window.scans, tuple(snapshots), window.waiting, window.base_ns, window.replayed)
