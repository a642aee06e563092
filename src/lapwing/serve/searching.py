"""A search in the history, asked and answered: what `lapwing search` and GET /v1/history/tracks share.

Every found visit says where it can be seen again: the page's replay at that moment, and why a track was believed.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from lapwing.engine.presence import LIKELY, WHO, Presence
from lapwing.engine.search import Area, Box, Wanted, exact, visits
from lapwing.records import Kind, Site
from lapwing.serve.export_paths import moment
from lapwing.serve.wire_text import word

LIMIT, LIMIT_MAX = 50, 100
AFTER_MAX = 100_000
DAYS_MAX = 31
DAY_NS = 86_400 * 10**9
KINDS = tuple(kind.name.lower() for kind in Kind)
ZOOM = 12
Json = dict[str, Any]


class BadQuestion(Exception):
    """It cannot be answered; one sentence for a person."""


class Past(Protocol):
    """Where it is looked. May be called from any thread."""

    def presence(self) -> Presence:
        """The index."""

    def rows(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        """The paths (engine/history.py)."""

    def extent_ns(self) -> tuple[int, int] | None:
        """Times of the first and the last picture that can be replayed, or None."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked, as words; "" = does not matter."""

    since_ns: int
    until_ns: int
    identity: str = ""
    who: str = ""
    kind: str = ""
    zone: str = ""
    box: str = ""
    after: int = 0
    limit: int = LIMIT


def box_of(text: str) -> Box:
    """A box in degrees. Raises BadQuestion."""
    form = f"box {text[:60]!r}: write it as SOUTH,WEST,NORTH,EAST in degrees"
    try:
        south, west, north, east = (float(v) for v in text.split(","))
    except ValueError:
        raise BadQuestion(form) from None
    if not (-90 <= south < north <= 90 and -180 <= west <= 180 and -180 <= east <= 180 and west != east):
        raise BadQuestion(f"{form}, south below north")
    return Box(south, west, north, east)


def area_of(site: Site, zone: str, box: str) -> Area | None:
    """Where to look. Raises BadQuestion."""
    if zone and box:
        raise BadQuestion("a zone or a box, not both")
    if box:
        return Area(box_of(box))
    if not zone:
        return None
    found = [z for z in site.zones if z.name.lower() == zone.lower()]
    if not found:
        names = ", ".join(repr(z.name) for z in site.zones) or "none"
        raise BadQuestion(f"the site has no zone {zone[:64]!r}; it has {names}")
    return Area.of(found[0], site.origin)


def _code(name: str, names: tuple[str, ...], what: str) -> int | None:
    if not name:
        return None
    if name not in names:
        raise BadQuestion(f"{what} {name[:40]!r} is none of {', '.join(names)}")
    return names.index(name)


def search(past: Past, site: Site, q: Question, days_max: int = DAYS_MAX) -> Json:
    """One page of visits, the newest first. Raises BadQuestion, OSError."""
    if not 0 <= q.since_ns < q.until_ns <= q.since_ns + days_max * DAY_NS:
        raise BadQuestion(f"the time must end after it begins, at most {days_max} days later")
    if not (0 <= q.after <= AFTER_MAX and 1 <= q.limit <= LIMIT_MAX):
        raise BadQuestion(f"after must be 0 to {AFTER_MAX}, limit 1 to {LIMIT_MAX}")
    area = area_of(site, q.zone, q.box)
    who, kind = _code(q.who, WHO, "who"), _code(q.kind, KINDS, "kind")
    wanted = Wanted(q.since_ns, q.until_ns, who, q.identity[:80], kind, area)
    found, complete = visits(past.presence().persons, wanted)
    page = found.slice(q.after, q.limit)
    places = exact(past.rows, page, wanted) if area is not None and len(page) else None
    extent = past.extent_ns()
    rows = []
    for k, row in enumerate(page.iter_rows(named=True)):
        place = None if places is None else places[k]
        if place is None or place[2] or not place[5]:
            rows.append(_told(row, place, extent))
    following = q.after + len(page)
    return {
        "since_ns": str(q.since_ns),
        "until_ns": str(q.until_ns),
        "found": len(found),
        "complete": complete,
        "after": q.after,
        "next": following if following < len(found) else None,
        "visits": rows,
    }


def _told(row: Json, place: tuple[int, int, int, float, float, bool] | None, extent: tuple[int, int] | None) -> Json:
    """One visit. `area` is about the time in the area that was asked for."""
    p, kind = divmod(row["likely"], LIKELY)
    name = row["name"] or (f"T{row['id']}" if row["who"] == 0 else _number(row["who"], row["id"]))
    middle = (row["south_deg"] + row["north_deg"]) / 2, (row["west_deg"] + row["east_deg"]) / 2
    at_ns, where = row["first_ns"], middle
    area = None
    if place is not None:
        entered, left, inside_s, *_, looked = place
        inside = {"inside_s": inside_s if looked else None, "exact": looked}
        area = {"entered_ns": str(entered), "left_ns": str(left), **inside}
        at_ns, where = entered, (place[3], place[4])
    can = extent is not None and extent[0] <= at_ns <= extent[1]
    since, until = row["first_ns"], row["last_ns"] + 1
    track = row["who"] == 0
    return {
        "who": WHO[row["who"]],
        "id": row["id"],
        "number": _number(row["who"], row["id"]),
        "name": name,
        "kind": word(Kind, kind) if track and row["likely"] else None,
        "kind_p": round(p * 1e-4, 4) if track and row["likely"] else None,
        "first_ns": str(row["first_ns"]),
        "last_ns": str(row["last_ns"]),
        "minutes": row["minutes"],
        "box_deg": [round(row[f"{side}_deg"], 5) for side in ("south", "west", "north", "east")],
        "low_m": None if row["low_m"] is None else round(row["low_m"], 1),
        "high_m": None if row["high_m"] is None else round(row["high_m"], 1),
        "speed_mps": round(row["speed_mps"], 1),
        "area": area,
        "replay": _replay(row, at_ns, where) if can else None,
        "why": f"/v1/why?track={row['id']}&since_ns={max(since, until - DAY_NS)}&until_ns={until}" if track else None,
    }


def _number(who: int, ident: int) -> str:
    """As people write it: T7, an ICAO address, an MMSI, a Remote ID's interned address."""
    return (f"T{ident}", f"{ident:06X}", f"{ident:09d}", f"{ident:010X}")[who]


def _replay(row: Json, at_ns: int, where: tuple[float, float]) -> str:
    """The page at a moment and a place, with somebody selected."""
    who = row["who"]
    selected = f"t{row['id']}" if who == 0 else f"c{who - 1}:{row['id'] & 0xFFFFFFFF}"
    return f"/#map={ZOOM}/{where[0]:.5f}/{where[1]:.5f}&sel={selected}&at={moment(at_ns)}"


def line(row: Json) -> str:
    """One visit for a terminal."""
    area = row["area"]
    first, last = (row["first_ns"], row["last_ns"]) if area is None else (area["entered_ns"], area["left_ns"])
    kind = f", probably {row['kind']} ({row['kind_p']:.0%})" if row["kind"] else ""
    inside = "" if area is None else f", {area['inside_s']} s inside" if area["exact"] else ", path not read"
    height = "height not measured" if row["low_m"] is None else f"{row['low_m']:.0f} to {row['high_m']:.0f} m"
    same = "" if row["name"] == row["number"] else f" {row['number']}"
    return (
        f"{moment(int(first))[:19]}Z to {moment(int(last))[:19]}Z  {row['who']} {row['name']}{same}{kind}, "
        f"{height}, up to {row['speed_mps']:.0f} m/s{inside}"
    )
