"""What a SAPIENT node says that its target is, in our kinds. Pure. Axis: c kinds, in the order of Kind.

Read conservatively: a type that stands for several of our kinds is shared among them alike; what is not in the
taxonomy (BSI Flex 335 v2.0, Table 96, as in the reference notes), or is left open, says nothing. Refuses to read
behaviour, nationality, use (commercial, military) and intent.
"""

import math
from collections.abc import Sequence

from sapient_msg.bsi_flex_335_v2_0.detection_report_pb2 import DetectionReport

from lapwing.records import UNSAID, Kind

MANY = 32  # types, and sub-classes of each, that are looked at
DRONES = (Kind.MULTIROTOR, Kind.FIXED_WING_DRONE)
FLYING = (*DRONES, Kind.AIRCRAFT, Kind.HELICOPTER)
OTHER = (Kind.UNKNOWN,)
# type -> what it may be; type, sub-class -> what that may be. In lower case; what is not here says nothing.
TYPES: dict[str, tuple[Kind, ...]] = {
    "air vehicle": FLYING,
    "animal": (Kind.BIRD, Kind.UNKNOWN),
    "sea vessel": (Kind.SHIP,),
    "land vehicle": (Kind.GROUND,),
    "human": (Kind.GROUND, Kind.UNKNOWN),
    "fixed object": OTHER,
    "other": OTHER,
}
SUB_CLASSES: dict[tuple[str, str], tuple[Kind, ...]] = {
    ("air vehicle", "uav rotary wing"): (Kind.MULTIROTOR,),
    ("air vehicle", "uav fixed wing"): (Kind.FIXED_WING_DRONE,),
    ("air vehicle", "manned rotary wing"): (Kind.HELICOPTER,),
    ("air vehicle", "manned fixed wing"): (Kind.AIRCRAFT,),
    ("animal", "bird"): (Kind.BIRD,),
    ("em transmitter", "uav transmitter"): DRONES,
}


def kinds_of(told: Sequence[DetectionReport.DetectionReportClassification]) -> tuple[float, ...] | None:
    """The probability that the node gives to each kind; what is missing to 1 was left open, UNSAID = it said nothing.
    None where a confidence is not from 0 to 1. A type without a confidence is meant for sure when it stands alone,
    and says nothing beside others."""
    shares = [0.0] * len(Kind)
    some, alone = list(told[:MANY]), len(told) == 1
    for one in some:
        p = _probability(one, alone=alone)
        subs = [(s, _probability(s, alone=len(one.sub_class) == 1)) for s in one.sub_class[:MANY]]
        if p is None or any(q is None for _, q in subs):
            return None
        inside = [(_key(s.type), q or 0.0) for s, q in subs]
        total = sum(q for _, q in inside)
        if total > p + 1e-3 or (subs and not any(s.HasField("confidence") for s, _ in subs)):
            inside = [(name, p * q / max(total, 1.0)) for name, q in inside]  # conditional on the type
        rest = p
        for name, q in inside:
            meant = SUB_CLASSES.get((_key(one.type), name))
            if meant:
                _share(shares, meant, q)
                rest -= q
        _share(shares, TYPES.get(_key(one.type), ()), max(rest, 0.0))
    total = sum(shares)
    if total <= 0.0:
        return UNSAID
    return tuple(s / max(total, 1.0) for s in shares)


def _key(name: str) -> str:
    return " ".join(name[:64].lower().split())


def _probability(
    told: DetectionReport.DetectionReportClassification | DetectionReport.SubClass, *, alone: bool
) -> float | None:
    if not told.HasField("confidence"):
        return 1.0 if alone else 0.0
    p = float(told.confidence)
    return p if math.isfinite(p) and 0.0 <= p <= 1.0 else None


def _share(shares: list[float], meant: tuple[Kind, ...], p: float) -> None:
    for kind in meant:
        shares[kind] += p / len(meant)
