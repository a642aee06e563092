"""Alerts of SAPIENT nodes (BSI Flex 335): what one says, and how many may stand. Pure.

A node's alert is its word, not our judgement: it is shown as such, never more urgent than the site allows. Of one node
at most ALERTS_MAX are taken; one that it took back counts for AGAIN_S longer, so that a flood of new numbers is no
flood of alarms. One that is not repeated for ALERT_LAPSE_S no longer counts. Refuses alerts without a sane alert_id.
"""

from collections.abc import Iterable
from hashlib import blake2b

from sapient_msg.bsi_flex_335_v2_0.alert_pb2 import Alert

from lapwing.records import Priority
from lapwing.records.alarms import ALERT_LAPSE_S

ALERTS_MAX = 8
AGAIN_S = 600.0
ID_CHARS_MAX, TEXT_CHARS_MAX = 64, 160
NUMBER_BITS = 48  # JSON's numbers are exact up to 53
OVER = (Alert.ALERT_STATUS_REJECT, Alert.ALERT_STATUS_IGNORE, Alert.ALERT_STATUS_CLEAR)
URGENCY = {Alert.DISCRETE_PRIORITY_HIGH: Priority.HIGH, Alert.DISCRETE_PRIORITY_MEDIUM: Priority.MEDIUM}
FEED_ALERTS_MAX = 32  # that stand, of all nodes of one feed
TOO_MANY_IN_ALL = f"more than {FEED_ALERTS_MAX} alerts of all nodes"
TOO_MANY = f"more than {ALERTS_MAX} alerts of one node"
NO_ID = "alert_id is mandatory"
Taken = tuple[tuple[str, int, bool], ...]  # alert_id, when told last, whether it stands


def alert_number(node_id: str, alert_id: str) -> int:
    """A number for one alert of one node: the same on every machine, of different ones practically never equal."""
    return int.from_bytes(blake2b(f"{node_id} {alert_id}".encode(), digest_size=NUMBER_BITS // 8).digest(), "big")


def stands(told: Alert) -> bool:
    """Whether the node says that it is still so."""
    return told.status not in OVER


def refusal(told: Alert) -> str:
    """Why an alert cannot be heeded, "" = it can."""
    return "" if 0 < len(told.alert_id) <= ID_CHARS_MAX else NO_ID


def taken(before: Taken, told: Alert, at_ns: int) -> Taken | None:
    """The alerts of a node with one more word about one of them; None: it has too many."""
    kept = {
        name: (when, still)
        for name, when, still in before
        if at_ns - when < (ALERT_LAPSE_S if still else AGAIN_S) * 1e9
    }
    if told.alert_id in kept or stands(told):
        if told.alert_id not in kept and len(kept) >= ALERTS_MAX:
            return None
        kept[told.alert_id] = (at_ns, stands(told))
    return tuple((name, when, still) for name, (when, still) in kept.items())


def standing(of: Iterable[Taken], at_ns: int) -> int:
    """How many alerts of some nodes stand."""
    return sum(still and at_ns - when < ALERT_LAPSE_S * 1e9 for told in of for _, when, still in told)


def urgency(told: Alert, most: Priority) -> Priority:
    """What the node says, as far as the site allows it."""
    return max(URGENCY.get(told.priority, Priority.LOW), most)


def words(told: Alert) -> str:
    """Its kind and description, printable."""
    known = told.alert_type in Alert.AlertType.values() and told.alert_type != Alert.ALERT_TYPE_UNSPECIFIED
    kind = Alert.AlertType.Name(told.alert_type).removeprefix("ALERT_TYPE_").lower().replace("_", " ") if known else ""
    said = "".join(c if c.isprintable() else " " for c in told.description[:TEXT_CHARS_MAX]).strip()
    return ": ".join(part for part in (kind, said) if part) or "no description"
