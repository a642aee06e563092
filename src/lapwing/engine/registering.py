"""Registration in the tick: raw scans against trusted claims, and corrected scans on to the tracker."""

from dataclasses import replace

import numpy as np

from lapwing.engine.plan import Plan
from lapwing.engine.state import State
from lapwing.records import Array, Detections, SensorConfig, Space
from lapwing.track import drift, registration
from lapwing.track.registration import Pairs


def register(
    state: State, scans: tuple[Detections, ...], to_ns: int, plan: Plan
) -> tuple[tuple[Pairs, ...], tuple[Detections, ...]]:
    """What is known of the sensors after these scans, and the scans with what was known before taken out."""
    pairs = {p.sensor: p for p in state.registered}
    settings, verdict = plan.registration, state.verdict
    judged = verdict is not None and len(verdict) == len(state.claims)
    reference = registration.trusted(state.claims, verdict, settings) if verdict is not None and judged else None
    out = []
    for scan in scans:
        model = plan.model(scan.sensor, scan.space)
        mine = pairs.get(scan.sensor, registration.begin(scan.sensor, scan.space.value, settings))
        out.append(registration.corrected(scan, model, mine.found, plan.tracking.prior))
        if reference is not None and abs(scan.scan_ns - to_ns) < settings.fresh_s * 1e9:
            mine = registration.collect(mine, scan, model, reference, settings)
        pairs[scan.sensor] = mine
    for name, mine in pairs.items():
        if to_ns - mine.solved_ns >= settings.every_s * 1e9:
            model = plan.model(name, Space(mine.columns))
            noise = noise_of(plan.sensors[name], mine.columns)
            solved = registration.solve(mine, model, to_ns, noise, settings)
            tolerance = np.array([*plan.sensors[name].tolerance, 0.0, 0.0])
            pairs[name] = replace(
                solved, found=drift.judged(mine.found.drift, solved.found, tolerance, settings.window_s, plan.drift)
            )
    return tuple(pairs[name] for name in sorted(pairs)), tuple(out)


def noise_of(config: SensorConfig, columns: tuple[str, ...]) -> Array:
    """The sensor's own noise in the order of BIASES, 0 for what it does not measure."""
    sigmas = {
        "range_m": config.range_sigma_m,
        "azimuth_rad": config.azimuth_sigma_rad,
        "elevation_rad": config.elevation_sigma_rad,
    }
    return np.array([s if name in columns else 0.0 for name, s in sigmas.items()] + [0.0] * 3)
