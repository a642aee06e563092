"""What people order of SAPIENT sensors: checked, written down with a name, then sent; the node's answers beside it.

One append-only SQLite file beside the journal; nothing is ever changed or deleted. An order is on the disk before its
Task leaves. Which tasks can be made at all is `decode/sapient_tasks`. The picture does not depend on any of it.
"""

import logging
import math
import sqlite3
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.task_ack_pb2 import TaskAck

from lapwing.decode.sapient_tasks import CORNERS_MAX, NotMade, Order, make
from lapwing.decode.sapient_v1 import task_reasons
from lapwing.records import Site
from lapwing.serve.sapient import our_id
from lapwing.serve.sapient_nodes import KnownNode, NodeBook

log = logging.getLogger("lapwing.feeds")
TASKS_MAX = 1_000_000
OPEN_MAX, ANSWERS_MAX = 1_000, 16  # tasks whose answers are awaited; answers to one
SHOWN = 100
SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (task INTEGER PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, at_ns INTEGER NOT NULL,
    feed TEXT NOT NULL, node TEXT NOT NULL, wanted TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL,
    peer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (answer INTEGER PRIMARY KEY, task_id TEXT NOT NULL, at_ns INTEGER NOT NULL,
    status TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS answers_task ON answers (task_id, answer);
CREATE TRIGGER IF NOT EXISTS tasks_kept BEFORE UPDATE ON tasks BEGIN SELECT RAISE(ABORT, 'tasks are kept'); END;
CREATE TRIGGER IF NOT EXISTS tasks_stay BEFORE DELETE ON tasks BEGIN SELECT RAISE(ABORT, 'tasks are kept'); END;
CREATE TRIGGER IF NOT EXISTS answers_kept BEFORE UPDATE ON answers BEGIN SELECT RAISE(ABORT, 'answers are kept'); END;
CREATE TRIGGER IF NOT EXISTS answers_stay BEFORE DELETE ON answers BEGIN SELECT RAISE(ABORT, 'answers are kept'); END;
"""
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Person = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class TaskError(Exception):
    """An order that cannot be given; the message is one sentence for a person. `status`: as HTTP says it."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class WantedTask(BaseModel):
    """What a person orders, as JSON. Angles in degrees, azimuths from true north, heights above the ellipsoid."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    feed: Annotated[str, Field(max_length=64)]
    node: Annotated[str, Field(max_length=64)]  # its node_id, or its name where that is unique
    name: Person  # of who orders it
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    task: Literal[
        "request", "detection_threshold", "classification_threshold", "detection_report_rate", "mode_change", "look_at",
        "region", "cancel",
    ]  # fmt: skip
    value: Annotated[str, Field(max_length=64)] = ""
    azimuth_deg: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] | None = None
    elevation_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None
    height_m: Annotated[float, Field(ge=-1000, le=100_000, allow_inf_nan=False)] | None = None
    corners: Annotated[list[tuple[Latitude, Longitude]], Field(max_length=CORNERS_MAX)] = []

    def order(self) -> Order:
        """In radians."""
        place = None
        if self.latitude_deg is not None and self.longitude_deg is not None:
            place = (math.radians(self.latitude_deg), math.radians(self.longitude_deg), self.height_m)
        azimuth, elevation = (
            None if v is None else math.radians(v) for v in (self.azimuth_deg, self.elevation_deg)
        )  # fmt: skip
        corners = tuple((math.radians(a), math.radians(o)) for a, o in self.corners)
        return Order(self.task, self.value, azimuth, elevation, place, corners)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A Task that may be sent, and the node that it is for."""

    wanted: WantedTask
    node: KnownNode
    message: SapientMessage


class TaskDesk:
    """The file and the way to the nodes. `write_down` and `rows` may be called from any thread, the rest only from
    the event loop of the node book. Raises TaskError."""

    def __init__(self, path: Path, site: Site, book: NodeBook) -> None:
        self._path, self._book, self._mutex = path, book, threading.Lock()
        self._us = {f.feed: our_id(f) for f in site.feeds if f.decoder == "sapient"}
        self._open: OrderedDict[str, tuple[str, str, int]] = OrderedDict()  # task_id -> feed, node, answers so far
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;" + SCHEMA
            )
            recent = self._db.execute("SELECT task_id, feed, node FROM tasks ORDER BY task DESC LIMIT ?", (OPEN_MAX,))
            for task_id, feed, node in reversed(recent.fetchall()):
                self._open[task_id] = (feed, node, 0)
        except (sqlite3.Error, OSError) as error:
            raise TaskError(f"cannot keep what people order of sensors in {path}: {error}", 503) from error
        book.on_answer = self.answered

    def prepare(self, wanted: WantedTask) -> Prepared:
        """The Task for an order, if there can be one."""
        if wanted.feed not in self._us:
            raise TaskError(f"There is no SAPIENT feed {wanted.feed!r}.", 404)
        node = self._book.find(wanted.feed, wanted.node)
        if node is None:
            raise TaskError(f"Feed {wanted.feed!r} has no node {wanted.node!r}, or more than one of that name.", 404)
        if node.state != "connected":
            raise TaskError(f"Node {wanted.node!r} is {node.state}: {node.why}.", 409)
        if wanted.task == "cancel" and self._open.get(wanted.value, ("", "", 0))[:2] != (node.feed, node.node_id):
            raise TaskError(f"Node {wanted.node!r} was given no task {wanted.value!r} lately.")
        try:
            message = make(wanted.order(), node.able, node.node_id, self._us[wanted.feed], time.time_ns())
        except NotMade as error:
            raise TaskError(str(error)) from None
        return Prepared(wanted, node, message)

    def write_down(self, prepared: Prepared, peer: str) -> str:
        """Who ordered what and when; it is on the disk when this returns. A cancelled task is written down anew."""
        told, wanted, node = prepared.message.task, prepared.wanted, prepared.node
        key = told.task_id if wanted.task != "cancel" else f"{told.task_id} cancelled {time.time_ns()}"
        row = (key, time.time_ns(), node.feed, node.node_id, wanted.model_dump_json(exclude_defaults=True), wanted.name)
        with self._mutex:
            try:
                if int(self._db.execute("SELECT coalesce(max(task), 0) FROM tasks").fetchone()[0]) >= TASKS_MAX:
                    raise TaskError(f"There are {TASKS_MAX} orders already; begin a new journal.", 503)
                columns = "task_id, at_ns, feed, node, wanted, name, note, peer"
                sql = f"INSERT INTO tasks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                self._db.execute(sql, (*row, wanted.note, peer))
            except sqlite3.Error as error:
                raise TaskError(f"cannot write to {self._path.name}, nothing was ordered: {error}", 503) from error
        return key

    def send(self, prepared: Prepared) -> None:
        """On its way to the node."""
        node, task_id = prepared.node, prepared.message.task.task_id
        self._open[task_id] = (node.feed, node.node_id, self._open.get(task_id, ("", "", 0))[2])
        while len(self._open) > OPEN_MAX:
            self._open.popitem(last=False)
        try:
            self._book.send(node.feed, node.node_id, prepared.message)
        except OSError as error:
            self._note(task_id, "NOT SENT", str(error))
            raise TaskError(f"The node went before the order was sent: {error}", 409) from None

    def answered(self, feed: str, message: SapientMessage) -> None:
        """A node's TaskAck. One that answers nothing of ours is passed over."""
        told = message.task_ack
        known = self._open.get(told.task_id)
        if known is None or known[:2] != (feed, message.node_id) or known[2] >= ANSWERS_MAX:
            return
        self._open[told.task_id] = (*known[:2], known[2] + 1)
        names = {v.number: v.name for v in TaskAck.TaskStatus.DESCRIPTOR.values}
        status = names.get(told.task_status, str(told.task_status)).removeprefix("TASK_STATUS_")
        self._note(told.task_id, status, "; ".join(task_reasons(told))[:500])

    def _note(self, task_id: str, status: str, reason: str) -> None:
        with self._mutex:
            try:
                sql = "INSERT INTO answers (task_id, at_ns, status, reason) VALUES (?, ?, ?, ?)"
                self._db.execute(sql, (task_id, time.time_ns(), status, reason))
            except sqlite3.Error as error:
                log.error("an answer to a task cannot be written to %s: %s", self._path, error)

    def rows(self, task_id: str = "") -> list[dict[str, Any]]:
        """The newest orders, newest first, or one of them, each with its answers."""
        where, given = ("WHERE task_id = ?", (task_id,)) if task_id else ("", ())
        columns = "task_id, at_ns, feed, node, wanted, name, note"
        with self._mutex:
            try:
                sql = f"SELECT {columns} FROM tasks {where} ORDER BY task DESC LIMIT {SHOWN}"
                found = self._db.execute(sql, given).fetchall()
                return [_row(row, self._answers(row[0])) for row in found]
            except sqlite3.Error as error:
                raise TaskError(f"cannot read {self._path.name}: {error}", 503) from error

    def _answers(self, task_id: str) -> list[dict[str, str]]:
        sql = "SELECT at_ns, status, reason FROM answers WHERE task_id = ? ORDER BY answer"
        answers = self._db.execute(sql, (task_id.partition(" ")[0],))
        return [{"at_ns": str(at), "status": status, "reason": reason} for at, status, reason in answers]


def _row(row: tuple[Any, ...], answers: list[dict[str, str]]) -> dict[str, Any]:
    task_id, at_ns, feed, node, wanted, name, note = row
    return {
        "task_id": task_id, "at_ns": str(at_ns), "feed": feed, "node": node, "wanted": wanted, "name": name,
        "note": note, "state": answers[-1]["status"] if answers else "no answer yet", "answers": answers,
    }  # fmt: skip


def tasks_file(journal_folder: Path) -> Path:
    """Where the orders of a site lie."""
    return journal_folder / "tasks.sqlite"
