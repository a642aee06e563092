"""Who is there: physical evidence to tracks, self-declared reports to claims. Pure steps over frozen records.

`step` never reads a claim and `claims_step` never reads a detection: what agrees with what is judged elsewhere.
"""

from lapwing.track.claims import claims_start, claims_step, predict_claims
from lapwing.track.sensors import BearingSensor, PositionSensor, RadarSensor, SensorModel, make_sensor
from lapwing.track.settings import ClaimSettings, Exactness, TargetBirths, TargetPrior, TrackSettings
from lapwing.track.state import TrackerState, start
from lapwing.track.tracker import estimates, predict_tracks, step

__all__ = [
    "BearingSensor",
    "ClaimSettings",
    "Exactness",
    "PositionSensor",
    "RadarSensor",
    "SensorModel",
    "TargetBirths",
    "TargetPrior",
    "TrackSettings",
    "TrackerState",
    "claims_start",
    "claims_step",
    "estimates",
    "make_sensor",
    "predict_claims",
    "predict_tracks",
    "start",
    "step",
]
