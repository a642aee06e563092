"""Alerts of sensors' nodes that stand: what each said last, until it says that it is over or falls silent. Pure.

Bounded: ALERTS_MAX in all, the newest of too many are left out, so that no crowd of nodes can push out what stands.
"""

from collections.abc import Iterable

from lapwing.records import Decoded, NodeAlert
from lapwing.records.alarms import ALERT_LAPSE_S

ALERTS_MAX = 64


def standing(before: tuple[NodeAlert, ...], decoded: Iterable[Decoded], to_ns: int) -> tuple[NodeAlert, ...]:
    """The alerts that stand at `to_ns`, in the order in which they were first told."""
    kept = {a.number: a for a in before}
    for one in (a for d in decoded for a in d.alerts):
        if not one.active:
            kept.pop(one.number, None)
        elif one.number in kept or len(kept) < ALERTS_MAX:
            kept[one.number] = one
    return tuple(a for a in kept.values() if to_ns - a.time_ns < ALERT_LAPSE_S * 1e9)
