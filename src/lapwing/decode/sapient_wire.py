"""SAPIENT messages on the wire (BSI Flex 335 v2.0): a little-endian length of four bytes, then one protobuf message.

Facts from the reference notes; message classes from the public schema. Refuses messages longer than 1 MiB before they
are received, and bytes that are no message.
"""

from google.protobuf.message import DecodeError
from sapient_msg.bsi_flex_335_v2_0.registration_pb2 import Registration
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

HEAD_BYTES = 4
MESSAGE_BYTES_MAX = 1 << 20
TIME_NS_MAX = 4 * 10**18
# Node types that act instead of watching: never taken in, never tasked.
REFUSED_TYPES = frozenset(
    (
        Registration.NODE_TYPE_KINETIC,
        Registration.NODE_TYPE_JAMMER,
        Registration.NODE_TYPE_CYBER,
        Registration.NODE_TYPE_LDEW,
        Registration.NODE_TYPE_RFDEW,
    )
)


def cut(data: bytes) -> tuple[list[bytes], bytes, str]:
    """The whole messages at the start of `data`, what is left, and why the rest can never be read ("" = it may)."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= HEAD_BYTES:
        length = int.from_bytes(data[at : at + HEAD_BYTES], "little")
        if not 0 < length <= MESSAGE_BYTES_MAX:
            return found, data[at:], "message with an impossible length"
        if len(data) - at - HEAD_BYTES < length:
            break
        at += HEAD_BYTES + length
        found.append(data[at - length : at])
    return found, data[at:], ""


def parse(raw: bytes) -> tuple[SapientMessage | None, str]:
    """The message, or None and why not."""
    message = SapientMessage()
    try:
        message.ParseFromString(raw)
    except (DecodeError, ValueError):
        return None, "not a SAPIENT message"
    if not message.node_id or not message.HasField("timestamp") or message.WhichOneof("content") is None:
        return None, "timestamp, node_id and content are mandatory"
    if not 0 < time_ns(message) < TIME_NS_MAX:
        return None, "timestamp out of range"
    return message, ""


def time_ns(message: SapientMessage) -> int:
    """UTC of a message's content."""
    return int(message.timestamp.seconds) * 10**9 + int(message.timestamp.nanos)


def framed(message: SapientMessage) -> bytes:
    """The bytes of a message."""
    raw = bytes(message.SerializeToString())
    return len(raw).to_bytes(HEAD_BYTES, "little") + raw


def acts(registration: Registration) -> bool:
    """Whether a node says that it can do more than watch."""
    return any(node.node_type in REFUSED_TYPES for node in registration.node_definition)
