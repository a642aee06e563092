"""Registration in the tick: raw scans against trusted claims and against what other sensors see, and corrected scans on
to the tracker. What is solved rests on scans as they were measured; corrections feed nothing."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lapwing.engine.plan import Plan
from lapwing.engine.state import State
from lapwing.records import Against, Array, Detections, Integrity, Registration, SensorConfig, Space
from lapwing.track import drift, looks, registration, shared
from lapwing.track.looks import B, Pairs, Reference, RegistrationSettings
from lapwing.track.sensors import SensorModel
from lapwing.track.shared import Before, Shared
from lapwing.track.tracklets import SPACES, Plots, tracklets

NOISE_M2PS3 = 1.0  # of a target over the few seconds of a tracklet
PAIRS_MAX = 100_000  # of plots and tracklets that are tried at once: a flood of plots tells nothing of biases
THERE = 0.5  # existence of a track that may be where a plot comes from
CLAIMS_GROWN = 1.25  # of variances learned from claims, whose errors last


class Registered(NamedTuple):
    """What the state remembers of registration, in the order of its fields."""

    registered: tuple[Pairs, ...]
    shared: tuple[Shared, ...]
    sensors: tuple[Registration, ...]


def register(
    state: State, scans: tuple[Detections, ...], to_ns: int, plan: Plan
) -> tuple[Registered, tuple[Detections, ...]]:
    """What is known of the sensors after these scans, and the scans with what was known before taken out."""
    pairs = {p.sensor: p for p in state.registered}
    known = {s.sensor: s for s in state.sensors}
    settings, verdict = plan.registration, state.verdict
    judged = verdict is not None and len(verdict) == len(state.claims)
    reference = looks.trusted(state.claims, verdict, settings) if verdict is not None and judged else None
    others, out = _unexplained(state), []
    for scan in scans:
        model = plan.model(scan.sensor, scan.space)
        mine = pairs.get(scan.sensor, looks.begin(scan.sensor, scan.space.value, settings))
        before = known.get(scan.sensor, mine.found)
        out.append(registration.corrected(scan, model, before, plan.tracking.prior))
        if reference is not None and abs(scan.scan_ns - to_ns) < settings.fresh_s * 1e9:
            mine = looks.collect(mine, scan, model, reference, settings, others)
        pairs[scan.sensor] = mine
    due = _due(pairs, to_ns, settings)
    for name in due:
        model = plan.model(name, Space(pairs[name].columns))
        noise = noise_of(plan.sensors[name], pairs[name].columns)
        pairs[name] = registration.solve(pairs[name], model, to_ns, noise, settings)
    alike = _alike(state, scans, pairs, due, plan)
    for name in due:
        tolerance = np.array([*plan.sensors[name].tolerance, 0.0, 0.0])
        past = known[name].drift if name in known else pairs[name].found.drift
        found = _with_shared(pairs[name].found, alike, settings)
        known[name] = drift.judged(past, found, tolerance, settings.window_s, plan.drift)
    for name in pairs.keys() - known.keys():
        known[name] = pairs[name].found
    names = sorted(pairs)
    every = tuple(pairs[n] for n in names), tuple(alike[n] for n in sorted(alike)), tuple(known[n] for n in names)
    return Registered(*every), tuple(out)


def _due(pairs: dict[str, Pairs], to_ns: int, settings: RegistrationSettings) -> tuple[str, ...]:
    """Whose turn it is to be solved: one sensor in a tick, the longest unsolved, so that no tick is late."""
    due = [name for name, p in pairs.items() if to_ns - p.solved_ns >= settings.every_s * 1e9]
    return tuple(sorted(due, key=lambda name: (pairs[name].solved_ns, name))[:1])


def _alike(
    state: State, scans: tuple[Detections, ...], pairs: dict[str, Pairs], due: tuple[str, ...], plan: Plan
) -> dict[str, Shared]:
    """Sensors beside their anchor after these scans; those that are due, solved again."""
    now = {s.pairs.sensor: s for s in state.shared}
    plots = state.watch.plots
    anchor = choose_anchor(plots, pairs, frozenset(s.anchor for s in state.shared), plan)
    if anchor is None:
        return now
    settings = shared.pairing(plan.registration)
    reference = None
    for scan in scans:
        theirs = plan.sensors[scan.sensor]
        if scan.sensor == anchor.sensor or theirs.correlation_s > 0.0 or not theirs.align:
            continue
        if reference is None:
            reference = tracklets(plots, anchor, plan.tracking.prior, NOISE_M2PS3, _explained(state))
        mine = now.get(scan.sensor)
        if mine is None or mine.anchor != anchor.sensor:
            fresh = looks.begin(scan.sensor, scan.space.value, settings)
            mine = Shared(anchor.sensor, fresh, shared.unsaid(plan.registration))
        few = len(reference.address) * len(scan) <= PAIRS_MAX
        if len(reference.address) and few and abs(scan.scan_ns - reference.time_ns) < settings.fresh_s * 1e9:
            model = plan.model(scan.sensor, scan.space)
            mine = replace(mine, pairs=looks.collect(mine.pairs, scan, model, reference, settings))
        now[scan.sensor] = mine
    for name in due:
        if name in now and now[name].anchor == anchor.sensor:
            models = (plan.model(name, Space(now[name].pairs.columns)), anchor)
            before = (_before(pairs[name], plan), _before(pairs[anchor.sensor], plan))
            now[name] = replace(now[name], joint=shared.solve_both(now[name].pairs, models, before, settings))
    return now


def choose_anchor(plots: Plots, pairs: dict[str, Pairs], current: frozenset[str], plan: Plan) -> SensorModel | None:
    """The sensor of which most is known, among those that place targets and that the site says to align: by cooperative
    traffic, then by stated tolerances, then by measuring heights, then by name. Another than the `current` one only
    where two more of its biases are known: all pairs begin anew then. None where no two see anything."""
    models = []
    for s, name in enumerate(plots.sensors):
        rows = np.flatnonzero(plots.sensor == s)
        if len(rows) and name in pairs and plan.sensors[name].correlation_s <= 0.0 and plan.sensors[name].align:
            models.append(plan.model(name, SPACES[int(plots.space[rows[-1]])]))
    if len(pairs) < 2 or not models:
        return None
    return min(models, key=lambda m: (*_rank(m, pairs[m.sensor], m.sensor in current, plan), m.sensor))


def _rank(model: SensorModel, pairs: Pairs, current: bool, plan: Plan) -> tuple[int, int, int, int]:
    stated = sum(t > 0.0 for t in plan.sensors[model.sensor].tolerance)
    known = int(pairs.found.observable.sum()) + 2 * current
    return -known, -int(current), -stated, -int(model.measures_height)


def _unexplained(state: State) -> Reference | None:
    """Shown tracks that no claim agrees with: what is there and says nothing. Their names are no addresses."""
    if state.shown is None or state.verdict is None:
        return None
    tracks = state.shown.tracks
    rows = np.flatnonzero((tracks.existence > THERE) & ~np.isin(tracks.track_id, state.verdict.track_id))
    return Reference(tracks.time_ns, -1 - tracks.track_id[rows], tracks.mean[rows], tracks.cov[rows])


def _explained(state: State) -> Array:
    """The inner names of tracks that a claim agrees with: what they say of sensors, `registration` has heard."""
    verdict: Integrity | None = state.verdict
    if verdict is None:
        return np.zeros(0, dtype=np.int64)
    return state.labels.name[np.isin(state.labels.label, verdict.track_id[verdict.track_id > 0])]


def _before(pairs: Pairs, plan: Plan) -> Before:
    """What trusted traffic and the site's file say of a sensor."""
    found = pairs.found
    tolerance = np.array([*plan.sensors[pairs.sensor].tolerance, 0.0, 0.0])
    prior = np.where(tolerance > 0.0, 0.5 * tolerance, np.array(plan.registration.sigma))
    seen = found.observable == 1
    return Before(np.where(seen, found.bias, 0.0), np.where(seen, np.sqrt(CLAIMS_GROWN) * found.sigma, prior))


def _with_shared(found: Registration, alike: dict[str, Shared], settings: RegistrationSettings) -> Registration:
    """What trusted traffic says of a sensor, with what shared tracks add: beside its anchor, or as the anchor."""
    mine = alike.get(found.sensor)
    if mine is not None:
        j = mine.joint
        difference, sigma = j.difference
        against = Against(mine.anchor, j.looks, difference, sigma, shared.difference_known(j, settings))
        half = slice(0, B)
        found = replace(found, against=against)
    else:
        others = [alike[n] for n in sorted(alike) if alike[n].anchor == found.sensor]
        if not others:
            return found
        j, half = max((s.joint for s in others), key=lambda joint: joint.looks), slice(B, 2 * B)
    sigma = np.sqrt(np.diagonal(j.cov))[half]
    return shared.merged(found, j.bias[half], sigma, j.observable[half], j.looks)


def noise_of(config: SensorConfig, columns: tuple[str, ...]) -> Array:
    """The sensor's own noise in the order of BIASES, 0 for what it does not measure."""
    sigmas = {
        "range_m": config.range_sigma_m,
        "azimuth_rad": config.azimuth_sigma_rad,
        "elevation_rad": config.elevation_sigma_rad,
    }
    return np.array([s if name in columns else 0.0 for name, s in sigmas.items()] + [0.0] * 3)
