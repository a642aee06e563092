"""ASTERIX layouts as data: for each category the items in the order of its FSPEC bits, and how long each of them is.

Sources: EUROCONTROL's public CAT048 and CAT034 layouts as libasterix carries them; compared item by item in tests.
A new category is one more tuple.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fixed:
    """`size` bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Extended:
    """Bytes up to the first whose last bit is 0."""


@dataclass(frozen=True, slots=True)
class Repetitive:
    """A count, then as many times `size` bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Compound:
    """An extended presence field, then the parts whose bits are set, in order; None = a spare bit."""

    parts: tuple["Layout | None", ...]


@dataclass(frozen=True, slots=True)
class Explicit:
    """Its own length, counting the length byte, then the rest."""


Layout = Fixed | Extended | Repetitive | Compound | Explicit
Category = tuple[tuple[str, Layout], ...]

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
CATEGORIES: dict[int, Category] = {34: CAT034, 48: CAT048}


class Broken(Exception):
    """An item runs past the end of its block, or a presence bit has no item. Never leaves this module's callers."""


def _extended(data: bytes, at: int, end: int) -> int:
    while True:
        if at >= end:
            raise Broken("item runs past its block")
        at += 1
        if not data[at - 1] & 1:
            return at


def skip(layout: Layout, data: bytes, at: int, end: int) -> int:
    """The index after an item that begins at `at`. Raises Broken."""
    if isinstance(layout, Fixed):
        after = at + layout.size
    elif isinstance(layout, Extended):
        after = _extended(data, at, end)
    elif isinstance(layout, Compound):
        after = _extended(data, at, end)
        for present in presence(data[at:after]):
            part = layout.parts[present] if present < len(layout.parts) else None
            if part is None:
                raise Broken("presence bit without an item")
            after = skip(part, data, after, end)
    elif at >= end:
        raise Broken("item runs past its block")
    elif isinstance(layout, Repetitive):
        after = at + 1 + layout.size * data[at]
    else:
        after = at + data[at]
        if after == at:
            raise Broken("explicit length of zero")
    if after > end:
        raise Broken("item runs past its block")
    return after


def presence(fspec: bytes) -> list[int]:
    """Numbers (from 0) of the bits set in a presence field, seven to a byte."""
    return [7 * i + bit for i, byte in enumerate(fspec) for bit in range(7) if byte << bit & 0x80]


def record(category: Category, data: bytes, at: int, end: int) -> tuple[int, dict[str, bytes]]:
    """The index after the record that begins at `at`, and its items' bytes by name. Raises Broken."""
    after = _extended(data, at, end)
    items: dict[str, bytes] = {}
    for number in presence(data[at:after]):
        if number >= len(category):
            raise Broken("presence bit without an item")
        name, layout = category[number]
        begin, after = after, skip(layout, data, after, end)
        items[name] = data[begin:after]
    return after, items
