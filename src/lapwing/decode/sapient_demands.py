"""What the standard demands of a message and this one lacks: read from the marks of the public schema itself. Pure.

A field or choice that is marked mandatory there must be said; of a mandatory enumeration, "unspecified" says nothing.
Refuses nothing itself. Bounded: LACKS_MAX answers, DEPTH_MAX messages within each other.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sapient_msg import proto_options_pb2

LACKS_MAX = 16
DEPTH_MAX = 12


def lacking(message: Any, path: str = "") -> list[str]:
    """The first LACKS_MAX of what a protobuf message lacks, each as a path such as mode_definition[0].task."""
    return list(islice(_lacking(message, path, DEPTH_MAX), LACKS_MAX))


def _lacking(message: Any, path: str, deeper: int) -> Iterator[str]:
    descriptor = message.DESCRIPTOR
    for choice in descriptor.oneofs:
        if choice.GetOptions().Extensions[proto_options_pb2.oneof_options].is_mandatory and not message.WhichOneof(
            choice.name
        ):
            yield path + " or ".join(f.name for f in choice.fields)
    for field in descriptor.fields:
        if field.GetOptions().Extensions[proto_options_pb2.field_options].is_mandatory and not _said(message, field):
            yield path + field.name
    for field, value in message.ListFields() if deeper else ():
        if field.message_type is None or field.message_type.full_name.startswith("google."):
            continue
        for name, one in _members(field, value):
            yield from _lacking(one, f"{path}{name}.", deeper - 1)


def _said(message: Any, field: Any) -> bool:
    """Whether a field holds something."""
    value = getattr(message, field.name)
    if field.is_repeated:
        return len(value) > 0 and not (field.enum_type is not None and 0 in value)
    if field.message_type is not None:
        return bool(message.HasField(field.name))
    if field.enum_type is not None or isinstance(value, str):
        return bool(value)
    return bool(message.HasField(field.name)) if field.has_presence else bool(value)


def _members(field: Any, value: Any) -> list[tuple[str, Any]]:
    """The messages in a field, each with its name."""
    if not field.is_repeated:
        return [(field.name, value)]
    return [(f"{field.name}[{k}]", one) for k, one in enumerate(value)]
