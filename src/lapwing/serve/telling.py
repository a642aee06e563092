"""What a listener is told of a picture, live or replayed: the same messages in the same order (docs/wire.md).

Refuses to know sockets: a Teller is one listener's memory and gives the messages that are due.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lapwing import __version__
from lapwing.engine.plan import TICK_NS
from lapwing.records import Picture, Position, Site
from lapwing.serve import wire_text
from lapwing.serve.acts import Act
from lapwing.serve.wire import encode_picture, field_table

SECOND_NS = 1_000_000_000
ALARM_TICKS = 5  # a second
EARLY_NS = TICK_NS // 2  # ticks do not come on the nanosecond: what is due so soon is due
SELDOM = ("feeds", "reasons", "sensors", "outputs", "remote")  # at most once a second of picture time


@dataclass(frozen=True)
class Parcel:
    """One picture, encoded once for all listeners, and its tables only when somebody is to have them."""

    picture: Picture
    origin: Position
    texts: Mapping[str, str]  # by type, in the order they are told
    names: Mapping[str, str]

    @cached_property
    def binary(self) -> bytes:
        """The tables of tracks and claims."""
        return encode_picture(self.picture, self.origin)

    @property
    def encoded(self) -> bool:
        """Whether the tables are bytes already."""
        return "binary" in self.__dict__


def parcel(picture: Picture, origin: Position, more: Mapping[str, str]) -> Parcel:
    """The picture's messages; `more` are further texts by type."""
    texts = {**wire_text.texts(picture, origin), **more}
    return Parcel(picture, origin, texts, wire_text.names(picture.claims))


def hello(
    site: Site, *, replay: bool, offers: Iterable[str] = (), plans: Sequence[Mapping[str, Any]] | None = None
) -> str:
    """The first message; `replay` says whether recorded pictures can be had, `offers` which further lists can,
    `plans` which maps of its own the site has (None: not told here)."""
    told = {"type": "hello", "version": __version__, "site": wire_text.site(site), "replay": replay}
    told["offers"] = sorted(offers)
    if plans is not None:
        told["plans"] = plans
    return wire_text.dump(told | {"fields": field_table()})


def told_act(act: Act) -> dict[str, Any]:
    """An act as JSON; times as strings, because they do not fit into a double."""
    return {
        "act": act.act,
        "at_ns": str(act.at_ns),
        "picture_ns": str(act.picture_ns),
        "alarm": act.alarm,
        "verb": act.verb,
        "name": act.name,
        "note": act.note,
        "until_ns": str(act.until_ns),
    }


def acts_text(standing: Mapping[int, Mapping[str, Act]], test: Act | None = None) -> str:
    """The message about acts that stand, by alarm, and about a test of the alarm outputs that runs now."""
    rows = {str(k): {verb: told_act(act) for verb, act in stands.items()} for k, stands in standing.items()}
    told: dict[str, Any] = {"type": "acts", "acts": rows}
    return wire_text.dump(told if test is None else told | {"test": told_act(test)})


class Teller:
    """What one listener was told, so that only changes are told again."""

    def __init__(self, stride: int) -> None:
        self._stride_ns = stride * TICK_NS - EARLY_NS
        self._told_ns = -self._stride_ns  # the time of the last tables
        self._signature = b""
        self._owed = False  # an alarm was told without the tables
        self._seldom_ns = 0
        self._sent: dict[str, str] = {}
        self._names: Mapping[str, str] = {}

    def due(self, picture: Picture) -> bool:
        """Whether to tell it: every `stride` regular ticks, and at once when an alarm appears, goes or changes its
        state or priority."""
        return self.tables_due(picture) or self._news(picture)

    def _news(self, picture: Picture) -> bool:
        return wire_text.alarm_signature(picture.alarms) != self._signature

    def tables_due(self, picture: Picture) -> bool:
        """Whether `messages` that are not `whole` hold the tables: every `stride` regular ticks, and with or after an
        alarm, but then not before ALARM_TICKS have passed."""
        passed_ns = picture.time_ns - self._told_ns
        soon = passed_ns >= ALARM_TICKS * TICK_NS - EARLY_NS
        return passed_ns >= self._stride_ns or (soon and (self._owed or self._news(picture)))

    def messages(self, told: Parcel, *, whole: bool = True) -> Iterator[str | bytes]:
        """The texts that changed, then the tables; not `whole`: the tables only where they are due, because alarms that
        come one after another shall not wait for them. A message counts as told once the next one is asked for."""
        picture = told.picture
        tables = whole or self.tables_due(picture)
        self._owed = not tables
        self._signature = wire_text.alarm_signature(picture.alarms)
        calm = picture.time_ns < self._seldom_ns + SECOND_NS
        for kind, text in told.texts.items():
            if self._sent.get(kind) != text and not (calm and kind in SELDOM):
                yield text
                self._sent[kind] = text
        if not calm:
            self._seldom_ns = picture.time_ns
        difference = wire_text.names_difference(dict(self._names), dict(told.names))
        if difference is not None:
            yield difference
            self._names = told.names
        if tables:
            self._told_ns = picture.time_ns
            yield told.binary
