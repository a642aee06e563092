"""MQTT 3.1.1 packets (OASIS, 2014): the few that a client needs. Pure; ValueError for what does not fit."""

from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PING, GOODBYE = b"\xc0\x00", b"\xe0\x00"
TEXT_BYTES_MAX = 65_535
REFUSALS = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker refuses our client id",
    3: "the broker is unavailable",
    4: "wrong user or password",
    5: "not authorised",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One publication."""

    topic: str
    payload: bytes
    retain: bool = False


def text(value: str) -> bytes:
    """A length and UTF-8. Raises ValueError."""
    raw = value.encode()
    if len(raw) > TEXT_BYTES_MAX or "\0" in value:
        raise ValueError("no MQTT text")
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    """A packet with its length."""
    length, head = len(body), bytearray([first])
    while True:
        length, digit = divmod(length, 128)
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def connect(client_id: str, user: str, password: str, will: Message | None, keep_alive_s: int) -> bytes:
    """CONNECT with a clean session."""
    flags, tail = 0x02, text(client_id)
    if will:
        flags |= 0x04 | 0x08 | (0x20 if will.retain else 0)
        tail += text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if user:
        flags |= 0x80
        tail += text(user)
        if password:
            flags |= 0x40
            tail += text(password)
    return packet(0x10, text("MQTT") + bytes((4, flags)) + keep_alive_s.to_bytes(2, "big") + tail)


def publish(message: Message, ident: int) -> bytes:
    """PUBLISH that asks for an acknowledgement (QoS 1)."""
    return packet(0x32 | int(message.retain), text(message.topic) + ident.to_bytes(2, "big") + message.payload)


def subscribe(filters: list[str], ident: int) -> bytes:
    """SUBSCRIBE at most once (QoS 0): what a sensor says is soon said anew."""
    return packet(0x82, ident.to_bytes(2, "big") + b"".join(text(f) + b"\0" for f in filters))


def published(first: int, body: bytes) -> Message:
    """The publication in a PUBLISH of QoS 0. Raises ValueError."""
    if first & 0x06:
        raise ValueError("a publication of a quality that was not asked for")
    size = int.from_bytes(body[:2], "big")
    if len(body) < 2 + size:
        raise ValueError("a publication cut short")
    return Message(body[2 : 2 + size].decode("utf-8", "replace"), body[2 + size :], bool(first & 1))
