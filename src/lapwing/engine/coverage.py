"""How far every sensor really saw: the farthest target per sensor, hour, height band and sector of azimuth.

A projection beside the picture, never part of it: it takes confirmed tracks that a sensor's detection has just
corrected, and claims that a receiver has just heard and integrity believes. What is vague does not count. The farthest
of many is no average: one wrong association makes a spike until its hour is out of the window. It refuses to know
terrain.

Axes: n targets, b bands, s sectors.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from lapwing.engine.hours import Hours
from lapwing.engine.parts import HOUR_NS
from lapwing.kernel.geodesy import frame_between
from lapwing.kernel.telling import among
from lapwing.records import Array, Condition, Doubt, Frame, Picture, Position, Site, TrackStatus

SECTORS = 72
BAND_TOPS_M = (150.0, 500.0, 3_000.0)  # above the sensor; higher: the last band
UNKNOWN = len(BAND_TOPS_M) + 1  # the code of the band of those whose height nobody measured
BANDS = UNKNOWN + 1
FARTHEST = {"sensor": pl.String, "band": pl.Int8, "sector": pl.Int8, "range_m": pl.Float32}
EXISTENCE_MIN = 0.95
SIGMA_SHARE_MAX, SIGMA_M_MIN = 0.1, 200.0  # 1-sigma of the place: at most this share of the range, or this
HEIGHT_SIGMA_M_MAX = 500.0
RANGE_M_MAX = 1_000_000.0
FRAMES_KEPT = 65_536  # a scan's plots may have come seconds before its end
EVERY_NS = 5_000_000_000
BAD = int(Doubt.JUMP | Doubt.BEYOND_HORIZON | Doubt.SINGLE)


def merged(rows: pl.DataFrame) -> pl.DataFrame:
    """The farthest of each; the same rows twice change nothing."""
    return rows.group_by("sensor", "band", "sector").agg(pl.col("range_m").max()).sort("sensor", "band", "sector")


def places_of(site: Site) -> dict[str, Position]:
    """Where what can see stands: sensors by their names, receivers by their feeds'."""
    out = {f.feed: f.receiver for f in site.feeds if f.receiver is not None and not f.sensor}
    return out | {s.sensor: s.position for s in site.sensors}


class Coverage:
    """Watches the pictures of one site, tick by tick, and fills a table of hours."""

    def __init__(self, site: Site, table: Hours) -> None:
        home = _place(site.origin)
        known = places_of(site)
        self._frames = {name: frame_between(home, _place(at)) for name, at in known.items()}
        watches = {f.feed: f.sensor or f.feed for f in site.feeds}
        self._names = [name for name in watches.values() if name in known]
        self._feed = {feed: self._names.index(name) for feed, name in watches.items() if name in known}
        self._sensors = {name for name in self._names if any(s.sensor == name for s in site.sensors)}
        self._table = table
        self._seqs, self._of = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._best = np.zeros((len(self._names), BANDS, SECTORS), np.float32)
        self._time_ns = self._told_ns = 0

    def add(self, picture: Picture, frames: Sequence[Frame]) -> None:
        """One tick: its picture and what was received in it."""
        if picture.time_ns // HOUR_NS != self._time_ns // HOUR_NS or picture.time_ns - self._told_ns >= EVERY_NS:
            self.flush()
            self._told_ns = picture.time_ns
        self._time_ns = picture.time_ns
        mine = [(f.seq, self._feed[f.feed]) for f in frames if f.feed in self._feed]
        if mine:
            came = np.array(mine, dtype=np.int64)
            self._seqs = np.concatenate([self._seqs, came[:, 0]])[-FRAMES_KEPT:]
            self._of = np.concatenate([self._of, came[:, 1]])[-FRAMES_KEPT:]
        self._tracks(picture)
        if mine:
            self._claims(picture, mine[0][0])

    def flush(self) -> None:
        """Give the table what was seen since the last time."""
        sensor, band, sector = np.nonzero(self._best)
        if len(sensor) == 0:
            return
        names = [self._names[k] for k in sensor.tolist()]
        columns = (names, band.astype(np.int8), sector.astype(np.int8), self._best[sensor, band, sector])
        self._table.add(self._time_ns, pl.DataFrame(dict(zip(FARTHEST, columns, strict=True)), schema=FARTHEST))
        self._best[:] = 0.0

    def _tracks(self, picture: Picture) -> None:
        t = picture.tracks
        key = (t.track_id << 36) ^ t.frame_seq  # a track and what corrected it last
        good = (t.status == TrackStatus.CONFIRMED) & (t.existence >= EXISTENCE_MIN) & ~among(key, self._seen)
        self._seen = key
        self._note(t.mean[good], t.cov[good], t.frame_seq[good], sensors=True)

    def _claims(self, picture: Picture, first_seq: int) -> None:
        c, condition = picture.claims, picture.integrity.condition
        good = (c.has_position > 0) & (c.frame_seq >= first_seq) & (c.doubt & BAD == 0)
        if len(condition) == len(c):
            good &= condition == Condition.OK
        self._note(c.mean[good], c.cov[good], c.frame_seq[good], sensors=False)

    def _note(
        self, mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], seq: Int64[Array, " n"], *, sensors: bool
    ) -> None:
        """Targets that what came in these frames has just placed: by sensors, or by receivers of claims."""
        if not len(seq) or not len(self._seqs):
            return
        at = np.minimum(np.searchsorted(self._seqs, seq), len(self._seqs) - 1)
        known = self._seqs[at] == seq
        for k in np.unique(self._of[at[known]]).tolist():
            if (self._names[k] in self._sensors) != sensors:
                continue
            mine = known & (self._of[at] == k)
            position, rotation = self._frames[self._names[k]]
            band, sector, range_m = looks((mean[mine, :3] - position) @ rotation.T, cov[mine])
            np.maximum.at(self._best[k], (band, sector), range_m.astype(np.float32))


def looks(
    enu_m: Float64[Array, "n 3"], cov: Float64[Array, "n 6 6"]
) -> tuple[Int64[Array, " h"], Int64[Array, " h"], Float64[Array, " h"]]:
    """Band, sector and ground range in metres of the targets that are placed well enough, from their positions in the
    sensor's own frame. Sector k is azimuths from 5 k to 5 (k + 1) degrees, clockwise from true north."""
    range_m = np.hypot(enu_m[:, 0], enu_m[:, 1])
    sigma = np.sqrt(cov[:, 0, 0] + cov[:, 1, 1])
    good = (sigma <= np.maximum(SIGMA_SHARE_MAX * range_m, SIGMA_M_MIN)) & (range_m > 0.0) & (range_m <= RANGE_M_MAX)
    azimuth = np.arctan2(enu_m[:, 0], enu_m[:, 1]) % (2.0 * np.pi)
    sector = np.minimum((azimuth * (SECTORS / (2.0 * np.pi))).astype(np.int64), SECTORS - 1)
    band = np.searchsorted(BAND_TOPS_M, enu_m[:, 2], side="right").astype(np.int64)
    band[np.sqrt(cov[:, 2, 2]) > HEIGHT_SIGMA_M_MAX] = UNKNOWN
    return band[good], sector[good], range_m[good]


def farthest(table: Hours, since_ns: int, until_ns: int) -> dict[str, Float64[Array, "b s"]]:
    """Per sensor, the farthest ground range in metres by band and sector; 0 = nothing was seen there. Whole hours that
    overlap since_ns <= time < until_ns. Raises OSError."""
    out: dict[str, Array] = {}
    for _, rows in table.between(since_ns, until_ns):
        for (sensor,), mine in rows.group_by("sensor"):
            best = out.setdefault(str(sensor), np.zeros((BANDS, SECTORS)))
            at = (mine["band"].to_numpy(), mine["sector"].to_numpy())
            np.maximum.at(best, at, mine["range_m"].to_numpy().astype(np.float64))
    return out


def _place(at: Position) -> tuple[float, float, float]:
    return (at.latitude_rad, at.longitude_rad, at.height_ellipsoid_m)
