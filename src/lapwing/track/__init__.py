"""Who is there: physical evidence to tracks, self-declared reports to claims. Pure steps over frozen records.

`step` never reads a claim and `claims_step` never reads a detection: what agrees with what is judged elsewhere.
"""

from lapwing.track.claims import claims_start, claims_step, predict_claims
from lapwing.track.classes import Classifier, ClassSettings, Envelopes
from lapwing.track.drift import DriftSettings
from lapwing.track.intersection import intersected
from lapwing.track.looks import RegistrationSettings
from lapwing.track.making import make_sensor
from lapwing.track.microdoppler import MicroDoppler
from lapwing.track.motions import AIR, AIRCRAFT, FIXED_WING, MULTIROTOR, SHIP, Mode
from lapwing.track.pairs import PairSensor
from lapwing.track.posterior import mode_probabilities
from lapwing.track.sensors import BearingSensor, PositionSensor, RadarSensor, SensorModel
from lapwing.track.settings import (
    AlignSettings,
    ClaimSettings,
    ClutterSettings,
    CrossingSettings,
    Exactness,
    TargetBirths,
    TargetPrior,
    TrackSettings,
    VisibilitySettings,
)
from lapwing.track.smoothing import smoothed
from lapwing.track.state import TrackerState, start
from lapwing.track.tracker import estimates, predict_tracks, step
from lapwing.track.unseen import Grid, UnseenSettings, UnseenState, expected_unseen, grown, thinned, unseen_start
from lapwing.track.upstream import decorrelated
from lapwing.track.watch import Watch, directions, watch_start, watch_step, watch_step_told

__all__ = [
    "AIR",
    "AIRCRAFT",
    "FIXED_WING",
    "MULTIROTOR",
    "SHIP",
    "AlignSettings",
    "BearingSensor",
    "ClaimSettings",
    "ClassSettings",
    "Classifier",
    "ClutterSettings",
    "CrossingSettings",
    "DriftSettings",
    "Envelopes",
    "Exactness",
    "Grid",
    "MicroDoppler",
    "Mode",
    "PairSensor",
    "PositionSensor",
    "RadarSensor",
    "RegistrationSettings",
    "SensorModel",
    "TargetBirths",
    "TargetPrior",
    "TrackSettings",
    "TrackerState",
    "UnseenSettings",
    "UnseenState",
    "VisibilitySettings",
    "Watch",
    "claims_start",
    "claims_step",
    "decorrelated",
    "directions",
    "estimates",
    "expected_unseen",
    "grown",
    "intersected",
    "make_sensor",
    "mode_probabilities",
    "predict_claims",
    "predict_tracks",
    "smoothed",
    "start",
    "step",
    "thinned",
    "unseen_start",
    "watch_start",
    "watch_step",
    "watch_step_told",
]
