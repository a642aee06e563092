"""A shelf over a journal that was really recorded: what a site that has just stopped would show."""

from functools import lru_cache

from lapwing.engine.alarm_history import AlarmHistory
from lapwing.engine.cell_history import CellHistory
from lapwing.engine.history import History
from lapwing.engine.journal import Journal
from lapwing.engine.plan import make_plan
from lapwing.engine.presence import Presence
from lapwing.engine.replay import base, replay
from lapwing.engine.track_history import TrackHistory
from lapwing.serve.shelf import (
    PictureShelf,
    Stores,
    alarms_folder,
    cells_folder,
    history_folder,
    presence_folder,
    tracks_folder,
)
from lapwing.serve.site import parse


@lru_cache(maxsize=2)  # values only: many tests ask for the pictures of one journal
def pictures(folder):
    """Every recorded picture by tick, with its digest."""
    with Journal(folder, write=False) as journal:
        plan = make_plan(parse(journal.meta("site")).site(folder))
        return {r.tick.tick: r for r in replay(journal, plan, base(journal, plan, newest=False))}


def recorded(folder):
    """The shelf, the site, and every recorded picture by tick. Nobody writes to the journal any more."""
    journal = Journal(folder, write=False)
    site = parse(journal.meta("site")).site(folder)
    rows = pictures(folder)
    stores = (kind(place(folder), site.origin) for kind, place in (
        (History, history_folder), (CellHistory, cells_folder), (AlarmHistory, alarms_folder)))  # fmt: skip
    there = Presence(presence_folder(folder), site.origin)
    shelf = PictureShelf(journal, Stores(*stores, TrackHistory(tracks_folder(folder)), there))
    shelf.put(rows[max(rows)].picture)
    return shelf, site, rows
