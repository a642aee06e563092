"""A journal without what says who flies a drone and from where: serial numbers and other identities of Remote ID, the
place of the person, operator identities, free text. Axis: a addresses.

What a feed that can carry these received is replaced by the rows that were decoded from it, with numbers in place of
names. Both journals are run side by side: every picture of the new one must be the original one but for what is left
out, to the last bit, or nothing is made. Aircraft keep their places: a flight begins where it took off.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import Plan, make_plan
from lapwing.engine.replay import MAKE, base, read, replay, thaw
from lapwing.engine.state import FeedState, State
from lapwing.engine.state import start as start_of
from lapwing.engine.states import packed
from lapwing.engine.tick import step
from lapwing.engine.told import META, ToldState
from lapwing.records import (
    Alarms,
    Array,
    Claims,
    Decoded,
    FeedHealth,
    Field,
    Frame,
    NodeAlert,
    Picture,
    Source,
    Subject,
    Word,
)
from lapwing.records.alarms import Alarm
from lapwing.records.claims import FIELDS
from lapwing.records.reports import Positions, Texts, Values

CARRIERS = frozenset({"remoteid", "dronescout", "mavlink", "json", "sapient"})  # decoders whose bytes may say it
BOOK = 2  # the address book of Remote ID (integrity/navigation.py)
BOOK_BITS = 40
FIRST = 1 << 39  # numbers begin here: beyond every ICAO number and MMSI, in the order of the addresses they stand for
OTHERS_MAX = 1 << 30  # addresses below may be an aircraft's or a ship's
LEFT_OUT = -1  # the code of a value that was left out: no Field has it, and who spoke is still heard
SILENT = "withheld"
NODE_SAID = "(words of a sensor's node: withheld)"
PERSONAL = tuple(int(f) for f in Field if f.name.startswith("OPERATOR_"))
PERSONAL_COLUMNS = [FIELDS.index(Field(code)) for code in PERSONAL]
NAMING = (Word.NAME, Word.SERIAL, Word.REGISTRATION, Word.SESSION)


@dataclass(frozen=True)
class Masks:
    """What stands for what. `names` of each address are all that it called itself."""

    feeds: frozenset[str]
    names: dict[int, frozenset[str]]

    @cached_property
    def _book(self) -> tuple[Array, Array]:
        """Addresses and the keys that hold one, sorted, and what stands for each."""
        old = np.array(sorted(self.names), np.int64)
        new = FIRST + np.arange(len(old))
        book = np.int64(BOOK) << BOOK_BITS
        return np.concatenate([old, book | old]), np.concatenate([new, book | new])

    @cached_property
    def words(self) -> dict[str, str]:
        """Every name that was said, and what stands for it."""
        words: dict[str, str] = {}
        for number, address in enumerate(sorted(self.names), start=1):
            for name in sorted(self.names[address]):
                words.setdefault(name, f"{SILENT} {number}")
        return words

    def number(self, value: int) -> int:
        """What stands for an address, or a key with one in it; any other number is itself."""
        return int(self.numbers(np.array([value]))[0]) if 0 <= value < 1 << 62 else value

    def numbers(self, values: Array) -> Array:
        """The same for a column."""
        old, new = self._book
        if not len(old) or not values.size:
            return values
        at = np.minimum(np.searchsorted(old, values), len(old) - 1)
        hit = old[at] == values
        return np.where(hit, new[at], values) if hit.any() else values

    def word(self, name: str) -> str:
        """What stands for a name; "" stays."""
        return self.words.get(name, SILENT) if name else ""

    def reason(self, text: str, subject: int, subject_id: int) -> str:
        """Why an alarm was raised. Of a claim it begins with who it is."""
        if subject == Subject.NODE:
            return NODE_SAID
        if subject != Subject.CLAIM or subject_id not in self.names:
            return text
        said = sorted((n for n in self.names[subject_id] if text.startswith(f"{n}: ")), key=len)
        if said:
            return self.word(said[-1]) + text[len(said[-1]) :]
        who = f"{subject_id:06X}"
        known = text.startswith(f"{who}: ")
        rest = text[len(who) :] if known else ": " + text.rsplit(": ", 1)[-1]
        return f"{self.number(subject_id):06X}{rest}"


def masked(value: Any, masks: Masks, name: str = "") -> Any:
    """A state, a picture or rows without what is left out; what holds nothing of it is the same object."""
    if isinstance(value, np.ndarray):
        plain = value.dtype != np.int64 or name.endswith("_ns")
        return value if plain else masks.numbers(value)
    if type(value) is int:
        return value if name.endswith("_ns") else masks.number(value)
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        parts = [masked(v, masks, names[i] if names else name) for i, v in enumerate(value)]
        if all(a is b for a, b in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if names else tuple(parts)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    special = SPECIAL.get(type(value))
    return special(value, masks) if special else _inside(value, masks)


def _inside(value: Any, masks: Masks) -> Any:
    """A record with its fields masked."""
    before = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    after = {name: masked(v, masks, name) for name, v in before.items()}
    return value if all(after[n] is v for n, v in before.items()) else replace(value, **after)


def _claims(claims: Claims, masks: Masks) -> Claims:
    mine = claims.source == Source.REMOTE_ID
    if not mine.any():
        return claims
    names = tuple(masks.word(n) if m else n for n, m in zip(claims.names, mine.tolist(), strict=True))
    values, values_ns = claims.values.copy(), claims.values_ns.copy()
    values[:, PERSONAL_COLUMNS], values_ns[:, PERSONAL_COLUMNS] = 0.0, 0
    address = np.where(mine, masks.numbers(claims.address), claims.address)
    return replace(claims, address=address, names=names, values=values, values_ns=values_ns)


def _alarms(alarms: Alarms, masks: Masks) -> Alarms:
    rows = list(zip(alarms.reason, alarms.subject.tolist(), alarms.subject_id.tolist(), strict=True))
    ids = [masks.number(i) if s == Subject.CLAIM else i for _, s, i in rows]
    reason = tuple(masks.reason(*row) for row in rows)
    return replace(alarms, reason=reason, subject_id=np.array(ids, np.int64))


def _alarm(alarm: Alarm, masks: Masks) -> Alarm:
    about = alarm.subject == Subject.CLAIM
    number = masks.number(alarm.subject_id) if about else alarm.subject_id
    reason = masks.reason(alarm.reason, int(alarm.subject), alarm.subject_id)
    return replace(alarm, subject_id=number, reason=reason)


def _node_alert(alert: NodeAlert, _masks: Masks) -> NodeAlert:
    return replace(alert, reason=NODE_SAID)


def _health(health: FeedHealth, masks: Masks) -> FeedHealth:
    return replace(health, last_fault_example=b"") if health.feed in masks.feeds else health


def _feed(feed: FeedState, masks: Masks) -> FeedState:
    decoder = ToldState() if feed.health.feed in masks.feeds else masked(feed.decoder, masks)
    return replace(feed, health=_health(feed.health, masks), decoder=decoder)


def _values(rows: Values, masks: Masks) -> Values:
    out = np.isin(rows.field, PERSONAL)
    inside: Values = _inside(rows, masks)
    return replace(inside, field=np.where(out, LEFT_OUT, rows.field), value=np.where(out, 0.0, rows.value))


def _texts(rows: Texts, masks: Masks) -> Texts:
    told = zip(rows.word.tolist(), rows.text, strict=True)
    text = tuple(masks.word(t) if w in NAMING else SILENT for w, t in told)
    return replace(rows, address=masks.numbers(rows.address), text=text)


def _decoded(rows: Decoded, masks: Masks) -> Decoded:
    inside: Decoded = _inside(rows, masks)
    return replace(inside, faults=tuple(replace(f, example=b"") for f in rows.faults))


SPECIAL: dict[type, Any] = {
    Claims: _claims,
    Alarms: _alarms,
    Alarm: _alarm,
    NodeAlert: _node_alert,
    FeedHealth: _health,
    FeedState: _feed,
    Values: _values,
    Texts: _texts,
    Decoded: _decoded,
}


def _known(value: Any, names: dict[int, set[str]], name: str = "") -> None:
    """Adds every address of Remote ID in a state or in rows, and what it calls itself."""
    if isinstance(value, np.ndarray):
        if value.dtype == np.int64 and not name.endswith("_ns"):
            flat = value.ravel()
            keys = flat[flat >> BOOK_BITS == BOOK] & ((1 << BOOK_BITS) - 1)
            bare = flat[(flat >= OTHERS_MAX) & (flat < 1 << BOOK_BITS)] if name == "address" else flat[:0]
            for address in (*keys.tolist(), *bare.tolist()):
                names.setdefault(address, set())
        return
    if isinstance(value, tuple):
        for i, v in enumerate(value):
            _known(v, names, value._fields[i] if hasattr(value, "_fields") else name)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Claims | Texts | Positions | Values):
            _speakers(value, names)
        for f in dataclasses.fields(value):
            _known(getattr(value, f.name), names, f.name)


def _speakers(rows: Claims | Texts | Positions | Values, names: dict[int, set[str]]) -> None:
    said = rows.names if isinstance(rows, Claims) else rows.text if isinstance(rows, Texts) else ("",) * len(rows)
    mine = rows.source == Source.REMOTE_ID
    for i in np.flatnonzero(mine).tolist():
        names.setdefault(int(rows.address[i]), set()).update({said[i]} - {""})


def masks_for(journal: Journal, plan: Plan) -> Masks:
    """What must be left out of a journal, from its first checkpoint to its end."""
    feeds = frozenset(f.feed for f in plan.site.feeds if f.decoder in CARRIERS)
    before, names = base(journal, plan, newest=False), dict[int, set[str]]()
    _known(before, names)
    states = {f.health.feed: f.decoder for f in before.feeds}
    for _, frames in journal.ticks(before.tick):
        for feed in feeds:
            states[feed], rows = plan.decoders[feed].decode(states[feed], [f for f in frames if f.feed == feed])
            _known(rows, names)
    return Masks(feeds, {address: frozenset(said) for address, said in names.items()})


def withhold(whole: Journal, folder: Path, plan: Plan, masks: Masks) -> Iterator[Frame]:
    """Write a journal of its own into an empty folder; yields the original frames whose bytes were left out.
    Raises JournalError where a picture is not the original one but for what is left out."""
    told_plan = make_plan(plan.site, masks.feeds)
    oldest = whole.first_checkpoint()
    before = base(whole, plan, newest=False)
    with Journal(folder, write=True) as part:
        part.begin()
        part.remember("site", whole.meta("site") or "")
        part.remember(META, json.dumps(sorted(masks.feeds)))
        told: State = start_of(told_plan)
        if before.tick and oldest is not None:
            state = codec.encode((MAKE, masked(read(oldest[1]), masks)))
            part.keep_packed(before.tick, before.through_seq, packed(state))
            told = thaw(state, told_plan) or told
        part.last_seq = before.through_seq
        decoders = {f.health.feed: f.decoder for f in before.feeds}
        for row in replay(whole, plan, before):
            frames, decoders = _told(row.frames, decoders, plan, masks)
            chunks = [(f.feed, f.received_ns, f.data) for f in frames]
            if [f.seq for f in part.append(row.tick.tick, row.tick.time_ns, chunks)] != [f.seq for f in frames]:
                raise JournalError("the journal has gaps: its entries cannot be left out one by one")
            told, picture = step(told, frames, row.tick.tick, row.tick.time_ns, told_plan)
            if row.tick.digest is not None:
                if codec.digest(row.picture) != row.tick.digest:
                    raise JournalError(f"the picture of tick {row.tick.tick} is not the one recorded")
                if not same(row.picture, picture, masks):
                    raise JournalError(
                        f"without what is to be left out, the picture of tick {row.tick.tick} would be another one"
                    )
                part.witness(row.tick.tick, codec.digest(picture))
            yield from (f for f in row.frames if f.feed in masks.feeds)
        part.commit()
        part.settle()


def _told(frames: Any, decoders: dict[str, Any], plan: Plan, masks: Masks) -> tuple[list[Frame], dict[str, Any]]:
    """The frames of one tick as they are kept: all rows of a feed are in its last one. And the decoders' states."""
    last: dict[str, Frame] = {f.feed: f for f in frames if f.feed in masks.feeds}
    rows: dict[int, bytes] = {}
    after = dict(decoders)
    for feed, frame in last.items():
        mine = [f for f in frames if f.feed == feed]
        after[feed], decoded = plan.decoders[feed].decode(decoders[feed], mine)
        rows[frame.seq] = codec.encode(masked(decoded, masks))
    kept = [replace(f, data=rows.get(f.seq, b"")) if f.feed in masks.feeds else f for f in frames]
    return kept, after


def same(original: Picture, told: Picture, masks: Masks) -> bool:
    """Whether a picture is the original one but for what is left out, and for how many bytes the feeds gave."""

    def plain(picture: Picture) -> bytes:
        feeds = tuple(replace(f, bytes_total=0, last_fault_example=b"") for f in picture.feeds)
        return codec.encode(replace(picture, feeds=feeds))

    return plain(masked(original, masks)) == plain(told)
