"""Replay of a journal folder from the command line, with progress; and the compilation of kernels ahead of use."""

import sys
import time
from pathlib import Path

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import make_plan
from lapwing.engine.replay import base, replay, verify
from lapwing.serve.site import parse


def replay_folder(folder: Path, *, compare: bool) -> tuple[bool, str]:
    """Whether all is well, and one line that says what was run."""
    with Journal(folder, write=False) as journal:
        text = journal.meta("site")
        if text is None:
            raise JournalError(f"the journal in {folder} does not say which site it belongs to")
        plan = make_plan(parse(text, f"the site file kept in {folder}").site(folder))
        began = time.monotonic()
        if not compare:
            ticks = 0
            for ticks, row in enumerate(replay(journal, plan, base(journal, plan, newest=False)), start=1):
                _progress(ticks, row.tick.tick)
            _progress(0, 0)
            return True, f"{ticks} ticks run again in {time.monotonic() - began:.1f} s"
        result = None
        for result in verify(journal, plan):
            _progress(result.ticks, result.ticks)
        _progress(0, 0)
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


def _progress(count: int, tick: int) -> None:
    if not sys.stderr.isatty():
        return
    if count == 0:
        sys.stderr.write("\r\033[K")
    elif count % 50 == 0:
        sys.stderr.write(f"\rtick {tick}")
    sys.stderr.flush()
