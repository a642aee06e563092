"""A frame: what one feed delivered in one read, and when. The unit of the journal and of all evidence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes of one feed as received. `seq` is the journal's number, unique and rising; evidence points to it."""

    seq: int
    feed: str
    received_ns: int  # our clock (UTC) when the last byte came; in a recording, the recorder's
    data: bytes
