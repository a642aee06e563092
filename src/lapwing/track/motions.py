"""How targets may move: modes, how long each lasts, and what follows it. Axis: M modes.

One mode is nearly constant velocity with the noise of the settings. Several make every Gaussian an interacting multiple
model (`kernel.manoeuvre`). Rates of turn are fixed, not estimated: a turn between two of them is met by both and by
noise, and everything stays linear and in closed form. The sets below are for those who know what they look at; `AIR`,
what a site uses, is for those who do not.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lapwing.records import Array


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to move: v' = (i turn - damping) v + noise, the horizontal velocity v one complex number."""

    name: str
    noise_horizontal_m2ps3: float  # spectral density of the acceleration
    noise_vertical_m2ps3: float
    turn_rate_radps: float = 0.0  # from east to north: seen from above to the left
    damping_hz: float = 0.0  # what hovers forgets its velocity: speeds near sqrt(noise / (2 damping)) per axis
    stay_s: float = 20.0  # how long it lasts on average
    share: float = 1.0  # of those that leave another mode, how many come here, relative to the others

    def __post_init__(self) -> None:
        numbers = (self.noise_horizontal_m2ps3, self.noise_vertical_m2ps3, self.damping_hz, self.share)
        if not all(np.isfinite(v) and v >= 0.0 for v in numbers) or not np.isfinite(self.turn_rate_radps):
            raise ValueError(f"Mode {self.name!r}: noise, damping_hz and share must be finite and not negative")
        if not self.stay_s > 0.0:
            raise ValueError(f"Mode {self.name!r}: stay_s must be positive")


class Kinematics(NamedTuple):
    """Modes as arrays."""

    modes: Float64[Array, "M 4"]  # q_h, q_v, turn, damping
    rates: Float64[Array, "M M"]  # 1/s, rows sum to zero
    start: Float64[Array, " M"]  # probability of each mode when nothing is known: the chain's long-run share


@lru_cache(maxsize=64)
def kinematics(modes: tuple[Mode, ...]) -> Kinematics:
    """The modes' numbers. The same modes always give the same arrays, read-only."""
    M = len(modes)
    table = np.array(
        [(m.noise_horizontal_m2ps3, m.noise_vertical_m2ps3, m.turn_rate_radps, m.damping_hz) for m in modes]
    )
    share = np.array([m.share for m in modes])
    rates = np.zeros((M, M))
    for i, mode in enumerate(modes):
        others = np.where(np.arange(M) == i, 0.0, share)
        if M > 1 and others.sum() > 0.0:
            rates[i] = others / others.sum() / mode.stay_s
            rates[i, i] = -1.0 / mode.stay_s
    balance = np.concatenate([rates.T, np.ones((1, M))])
    start = np.clip(np.linalg.lstsq(balance, np.append(np.zeros(M), 1.0), rcond=None)[0], 1e-6, None)
    start /= start.sum()
    for array in (table, rates, start):
        array.flags.writeable = False
    return Kinematics(table, rates, start)


@lru_cache(maxsize=64)
def one_mode(noise_horizontal_m2ps3: float, noise_vertical_m2ps3: float) -> Kinematics:
    """Nearly constant velocity alone."""
    return kinematics((Mode("one", noise_horizontal_m2ps3, noise_vertical_m2ps3),))


STEADY = Mode("steady", 1.0, 0.5, stay_s=30.0, share=3.0)
AGILE = Mode("agile", 25.0, 4.0, stay_s=10.0)
LEFT = Mode("left", 4.0, 1.0, turn_rate_radps=0.2, stay_s=15.0, share=0.7)
RIGHT = Mode("right", 4.0, 1.0, turn_rate_radps=-0.2, stay_s=15.0, share=0.7)
HOVER = Mode("hover", 2.0, 0.5, damping_hz=0.5, stay_s=20.0, share=0.5)

AIR = (STEADY, AGILE, LEFT, RIGHT, HOVER)
MULTIROTOR = (Mode("steady", 1.0, 0.5, stay_s=15.0), AGILE, HOVER)
FIXED_WING = (STEADY, AGILE, LEFT, RIGHT)
AIRCRAFT = (
    Mode("steady", 0.2, 0.1, stay_s=90.0, share=3.0),
    Mode("agile", 25.0, 4.0, stay_s=15.0),
    Mode("left", 1.0, 0.5, turn_rate_radps=0.052, stay_s=45.0),  # 3 degrees per second, the standard rate
    Mode("right", 1.0, 0.5, turn_rate_radps=-0.052, stay_s=45.0),
)
SHIP = (
    Mode("steady", 0.001, 1e-6, stay_s=300.0, share=3.0),
    Mode("manoeuvre", 0.1, 1e-6, stay_s=60.0),
    Mode("adrift", 0.01, 1e-6, damping_hz=0.02, stay_s=600.0, share=0.5),
)
