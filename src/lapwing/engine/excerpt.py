"""An excerpt of a journal: an interval, and what a replay needs before it. Refuses intervals without a tick."""

from dataclasses import dataclass
from pathlib import Path

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.replay import read


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Which ticks were cut out."""

    after_tick: int  # the replay begins after this tick's checkpoint; 0 = at the very start
    first_tick: int  # of the interval
    last_tick: int


def excerpt(journal: Journal, folder: Path, since_ns: int, until_ns: int) -> Excerpt:
    """Cut since_ns <= time < until_ns into an empty folder, from the newest usable checkpoint before it on.
    Raises JournalError."""
    span = journal.span(since_ns, until_ns)
    if span is None:
        raise JournalError(f"the journal in {journal.folder} holds nothing of that interval")
    first, last = span
    usable = (t for t in journal.checkpoints_before(first) if read(journal.state_at(t) or b"") is not None)
    after = next(usable, 0)
    if after == 0 and journal.first_tick() != 1:
        raise JournalError(
            f"the journal in {journal.folder} has no checkpoint of this version of the software before that interval"
        )
    journal.cut(folder, after, last)
    return Excerpt(after, first, last)
