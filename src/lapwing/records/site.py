"""The site: where we are, what we listen to, what we protect. Read from a site file by serve, frozen here.

Units are SI and radians inside; `serve/site.py` turns the file's degrees into these.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A point on or above the Earth, WGS 84 geodetic."""

    latitude_rad: float
    longitude_rad: float
    height_ellipsoid_m: float


@dataclass(frozen=True, slots=True)
class Circle:
    """A disc around a point."""

    centre: Position
    radius_m: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed ring, first vertex not repeated; edges are straight in the site's ENU frame."""

    vertices: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """An airspace to protect: shape, height band above the ellipsoid, weekly schedule in UTC, and who may be in it."""

    name: str
    shape: Circle | Polygon
    height_m_min: float
    height_m_max: float
    schedule: tuple[tuple[int, float, float], ...] = ()  # (weekday 0 = Monday, from_s, to_s); empty = always
    priority: str = "high"
    hold_s: float = 3.0  # a finding must last this long before it becomes an alarm
    margin_m: float = 100.0  # hysteresis: how far outside before it clears
    warn_s: float = 120.0  # warn when the predicted track enters within this time; 0 = no
    cooperative_allowed: bool = True  # claims that a track confirms do not alarm
    each: bool = False  # probable birds and ground traffic get an alarm each, too
    kind_min: tuple[tuple[str, float], ...] = ()  # (name of a Kind, how probable it must be for an alarm of its own)


@dataclass(frozen=True, slots=True)
class SensorConfig:
    """What the tracker must know of one sensor that delivers detections."""

    sensor: str
    position: Position
    kind: str  # "radar" or "position"
    range_sigma_m: float = 30.0
    azimuth_sigma_rad: float = 0.0035
    elevation_sigma_rad: float = 0.01
    range_rate_sigma_mps: float = 1.0
    range_m_max: float = 50_000.0
    p_detect: float = 0.8
    clutter_per_scan: float = 10.0
    period_s: float = 4.0
    second: Position | None = None  # the transmitter of a bistatic radar, the other receiver of a time difference
    false_ratio: float = 0.0  # share of the bearings of true targets that point anywhere
    correlation_s: float = 0.0  # how long its errors last: it delivers tracks, not plots; 0: independent plots
    heading_rad: float | None = None  # its own platform's, clockwise from true north; None: not known
    echo_dbm: float | None = None  # amplitude of 1 m2 at 10 km; None: its amplitudes say nothing
    echo_min_dbm: float | None = None  # the weakest echo that it tells; None: not known
    class_reliability: float = 0.8  # how often it is right when it says what something is
    tolerance: tuple[float, ...] = (0.0,) * 4  # of range, azimuth, elevation, clock in m, rad, rad, s; 0: none stated
    includes: tuple[str, ...] = ()  # of a sensor that delivers tracks: the sensors whose plots are in them
    p_detect_small: float | None = None  # of a small drone; None: as `p_detect`
    range_small_m: float | None = None  # as far as it sees one; None: a radar a third as far as an aircraft, others all
    align: bool = False  # whether what others see of the same targets tells of its biases, too
    p_detect_at: tuple[tuple[float, float], ...] = ()  # (range_m, p_detect), straight between; (): `p_detect` all over


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How the two ends of an encrypted feed know each other: files, "" = none."""

    authority: str = ""  # certificate of who vouches for the other side
    certificate: str = ""  # our own
    key: str = ""
    server_name: str = ""  # that the other side's certificate must bear, when it is not the host's
    certified: bool = False  # who connects must be named by its certificate


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """One input: how bytes arrive and which decoder reads them."""

    feed: str
    decoder: str  # one of decode.DECODERS
    transport: str  # tcp, listen, udp, file, http, mqtt, post, ...
    host: str = ""
    port: int = 0
    path: str = ""
    speed_ratio: float = 1.0  # of a file: 1 = as recorded, 0 = as fast as possible
    quiet_s_max: float = 30.0
    receiver: Position | None = None
    sensor: str = ""  # for detections: the SensorConfig this feed delivers
    start_ns: int = 0  # of a file without its own dates: when it begins
    user: str = ""
    secret: str = ""  # where the password or token is: "env:NAME" or "file:PATH"; never itself
    tls: TlsConfig | None = None  # None: in clear
    carrier_hz: float = 0.0  # of the transmitter that a passive radar listens to; 0 = not told
    origin: Position | None = None  # the site's, for decoders that place things in its ENU frame
    interface: str = ""  # local address on the network where a multicast group is joined; "" = the system's choice
    alerts: str = "low"  # how urgent an alert of a node may at most be: none (not shown), low, medium, high
    strict: bool = False  # a SAPIENT node that does not tell all that the standard demands is not taken in
    radar: int = -1  # SAC and SIC (256 times the one plus the other) of the only radar that is heeded, -1 = the first


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that a run depends on besides the journal."""

    name: str
    origin: Position
    feeds: tuple[FeedConfig, ...]
    sensors: tuple[SensorConfig, ...]
    zones: tuple[Zone, ...]
    operator_forget_s: float = 120.0  # how long the place of a person who flies a drone is kept
    drones_per_km2: float = 1e-3  # small drones that would be in the air here if nobody looked
    blind_share: float = 0.02  # of them, that no sensor here can ever see
    no_ships: tuple[Circle | Polygon, ...] = ()  # where no ship can be
