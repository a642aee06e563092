"""Replay: the same journal, the same pictures, bit for bit. Recovery is the same path from a later start."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lapwing import __version__
from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError, Tick
from lapwing.engine.order import refolded, thinned
from lapwing.engine.plan import Plan
from lapwing.engine.state import State, start
from lapwing.engine.tick import step
from lapwing.records import FIELDS, Frame, Picture

NEVER = 2**63 - 1  # a tick that no journal reaches


@dataclass(frozen=True, slots=True)
class Replayed:
    """One tick run again."""

    tick: Tick
    state: State
    picture: Picture
    frames: Sequence[Frame] = ()  # that were received in it


def base(journal: Journal, plan: Plan, *, newest: bool) -> State:
    """Where a replay begins: a checkpoint (the newest that can be read, or the oldest kept), else the very start.
    Raises JournalError when the journal no longer holds its beginning and no checkpoint is left."""
    first, kept = journal.first_tick(), journal.checkpoints_before(NEVER)
    trimmed = bool(kept) if first is None else first > 1
    state, trouble = _thawed(journal, plan, kept if newest else kept[-1:] if trimmed else [])
    if state is not None:
        if len(state.feeds) != len(plan.site.feeds):
            raise JournalError("the journal belongs to a site with other feeds")
        return state
    if trimmed:
        raise trouble or JournalError(
            f"the journal in {journal.folder} begins with a checkpoint of another version of this "
            "software; give a new journal folder"
        )
    return start(plan)


def _thawed(journal: Journal, plan: Plan, ticks: Sequence[int]) -> tuple[State | None, JournalError | None]:
    """The first of these checkpoints that can be read, None where another version made it; and what was wrong with the
    first that cannot be read. One that a disk has damaged costs time, as more is run again, but no picture."""
    trouble = None
    for at in ticks:
        try:
            return thaw(journal.state_at(at) or b"", plan), trouble
        except JournalError as error:
            trouble = trouble or error
    return None, trouble


def base_before(journal: Journal, plan: Plan, tick: int) -> State:
    """The newest state before a tick that a replay can begin with: a checkpoint, else the very start.
    Raises JournalError when the journal holds none."""
    for at in journal.checkpoints_before(tick):
        state, _ = _thawed(journal, plan, [at])
        if state is not None:
            return state
    if journal.first_tick() != 1:
        raise JournalError("the journal has no checkpoint of this version of the software before that moment")
    return start(plan)


# What a checkpoint's arrays mean depends on these; one that was made with others is passed over, not misread.
# CHECKPOINT is raised by hand whenever what a checkpoint holds means something else. 1: the whole window of scans;
# 2: the window without what its own scans give again; 3: a search for sources with the question in hand, a tracker that
# knows which sensors place targets; 4: delays of feeds; 5: bursts of feeds, links that stood, last places of claims.
CHECKPOINT = 5
MAKE = f"{__version__} {len(FIELDS)} fields, checkpoints {CHECKPOINT}"


def freeze(state: State) -> bytes:
    """A checkpoint: the state without what its own scans give again."""
    return codec.encode((MAKE, dataclasses.replace(state, window=thinned(state.window))))


def thaw(data: bytes, plan: Plan) -> State | None:
    """The state in a checkpoint, whole, or None when another version of this software made it."""
    state = read(data)
    return None if state is None else dataclasses.replace(state, window=refolded(state.window, plan.take))


def read(data: bytes) -> State | None:
    """What a checkpoint holds, not yet made whole, or None when another version of this software made it."""
    try:
        make, state = codec.decode(data)
    except (codec.CodecError, ValueError, TypeError):
        return None
    return state if make == MAKE and isinstance(state, State) else None


def replay(journal: Journal, plan: Plan, state: State) -> Iterator[Replayed]:
    """Every committed tick after the state's."""
    for tick, frames in journal.ticks(state.tick):
        state, picture = step(state, frames, tick.tick, tick.time_ns, plan)
        yield Replayed(tick, state, picture, frames)


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verified replay found."""

    ticks: int
    compared: int  # ticks whose digest had been recorded
    first_difference: int | None  # tick


def verify(journal: Journal, plan: Plan) -> Iterator[Verification]:
    """Progress after every tick; the last one is the result. Stops at the first picture that differs."""
    compared = 0
    for ticks, row in enumerate(replay(journal, plan, base(journal, plan, newest=False)), start=1):
        if row.tick.digest is not None:
            compared += 1
            if codec.digest(row.picture) != row.tick.digest:
                yield Verification(ticks, compared, row.tick.tick)
                return
        yield Verification(ticks, compared, None)
