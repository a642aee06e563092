"""What a SAPIENT node says of its target beside place and kind (`object_info`): radar cross section and micro-Doppler.

The standard leaves the types of `object_info` to the node; these names are ours, in any case, with blanks, hyphens or
underscores: `rcs` (dBsm), `blades` (0 to 1, or yes, no), `micro doppler` (spread in m/s). Other types say nothing.
"""

import math
from collections.abc import Sequence

from sapient_msg.bsi_flex_335_v2_0.detection_report_pb2 import DetectionReport

from lapwing.records import MICRO_UNSAID, RCS_UNSAID

MANY = 32
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
LIMITS = {"rcs": (-100.0, 100.0), "blades": (0.0, 1.0), "micro doppler": (0.0, 1_000.0)}
NAMES = tuple(LIMITS)
NOTHING = (RCS_UNSAID, MICRO_UNSAID, MICRO_UNSAID)
Said = tuple[float, float, float]  # in the order of NAMES


def said_of(told: Sequence[DetectionReport.TrackObjectInfo]) -> tuple[Said, bool]:
    """What is said, NOTHING where it is not; and whether all of what was said under our names could be read."""
    out, good = list(NOTHING), True
    for one in told[:MANY]:
        name = " ".join(one.type.lower().replace("-", " ").replace("_", " ").split())
        if name not in NAMES:
            continue
        number = _number(one.value)
        low, high = LIMITS[name]
        if number is not None and low <= number <= high:
            out[NAMES.index(name)] = number
        else:
            good = False
    return (out[0], out[1], out[2]), good


def _number(text: str) -> float | None:
    word = text.strip().lower()
    if word in WORDS:
        return WORDS[word]
    try:
        number = float(word[:32])
    except ValueError:
        return None
    return number if math.isfinite(number) else None
