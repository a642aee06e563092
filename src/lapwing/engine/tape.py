"""A tape: the recorded pictures of a journal from any moment on, made again from the checkpoint before it.

Every picture is run again by the very step that made it live, and can be compared with the digest that was recorded
then. States that were passed are kept for a while, so that going back a little is quick. Reads a journal that is being
written and shortened; what was deleted meanwhile is a JournalError.
"""

from collections import deque
from collections.abc import Iterator

from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError, Tick
from lapwing.engine.plan import Plan
from lapwing.engine.replay import Replayed, base_before
from lapwing.engine.state import State
from lapwing.engine.tick import step
from lapwing.records import Frame

PART_TICKS = 25  # read at once
KEEP_TICKS = 25  # a state is kept every so many ticks
KEPT_MAX = 40
KEPT_ROWS_MAX = 40_000  # tracks and claims in them: some 100 MB


class Tape:
    """One reader's place in a journal."""

    def __init__(self, journal: Journal, plan: Plan) -> None:
        self._journal, self._plan = journal, plan
        self._state: State | None = None
        self._ahead: deque[tuple[Tick, list[Frame]]] = deque()
        self._kept: dict[int, tuple[State, int]] = {}  # by tick, with their rows
        self.row: Replayed | None = None  # where the tape is

    def go(self, time_ns: int) -> Iterator[float]:
        """To the newest picture that is not after a time, else the first one that can be made. Yields how much is
        done (0..1) after each tick on the way; at the end `row` is the picture. Raises JournalError."""
        target = self._journal.tick_at(time_ns)
        target = min(target or 0, self._journal.settled())
        if target == 0:
            raise JournalError("the journal holds no picture yet")
        self._begin(target)
        assert self._state is not None
        first = self._state.tick
        while (row := self.next()) is not None and row.tick.tick < target:
            yield (row.tick.tick - first) / (target - first)
        if row is None:
            raise JournalError("the journal no longer holds that moment")

    def _begin(self, target: int) -> None:
        """Take the nearest state before a tick."""
        near = [s for s in (*(s for s, _ in self._kept.values()), self._state) if s is not None and s.tick < target]
        best = max(near, key=lambda s: s.tick, default=None)
        if best is None or best.tick < max(self._journal.checkpoints_before(target), default=0):
            best = base_before(self._journal, self._plan, target)
        if best is not self._state:
            self._state = best
            self._ahead.clear()

    def peek(self) -> Tick | None:
        """The next tick, or None at the end of what is recorded. Raises JournalError."""
        if not self._ahead and self._state is not None:
            settled = self._journal.settled()  # the tick after it is just being made
            part = self._journal.part(self._state.tick, self._state.through_seq, PART_TICKS)
            self._ahead.extend((tick, frames) for tick, frames in part if tick.tick <= settled)
        return self._ahead[0][0] if self._ahead else None

    def next(self) -> Replayed | None:
        """One tick on; None at the end. Raises JournalError."""
        if self.peek() is None or self._state is None:
            return None
        tick, frames = self._ahead.popleft()
        self._state, picture = step(self._state, frames, tick.tick, tick.time_ns, self._plan)
        if tick.tick % KEEP_TICKS == 0:
            self._keep(len(picture.tracks) + len(picture.claims))
        self.row = Replayed(tick, self._state, picture)
        return self.row

    def _keep(self, rows: int) -> None:
        """Keep the state for a while; the first kept goes first."""
        assert self._state is not None
        self._kept.pop(self._state.tick, None)
        self._kept[self._state.tick] = (self._state, rows)
        while len(self._kept) > KEPT_MAX or sum(n for _, n in self._kept.values()) > KEPT_ROWS_MAX:
            del self._kept[next(iter(self._kept))]


def same(row: Replayed) -> bool | None:
    """Whether a picture that was made again is the recorded one, bit for bit; None where no digest was recorded."""
    return None if row.tick.digest is None else codec.digest(row.picture) == row.tick.digest
