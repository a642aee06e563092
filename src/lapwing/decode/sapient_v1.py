"""BSI Flex 335 v1.0 beside v2.0: what differs on the wire between them, for nodes that speak the older one. Pure.

Everything that matters of registrations, status, detection and alert messages has the same fields in both. The reasons
in acknowledgements, and the text of an Error, moved to other fields; a v1.0 node would not see ours, nor we its. Fields
from the two public schemas. Version 7 and the XML of version 6 are not spoken.
"""

from google.protobuf.unknown_fields import UnknownFieldSet
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.task_ack_pb2 import TaskAck

LENGTH_DELIMITED = 2
REASON = {"registration_ack": 2, "alert_ack": 3, "error": 2}  # v1.0's field of the reason or text
ALERT_STATUS = 2
TASK_REASON = 3
TEXT_MAX = 1_000


def is_v1(icd_version: str) -> bool:
    """Whether a registration's icd_version is of v1.0, however it is spelt."""
    return "335" in icd_version and "1.0" in icd_version.rsplit("335", 1)[1]


def to_v1(message: SapientMessage) -> SapientMessage:
    """One of our answers with what a v1.0 node looks for, and without what it does not know."""
    kind = str(message.WhichOneof("content"))
    if kind not in REASON:
        return message
    out = SapientMessage()
    out.CopyFrom(message)
    told = getattr(out, kind)
    old = b""
    if kind == "alert_ack":
        old += bytes((ALERT_STATUS << 3, told.alert_ack_status))
        told.ClearField("alert_ack_status")
    name = {"registration_ack": "ack_response_reason", "error": "error_message"}.get(kind, "reason")
    text = "; ".join(getattr(told, name))[:TEXT_MAX].encode()
    told.ClearField(name)
    if text:
        old += bytes((REASON[kind] << 3 | LENGTH_DELIMITED,)) + _varint(len(text)) + text
    told.MergeFromString(old)  # kept as unknown fields, and written again
    return out


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def task_reasons(told: TaskAck) -> list[str]:
    """Why a node answered a task so, in either version."""
    old = [f.data for f in UnknownFieldSet(told) if (f.field_number, f.wire_type) == (TASK_REASON, LENGTH_DELIMITED)]
    return [*told.reason, *(bytes(text).decode("utf-8", "replace") for text in old)]
