"""The life of tracks: born tentative, confirmed by evidence, coasting when unseen, gone for good. Axes: n tracks,
l local hypotheses, m detections, M modes, k associations, h = n + m tracks together with those that may begin."""

from dataclasses import replace

import numpy as np

from lapwing.kernel.lives import Look, Past, Rules
from lapwing.records import ANONYMOUS, Array, Detections, Tracks
from lapwing.track.sensors import RadarSensor, SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState

PROBABLY = 0.5
ORIGIN = np.zeros(3)


def past(state: TrackerState) -> Past:
    """The tracks' columns before a scan."""
    t, seen = state.tracks, (state.unplaced, state.flat, state.radar_m)
    return Past(t.track_id, t.status, t.born_ns, t.updated_ns, t.address, t.frame_seq, state.hits, *seen)


def look(scan: Detections, sensor: SensorModel, to_ns: int) -> Look:
    """The scan's columns, and what kind of sensor looked."""
    flat, place_m = False, ORIGIN
    if isinstance(sensor, RadarSensor) and not sensor.measures_height:
        flat, place_m = True, np.array(sensor.position_m)
    return Look(to_ns, scan.time_ns, scan.address, scan.frame_seq, ANONYMOUS, sensor.locates, flat, place_m)


def rules(of: TrackSettings) -> Rules:
    """When a track is confirmed, coasts and dies."""
    sure, coast = (of.confirm_existence, of.confirm_hits), (of.coast_after_s, of.coast_existence)
    return Rules(*sure, *coast, of.delete_existence, of.prune_existence, PROBABLY)


def select(tracks: Tracks, good: Array) -> Tracks:
    """The chosen rows."""
    return replace(
        tracks,
        track_id=tracks.track_id[good],
        mean=tracks.mean[good],
        cov=tracks.cov[good],
        existence=tracks.existence[good],
        status=tracks.status[good],
        born_ns=tracks.born_ns[good],
        updated_ns=tracks.updated_ns[good],
        address=tracks.address[good],
        frame_seq=tracks.frame_seq[good],
    )
