"""Site files: TOML to a frozen `Site`, and every mistake explained with key, what was found and what is allowed.

Degrees, kilometres and clock times end here; inside everything is SI, radians and nanoseconds.
"""

import math
import re
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lapwing.records import Circle, FeedConfig, Polygon, Position, Site, Zone
from lapwing.serve.feed_tls import unusable
from lapwing.serve.feed_ways import FeedWays
from lapwing.serve.guard import is_loopback
from lapwing.serve.outputs.entries import SecretReference
from lapwing.serve.outputs.entries_alarms import NO_ZONE
from lapwing.serve.outputs.kinds import KINDS, OutputEntry
from lapwing.serve.outputs.quiet import QuietEntry
from lapwing.serve.site_history import HistoryEntry
from lapwing.serve.site_link import SiteLinkEntry
from lapwing.serve.site_mistakes import sentence
from lapwing.serve.site_plans import PlanEntry, checked, unfit
from lapwing.serve.site_sensors import FORBID, Height, Latitude, Longitude, Name, Place, SensorEntry
from lapwing.serve.site_web import WebEntry
from lapwing.serve.sources import packaged, split_source

DecoderName = Literal[
    "beast",
    "avr",
    "sbs",
    "readsb",
    "trace",
    "nmea",
    "asterix",
    "remoteid",
    "dronescout",
    "mavlink",
    "json",
    "sapient",
    "blah2",
]
DECODER_NAMES: tuple[str, ...] = get_args(DecoderName)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SiteError(Exception):
    """The site file cannot be used. `problems`: one sentence each, for a person."""

    def __init__(self, path: str, problems: list[str]) -> None:
        super().__init__(f"{path}: {len(problems)} problem{'s' * (len(problems) != 1)}")
        self.path, self.problems = path, problems


KindName = Literal[
    "unknown", "multirotor", "fixed_wing_drone", "bird", "aircraft", "helicopter", "ship", "ground"
]  # of records.Kind, in small letters


class CircleEntry(BaseModel):
    """A disc."""

    model_config = FORBID
    latitude_deg: Latitude
    longitude_deg: Longitude
    radius_m: Annotated[float, Field(gt=0, le=1_000_000)]


class NoShipsEntry(BaseModel):
    """[[no_ships]]: a place where no ship can be, such as a runway."""

    model_config = FORBID
    name: Name
    circle: CircleEntry | None = None
    polygon: list[tuple[Latitude, Longitude]] | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> "NoShipsEntry":
        _check_shape(self.circle, self.polygon, "a place in [[no_ships]]")
        return self

    def shape(self) -> Circle | Polygon:
        """Frozen, in radians."""
        return _shape(self.circle, self.polygon)


def _check_shape(circle: CircleEntry | None, polygon: list[tuple[float, float]] | None, what: str) -> None:
    """Raises ValueError unless there is one of both."""
    if (circle is None) == (polygon is None):
        raise ValueError(f"{what} needs either 'circle' or 'polygon'")
    if polygon is not None and len(polygon) < 3:
        raise ValueError("a polygon needs at least 3 [latitude, longitude] pairs")


def _shape(circle: CircleEntry | None, polygon: list[tuple[float, float]] | None) -> Circle | Polygon:
    if circle is not None:
        middle = Position(math.radians(circle.latitude_deg), math.radians(circle.longitude_deg), 0.0)
        return Circle(middle, circle.radius_m)
    return Polygon(tuple(Position(math.radians(a), math.radians(o), 0.0) for a, o in polygon or ()))


class ZoneEntry(BaseModel):
    """[[zone]]: an airspace to protect."""

    model_config = FORBID
    name: Name
    circle: CircleEntry | None = None
    polygon: list[tuple[Latitude, Longitude]] | None = None
    height_m: tuple[Height, Height] = (-1000.0, 100_000.0)
    schedule: list[str] = []
    priority: Literal["critical", "high", "medium", "low"] = "high"
    hold_s: Annotated[float, Field(ge=0, le=600)] = 3.0
    margin_m: Annotated[float, Field(ge=0, le=100_000)] = 100.0
    warn_s: Annotated[float, Field(ge=0, le=3600)] = 120.0
    cooperative_allowed: bool = True
    each: bool = False
    kind_min: dict[KindName, Annotated[float, Field(gt=0, le=1)]] = {}

    @field_validator("schedule")
    @classmethod
    def _readable(cls, value: list[str]) -> list[str]:
        for entry in value:
            parse_schedule(entry)
        return value

    @model_validator(mode="after")
    def _one_shape(self) -> "ZoneEntry":
        _check_shape(self.circle, self.polygon, "a zone")
        if self.height_m[0] >= self.height_m[1]:
            raise ValueError("height_m must be [lowest, highest]")
        if self.each and self.kind_min:
            raise ValueError("'each' gives every track an alarm of its own: 'kind_min' would say nothing")
        return self

    def zone(self) -> Zone:
        """Frozen, in radians."""
        times = tuple(t for entry in self.schedule for t in parse_schedule(entry))
        return Zone(
            self.name,
            _shape(self.circle, self.polygon),
            *self.height_m,
            schedule=times,
            priority=self.priority,
            hold_s=self.hold_s,
            margin_m=self.margin_m,
            warn_s=self.warn_s,
            cooperative_allowed=self.cooperative_allowed,
            each=self.each,
            kind_min=tuple(sorted(self.kind_min.items())),
        )


def parse_schedule(entry: str) -> list[tuple[int, float, float]]:
    """(weekday, from_s, to_s) rows of "mon-fri 06:00-22:00" or "sat 22:00-24:00". Raises ValueError."""
    match = re.fullmatch(r"(\w{3})(?:-(\w{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)", entry.strip().lower())
    if not match or match[1] not in DAYS or (match[2] or "mon") not in DAYS:
        raise ValueError(f"{entry!r} is not a schedule; write it like 'mon-fri 06:00-22:00' (UTC)")
    start, end = (int(match[i]) * 3600.0 + int(match[i + 1]) * 60.0 for i in (3, 5))
    if not start < end <= 86_400.0:
        raise ValueError(f"{entry!r}: the end must be after the beginning, at most 24:00 (split at midnight)")
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    span = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
    return [(day, start, end) for day in span]


class FeedEntry(FeedWays):
    """[[feed]]: one input."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    name: Name
    decoder: DecoderName
    source: Annotated[str, Field(alias="from")]
    receiver: Place | None = None
    sensor: str = ""
    speed: Annotated[float, Field(ge=0, le=1000)] = 1.0
    start: datetime | date | None = None
    quiet_s: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    user: str = ""
    password: SecretReference = ""
    token: SecretReference = ""
    frequency_mhz: Annotated[float, Field(ge=0, le=100_000)] = 0.0

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        split_source(value)
        return value

    @model_validator(mode="after")
    def _guarded(self) -> "FeedEntry":
        transport, host, _, _ = split_source(self.source)
        if transport == "post" and not self.token and not is_loopback(host):
            raise ValueError("whoever can reach it could post: 'token' is needed unless it listens on 127.0.0.1")
        self.check_ways(self.source, self.decoder, self.sensor)
        if transport == "gpsd" and self.decoder != "nmea":
            raise ValueError("gpsd:// gives AIS sentences: its decoder is 'nmea'")
        if transport == "bluetooth" and self.decoder != "remoteid":
            raise ValueError("bluetooth: gives Remote ID: its decoder is 'remoteid'")
        return self

    def config(self, folder: Path) -> FeedConfig:
        """Frozen; relative paths are relative to the site file's folder."""
        transport, host, port, path = split_source(self.source)
        if transport in ("file", "poll"):
            path = str((folder / path).resolve())
        if transport == "package":
            transport, path = "file", packaged(path)
        start = self.start
        if start is not None and not isinstance(start, datetime):
            start = datetime(start.year, start.month, start.day, tzinfo=UTC)
        start_ns = 0 if start is None else round(start.replace(tzinfo=start.tzinfo or UTC).timestamp() * 1e9)
        where = self.receiver.position() if self.receiver else None
        tail = (self.speed, self.quiet_s, where, self.sensor, start_ns)
        secret = self.password or self.token
        if secret.startswith("file:"):
            secret = f"file:{(folder / secret[5:]).resolve()}"
        last = (self.user, secret, self.tls_config(self.source, folder), self.frequency_mhz * 1e6)
        return FeedConfig(self.name, self.decoder, transport, host, port, path, *tail, *last, **self.ways())


class JournalEntry(BaseModel):
    """[journal]: where everything received is kept, and how much of it."""

    model_config = FORBID
    folder: str = "journal"
    size_mib_max: Annotated[float, Field(ge=8, le=10_000_000)] = 4096.0
    history_days: Annotated[float, Field(ge=0, le=36_600)] = 366.0  # of paths, alarms, beliefs, cells; 0: for ever


class PrivacyEntry(BaseModel):
    """[privacy]: what is kept of people, and what is handed on."""

    model_config = FORBID
    operator_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    withhold: bool = False  # leave who flies, and from where, out of evidence and exports


class UnseenEntry(BaseModel):
    """[unseen]: what the map of what could be here unseen assumes."""

    model_config = FORBID
    drones_per_km2: Annotated[float, Field(gt=0, le=100)] = 1e-3
    blind_share: Annotated[float, Field(gt=0, le=1)] = 0.02


class SiteFile(BaseModel):
    """A whole site file."""

    model_config = FORBID
    name: Name
    origin: Place
    feed: Annotated[list[FeedEntry], Field(min_length=1)]
    sensor: list[SensorEntry] = []
    zone: list[ZoneEntry] = []
    no_ships: Annotated[list[NoShipsEntry], Field(max_length=1000)] = []
    output: list[OutputEntry] = []
    plan: list[PlanEntry] = []
    site_link: Annotated[list[SiteLinkEntry], Field(max_length=8)] = []
    journal: JournalEntry = JournalEntry()
    history: HistoryEntry = HistoryEntry()
    web: WebEntry = WebEntry()
    privacy: PrivacyEntry = PrivacyEntry()
    unseen: UnseenEntry = UnseenEntry()

    @model_validator(mode="after")
    def _consistent(self) -> "SiteFile":
        for kind, names in (
            ("feed", [f.name for f in self.feed]),
            ("sensor", [s.name for s in self.sensor]),
            ("zone", [z.name for z in self.zone]),
            ("no_ships place", [z.name for z in self.no_ships]),
            ("output", [o.name for o in self.output]),
            ("plan", [p.name for p in self.plan]),
            ("site_link", [k.name for k in self.site_link]),
        ):
            double = sorted({n for n in names if names.count(n) > 1})
            if double:
                raise ValueError(f"two {kind}s are named {double[0]!r}; names must differ")
        checked(self.plan)
        for o in self.output:
            if getattr(o, "unacknowledged_s", 0.0) and not self.web.may_act():
                raise ValueError(
                    f"output {o.name!r}: 'unacknowledged_s' needs people who may acknowledge: [web] acts = true"
                )
            zones = [NO_ZONE, *(z.name for z in self.zone)]
            for name in getattr(o, "zones", []):
                if name not in zones:
                    raise ValueError(f"output {o.name!r}: zones: {name!r} is none of {', '.join(zones)}")
        known = [s.name for s in self.sensor]
        for f in self.feed:
            if (f.sensor or f.decoder in ("json", "sapient", "blah2")) and f.sensor not in known:
                raise ValueError(f"feed {f.name!r}: sensor = {f.sensor!r} is none of the sensors {known}")
            transport = split_source(f.source)[0]
            if transport != "file" and (f.decoder == "sapient") != transport.startswith("sapient"):
                pair = "decoder 'sapient' and from = 'sapient://HOST:PORT' or 'sapient-peer://HOST:PORT'"
                raise ValueError(f"feed {f.name!r}: {pair} need each other")
        recorded = [f.name for f in self.feed if f.source.startswith(("file:", "package:"))]
        live = [f.name for f in self.feed if f.name not in recorded]
        if recorded and live:
            raise ValueError(f"feed {recorded[0]!r} is a recording and {live[0]!r} is live; a site has one kind only")
        return self

    def site(self, folder: Path) -> Site:
        """Frozen."""
        return Site(
            self.name,
            self.origin.position(),
            tuple(replace(f.config(folder), origin=self.origin.position()) for f in self.feed),
            tuple(s.config() for s in self.sensor),
            tuple(z.zone() for z in self.zone),
            self.privacy.operator_s,
            self.unseen.drones_per_km2,
            self.unseen.blind_share,
            tuple(n.shape() for n in self.no_ships),
        )


MODELS: dict[str, type[BaseModel]] = {
    "": SiteFile,
    "feed": FeedEntry,
    "sensor": SensorEntry,
    "zone": ZoneEntry,
    "no_ships": NoShipsEntry,
    "plan": PlanEntry,
    "journal": JournalEntry,
    "web": WebEntry,
    "history": HistoryEntry,
    "site_link": SiteLinkEntry,
    "privacy": PrivacyEntry,
    "unseen": UnseenEntry,
    **dict.fromkeys(("origin", "at", "second", "receiver"), Place),
    "circle": CircleEntry,
    "quiet": QuietEntry,
    **KINDS,
}


def essence(text: str) -> object:
    """What of a site file the picture depends on: all but where it is shown, sent and kept. Unreadable: the text."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    apart = ("output", "site_link", "web", "journal", "history", "plan")
    kept = {key: value for key, value in table.items() if key not in apart}
    privacy = kept.pop("privacy", None)
    if isinstance(privacy, dict):  # what is handed on changes no picture
        privacy = {key: value for key, value in privacy.items() if key != "withhold"}
    return kept | ({"privacy": privacy} if privacy else {})


def parse(text: str, path: str = "site") -> SiteFile:
    """The site file in `text`. Raises SiteError with every mistake."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SiteError(path, [f"not valid TOML: {error}"]) from None
    try:
        return SiteFile.model_validate(table)
    except ValidationError as error:
        raise SiteError(path, [sentence(dict(e), table, MODELS) for e in error.errors()]) from None


def load(path: Path) -> tuple[SiteFile, Site]:
    """A site file from disk, and its frozen form. Raises SiteError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SiteError(str(path), ["not UTF-8 text"]) from None
    except OSError as error:
        raise SiteError(str(path), [f"cannot be read: {error.strerror}"]) from None
    return examined(text, path)


def examined(text: str, path: Path) -> tuple[SiteFile, Site]:
    """The site file that `text` would be at `path`, and its frozen form. Raises SiteError."""
    entry = parse(text, str(path))
    folder = path.resolve().parent
    site = entry.site(folder)
    missing = [f for f in site.feeds if f.transport == "file" and not Path(f.path).is_file()]
    if missing:
        raise SiteError(str(path), [f"feed {f.feed!r}: there is no file {f.path}" for f in missing])
    refused = [f"output {o.name!r}: {o.refusal()}" for o in entry.output if o.refusal()]
    refused += [f"plan {p.name!r}: {why}" for p in entry.plan if (why := unfit(p, folder))]
    if entry.history.refusal():
        refused.append(f"[history]: {entry.history.refusal()}")
    for f in site.feeds:
        if why := unusable(f.tls, listens=f.transport == "sapient"):
            refused.append(f"feed {f.feed!r}: {why}")
    if refused:
        raise SiteError(str(path), refused)
    return entry, site
