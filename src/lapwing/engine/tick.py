"""One tick: the frames of one journal interval in, the next state and picture out. The flow of the whole product.

Pure: the same state, frames and time give the same bits. Nothing here reads a clock; `to_ns` comes from the journal.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lapwing import alarm, integrity, track
from lapwing.alarm import World
from lapwing.engine import unseeing
from lapwing.engine.alerting import standing
from lapwing.engine.aside import Aside, sparing
from lapwing.engine.bursts import in_time
from lapwing.engine.delays import COUNTERS, delayed
from lapwing.engine.labels import labelled
from lapwing.engine.notices import NOTICE_FEED, read
from lapwing.engine.order import order
from lapwing.engine.plan import Plan
from lapwing.engine.registering import register
from lapwing.engine.state import FeedState, Shown, State
from lapwing.records import Claims, Classes, Decoded, Detections, Fault, FeedHealth, Frame, Picture, Unseen, merged
from lapwing.track import classes
from lapwing.track.declared import log_likelihoods
from lapwing.track.unseen import UnseenState

RATE_S = 10.0  # smoothing of feed rates
EXAMPLE_BYTES = 64
JUDGE_TICKS = 5  # integrity and alarms look once a second, and at once after every scan or a node's alert


def _nobody(_part: str) -> None:
    """Nobody wants to know."""


def step(
    state: State, frames: Sequence[Frame], tick: int, to_ns: int, plan: Plan, done: Callable[[str], None] = _nobody
) -> tuple[State, Picture]:
    """The world at `to_ns`, given what came since the state's time, but for what it fails on (engine/aside.py). `done`
    hears the name of every part that is done (serve/timing.py has a clock); nothing comes back from it."""
    to_ns = max(to_ns, state.time_ns)  # a clock set back must not take the world back
    return sparing(state, frames, tick, lambda aside: _whole(state, frames, (tick, to_ns), plan, aside, done))


def _whole(
    state: State,
    frames: Sequence[Frame],
    now: tuple[int, int],
    plan: Plan,
    aside: Aside,
    done: Callable[[str], None],
) -> tuple[State, Picture]:
    """The same without the feeds set aside; now = (tick, to_ns)."""
    tick, to_ns = now
    decoded, feeds = _decode(state, frames, to_ns, plan, aside)
    alerts = standing(state.alerts, decoded, to_ns)
    done("decode")
    scans = tuple(scan for d in decoded for scan in d.scans)
    mine = tuple(scan for scan in scans if scan.sensor in plan.sensors)
    registered, mine = register(state, mine, to_ns, plan)
    known_sensors = registered.sensors
    window, due, late = order(state.window, mine, to_ns, plan.order, plan.take)
    feeds = _with_late(feeds, late, plan)
    claims = track.claims_step(state.claims, merged(decoded), plan.claims, plan.site.origin, to_ns)
    inside = track.predict_tracks(window.now.tracker, to_ns, plan.tracking)
    labels, shown = labelled(state.labels, inside)
    health = tuple(f.health for f in feeds)
    done("track")
    known, verdict, memory = state.integrity, state.verdict, state.alarms
    news = due or alerts != state.alerts or not _same_speakers(state.claims, claims)
    judge = verdict is None or news or tick % JUDGE_TICKS == 0
    if verdict is None or judge:
        known, verdict = integrity.step(state.integrity, claims, shown, plan.integrity)
    done("integrity")
    said = classes.claimed(shown.track_id, claims, verdict, plan.classes)
    said = said + log_likelihoods(window.now.declared, inside.track_id, plan.reliability)
    kinds = classes.probabilities(window.now.features, inside.track_id, said, plan.classes)
    what = Classes(shown.track_id, kinds)
    done("track")
    if judge:
        world = World(to_ns, shown, claims, verdict, health, known_sensors, what, alerts)
        memory = alarm.step(state.alarms, world, plan.rules, plan.life)
    alarms = alarm.columns(memory)
    done("alarm")
    through = frames[-1].seq if frames else state.through_seq
    hidden, could_be = _unseen(state, mine, Shown(shown, what, Unseen.empty()), to_ns, plan)
    belief = (window, labels, *registered, claims, known, verdict, memory, alerts, hidden, Shown(shown, what, could_be))
    after = State(tick, to_ns, through, feeds, *belief)
    wedges = track.directions(window.now, to_ns, plan.tracking)
    seen = (shown, claims, verdict, alarms, health, wedges, known_sensors, what, could_be)
    return after, Picture(tick, to_ns, through, *seen)


def _unseen(
    state: State, scans: tuple[Detections, ...], now: Shown, to_ns: int, plan: Plan
) -> tuple[UnseenState | None, Unseen]:
    """What could be here that nobody has seen, after these scans and what tracks gave up."""
    if plan.unseen is None:
        return None, now.unseen
    models = [plan.model(scan.sensor, scan.space) for scan in scans]
    hidden = unseeing.watched(state.unseen, scans, models, to_ns, plan.unseen)
    if state.shown is None:
        return hidden, unseeing.told(hidden, now.unseen, plan.unseen)
    hidden = unseeing.given_up(hidden, state.shown.tracks, state.shown.classes, now.tracks, plan.unseen)
    return hidden, unseeing.told(hidden, state.shown.unseen, plan.unseen)


def _same_speakers(before: Claims, after: Claims) -> bool:
    """Whether the rows are still about the same speakers, so that a verdict on the old ones fits."""
    return np.array_equal(before.address, after.address) and np.array_equal(before.source, after.source)


def _decode(
    state: State, frames: Sequence[Frame], to_ns: int, plan: Plan, aside: Aside
) -> tuple[list[Decoded], tuple[FeedState, ...]]:
    """What the frames say, feed by feed in the site's order, and the feeds' new states. What is set aside is counted,
    and nothing else: the feed falls quiet if that goes on."""
    by_feed: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_feed[frame.feed].append(frame)
    left, out, feeds = {name: by_feed.pop(name, []) for name in aside}, [], []
    dt_s = max(to_ns - state.time_ns, 1) * 1e-9 if state.time_ns else 0.2
    for feed, config in zip(state.feeds, plan.site.feeds, strict=True):
        mine = by_feed.get(config.feed, [])
        decoder, d = feed.decoder, Decoded()
        if mine:
            decoder, d = plan.decoders[config.feed].decode(feed.decoder, mine)
        burst, d = in_time(feed.burst, d, mine, to_ns)
        if mine:
            out.append(d)
        health, delays = _counted(feed.health, mine, d, dt_s), feed.delays
        if left.get(config.feed):
            health = _refused(health, left[config.feed], aside[config.feed])
        if config.decoder not in COUNTERS:
            delays = delayed(delays, d, mine, to_ns, dt_s)
        quiet = health.received_ns > 0 and to_ns - health.received_ns > config.quiet_s_max * 1e9
        health = replace(health, quiet=quiet, delay_s=delays.now_s, delay_s_min=delays.bound_s)
        feeds.append(FeedState(health, decoder, delays, burst))
    return out, _with_notices(tuple(feeds), by_feed.get(NOTICE_FEED, []), plan)


def _counted(health: FeedHealth, frames: list[Frame], decoded: Decoded, dt_s: float) -> FeedHealth:
    """The feed's counts after these frames."""
    weight = 1.0 - math.exp(-dt_s / RATE_S)
    rate_hz = health.rate_hz + weight * (decoded.messages / dt_s - health.rate_hz)
    health = replace(
        health,
        frames=health.frames + len(frames),
        bytes_total=health.bytes_total + sum(len(f.data) for f in frames),
        messages=health.messages + decoded.messages,
        received_ns=max([health.received_ns, *(f.received_ns for f in frames)]),
        rate_hz=rate_hz if rate_hz > 1e-6 else 0.0,
    )
    return _with_faults(health, decoded.faults)


def _refused(health: FeedHealth, frames: list[Frame], why: str) -> FeedHealth:
    """The feed's counts after frames that were set aside."""
    size = sum(len(f.data) for f in frames)
    health = replace(health, frames=health.frames + len(frames), bytes_total=health.bytes_total + size)
    return _with_faults(health, (Fault(why, len(frames), frames[0].seq, frames[0].data),))


def _with_faults(health: FeedHealth, faults: Sequence[Fault]) -> FeedHealth:
    if not faults:
        return health
    last = faults[-1]
    return replace(
        health,
        faults=health.faults + sum(f.count for f in faults),
        last_fault=last.reason,
        last_fault_seq=last.frame_seq,
        last_fault_example=last.example[:EXAMPLE_BYTES],
    )


def _with_notices(feeds: tuple[FeedState, ...], frames: list[Frame], plan: Plan) -> tuple[FeedState, ...]:
    """What the transports had to say."""
    healths = {c.feed: f.health for c, f in zip(plan.site.feeds, feeds, strict=True)}
    for frame in frames:
        notice = read(frame.data)
        if notice.feed not in healths:
            continue
        if notice.event == "dropped":
            reason = f"overload: {notice.why}"
            healths[notice.feed] = _with_faults(healths[notice.feed], (Fault(reason, notice.count, frame.seq, b""),))
        else:
            link = f"{notice.event}: {notice.why}" if notice.why else notice.event
            healths[notice.feed] = replace(healths[notice.feed], link=link)
    return tuple(replace(f, health=healths[c.feed]) for c, f in zip(plan.site.feeds, feeds, strict=True))


def _with_late(feeds: tuple[FeedState, ...], late: dict[str, list[Fault]], plan: Plan) -> tuple[FeedState, ...]:
    """Scans that order refused, counted at the feed that delivered them."""
    if not late:
        return feeds
    sensor_of = [c.sensor or c.feed for c in plan.site.feeds]
    return tuple(
        replace(f, health=_with_faults(f.health, tuple(late.get(s, ())))) for f, s in zip(feeds, sensor_of, strict=True)
    )
