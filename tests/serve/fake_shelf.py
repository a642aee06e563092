"""A shelf without an engine: seeded, moving pictures near 37.9 N 126.6 E, for development and tests.

`python -m tests.serve.fake_shelf [port]` (or run the file) serves them to a browser. Same tick, same picture.
"""

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from lapwing.engine.alarm_history import COLUMNS as ALARM_COLUMNS
from lapwing.engine.cell_history import BIN_NS, VISITS
from lapwing.engine.history import History
from lapwing.engine.presence import Presence
from lapwing.engine.track_history import COLUMNS as BELIEFS
from lapwing.integrity.cells import library_cells
from lapwing.records import (
    ANONYMOUS,
    NO_TRACK,
    Alarms,
    Circle,
    Claims,
    Condition,
    FeedConfig,
    FeedHealth,
    Field,
    Frame,
    Integrity,
    Interference,
    Picture,
    Polygon,
    Position,
    SensorConfig,
    Site,
    Source,
    Tracks,
    Unseen,
    Zone,
)
from lapwing.serve.shelf import history_folder

RAD = math.pi / 180.0
TICK_NS = 200_000_000
START_NS = 1_790_000_000_000_000_000
ORIGIN = Position(37.9 * RAD, 126.6 * RAD, 50.0)
DRONE_ID = 7  # the track that crosses into the circle zone
FLOWN_DRONE = 12  # row of the Remote ID claim that says where its person is
SILENT_DRONE = 25  # row of the Remote ID claim that says 0, 0: its place is unknown
FIELDS = tuple(Field)


def position(latitude_deg: float, longitude_deg: float, height_m: float = 50.0) -> Position:
    return Position(latitude_deg * RAD, longitude_deg * RAD, height_m)


def make_site() -> Site:
    """One radar, two receivers, a circle and a polygon to protect."""
    ring = tuple(position(a, o) for a, o in ((37.98, 126.42), (38.05, 126.5), (38.02, 126.66), (37.95, 126.6)))
    return Site(
        name="Gyodong test range",
        origin=ORIGIN,
        feeds=(
            FeedConfig("adsb-north", "beast", "tcp", "127.0.0.1", 30005),
            FeedConfig("harbour-ais", "nmea", "udp", "127.0.0.1", 10110),
            FeedConfig("hill-radar", "asterix", "udp", "127.0.0.1", 8600, sensor="hill"),
            FeedConfig("roof", "dronescout", "mqtt", "127.0.0.1", 1883, receiver=position(37.92, 126.58, 70.0)),
        ),
        sensors=(SensorConfig("hill", position(37.9, 126.6, 120.0), "radar", range_m_max=40_000.0),),
        zones=(
            Zone("Terminal", Circle(position(37.86, 126.68), 2_500.0), -100.0, 1_000.0, priority="critical"),
            Zone("North field", Polygon(ring), 0.0, 3_000.0),
        ),
    )


@dataclass(frozen=True)
class World:
    """Seeded targets that fly straight lines and circles; `picture(tick)` is a pure function of the tick."""

    n_tracks: int = 40
    n_claims: int = 60
    seed: int = 5
    draw: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        n = self.n_tracks + self.n_claims
        self.draw["centre"] = rng.uniform(-28_000, 28_000, (n, 2))
        self.draw["radius"] = rng.uniform(1_500, 9_000, n)
        self.draw["phase"] = rng.uniform(0, 2 * math.pi, n)
        self.draw["speed"] = np.where(rng.random(n) < 0.5, rng.uniform(8, 40, n), rng.uniform(60, 240, n))
        self.draw["turn"] = rng.choice([-1.0, 1.0], n)
        self.draw["height"] = rng.uniform(60, 9_000, n)
        self.draw["sigma"] = rng.uniform(10, 220, n)
        self.draw["address"] = rng.integers(0x710000, 0x89FFFF, n)

    def states(self, t_s: float, rows: slice) -> np.ndarray:
        d = {k: v[rows] for k, v in self.draw.items()}
        angle = d["phase"] + d["turn"] * d["speed"] / d["radius"] * t_s
        mean = np.zeros((len(angle), 6))
        mean[:, 0] = d["centre"][:, 0] + d["radius"] * np.cos(angle)
        mean[:, 1] = d["centre"][:, 1] + d["radius"] * np.sin(angle)
        mean[:, 2] = d["height"]
        mean[:, 3] = -d["speed"] * d["turn"] * np.sin(angle)
        mean[:, 4] = d["speed"] * d["turn"] * np.cos(angle)
        return mean

    def covs(self, rows: slice) -> np.ndarray:
        sigma, phase = self.draw["sigma"][rows], self.draw["phase"][rows]
        cov = np.zeros((len(sigma), 6, 6))
        c, s = np.cos(phase), np.sin(phase)
        a, b = sigma**2, (0.35 * sigma) ** 2
        cov[:, 0, 0] = a * c * c + b * s * s
        cov[:, 1, 1] = a * s * s + b * c * c
        cov[:, 0, 1] = cov[:, 1, 0] = (a - b) * c * s
        cov[:, 2, 2] = a
        cov[:, 3:, 3:] = 4.0 * np.eye(3)
        return cov

    def picture(self, tick: int) -> Picture:
        """The world at a tick: track DRONE_ID heads straight for zone Terminal and raises an alarm on the way in."""
        now = START_NS + tick * TICK_NS
        tracks = self._tracks(tick, now)
        claims = self._claims(tick, now)
        integrity = self._integrity(claims, now)
        rest = (self._alarms(tick, now, tracks), _feeds(tick, now))
        return Picture(tick, now, tick * 3, tracks, claims, integrity, *rest, unseen=_unseen(now))

    def _tracks(self, tick: int, now: int) -> Tracks:
        n, rows = self.n_tracks, slice(0, self.n_tracks)
        mean, cov = self.states(tick * 0.2, rows).copy(), self.covs(rows)
        both = min(n, self.n_claims) // 4
        mean[:both] = self.states(tick * 0.2, slice(n, n + both))  # these agree with a claim
        cov[:both] *= 0.2
        track_id = np.arange(1, n + 1, dtype=np.int64)
        if n >= DRONE_ID:
            drone = DRONE_ID - 1
            mean[drone] = (7_100.0, -9_200.0 + 22.0 * 0.2 * tick, 110.0, 0.0, 22.0, 0.3)
            cov[drone, :2, :2] = [[900.0, 200.0], [200.0, 250.0]]
        status = np.where(np.arange(n) % 9 == 8, 0, np.where(np.arange(n) % 11 == 10, 2, 1)).astype(np.int64)
        existence = np.where(status == 0, 0.45, np.where(status == 2, 0.8, 0.99))
        updated = now - np.where(status == 2, 12_000_000_000, (np.arange(n) % 5) * 800_000_000).astype(np.int64)
        born = np.full(n, START_NS, dtype=np.int64)
        address = np.full(n, ANONYMOUS, dtype=np.int64)
        return Tracks(now, track_id, mean, cov, existence, status, born, updated, address, track_id * 2, n + 1)

    def _claims(self, tick: int, now: int) -> Claims:
        n = self.n_claims
        rows = slice(self.n_tracks, self.n_tracks + n)
        i = np.arange(n)
        mean, cov = self.states(tick * 0.2, rows).copy(), self.covs(rows)
        source = np.where(i % 5 == 4, Source.AIS, np.where(i % 13 == 12, Source.REMOTE_ID, Source.ADSB)).astype(
            np.int64
        )
        mean[source == Source.AIS, 2] = 0.0
        mean[source == Source.AIS, 3:] *= 0.1
        placed = ((i % 17 != 16) & (i != SILENT_DRONE)).astype(np.int64)
        mean[placed == 0] = 0.0
        values = np.zeros((n, len(FIELDS)))
        values_ns = np.zeros((n, len(FIELDS)), dtype=np.int64)
        for code, value in ((Field.NIC, 8.0), (Field.NAC_P, 9.0)):
            column = FIELDS.index(code)
            values[source == Source.ADSB, column] = value
            values_ns[source == Source.ADSB, column] = now
        person = ((Field.OPERATOR_LATITUDE_RAD, 37.93 * RAD), (Field.OPERATOR_LONGITUDE_RAD, 126.55 * RAD),
                  (Field.OPERATOR_LOCATION_KIND, 1.0))  # fmt: skip
        for code, value in person if n > FLOWN_DRONE else ():
            values[FLOWN_DRONE, FIELDS.index(code)] = value
            values_ns[FLOWN_DRONE, FIELDS.index(code)] = now - 3_000_000_000
        age = np.where(self.condition() == Condition.LOST, 70_000_000_000, (i % 4) * 600_000_000).astype(np.int64)
        names = tuple("" if k % 6 == 5 else (f"HL{k:03d}" if k % 5 != 4 else f"HAERANG {k}") for k in range(n))
        zero = np.zeros(n, dtype=np.int64)
        return Claims(
            now, self.draw["address"][rows].astype(np.int64), source, placed, mean, cov, (now - age) * placed,
            now - (i % 3) * 300_000_000, i * 2 + 1, zero, zero, values, values_ns, names,
        )  # fmt: skip

    def condition(self) -> np.ndarray:
        i = np.arange(self.n_claims)
        condition = np.zeros(self.n_claims, dtype=np.int64)
        condition[i % 7 == 3] = Condition.LOST
        condition[i % 11 == 5] = Condition.DEGRADED
        condition[i % 23 == 9] = Condition.INCONSISTENT
        condition[(i % 17 == 16) | (i == SILENT_DRONE)] = Condition.UNKNOWN
        return condition

    def _integrity(self, claims: Claims, now: int) -> Integrity:
        n = len(claims)
        condition = self.condition()
        reasons = ("", "NIC fell from 8 to 0 within 4 s", "still heard on DF 11, no position for 70 s",
                   "claimed course differs from radar track by 96 degrees", "too little said to judge")  # fmt: skip
        back = np.where(condition == Condition.LOST, 70.0, 20.0)[:, None] * claims.mean[:, 3:5]
        track = np.where(np.arange(n) < min(self.n_tracks, n) // 4, np.arange(1, n + 1), NO_TRACK).astype(np.int64)
        track[condition != 0] = NO_TRACK
        track[track == DRONE_ID] = NO_TRACK
        one = np.array([1], dtype=np.int64)
        region = Interference(
            one, one * (now - 95_000_000_000), one * now, np.array([-9_000.0]), np.array([12_000.0]),
            np.array([9_500.0]), one * 8, one * 11, np.array([3.2e-7]),
        )  # fmt: skip
        since = np.full(n, START_NS, dtype=np.int64)
        good = claims.mean[:, :2] - back
        return Integrity(
            condition, since, tuple(reasons[c] for c in condition), good[:, 0].copy(), good[:, 1].copy(),
            (claims.position_ns - 1) * claims.has_position, claims.frame_seq, track, region,
        )  # fmt: skip

    def _alarms(self, tick: int, now: int, tracks: Tracks) -> Alarms:
        rows: list[tuple[int, str, str, int, int, int, int, int, float, float, str, tuple[int, ...]]] = []
        north = -9_200.0 + 22.0 * 0.2 * tick
        if self.n_tracks >= DRONE_ID and north > -6_930.0:
            state = 0 if north < -6_900 else 1
            reason = "Track 7 has no cooperative report and is inside zone Terminal at 110 m; existence 0.99"
            rows.append((1, "uncooperative in zone", "Terminal", 0, DRONE_ID, state, 0, 515, 7_100.0, north, reason,
                         (14, 15, 16)))  # fmt: skip
        if self.n_claims:
            reason = "8 of 11 aircraft lost or degraded their position within 40 s; chance 3e-07"
            rows.append((2, "gnss interference", "", 2, 1, 1, 1, 0, -9_000.0, 12_000.0, reason, (3, 5, 9)))
            reason = "No frame from harbour-ais for 46 s (limit 30 s)"
            rows.append((3, "feed quiet", "", 3, 1, 0, 3, 0, 0.0, 0.0, reason, ()))
        ints = [np.array([r[k] for r in rows], dtype=np.int64) for k in (0, 3, 4, 5, 6)]
        raised = np.array([START_NS + r[7] * TICK_NS for r in rows], dtype=np.int64)
        return Alarms(
            ints[0], tuple(r[1] for r in rows), tuple(r[2] for r in rows), ints[1], ints[2], ints[3], ints[4], raised,
            np.full(len(rows), now, dtype=np.int64), np.zeros(len(rows), dtype=np.int64),
            np.array([r[8] for r in rows], dtype=np.float64), np.array([r[9] for r in rows], dtype=np.float64),
            tuple(r[10] for r in rows), tuple(r[11] for r in rows), 4,
        )  # fmt: skip


def _feeds(tick: int, now: int) -> tuple[FeedHealth, ...]:
    return (
        FeedHealth("adsb-north", tick * 9, tick * 4_000, tick * 90, tick // 7, now - 90_000_000, 448.2, False,
                   "CRC does not match", 3, bytes.fromhex("8d4840d6202cc371c32ce0576098")),
        FeedHealth("harbour-ais", 40, 2_400, 80, 0, now - 46_000_000_000, 0.0, True, "", 0, b""),
        FeedHealth("hill-radar", tick // 20, tick * 60, tick // 5, 0, now - 1_500_000_000, 1.0, False, "", 0, b"",
                   delay_s=-1.82, delay_s_min=-1.9),
    )  # fmt: skip


def written_history(where: Path) -> Path:
    """A journal's folder that holds nothing but the history of three pictures."""
    history = History(history_folder(where), ORIGIN)
    for tick in (200, 205, 210):
        history.add(World().picture(tick))
    history.flush()
    return where


class FakeShelf:
    """Plays a World. `advance()` is the only clock: tests call it, `play()` calls it five times a second."""

    def __init__(self, world: World, tick: int = 1) -> None:
        self.world = world
        self._picture: Picture | None = world.picture(tick) if tick else None
        self._changed = asyncio.Event()
        nowhere = Path("/nonexistent")  # kept in memory
        self._presence, self._paths = Presence(nowhere, ORIGIN), History(nowhere, ORIGIN)

    def remember(self, ticks: Sequence[int]) -> None:
        """Keep these pictures in the history."""
        for tick in ticks:
            picture = self.world.picture(tick)
            self._presence.add(picture)
            self._paths.add(picture)

    def latest(self) -> Picture | None:
        return self._picture

    def advance(self, ticks: int = 1) -> None:
        self.put(self.world.picture((self._picture.tick if self._picture else 0) + ticks))

    def put(self, picture: Picture) -> None:
        self._picture = picture
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, after_tick: int) -> Picture:
        while self._picture is None or self._picture.tick <= after_tick:
            await self._changed.wait()
        return self._picture

    def frame(self, seq: int) -> Frame | None:
        if not 0 < seq <= 10_000:
            return None
        return Frame(seq, "hill-radar", START_NS, b"\x30\x00\x12<script>alert(1)</script>" + bytes([seq % 256]))

    def history(self, since_ns: int, until_ns: int, kind: str, ident: int) -> dict[str, np.ndarray]:
        if ident != DRONE_ID or kind != "track":
            raise LookupError(f"no {kind} {ident} in the history")
        time_ns = np.arange(since_ns, until_ns, 1_000_000_000, dtype=np.int64)[:5]
        values = np.linspace(0.0, 1.0, len(time_ns))
        if len(values):
            values[-1] = np.nan
        return {"time_ns": time_ns, "existence": values}

    def cells(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Three cells over six times ten minutes, the middle one ever more affected."""
        rows = []
        for number in range(-(-since_ns // BIN_NS), -(-until_ns // BIN_NS)):
            for cell, (longitude, n) in enumerate(((126.2, 12), (126.7, 9), (127.3, 2))):
                at = int(library_cells(np.array([37.9]), np.array([longitude]), 4)[0])
                for k in range(n):
                    bad = cell == 1 and k < number % 6 + 1
                    key = 0x71C000 + 16 * cell + k
                    why = "integrity category (NIC) fell to 0, its own normal is 8.0" if bad else ""
                    rows.append((number, at, key, bad, number * BIN_NS if bad else 0, why))
        return pl.DataFrame(rows, schema=VISITS, orient="row")

    def extent_ns(self) -> tuple[int, int] | None:
        return (START_NS, self._picture.time_ns) if self._picture else None

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """The drone's and the interference, as the pictures have them."""
        a = self.world.picture(600).alarms
        columns = (a.alarm_id, a.raised_ns, a.cleared_ns, a.priority, list(a.rule), list(a.zone), a.subject,
                   a.subject_id, a.north_m * 1e-5 + 37.9, a.east_m * 1e-5 + 126.6, list(a.reason))  # fmt: skip
        rows = pl.DataFrame(dict(zip(ALARM_COLUMNS, columns, strict=True)), schema_overrides=ALARM_COLUMNS)
        return rows.filter(pl.col("raised_ns").is_between(since_ns, until_ns, closed="left")).sort("raised_ns")

    def beliefs(self, since_ns: int, until_ns: int, track_id: int) -> pl.DataFrame:
        """Of the drone, a row a second and a detection every fourth: ever less a bird."""
        if track_id != DRONE_ID:
            return pl.DataFrame(schema=BELIEFS)
        time_ns = np.arange(max(since_ns, until_ns - 120 * 10**9), until_ns, 10**9)
        n, seen = len(time_ns), np.arange(len(time_ns)) % 4 == 0
        bird = np.linspace(0.8, 0.1, n)
        kinds = [0 * bird, 0.9 - bird, 0 * bird, bird, 0 * bird, 0 * bird, 0 * bird, 0 * bird + 0.1]
        frames = 1 + np.cumsum(seen)
        seen_ns = time_ns - (np.arange(n) % 4) * 10**9 - 300_000_000
        columns = (time_ns, np.full(n, track_id), np.linspace(0.5, 0.99, n), seen, seen_ns, frames, *kinds)
        return pl.DataFrame(dict(zip(BELIEFS, columns, strict=True))).cast(BELIEFS)

    def presence(self) -> Presence:
        """Of the pictures that a test has put there."""
        return self._presence

    def rows(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        return self._paths.rows(since_ns, until_ns)

    def feeds_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Every third entry came by ADS-B (a radar's track would not, but the page must tell them apart)."""
        roof = 2 * SILENT_DRONE + 1
        return {s: "roof" if s == roof else "adsb-north" if s % 3 == 0 else "hill-radar" for s in seqs if s > 2}

    async def play(self, speed: float = 1.0) -> None:
        while True:
            await asyncio.sleep(TICK_NS * 1e-9 / speed)
            self.advance()


async def _main(port: int, speed: float, tracks: int, claims: int) -> None:
    from lapwing.serve.listening import serve_web
    from lapwing.serve.web import WebOptions, create_app

    shelf = FakeShelf(World(tracks, claims), tick=400)
    app = create_app(shelf, make_site(), WebOptions(port=port))

    def up(bound: int) -> None:
        print(f"http://127.0.0.1:{bound}/  ({time.strftime('%H:%M:%S')})", flush=True)

    await asyncio.gather(shelf.play(speed), serve_web(app, "127.0.0.1", port, up))


def _unseen(now: int) -> Unseen:
    """Half of the map is watched, half is not."""
    expected = np.full((6, 8), 4e-3)
    expected[:, 4:] = 2e-4
    return Unseen(now, -8_000.0, -6_000.0, 2_000.0, expected, 4e-3, ("Terminal",), np.array([0.0123]))


if __name__ == "__main__":
    args = [float(a) for a in sys.argv[1:]] + [8765.0, 1.0, 40.0, 60.0][len(sys.argv) - 1 :]
    asyncio.run(_main(int(args[0]), args[1], int(args[2]), int(args[3])))
