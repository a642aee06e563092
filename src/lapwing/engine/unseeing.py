"""The map of what could be here unseen, in the tick: grown once a second, thinned by every scan, told per zone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lapwing.alarm.zones import LocalZone
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Array, Classes, Detections, Kind, Position, SensorConfig, Site, Tracks, TrackStatus, Unseen
from lapwing.track import unseen
from lapwing.track.sensors import SensorModel, within
from lapwing.track.unseen import Grid, UnseenSettings, UnseenState

CELLS = 64  # along the longer side
CELL_M_MIN = 100.0
MARGIN_M, SENSOR_M_MAX = 8_000.0, 20_000.0
SMALL_REACH = 0.316
FINE = 4  # points along a cell's side, by which a zone's share of it is counted
DRONES = (Kind.MULTIROTOR, Kind.FIXED_WING_DRONE)


@dataclass(frozen=True)
class UnseenPlan:
    """What is constant: the grid, which share of each cell each zone has, how well each sensor sees drones."""

    grid: Grid
    settings: UnseenSettings
    zones: tuple[str, ...]
    shares: Float64[Array, "z c"]
    small: dict[str, Float64[Array, " c"]]  # p_detect of small drones over that of the sensor's model, per cell
    periods_s: dict[str, float]


def make_unseen(site: Site) -> UnseenPlan | None:
    """The plan of a site; None where it has no sensors that look."""
    if not site.sensors:
        return None
    zones = tuple(LocalZone.make(zone, site.origin) for zone in site.zones)
    grid = _area(site, zones)
    east, north = _points(grid)
    rows = [(z.distance_m(east, north) <= 0.0).reshape(-1, FINE**2).mean(axis=1) for z in zones]
    shares = np.array(rows).reshape(len(zones), grid.rows * grid.columns)
    small = {s.sensor: _small(s, site.origin, grid) for s in site.sensors}
    settings = UnseenSettings(drones_per_km2=site.drones_per_km2, blind_share=site.blind_share)
    names = tuple(z.zone.name for z in zones)
    return UnseenPlan(grid, settings, names, shares, small, {s.sensor: s.period_s for s in site.sensors})


def _small(sensor: SensorConfig, origin: Position, grid: Grid) -> Float64[Array, " c"]:
    """How much less probably a sensor detects a small drone in each cell than what its range and p_detect are for. A
    drone has some 0.01 m2, an aircraft 1 m2 and more, and the range goes with the fourth root."""
    reach_m = sensor.range_small_m
    if reach_m is None:
        reach_m = SMALL_REACH * sensor.range_m_max if sensor.kind == "radar" else sensor.range_m_max
    east, north = _local(sensor.position, origin)
    at = grid.centres(0.0)
    less = 1.0 if sensor.p_detect_small is None else sensor.p_detect_small / sensor.p_detect
    return within(np.hypot(at[:, 0] - east, at[:, 1] - north), reach_m, less)


def _area(site: Site, zones: tuple[LocalZone, ...]) -> Grid:
    """A square around the zones and a margin, or around the sensors where there are none."""
    discs = [(*z.centre_m, z.radius_m + MARGIN_M) for z in zones]
    if not discs:
        discs = [(*_local(s.position, site.origin), min(s.range_m_max, SENSOR_M_MAX)) for s in site.sensors]
    table = np.array(discs)
    low, high = (table[:, :2] - table[:, 2:]).min(axis=0), (table[:, :2] + table[:, 2:]).max(axis=0)
    cell_m = max(float((high - low).max()) / CELLS, CELL_M_MIN)
    columns, rows = (max(int(np.ceil(side / cell_m)), 1) for side in high - low)
    return Grid(float(low[0]), float(low[1]), cell_m, min(columns, CELLS), min(rows, CELLS))


def _local(place: Position, origin: Position) -> tuple[float, float]:
    base = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    row = np.array([place.latitude_rad]), np.array([place.longitude_rad]), np.array([place.height_ellipsoid_m])
    at = geodetic_to_enu(base, *row)[0]
    return float(at[0]), float(at[1])


def _points(grid: Grid) -> tuple[Float64[Array, " p"], Float64[Array, " p"]]:
    """FINE x FINE points of every cell, cell by cell."""
    inside = (np.arange(FINE) + 0.5) / FINE - 0.5
    centre = grid.centres(0.0)
    dx, dy = (a.ravel() * grid.cell_m for a in np.meshgrid(inside, inside))
    return (centre[:, :1] + dx).ravel(), (centre[:, 1:2] + dy).ravel()


def watched(
    state: UnseenState | None,
    scans: tuple[Detections, ...],
    models: list[SensorModel],
    to_ns: int,
    plan: UnseenPlan,
) -> UnseenState:
    """The intensity after these scans. Late scans thin it when they come."""
    if state is None:
        state = unseen.unseen_start(plan.grid, plan.settings, to_ns)
    if (to_ns - state.time_ns) >= plan.settings.every_s * 1e9:
        state = unseen.grown(state, to_ns, plan.grid, plan.settings)
    for scan, model in zip(scans, models, strict=True):
        seen = model.p_detect(plan.grid.centres(plan.settings.height_m)) * plan.small[scan.sensor]
        cells = np.minimum(seen, 1.0).reshape(plan.grid.rows, plan.grid.columns)
        state = unseen.thinned(state, model, scan.scan_ns, cells, plan.periods_s[scan.sensor])
    return state


def given_up(state: UnseenState, before: Tracks, classes: Classes, after: Tracks, plan: UnseenPlan) -> UnseenState:
    """The intensity with what tracks stood for that are gone since: their existence, as far as they are drones."""
    sure = before.status != TrackStatus.TENTATIVE  # others were given up because they were seen not to be there
    gone = np.flatnonzero(~np.isin(before.track_id, after.track_id) & sure)
    if not len(gone):
        return state
    drone = np.zeros(len(gone))
    known = {int(t): k for k, t in enumerate(classes.track_id)}
    for i, row in enumerate(gone):
        k = known.get(int(before.track_id[row]))
        drone[i] = float(classes.probability[k, list(DRONES)].sum()) if k is not None else 0.0
    number = before.existence[gone] * drone
    return unseen.lost(state, plan.grid, before.mean[gone], before.cov[gone], number, plan.settings)


def told(state: UnseenState, before: Unseen, plan: UnseenPlan) -> Unseen:
    """What the picture says of it, renewed when it has grown."""
    if before.time_ns == state.time_ns and len(before.expected):
        return before
    expected = unseen.expected_unseen(state, plan.grid, plan.settings)
    g = plan.grid
    zone = plan.shares @ expected.ravel()
    level = unseen.unwatched(g, plan.settings)
    return Unseen(state.time_ns, g.west_m, g.south_m, g.cell_m, expected, level, plan.zones, zone)
