"""ASTERIX layouts as data: for each category the items in the order of its FSPEC bits, and how long each of them is.

Sources: EUROCONTROL's public layouts as libasterix carries them (CAT010 1.1, 020 1.11, 021 2.6, 034 1.29, 048 1.31,
062 1.20, 065 1.6, 205 1.0); compared item by item in tests. A new category is one more tuple.
"""

from dataclasses import dataclass
from functools import lru_cache


class Broken(Exception):
    """An item runs past the end of its block, or a presence bit has no item. Never leaves this module's callers."""


def _extended(data: bytes, at: int, end: int) -> int:
    while True:
        if at >= end:
            raise Broken("item runs past its block")
        at += 1
        if not data[at - 1] & 1:
            return at


# Each layout says with `after` where an item that begins at `at` ends; it may lie past `end`, but what is read may not.
# Raises Broken.


@dataclass(frozen=True, slots=True)
class Fixed:
    """`size` bytes."""

    size: int

    def after(self, _data: bytes, at: int, _end: int) -> int:
        """The index after the item."""
        return at + self.size


@dataclass(frozen=True, slots=True)
class Extended:
    """Bytes up to the first whose last bit is 0."""

    def after(self, data: bytes, at: int, end: int) -> int:
        """The index after the item."""
        return _extended(data, at, end)


@dataclass(frozen=True, slots=True)
class Chained:
    """Pieces of `size` bytes up to the first whose last bit is 0."""

    size: int

    def after(self, data: bytes, at: int, end: int) -> int:
        """The index after the item."""
        after = at + self.size
        while after <= end and data[after - 1] & FX:
            after += self.size
        return after


@dataclass(frozen=True, slots=True)
class Repetitive:
    """A count, then as many times `size` bytes."""

    size: int

    def after(self, data: bytes, at: int, end: int) -> int:
        """The index after the item."""
        if at >= end:
            raise Broken("item runs past its block")
        return at + 1 + self.size * data[at]


@dataclass(frozen=True, slots=True)
class Compound:
    """An extended presence field, then the parts whose bits are set, in order; None = a spare bit."""

    parts: tuple["Layout | None", ...]

    def after(self, data: bytes, at: int, end: int) -> int:
        """The index after the item."""
        after = _extended(data, at, end)
        for present in presence(data[at:after]):
            part = self.parts[present] if present < len(self.parts) else None
            if part is None:
                raise Broken("presence bit without an item")
            after = part.after(data, after, end)
        return after


@dataclass(frozen=True, slots=True)
class Explicit:
    """Its own length, counting the length byte, then the rest."""

    def after(self, data: bytes, at: int, end: int) -> int:
        """The index after the item."""
        if at >= end:
            raise Broken("item runs past its block")
        if not data[at]:
            raise Broken("explicit length of zero")
        return at + data[at]


Layout = Fixed | Extended | Chained | Repetitive | Compound | Explicit
Category = tuple[tuple[str, Layout | None], ...]  # None = a spare presence bit


def table(text: str) -> Category:
    """A category written small: `name:layout` in the order of the presence bits, `-` a spare bit. Layouts: a number of
    bytes, x extended, x3 chained by three, r8 repeated eights, e explicit, c2,-,x compound of these."""
    words = (word.partition(":") for word in text.split())
    return tuple((name, _layout(spec) if spec else None) for name, _, spec in words)


def _layout(spec: str) -> Layout:
    if spec == "e":
        return Explicit()
    if spec == "x":
        return Extended()
    if spec[0] == "c":
        return Compound(tuple(None if part == "-" else _layout(part) for part in spec[1:].split(",")))
    if spec[0] in "xr":
        return Chained(int(spec[1:])) if spec[0] == "x" else Repetitive(int(spec[1:]))
    return Fixed(int(spec))


CAT034: Category = (
    ("010", Fixed(2)),
    ("000", Fixed(1)),
    ("030", Fixed(3)),
    ("020", Fixed(1)),
    ("041", Fixed(2)),
    ("050", Compound((Fixed(1), None, None, Fixed(1), Fixed(1), Fixed(2)))),
    ("060", Compound((Fixed(1), None, None, Fixed(1), Fixed(1), Fixed(1)))),
    ("070", Repetitive(2)),
    ("100", Fixed(8)),
    ("110", Fixed(1)),
    ("120", Fixed(8)),
    ("090", Fixed(2)),
    ("RE", Explicit()),
    ("SP", Explicit()),
)
CAT048: Category = (
    ("010", Fixed(2)),
    ("140", Fixed(3)),
    ("020", Extended()),
    ("040", Fixed(4)),
    ("070", Fixed(2)),
    ("090", Fixed(2)),
    ("130", Compound((Fixed(1),) * 7)),
    ("220", Fixed(3)),
    ("240", Fixed(6)),
    ("250", Repetitive(8)),
    ("161", Fixed(2)),
    ("042", Fixed(4)),
    ("200", Fixed(4)),
    ("170", Extended()),
    ("210", Fixed(4)),
    ("030", Extended()),
    ("080", Fixed(2)),
    ("100", Fixed(4)),
    ("110", Fixed(2)),
    ("120", Compound((Fixed(2), Repetitive(6)))),
    ("230", Fixed(2)),
    ("260", Fixed(7)),
    ("055", Fixed(1)),
    ("050", Fixed(2)),
    ("065", Fixed(1)),
    ("060", Fixed(2)),
    ("SP", Explicit()),
    ("RE", Explicit()),
)
CAT010 = table("""010:2 000:1 020:x 140:3 041:8 040:4 042:4 200:4 202:4 161:2 170:x 060:2 220:3 245:7 250:r8 300:1 090:2
091:2 270:x 550:1 310:1 500:4 280:r2 131:1 210:2 - SP:e RE:e""")
CAT020 = table("""010:2 020:x 140:3 041:8 042:6 161:2 170:x 070:2 202:4 090:2 100:4 220:3 245:7 110:2 105:2 210:2 300:1
310:1 500:c6,6,2 400:r1 250:r8 230:2 260:7 030:x 055:1 050:2 RE:e SP:e""")
CAT021 = table(f"""010:2 040:x 161:2 015:1 071:3 130:6 131:8 072:3 150:2 151:2 080:3 073:3 074:4 075:3 076:4 140:2 090:x
210:1 070:2 230:2 145:2 152:2 200:1 155:2 157:2 160:4 165:2 077:3 170:6 020:1 220:c2,2,2,1 146:2 148:2 110:cx,r15 016:1
008:1 271:x 132:1 250:r8 260:7 400:1 295:c{",".join("1" * 23)} - - - - - RE:e SP:e""")
CAT062 = table(f"""010:2 - 015:1 070:3 105:8 100:6 185:4 210:2 060:2 245:7
380:c3,6,2,2,2,2,2,x,r15,2,2,7,2,2,2,2,2,2,1,8,1,6,2,1,r8,2,2,2 040:2 080:x 290:c1,1,1,1,2,1,1,1,1,1 200:1
295:c{",".join("1" * 31)} 136:2 130:2 135:2 220:2 390:c2,7,4,1,4,1,4,4,3,2,2,r4,6,1,7,7,2,7 270:x 300:1
110:c1,4,6,2,2,1,1 120:2 510:x3 500:c4,2,4,1,1,2,2,1 340:c2,4,2,2,2,1 - - - - - RE:e SP:e""")
CAT065 = table("010:2 000:1 015:1 030:3 020:1 040:1 050:1 - - - - - RE:e SP:e")
CAT205 = table("""010:2 015:1 000:1 030:3 040:1 090:7 050:8 060:6 070:2 080:2 100:1 110:1 120:r1 130:8 140:6 150:1 160:2
170:1 180:2 190:1 200:2 SP:e""")
CATEGORIES: dict[int, Category] = {
    10: CAT010, 20: CAT020, 21: CAT021, 34: CAT034, 48: CAT048, 62: CAT062, 65: CAT065, 205: CAT205,
}  # fmt: skip
FX = 1  # the last bit of a presence byte: another one follows


@lru_cache(maxsize=4096)
def presence(fspec: bytes) -> tuple[int, ...]:
    """Numbers (from 0) of the bits set in a presence field, seven to a byte."""
    return tuple(7 * i + bit for i, byte in enumerate(fspec) for bit in range(7) if byte << bit & 0x80)


Run = tuple[tuple[str, int, int], ...]  # items of fixed length in a row: name, first byte, byte after the last


@lru_cache(maxsize=4096)
def plan(category: int, fspec: bytes) -> tuple[tuple[Run, int, str, Layout | None], ...] | None:
    """What a presence field announces, in order: a run of items of fixed length, how many bytes it has, then the name
    and layout of one whose length must be read (None: there is none more). None when a bit of the field has no item.
    Records of one source nearly always share a few of these."""
    items, steps = CATEGORIES[category], []
    run: list[tuple[str, int, int]] = []
    size = 0
    for number in presence(fspec):
        name, layout = items[number] if number < len(items) else ("", None)
        if layout is None:
            return None
        if isinstance(layout, Fixed):
            run.append((name, size, size + layout.size))
            size += layout.size
        else:
            steps.append((tuple(run), size, name, layout))
            run, size = [], 0
    return (*steps, (tuple(run), size, "", None)) if run else tuple(steps)


def record(category: int, data: bytes, at: int, end: int) -> tuple[int, dict[str, bytes]]:
    """The index after the record that begins at `at` < `end`, and its items' bytes by name. Raises Broken."""
    after = _extended(data, at, end) if data[at] & FX else at + 1
    steps = plan(category, data[at:after])
    if steps is None:
        raise Broken("presence bit without an item")
    items: dict[str, bytes] = {}
    for run, size, name, layout in steps:
        for fixed, first, last in run:
            items[fixed] = data[after + first : after + last]
        after += size
        if layout is not None:
            begin, after = after, layout.after(data, after, end)
            items[name] = data[begin:after]
        if after > end:
            raise Broken("item runs past its block")
    return after, items


def parts(category: int, name: str, item: bytes) -> dict[int, bytes]:
    """The parts of a compound item that was read before, by number from 0."""
    layout = next(found for known, found in CATEGORIES[category] if known == name)
    assert isinstance(layout, Compound)
    at = _extended(item, 0, len(item))
    found: dict[int, bytes] = {}
    for number in presence(item[:at]):
        part = layout.parts[number]
        assert part is not None
        begin, at = at, part.after(item, at, len(item))
        found[number] = item[begin:at]
    return found
