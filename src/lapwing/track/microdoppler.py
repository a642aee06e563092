"""Micro-Doppler: what rotating blades and beating wings tell of a target. Axes: n tracks, c kinds.

A radar may say of a detection whether it saw blades (flashes, or lines about the body's; from 0 to 1), and how wide the
spectrum is about the body's line. Both are taken once per track. Blades: the share of looks that saw them, under a beta
distribution per kind (beta-binomial), wide, and mixed with one for targets whose blades are too faint. Whether blades
show depends on aspect, size and signal as much as on the kind, so blades not seen say little and blades seen say much.
Spread: the mean of its logarithm against a log-normal per kind. Looks beyond `looks_max` add nothing: they see the same
target in the same light.

The numbers are conservative guesses from the literature's warning that published accuracies hold at high signal (about
96 % of drones against birds at best), not fitted to a simulator. Refuses spectra: a radar, or a learned classifier in
the same socket, must have read them.
"""

from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np
from jaxtyping import Float64
from scipy.special import betaln

from lapwing.records import Array
from lapwing.track.classes import Features


@final
@dataclass(frozen=True, slots=True)
class MicroDoppler:
    """Per kind, in the order of Kind: mean share of looks that see blades; median spread and its own spread."""

    blades: tuple[float, ...] = (0.20, 0.65, 0.45, 0.08, 0.30, 0.75, 0.05, 0.05)
    concentration: float = 2.5  # of the beta distributions: single targets of a kind differ this much
    faint: float = 0.35  # share of targets whose blades are too weak to be seen, whatever they are
    faint_blades: float = 0.08  # mean share of looks that see blades of such
    spread_mps: tuple[float, ...] = (10.0, 40.0, 30.0, 4.0, 20.0, 120.0, 4.0, 6.0)
    spread_log: tuple[float, ...] = (1.5, 0.8, 0.9, 0.7, 1.2, 0.7, 1.0, 0.9)
    look_log: float = 0.5  # of single looks about their target's own
    looks_max: float = 12.0

    def log_likelihood(self, features: Features) -> Float64[Array, "n c"]:
        """Of each track's micro-Doppler under each kind; zero where nothing was said."""
        said = (features.blade_looks > 0.0) | (features.spread_looks > 0.0)
        nothing = np.logaddexp(np.log(1.0 - self.faint), np.log(self.faint))  # 0, but for rounding: the same bits
        out = np.full((len(said), len(self.blades)), nothing)
        if said.any():  # most sensors say nothing of it, and special functions of many tracks take long
            out[said] = self._of_those(features, said)
        return out

    def _of_those(self, features: Features, said: Array) -> Float64[Array, "s c"]:
        """The same of the tracks of which something was said."""
        f = replace(features, **{c.name: getattr(features, c.name)[said] for c in fields(features)})
        n = np.minimum(f.blade_looks, self.looks_max)[:, None]
        k = n * np.clip(f.blades, 0.0, 1.0)[:, None]
        plain = np.log(1.0 - self.faint) + self._blades(n, k, np.array(self.blades)[None, :])
        seen = np.logaddexp(plain, np.log(self.faint) + self._blades(n, k, np.array([[self.faint_blades]])))
        looks = np.clip(f.spread_looks, 1.0, self.looks_max)[:, None]
        s2 = np.square(self.spread_log)[None, :] + self.look_log**2 / looks
        apart = f.spread_log[:, None] - np.log(self.spread_mps)[None, :]
        wide = -0.5 * apart**2 / s2 - 0.5 * np.log(s2)
        return np.asarray(seen + np.where(f.spread_looks[:, None] > 0.0, wide, 0.0))

    def _blades(self, n: Array, k: Array, share: Array) -> Array:
        """Log likelihood that k of n looks, in this order, saw blades: beta-binomial of this mean."""
        a = self.concentration * share
        b = self.concentration - a
        return np.asarray(betaln(k + a, n - k + b) - betaln(a, b))
