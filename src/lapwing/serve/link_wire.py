"""What another Lapwing sends (docs/wire.md), read as the words of a stranger: bounded, checked, and said anew by us.

Pure. Bytes in, values or LinkFault out; nothing that a peer sent goes on to a page but numbers of known columns and
texts of known length.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from lapwing.records import Array
from lapwing.serve.wire import MAGIC, TABLES, pack

ROWS_MAX = 20_000  # of one table
HEADER_BYTES_MAX = 64 << 10
TEXT_BYTES_MAX = {"hello": 1 << 20, "alarms": 1 << 20, "names": 2 << 20}
OTHER_BYTES_MAX = 256 << 10  # of any other text
UNREAD = frozenset({"acts", "outputs", "reasons", "regions", "remote", "sensors"})  # ours, and never parsed
BEGIN = re.compile(r'\{\s*"type"\s*:\s*"([a-z-]{1,32})"')  # within the first BEGIN_MAX characters
BEGIN_MAX = 64
ALARMS_MAX, FEEDS_MAX, NAMES_MAX = 500, 100, 20_000
COUNTED = {"alarms": ALARMS_MAX, "feeds": FEEDS_MAX, "names": NAMES_MAX, "gone": NAMES_MAX}  # items of a text
SHOWN = ("tracks", "claims")  # tables that are passed on
LATITUDE, LONGITUDE = 900_000_000, 1_800_000_000  # counts of 1e-7 degrees


class LinkFault(ValueError):
    """The message is not what a Lapwing of this version says; the reason is one sentence."""


@dataclass(frozen=True, slots=True)
class LinkPicture:
    """A picture of another site: raw integer columns by table, as on the wire. `left_out`: rows that are nowhere."""

    tick: int
    time_ns: int
    tables: Mapping[str, Mapping[str, Array]]
    left_out: int

    def message(self) -> bytes:
        """For our own pages: the same tables, said by us."""
        return pack(self.tick, self.time_ns, self.tables)


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


Moment = Annotated[str, Field(pattern="^[0-9]{1,19}$")]


class LinkAlarm(_Row):
    """An alarm of another site."""

    id: Annotated[int, Field(ge=0, le=2**53)]
    rule: Annotated[str, Field(max_length=80)]
    zone: Annotated[str, Field(max_length=200)]
    subject: Annotated[str, Field(max_length=20)]
    subject_id: Annotated[int, Field(ge=-(2**53), le=2**53)]
    state: Literal["raised", "updated", "cleared"]
    priority: Literal["critical", "high", "medium", "low"]
    raised_ns: Moment
    cleared_ns: Moment
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    reason: Annotated[str, Field(max_length=1000)]


class LinkFeed(_Row):
    """How a feed of another site fares."""

    feed: Annotated[str, Field(max_length=200)]
    rate_hz: Annotated[float, Field(ge=0, le=1e9)] | None
    messages: Annotated[int, Field(ge=0, le=2**53)]
    faults: Annotated[int, Field(ge=0, le=2**53)]
    received_ns: Moment
    quiet: bool


class _Site(_Row):
    name: Annotated[str, Field(max_length=200)]


class _Hello(_Row):
    type: Literal["hello"]
    version: Annotated[str, Field(max_length=40)]
    site: _Site


class _Alarms(_Row):
    type: Literal["alarms"]
    alarms: Annotated[tuple[LinkAlarm, ...], FailFast()]


class _Feeds(_Row):
    type: Literal["feeds"]
    feeds: Annotated[tuple[LinkFeed, ...], FailFast()]


class _Names(_Row):
    type: Literal["names"]
    names: Annotated[dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=80)]], FailFast()]
    gone: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], FailFast()]


KINDS: dict[str, type[_Row]] = {"hello": _Hello, "alarms": _Alarms, "feeds": _Feeds, "names": _Names}


def read_text(text: str) -> Any:
    """A text message: one of KINDS, or None where it is of a kind that is not passed on. Raises LinkFault.

    What it costs is bounded before it is spent: its type stands first and sets how long it may be; lengths are counted
    before items are checked, and the first mistake ends the check (a list of all mistakes of a few MiB takes minutes
    and GiB).
    """
    begin = BEGIN.match(text[:BEGIN_MAX])
    if begin is None:
        raise LinkFault(f"a text does not begin with its type within {BEGIN_MAX} characters")
    kind = begin[1]
    if kind in UNREAD:
        return None
    if size_bytes(text) > TEXT_BYTES_MAX.get(kind, OTHER_BYTES_MAX):
        raise LinkFault(f"{kind}: the text is too long")
    if kind not in KINDS:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise LinkFault(f"{kind}: the text is no JSON") from None
    for part, items_max in COUNTED.items():
        if part in KINDS[kind].model_fields and not _few(told.get(part), items_max):
            raise LinkFault(f"{kind}: {part} has more than {items_max} items, or none that can be counted")
    try:
        return KINDS[kind].model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"][:4])
        raise LinkFault(f"{kind}: {where}: {first['msg'][:100]}") from None


def size_bytes(message: str | bytes) -> int:
    """What a message took on the wire."""
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


def _few(items: object, items_max: int) -> bool:
    return isinstance(items, list | dict) and len(items) <= items_max


def read_picture(message: bytes) -> LinkPicture:
    """A binary picture. Raises LinkFault."""
    length = int.from_bytes(message[4:8], "little")
    if message[:4] != MAGIC or length > min(HEADER_BYTES_MAX, len(message) - 8):
        raise LinkFault("a binary message is no picture")
    try:
        header = json.loads(message[8 : 8 + length])
        tick, time_ns = int(header["tick"]), int(header["time_ns"])
        described = {name: header["tables"][name] for name in SHOWN}
        if not (0 <= tick < 2**53 and 0 <= time_ns < 2**63):
            raise LinkFault("a picture is of no time")
        body = memoryview(message)[8 + length :]
        tables = {name: _table(name, described[name], body) for name in SHOWN}
    except LinkFault:
        raise
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        raise LinkFault("the header of a picture cannot be understood") from None
    placed, left_out = {}, 0
    for name, columns in tables.items():
        good = (np.abs(columns["latitude"].astype(np.int64)) <= LATITUDE) & (
            np.abs(columns["longitude"].astype(np.int64)) <= LONGITUDE
        )
        left_out += int((~good).sum())
        placed[name] = {column: values[good] for column, values in columns.items()}
    return LinkPicture(tick, time_ns, placed, left_out)


def _table(name: str, described: dict[str, Any], body: memoryview) -> dict[str, Array]:
    """The columns of a table, exactly as this version has them. Raises LinkFault, and what wrong types raise."""
    n = described["n"]
    if not isinstance(n, int) or not 0 <= n <= ROWS_MAX:
        raise LinkFault(f"a picture has more than {ROWS_MAX} {name}, or none that can be counted")
    told = {str(column): (dtype, at, scale) for column, dtype, at, scale in described["columns"]}
    out = {}
    for column in TABLES[name]:
        if column.name not in told:
            raise LinkFault(f"{name} have no column {column.name}: another version?")
        dtype, at, scale = told[column.name]
        if dtype != column.dtype or float(scale) != float(column.scale):
            raise LinkFault(f"{name}: {column.name} is said in another way: another version?")
        kind = np.dtype("<" + column.dtype)
        if not isinstance(at, int) or at < 0 or at + n * kind.itemsize > len(body):
            raise LinkFault(f"{name}: {column.name} lies outside the message")
        out[column.name] = np.frombuffer(body, kind, n, at)
    return out
