"""The words: frozen, read-only columns that every room speaks. Depends on arrays alone; knows no sensor, no clock."""

from lapwing.records.alarms import Alarms, AlarmState, NodeAlert, Priority, Subject
from lapwing.records.arrays import Array, column, freeze
from lapwing.records.claims import FIELD_COLUMN, FIELDS, NO_TRACK, Claims, Condition, Integrity
from lapwing.records.classes import Classes, Kind
from lapwing.records.detections import MICRO, MICRO_UNSAID, RCS_UNSAID, UNSAID, Detections, Space
from lapwing.records.directions import Directions
from lapwing.records.frames import Frame
from lapwing.records.interference import CAUSES, Interference, Sources, no_interference, no_sources
from lapwing.records.picture import FeedHealth, Picture
from lapwing.records.registration import BIASES, Against, Drift, Registration
from lapwing.records.reports import (
    Decoded,
    Doubt,
    Fault,
    Field,
    Positions,
    Source,
    Texts,
    Values,
    Word,
    merged,
    no_positions,
    no_texts,
    no_values,
)
from lapwing.records.site import Circle, FeedConfig, Polygon, Position, SensorConfig, Site, TlsConfig, Zone
from lapwing.records.tracks import ANONYMOUS, Innovations, Tracks, TrackStatus
from lapwing.records.unseen import Unseen

__all__ = [
    "ANONYMOUS",
    "BIASES",
    "CAUSES",
    "FIELDS",
    "FIELD_COLUMN",
    "MICRO",
    "MICRO_UNSAID",
    "NO_TRACK",
    "RCS_UNSAID",
    "UNSAID",
    "Against",
    "AlarmState",
    "Alarms",
    "Array",
    "Circle",
    "Claims",
    "Classes",
    "Condition",
    "Decoded",
    "Detections",
    "Directions",
    "Doubt",
    "Drift",
    "Fault",
    "FeedConfig",
    "FeedHealth",
    "Field",
    "Frame",
    "Innovations",
    "Integrity",
    "Interference",
    "Kind",
    "NodeAlert",
    "Picture",
    "Polygon",
    "Position",
    "Positions",
    "Priority",
    "Registration",
    "SensorConfig",
    "Site",
    "Source",
    "Sources",
    "Space",
    "Subject",
    "Texts",
    "TlsConfig",
    "TrackStatus",
    "Tracks",
    "Unseen",
    "Values",
    "Word",
    "Zone",
    "column",
    "freeze",
    "merged",
    "no_interference",
    "no_positions",
    "no_sources",
    "no_texts",
    "no_values",
]
