"""A tick that fails on what came with it goes on without. One message that nobody has foreseen must not end the watch,
nor end it again at every start, when the journal's last ticks are run anew.

The feed whose frames a tick can do without is set aside for this tick, and its frames are counted as refused; if no
single one is enough, all are. The state never changes in place, so a second try begins where the first did. What is set
aside depends on the state and the frames alone: recovery, replay and evidence come to the same. The journal keeps all
frames. A tick that fails even without frames is raised: a fault of the state, or of what came earlier and is met only
now (a scan dated ahead waits, claims are judged once a second).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from lapwing.engine.state import State
from lapwing.records import Frame

Made = TypeVar("Made")
Aside = Mapping[str, str]  # feeds that are set aside in this tick, and why
FAILED = "set aside, a tick failed on it: "
PASSING = (MemoryError, RecursionError, OSError, ImportError)  # depend on more than state and frames
STUCK = (
    "Lapwing cannot go on from here, not even without what just came, and a new start would come to the same. "
    "To watch again at once give another journal folder; please report this, the journal shows how it came about"
)

log = logging.getLogger("lapwing")


def sparing(state: State, frames: Sequence[Frame], tick: int, whole: Callable[[Aside], Made]) -> Made:
    """`whole` of as many feeds as a tick can do with. Raises what the tick raised first where none is few enough, and
    PASSING errors."""
    try:
        return whole({})
    except PASSING:
        raise
    except Exception as error:
        failed = error
    came = {f.feed for f in frames}
    feeds = [f.health for f in state.feeds if f.health.feed in came]
    feeds.sort(key=lambda health: not health.last_fault.startswith(FAILED))  # who did it before did it again
    why = f"{FAILED}{type(failed).__name__}"  # only the log has what it says: that may name somebody, or differ
    for tried in (*([health] for health in feeds), feeds):
        aside = {health.feed: why for health in tried}
        try:
            made = whole(aside)
        except PASSING:
            raise
        except Exception as error:
            log.debug("tick %d fails without %s, too", tick, aside, exc_info=error)
            continue
        news = any(health.last_fault != why for health in tried)
        names = ", ".join(repr(name) for name in aside)
        log.log(
            logging.ERROR if news else logging.DEBUG,
            "tick %d failed on what feed %s delivered: it is set aside, counted as refused and kept in the journal. "
            "This is a fault of Lapwing: please report it",
            tick,
            names,
            exc_info=failed,
        )
        return made
    failed.add_note(STUCK)
    raise failed
