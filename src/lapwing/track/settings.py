"""What the tracker assumes of targets when nothing better is known. Every number is a default for an air-watch site."""

from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """Motion, existence and life cycle."""

    prior: TargetPrior = field(default_factory=TargetPrior)
    noise_horizontal_m2ps3: float = 4.0  # spectral density of the acceleration
    noise_vertical_m2ps3: float = 1.0
    lifetime_s: float = 1_000.0  # mean stay in the air picture: p_survive = exp(-dt / lifetime_s)
    birth_rate_hz: float = 0.02  # targets that become visible to one sensor, per second
    undetected_start: float = 5.0  # targets that a sensor may not have seen yet when it begins
    gate_d2: float | None = None  # None: the quantile at 0.9999 for the sensor's degrees of freedom
    confirm_existence: float = 0.95
    confirm_hits: float = 2.5  # summed association probability
    coast_after_s: float = 10.0  # a confirmed track without a probable detection for this long coasts
    coast_existence: float = 0.5  # or when its existence falls below this
    delete_existence: float = 0.02  # of confirmed and coasting tracks
    prune_existence: float = 2e-4  # of tentative tracks
    ghost_sigma_m: float = 2_500.0  # a track below coast_existence and vaguer than this is given up
    lost_sigma_m: float = 8_000.0  # so is any track vaguer than this
    tracks_max: int = 20_000
    report_weight_min: float = 0.05  # associations below this are not reported
