"""Remote ID out of captured radio: a pcap or pcapng stream of Wi-Fi or Bluetooth frames to claims.

A claim's address is the interned identity that the sender gives in its BasicID. Between them its other messages go to
the identity that the same radio address gave last; before the first one they go to the radio address, interned: never
two senders to one common "unknown". Refuses broken frames before it reads them. Two places under one serial number
stay one address, so that the contradiction is seen where claims are filtered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from jaxtyping import Int64

from lapwing.decode.airframes import Heard, Refused, heard
from lapwing.decode.faults import Refusals
from lapwing.decode.pcap import CaptureState, packets
from lapwing.decode.remoteid_messages import best_identity, of_mac, rows_of, split
from lapwing.decode.rows import Rows
from lapwing.records import Array, Decoded, Field, Frame, Source, column
from lapwing.records.arrays import freeze_columns

SENDERS_MAX = 2048


def _none() -> Array:
    return column([], np.int64)


@dataclass(frozen=True, slots=True)
class Senders:
    """The identity that each radio address gave last, longest silent first. Axis: s senders."""

    mac: Int64[Array, " s"] = field(default_factory=_none)
    address: Int64[Array, " s"] = field(default_factory=_none)
    rank: Int64[Array, " s"] = field(default_factory=_none)

    def __post_init__(self) -> None:
        freeze_columns(self)


class Book:
    """The senders while a decode call works on them."""

    def __init__(self, senders: Senders) -> None:
        columns = (senders.mac.tolist(), senders.address.tolist(), senders.rank.tolist())
        self._known = {mac: (address, rank) for mac, address, rank in zip(*columns, strict=True)}

    def address(self, mac: int, messages: list[bytes]) -> int:
        """Whose messages these are. Raises Refused when nothing says it."""
        who, known = best_identity(messages), self._known.pop(mac, None)
        if who is not None and (known is None or who.rank >= known[1]):
            known = (who.address, who.rank)
        if known is not None and mac:
            self._known[mac] = known
            if len(self._known) > SENDERS_MAX:
                del self._known[next(iter(self._known))]
        if known is not None:
            return int(known[0])
        if not mac:
            raise Refused("neither identity nor sender")
        return of_mac(mac)

    def frozen(self) -> Senders:
        """The record."""
        rows = np.array([(m, a, r) for m, (a, r) in self._known.items()], np.int64).reshape(-1, 3)
        return Senders(*(column(rows[:, i], np.int64) for i in range(3)))


@dataclass(frozen=True, slots=True)
class RemoteIdState:
    """An unfinished packet, and who is who."""

    capture: CaptureState = CaptureState()
    senders: Senders = field(default_factory=Senders)


@final
@dataclass(frozen=True, slots=True)
class RemoteIdDecoder:
    """Claims of a captured stream."""

    feed: str

    def start(self) -> RemoteIdState:
        """Nothing heard."""
        return RemoteIdState()

    def decode(self, state: RemoteIdState, frames: Sequence[Frame]) -> tuple[RemoteIdState, Decoded]:
        """Claims of all packets that are complete."""
        if not frames:
            return state, Decoded()
        refusals, rows, book = Refusals(), Rows(), Book(state.senders)
        capture, found = packets(state.capture, frames, refusals)
        for frame, packet in found:
            try:
                for one in heard(packet.link, packet.data):
                    payload_rows(one, book, frame, rows, refusals)
            except Refused as refused:
                refusals.add(str(refused), frame.seq, packet.data)
        return RemoteIdState(capture, book.frozen()), replace(rows.decoded(), faults=refusals.faults())


def payload_rows(one: Heard, book: Book, frame: Frame, rows: Rows, refusals: Refusals) -> None:
    """Rows of one payload. Raises Refused when nobody knows whose it is."""
    messages, reason = split(one.payload)
    if reason:
        refusals.add(reason, frame.seq, one.payload)
    if not messages:
        return
    address, before = book.address(one.mac, messages), rows.messages
    for message in messages:
        reason = rows_of(message, address, frame.received_ns, frame.seq, rows)
        if reason:
            refusals.add(reason, frame.seq, message)
    if one.rssi_dbm and rows.messages > before:
        rows.about(frame.received_ns, frame.seq, Source.REMOTE_ID, address)
        rows.value(Field.RSSI_DB, one.rssi_dbm)
