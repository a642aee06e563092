"""What the tracker assumes of targets when nothing better is known. Every number is a default for an air-watch site."""

from dataclasses import dataclass, field, fields

from jaxtyping import Float64

from lapwing.records import Array
from lapwing.track.motions import Kinematics, Mode, kinematics, one_mode


def _exact(settings: object) -> None:
    """Whole numbers given for fractional ones made so, once: kernels are compiled for each kind of number anew, which
    takes seconds."""
    for f in fields(settings):  # type: ignore[arg-type]  # dataclasses, all of them
        value = getattr(settings, f.name)
        if f.type in (float, float | None) and value is not None:
            object.__setattr__(settings, f.name, float(value))


@dataclass(frozen=True, slots=True)
class TargetPrior:
    """What a target may be before anything of it is measured. Heights are above the site's origin, along the Earth's
    curve. A quantity that no sensor measures is never known worse than this."""

    speed_mps_sigma: float = 100.0  # of each horizontal velocity component
    climb_mps_sigma: float = 8.0
    height_m_mean: float = 4_000.0
    height_m_sigma: float = 3_500.0
    height_m_min: float = -500.0
    height_m_max: float = 20_000.0

    def __post_init__(self) -> None:
        _exact(self)


@dataclass(frozen=True, slots=True)
class TargetBirths:
    """Where undetected targets come from, when that is known: one Gaussian of the state, in place of the even spread.
    It is predicted and looked at like a track, so what was looked at stays thinned out."""

    mean: Float64[Array, "6"]
    cov: Float64[Array, "6 6"]
    at_start: float  # expected number when the first scan comes
    per_s: float  # and arriving afterwards
    components_max: int = 100  # Gaussians that the undetected are kept as

    def __post_init__(self) -> None:
        if self.components_max < 1:
            raise ValueError("TargetBirths: components_max must be at least 1")


@dataclass(frozen=True, slots=True)
class Exactness:
    """How much work an ambiguity may cost. Clusters of more than `cluster_tracks_max` keep one Gaussian per track."""

    hypotheses_max: int = 50  # of one cluster
    weight_min: float = 1e-2  # of a global hypothesis
    cluster_tracks_max: int = 8
    merge_d2: float = 0.5  # local hypotheses of a track nearer than this (Mahalanobis, squared) become one; -1: never
    edge_min: float = 1e-3  # pairs whose marginal probability is below this join no clusters
    nodes_max: int = 100_000  # steps of one cluster's search
    pairs_max: int = 300_000  # of one scan; gates shrink until there are no more

    def __post_init__(self) -> None:
        if self.hypotheses_max < 1:
            raise ValueError("Exactness: hypotheses_max must be at least 1")
        _exact(self)


@dataclass(frozen=True, slots=True)
class CrossingSettings:
    """What bearings of two sensors may begin a track (`track.crossings`)."""

    window_s: float = 2.0  # bearings this far apart in time may be of one moment
    apart_m_min: float = 30.0  # sensors nearer to each other see the same
    angle_rad_min: float = 0.14  # and bearings that cross more flatly say nothing of range
    speed_mps: float = 40.0  # one sigma of what moves between two looks
    explained: float = 0.5  # association weight above which a bearing belongs to a track
    near_d2: float = 16.0  # a crossing nearer than this to a track is that track's
    existence_min: float = 0.02
    existence_max: float = 0.5  # of a crossing of two bearings that nothing explains
    existence_met: float = 0.1  # of one whose bearings tracks explain, but where a third bearing meets them
    births_max: int = 40  # of one scan
    wedge_s: float = 5.0  # how long an unexplained bearing is shown


@dataclass(frozen=True, slots=True)
class ClutterSettings:
    """How finely clutter is mapped (`track.clutter`), how long it is remembered, and how much evidence moves it."""

    rings: int = 40
    sectors: int = 36
    memory_s: float = 1_800.0  # weather moves on, birds settle
    scans: float = 20.0  # what the site's file says is worth so many scans
    odd: float = 0.03  # share of rings, and of cells in a ring, that are unlike the rest
    shape: float = 1.0  # of the Gamma prior of those: false detections, so that its width is its mean


@dataclass(frozen=True, slots=True)
class VisibilitySettings:
    """How long a target stays seen by, and hidden from, one sensor (`track.visible`)."""

    start: float = 0.95  # probability that a sensor sees a track that another one began
    seen_s: float = 1e5  # mean
    hidden_s: float = 1e5  # mean
    speed_mps_max: float = 60.0  # what flies faster is large: every sensor sees it

    def __post_init__(self) -> None:
        if not (0.0 <= self.start <= 1.0 and self.seen_s > 0.0 and self.hidden_s > 0.0):
            raise ValueError("VisibilitySettings: start must lie within 0 and 1, seen_s and hidden_s be positive")
        _exact(self)


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """When sensors that place targets differently are made to agree (`track.aligned`)."""

    every_s: float = 20.0  # between solutions
    gain_min: float = 10.0  # nats of evidence for biases over none
    target_gain_max: float = 5.0  # nats that one target may say for or against

    def __post_init__(self) -> None:
        if not (self.every_s >= 0.0 and self.gain_min > 0.0 and self.target_gain_max > 0.0):
            raise ValueError("AlignSettings: every_s must not be negative, the gains must be positive")


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """Motion, existence and life cycle."""

    prior: TargetPrior = field(default_factory=TargetPrior)
    noise_horizontal_m2ps3: float = 4.0  # spectral density of the acceleration
    noise_vertical_m2ps3: float = 1.0
    modes: tuple[Mode, ...] = ()  # ways to move, instead of the two numbers above (`track.motions` has sets)
    lifetime_s: float = 1_000.0  # mean stay in the air picture: p_survive = exp(-dt / lifetime_s)
    birth_rate_hz: float = 0.02  # targets that become visible to one sensor, per second
    undetected_start: float = 5.0  # targets that a sensor may not have seen yet when it begins
    overlooked_share: float = 0.003  # of the targets held in a sensor's coverage: at least so many more are unseen
    births: TargetBirths | None = None
    exactness: Exactness = field(default_factory=Exactness)
    crossings: CrossingSettings = field(default_factory=CrossingSettings)
    clutter: ClutterSettings | None = None  # None: as each sensor's model says
    visibility: VisibilitySettings | None = None  # None: every sensor sees whatever is in its coverage
    align: AlignSettings | None = None  # None: plots are taken as they are measured. The tracker itself knows no biases
    gate_d2: float | None = None  # None: the quantile at 0.9999 for the sensor's degrees of freedom
    confirm_existence: float = 0.95
    confirm_hits: float = 2.5  # summed association probability
    coast_after_s: float = 10.0  # a confirmed track without a probable detection for this long coasts
    coast_existence: float = 0.5  # or when its existence falls below this
    delete_existence: float = 0.02  # of confirmed and coasting tracks
    prune_existence: float = 5e-4  # of tentative tracks
    ghost_sigma_m: float = 2_500.0  # a track below coast_existence and vaguer than this is given up
    lost_sigma_m: float = 8_000.0  # so is any track vaguer than this
    tracks_max: int = 20_000
    gap_s_max: float = 3_600.0  # a clock that jumps further makes the tracker begin anew
    age_s_max: float = 60.0  # what is further from the tracker's time is put aside: plots, scans that come late
    report_weight_min: float = 0.05  # associations below this are not reported
    show_existence: float = 0.1  # tentative tracks below this stay inside the tracker

    def __post_init__(self) -> None:
        _exact(self)

    @property
    def kinematics(self) -> Kinematics:
        """The modes, or the one mode of the two numbers."""
        if self.modes:
            return kinematics(self.modes)
        return one_mode(self.noise_horizontal_m2ps3, self.noise_vertical_m2ps3)


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """Motion, noise and memory of claims. Tuples are indexed by Source code."""

    sigma_m: tuple[float, ...] = (60.0, 60.0, 100.0, 200.0, 150.0, 200.0, 15.0, 15.0, 15.0)  # when it says nothing
    sigma_m_min: float = 20.0  # time stamps and latency add to what a good receiver says
    noise_aircraft_m2ps3: float = 9.0
    noise_ship_m2ps3: float = 0.02
    speed_mps_sigma_aircraft: float = 200.0
    speed_mps_sigma_ship: float = 10.0
    velocity_mps_sigma: float = 3.0
    climb_mps_sigma: float = 10.0
    height_ellipsoid_m_sigma: float = 50.0
    height_baro_m_sigma: float = 200.0
    height_unknown_m_sigma: float = 4_000.0
    fresh_s: float = 30.0  # numbers older than this no longer describe a position
    gate_d2: float = 50.0  # horizontal; a true report is outside with 1e-11 if the noise is as said
    reinitialise_after: int = 3
    turned_after_s: float = 10.0  # who said no position for so long may have turned
    turn_aircraft_mps2: float = 10.0  # a bank of 45 degrees
    turn_ship_mps2: float = 0.2  # 10 m/s on a radius of 500 m
    speed_mps_max: float = 400.0  # two disbelieved reports agree when one can reach the other at this speed
    doubt_hold_s: float = 60.0
    forget_aircraft_s: float = 120.0
    forget_ship_s: float = 900.0
    position_forget_s: float = 600.0  # after this long without a position it no longer is anywhere
    claims_max: int = 20_000
    operator_forget_s: float = 120.0  # where the person who flies it is: personal data; 0: not even for a moment
