"""Replay of a journal folder from the command line, with progress."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import Plan, make_plan
from lapwing.engine.replay import base, replay, verify
from lapwing.engine.told import told_feeds
from lapwing.records import Picture
from lapwing.serve.site import parse

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}  # of a process: as live, the same bits
SECOND_NS = 1_000_000_000


def planned(journal: Journal) -> tuple[Plan, str]:
    """The plan that a journal runs with, and its site file. Raises JournalError, SiteError."""
    text = journal.meta("site")
    if text is None:
        raise JournalError(f"the journal in {journal.folder} does not say which site it belongs to")
    site = parse(text, f"the site file kept in {journal.folder}").site(journal.folder)
    return make_plan(site, told_feeds(journal)), text


def replay_folder(folder: Path, *, compare: bool) -> tuple[bool, str]:
    """Whether all is well, and one line that says what was run."""
    with Journal(folder, write=False) as journal:
        plan, _ = planned(journal)
        began = time.monotonic()
        if not compare:
            ticks = 0
            for ticks, row in enumerate(replay(journal, plan, base(journal, plan, newest=False)), start=1):
                progress(ticks, row.tick.tick)
            progress(0, 0)
            return True, f"{ticks} ticks run again in {time.monotonic() - began:.1f} s"
        result = None
        for result in verify(journal, plan):
            progress(result.ticks, result.ticks)
        progress(0, 0)
        if result is None:
            return False, "nothing to verify: the journal holds no ticks"
        if result.first_difference is not None:
            return False, f"DIFFERENT: the picture of tick {result.first_difference} is not the one recorded"
        if result.compared == 0:
            return False, "nothing to verify: no picture's digest was recorded"
        return True, (
            f"identical: {result.compared} pictures of {result.ticks} ticks, bit for bit, "
            f"in {time.monotonic() - began:.1f} s"
        )


def each_second(journal: Journal, plan: Plan, since_ns: int, until_ns: int) -> Iterator[Picture]:
    """The journal run again: the first picture of each second of since <= time < until. Raises JournalError."""
    second = -1
    for row in replay(journal, plan, base(journal, plan, newest=False)):
        progress(row.tick.tick, row.tick.tick)
        now_ns = row.picture.time_ns
        if now_ns >= until_ns:
            break
        if now_ns >= since_ns and now_ns // SECOND_NS != second:
            second = now_ns // SECOND_NS
            yield row.picture
    progress(0, 0)


def progress(count: int, tick: int) -> None:
    """Show on a terminal how far a replay is; 0, 0 takes it away."""
    if not sys.stderr.isatty():
        return
    if count == 0:
        sys.stderr.write("\r\033[K")
    elif count % 50 == 0:
        sys.stderr.write(f"\rtick {tick}")
    sys.stderr.flush()
