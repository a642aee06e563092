"""Where the false detections of a sensor fall, learned from its own scans. Axes: m detections, c cells, K rings,
S sectors.

A radar's clutter is anything but even: echoes of the ground lie around it, rain stands in one corner. Where it is
denser than the tracker believes, ghosts are born; where it is thinner, targets are found too late. So the intensity is
a map: rings (whose width grows outwards for a radar, equal for positions) and sectors, each with the expected number of
false detections per scan. What counts as false is told by association: one minus the probabilities that a detection
belongs to a track or begins one. That is expectation maximisation on line, with old scans forgotten exponentially.
(To weigh detections by their probability of being clutter is what Park, Chong, Kim and Song propose for many targets,
Sensors 20(1):114, 2020, abstract.)

Cells see few scans with few detections each, and a target that is seen now and then looks like clutter for as long
as no track holds it: a map that believes each cell hides the very drone it should help to find. So a cell is like its
ring, a ring like the whole sensor and the sensor as the site's file says, until its counts show otherwise: a mixture of
that mean itself and of a wide Gamma prior around it (negative binomial counts), weighed by Bayes' rule. Refuses sensors
that do not locate: where a bearing comes from is no place.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import gammaln

from lapwing.records import Array, Detections, Space
from lapwing.records.arrays import freeze_columns
from lapwing.track.sensors import PositionSensor, RadarSensor, SensorModel
from lapwing.track.settings import ClutterSettings

NS = 1e-9
CLUTTER_MIN = 1e-3  # false detections per scan: no single plot proves a target


@dataclass(frozen=True, slots=True)
class ClutterMap:
    """What one sensor has shown so far in one measurement space."""

    sensor: str
    space: Space
    counts: Float64[Array, " c"]  # false detections per cell, faded; ring by ring
    scans: float  # faded number of scans
    time_ns: int  # end of the last scan

    def __post_init__(self) -> None:
        freeze_columns(self)


def mapped(sensor: SensorModel) -> bool:
    """Whether this sensor's clutter has places."""
    return isinstance(sensor, RadarSensor) or (isinstance(sensor, PositionSensor) and sensor.range_m_max < np.inf)


def cells(z: Float64[Array, "m d"], sensor: SensorModel, settings: ClutterSettings) -> Int64[Array, " m"]:
    """The cell of each detection; what lies beyond the sensor's range falls into the outermost ring."""
    if isinstance(sensor, RadarSensor):
        inwards, azimuth = np.sqrt(np.clip(z[:, 0] / sensor.range_m_max, 0.0, 1.0)), z[:, 1]
    else:
        assert isinstance(sensor, PositionSensor)
        east, north = z[:, 0] - sensor.centre_m[0], z[:, 1] - sensor.centre_m[1]
        inwards, azimuth = np.hypot(east, north) / sensor.range_m_max, np.arctan2(east, north)
    ring = np.minimum((settings.rings * np.minimum(inwards, 1.0)).astype(np.int64), settings.rings - 1)
    turn = np.mod(azimuth / (2.0 * np.pi), 1.0)
    sector = np.minimum((settings.sectors * turn).astype(np.int64), settings.sectors - 1)
    return np.asarray(ring * settings.sectors + sector)


def shares(settings: ClutterSettings) -> Float64[Array, " K"]:
    """How much of the measurement volume each ring holds: rings end at (k / K)^2 of a radar's range, and at k / K of
    the radius where detections are positions, whose areas go by the square."""
    edge = np.arange(settings.rings + 1) ** 2 / settings.rings**2
    return np.diff(edge)


def whole(known: ClutterMap | None, sensor: SensorModel, settings: ClutterSettings) -> float:
    """Expected false detections per scan of the whole sensor, CLUTTER_MIN at least: of a rate of nought no counts could
    be judged."""
    declared = float(sensor.clutter_intensity(np.zeros((1, len(sensor.space.value))))[0]) * sensor.volume
    if known is None:
        return max(declared, CLUTTER_MIN)
    every = float((settings.scans * declared + known.counts.sum()) / (settings.scans + known.scans))
    return max(every, CLUTTER_MIN)


def per_scan(
    known: ClutterMap | None, cell: Int64[Array, " m"], sensor: SensorModel, settings: ClutterSettings
) -> Float64[Array, " m"]:
    """Expected false detections per scan in each of these cells."""
    share, S = shares(settings), settings.sectors
    ring, every = cell // S, whole(known, sensor, settings)
    if known is None:
        return np.asarray(every * share[ring] / S)
    of_ring = like(every * share, known.counts.reshape(-1, S).sum(axis=1), known.scans, settings)
    return like(of_ring[ring] / S, known.counts[cell], known.scans, settings)


def like(
    mean: Float64[Array, " k"], counts: Float64[Array, " k"], scans: float, settings: ClutterSettings
) -> Float64[Array, " k"]:
    """Posterior mean of Poisson rates per scan that are `mean`, or, with probability `odd`, anything about it: Gamma
    with this mean and shape. The ratio of the two likelihoods is that of a negative binomial to a Poisson count."""
    a = settings.shape
    b = a / mean
    log_ratio = gammaln(counts + a) - gammaln(a) + a * np.log(b) - (counts + a) * np.log(b + scans)
    log_ratio += mean * scans - counts * np.log(mean)
    odds = settings.odd / (1.0 - settings.odd) * np.exp(np.minimum(log_ratio, 500.0))
    other = odds / (1.0 + odds)
    return np.asarray(other * (a + counts) / (b + scans) + (1.0 - other) * mean)


def learned(
    known: ClutterMap | None,
    scan: Detections,
    false: Float64[Array, " m"],
    sensor: SensorModel,
    settings: ClutterSettings,
) -> ClutterMap:
    """The map after a scan; `false`: how much of a false detection each of its rows is."""
    counts = np.bincount(cells(scan.z, sensor, settings), false, settings.rings * settings.sectors)
    counts = counts.astype(np.float64, copy=False)  # of no detections they are integers
    if known is None:
        return ClutterMap(scan.sensor, scan.space, counts, 1.0, scan.scan_ns)
    fade = float(np.exp(-max(scan.scan_ns - known.time_ns, 0) * NS / settings.memory_s))
    time_ns = max(known.time_ns, scan.scan_ns)
    return ClutterMap(scan.sensor, scan.space, fade * known.counts + counts, fade * known.scans + 1.0, time_ns)


def found(maps: tuple[ClutterMap, ...], scan: Detections) -> ClutterMap | None:
    """The map of the scan's sensor in its space, if it has one."""
    return None if not maps else next((m for m in maps if m.sensor == scan.sensor and m.space is scan.space), None)


def expected(
    known: ClutterMap | None, z: Float64[Array, "m d"], sensor: SensorModel, settings: ClutterSettings | None
) -> tuple[float, Float64[Array, " m"]]:
    """False detections per scan, and their intensity at each detection: as learned, or as the sensor's model says."""
    if settings is None or not mapped(sensor):
        declared = sensor.clutter_intensity(z)
        return (float(np.add.reduce(declared) / len(z)) * sensor.volume if len(z) else 0.0), declared
    cell = cells(z, sensor, settings)
    share = shares(settings)[cell // settings.sectors] / settings.sectors
    return whole(known, sensor, settings), per_scan(known, cell, sensor, settings) / (share * sensor.volume)


def kept(maps: tuple[ClutterMap, ...], new: ClutterMap) -> tuple[ClutterMap, ...]:
    """The maps with the new one in place of the old, sorted."""
    others = (m for m in maps if m.sensor != new.sensor or m.space is not new.space)
    return tuple(sorted((*others, new), key=lambda m: (m.sensor, m.space.name)))
