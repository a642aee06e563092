"""From a site's sensor entry to the tracker's model of it, for one measurement space."""

import numpy as np

from lapwing.kernel.geodesy import frame_between
from lapwing.records import Array, Position, SensorConfig, Space
from lapwing.track.pairs import PAIRED, PairSensor
from lapwing.track.sensors import (
    HEIGHT_EXTENT_M,
    BearingSensor,
    Fading,
    PositionSensor,
    RadarSensor,
    SensorModel,
    faded,
)


def make_sensor(config: SensorConfig, origin: Position, space: Space) -> SensorModel:
    """The model of a configured sensor, for detections in `space`. Raises ValueError when the space needs a second
    place (a transmitter, another receiver) that the configuration does not give."""
    position, rotation = _frame(config.position, origin)
    at = config.p_detect_at
    how = (_mean(at, config.range_m_max) if at else config.p_detect, config.clutter_per_scan)
    if space in (Space.POSITION_2D, Space.POSITION_3D):
        area = np.pi * config.range_m_max**2
        volume = float(area if space is Space.POSITION_2D else area * HEIGHT_EXTENT_M)
        centre = (float(position[0]), float(position[1]))
        return PositionSensor(config.sensor, space, *how, volume, centre, config.range_m_max, at)
    if space in PAIRED:
        if config.second is None:
            raise ValueError(f"SensorConfig.second: {space.name} of {config.sensor!r} needs a second place")
        other = _frame(config.second, origin)[0]
        return PairSensor(config.sensor, space, position, other, *how, config.range_m_max)
    if "range_m" in space.value:
        return RadarSensor(config.sensor, space, position, rotation, *how, config.range_m_max, at)
    return BearingSensor(config.sensor, space, position, rotation, *how, config.range_m_max, config.false_ratio, at)


def _mean(at: Fading, range_m_max: float) -> float:
    """p_detect over all ranges alike."""
    return float(faded(np.linspace(0.0, range_m_max, 1001), at).mean())


def _frame(place: Position, origin: Position) -> tuple[Array, Array]:
    """Where a place is in the site's ENU frame, and the rotation of site vectors into its own."""
    return frame_between(
        (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m),
        (place.latitude_rad, place.longitude_rad, place.height_ellipsoid_m),
    )
