"""Notices: what the transport itself has to say (connected, lost, frames dropped), journaled like any frame.

So the picture's feed health is a function of the journal alone, and replay shows the same outages.
"""

import json
from dataclasses import dataclass

NOTICE_FEED = "!"  # no site feed can have this name


@dataclass(frozen=True, slots=True)
class Notice:
    """Feed `feed` was `event` (connected, lost, dropped, ended) because of `why`; `count` frames if dropped."""

    feed: str
    event: str
    why: str = ""
    count: int = 0


def write(notice: Notice) -> bytes:
    """As journaled."""
    return json.dumps([notice.feed, notice.event, notice.why, notice.count]).encode()


def read(data: bytes) -> Notice:
    """From the journal. Raises ValueError if it is not one of ours: the journal is then not ours either."""
    feed, event, why, count = json.loads(data)
    return Notice(str(feed), str(event), str(why), int(count))
