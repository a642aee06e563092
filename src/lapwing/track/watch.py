"""The whole room's step for a scan: the tracker, and what surrounds it. A fold over scans, and nothing else: two
watches that have taken the same scans in the same order are equal to the last bit.
"""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from lapwing.kernel.telling import among
from lapwing.records import MICRO_UNSAID, RCS_UNSAID, Array, Detections, Directions, Innovations
from lapwing.track import crossings
from lapwing.track.classes import NO_ECHOES, NOTHING, SPREAD_MPS_MIN, Echoes, Features, Told, observe
from lapwing.track.crossings import Look
from lapwing.track.declared import Declared, heard
from lapwing.track.flat import height_unmeasured
from lapwing.track.life import PROBABLY
from lapwing.track.sensors import BearingSensor, SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState
from lapwing.track.state import start as tracker_start
from lapwing.track.timely import sifted, those
from lapwing.track.tracker import step as tracker_step
from lapwing.track.tracklets import Plots, gathered
from lapwing.track.undetected import expected_undetected


@dataclass(frozen=True, slots=True)
class Watch:
    """What the room remembers of scans."""

    tracker: TrackerState
    looks: tuple[Look, ...] = ()  # bearings that no track explains, the last look of each sensor
    features: Features = field(default_factory=Features.empty)
    declared: Declared = field(default_factory=Declared.empty)
    plots: Plots = field(default_factory=Plots.empty)  # of confirmed tracks, lately, as measured


def watch_start(settings: TrackSettings) -> Watch:
    """Nothing seen yet."""
    return Watch(tracker_start(settings))


def watch_step(watch: Watch, scan: Detections, sensor: SensorModel, settings: TrackSettings) -> Watch:
    """The watch after one scan. Rows whose time cannot be are put aside before anybody looks at them."""
    return watch_step_told(watch, scan, sensor, settings)[0]


def watch_step_told(
    watch: Watch, scan: Detections, sensor: SensorModel, settings: TrackSettings
) -> tuple[Watch, Innovations | None]:
    """The watch after one scan, and what of the scan was given to which track; None where nothing could be used."""
    before, rows = sifted(watch.tracker, scan, settings)
    if rows is None:
        return replace(watch, tracker=before), None
    scan = those(scan, rows)
    tracker, told = tracker_step(before, scan, sensor, settings)
    if not isinstance(sensor, BearingSensor):
        return _kept(watch, (tracker, watch.looks), scan, told, settings, sensor.locates), told
    expected = expected_undetected(before, scan, sensor, settings)
    new = crossings.look(scan, sensor, told, settings.crossings)
    looks = crossings.remember(watch.looks, new, settings.crossings)
    others = tuple(k for k in looks if k.sensor.sensor != scan.sensor)
    if len(new.scan) and others:
        tracker = crossings.begin(tracker, others, new, expected, settings)
    return _kept(watch, (tracker, looks), scan, told, settings, sensor.locates), told


def _kept(
    watch: Watch,
    after: tuple[TrackerState, tuple[Look, ...]],
    scan: Detections,
    told: Innovations,
    settings: TrackSettings,
    locates: bool,
) -> Watch:
    """The watch with its tracks named, their features taken, and what was declared of them."""
    tracker = named(after[0], watch.tracker, scan)
    since_ns = int(scan.time_ns.min()) - 1 if len(scan) else tracker.tracks.time_ns
    tracks = tracker.tracks
    unmeasured = height_unmeasured(tracks.mean, tracks.cov, tracker.flat, tracker.radar_m, settings.prior)
    features = observe(watch.features, tracks, since_ns, unmeasured, _echoes(scan, told))
    plots = gathered(watch.plots, scan, told, tracks, locates)
    return Watch(tracker, after[1], features, heard(watch.declared, tracks.track_id, scan, told), plots)


def _echoes(scan: Detections, told: Innovations) -> Echoes:
    """Radar cross section and micro-Doppler of what surely belongs to a track."""
    if scan.rcs_dbsm is None and scan.micro is None:
        return NO_ECHOES

    def of(column: Array | None, unsaid: float) -> Told:
        if column is None:
            return NOTHING
        value = column[told.detection]
        sure = (told.weight >= PROBABLY) & (value != unsaid)
        return Told(told.track_id[sure], value[sure])

    blades, spread = (None, None) if scan.micro is None else (scan.micro[:, 0], scan.micro[:, 1])
    width = of(spread, MICRO_UNSAID)
    wide = Told(width.track_id, np.log(np.maximum(width.value, SPREAD_MPS_MIN)))
    return Echoes(of(scan.rcs_dbsm, RCS_UNSAID), of(blades, MICRO_UNSAID), wide)


def named(after: TrackerState, before: TrackerState, scan: Detections) -> TrackerState:
    """The tracker with its new tracks named after the scan that began them: 62 bits of a hash of sensor, space, time,
    and their order. A count would change with every late scan that begins a track before them."""
    ids = after.tracks.track_id
    new = np.flatnonzero(~among(ids, before.tracks.track_id))
    if not len(new):
        return after
    key = f"{scan.sensor}|{scan.space.name}|{scan.scan_ns}".encode()
    first = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 2
    taken, names = set(ids.tolist()), ids.copy()
    for row in new.tolist():
        while first in taken:  # the same scan twice
            first += 1
        taken.add(first)
        names[row] = first
    return replace(after, tracks=replace(after.tracks, track_id=names, next_id=before.tracks.next_id))


def directions(watch: Watch, to_ns: int, settings: TrackSettings) -> Directions:
    """The bearings that are shown as wedges, because nothing better is known of them."""
    return crossings.wedges(watch.looks, to_ns, settings.crossings)
