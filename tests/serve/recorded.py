"""A shelf over a journal that was really recorded: what a site that has just stopped would show."""

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


def recorded(folder):
    """The shelf, the site, and every recorded picture by tick, with its digest."""
    journal = Journal(folder, write=False)
    site = parse(journal.meta("site")).site(folder)
    plan = make_plan(site)
    rows = {r.tick.tick: r for r in replay(journal, plan, base(journal, plan, newest=False))}
    stores = (kind(place(folder), site.origin) for kind, place in (
        (History, history_folder), (CellHistory, cells_folder), (AlarmHistory, alarms_folder)))  # fmt: skip
    there = Presence(presence_folder(folder), site.origin)
    shelf = PictureShelf(journal, Stores(*stores, TrackHistory(tracks_folder(folder)), there))
    shelf.put(rows[max(rows)].picture)
    return shelf, site, rows
