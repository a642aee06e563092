"""Who is there: physical evidence to tracks, self-declared reports to claims. Pure steps over frozen records.

`step` never reads a claim and `claims_step` never reads a detection: what agrees with what is judged elsewhere.
"""

from lapwing.track.claims import claims_start, claims_step, predict_claims
from lapwing.track.motions import AIR, AIRCRAFT, FIXED_WING, MULTIROTOR, SHIP, Mode
from lapwing.track.posterior import mode_probabilities
from lapwing.track.sensors import BearingSensor, PositionSensor, RadarSensor, SensorModel, make_sensor
from lapwing.track.settings import ClaimSettings, Exactness, TargetBirths, TargetPrior, TrackSettings
from lapwing.track.smoothing import smoothed
from lapwing.track.state import TrackerState, start
from lapwing.track.tracker import estimates, predict_tracks, step

__all__ = [
    "AIR",
    "AIRCRAFT",
    "FIXED_WING",
    "MULTIROTOR",
    "SHIP",
    "BearingSensor",
    "ClaimSettings",
    "Exactness",
    "Mode",
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
    "mode_probabilities",
    "predict_claims",
    "predict_tracks",
    "smoothed",
    "start",
    "step",
]
