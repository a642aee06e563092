"""The SAPIENT nodes that ever registered here, and what they can do: kept beside the journal, so that a restart knows.

Nothing of it enters the picture: same journal, same picture, whatever is known here. Bounded: NODES_MAX nodes, the
longest unheard are forgotten. A file that cannot be read is told and left; one that cannot be written is told once.
"""

import asyncio
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.status_report_pb2 import StatusReport

from lapwing.decode.sapient_abilities import Abilities, abilities
from lapwing.decode.sapient_alerts import alert_number, stands
from lapwing.decode.sapient_session import WATCH_ONLY, alert_ack
from lapwing.decode.sapient_v1 import is_v1, to_v1
from lapwing.decode.sapient_wire import acts

log = logging.getLogger("lapwing.feeds")
NODES_MAX = 256
ALERTS_MAX = 512
REMARKS_MAX, REMARK_CHARS_MAX = 8, 120
SAVE_S = 2.0
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
Send = Callable[[SapientMessage], None]  # into a connection's buffer; raises OSError when it is gone
Key = tuple[str, str]  # feed, node_id


@dataclass(frozen=True, slots=True)
class KnownNode:
    """One node. Times are UTC nanoseconds of this machine, 0 = never."""

    feed: str
    node_id: str
    able: Abilities
    state: str  # connected, away, refused
    why: str = ""  # it is not connected
    registered_ns: int = 0
    status_ns: int = 0
    system: str = ""  # OK, WARNING, ERROR, GOODBYE: what its last status report said
    mode: str = ""
    remarks: tuple[str, ...] = ()  # and added


_NODES = TypeAdapter(tuple[KnownNode, ...])


class NodeBook:
    """All nodes of a site. Belongs to one event loop; `file` None = nothing is kept."""

    def __init__(self, file: Path | None = None) -> None:
        self._file, self._dirty, self._failed = file, False, False
        self._writing = threading.Lock()
        self._nodes: dict[Key, KnownNode] = {}
        self._send: dict[Key, Send] = {}
        self._alerts: dict[int, tuple[str, str, str]] = {}  # number -> feed, node_id, alert_id
        self.we: dict[str, str] = {}  # feed -> our node_id there
        self.on_answer: Callable[[str, SapientMessage], None] | None = None  # told every TaskAck
        if file is not None and file.exists():
            self._load(file)

    def _load(self, file: Path) -> None:
        try:
            kept = _NODES.validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            log.warning("what was known of SAPIENT nodes cannot be read from %s: %s", file, str(error).splitlines()[0])
            return
        for node in kept[-NODES_MAX:]:
            away = replace(node, state="away", why="not seen since the start") if node.state == "connected" else node
            self._nodes[(node.feed, node.node_id)] = away

    def take(self, feed: str, message: SapientMessage, send: Send) -> None:
        """A registration that was answered, a status report, an alert or a TaskAck, over the connection of `send`."""
        if message.HasField("alert"):
            self._alerted(feed, message)
            return
        if message.HasField("task_ack"):
            if self.on_answer is not None:
                self.on_answer(feed, message)
            return
        key, now_ns = (feed, message.node_id), time.time_ns()
        if message.HasField("registration"):
            refused = acts(message.registration)
            state, why = ("refused", WATCH_ONLY) if refused else ("connected", "")
            before = self._nodes.pop(key, None) or KnownNode(feed, message.node_id, Abilities(), "")
            able = abilities(message.registration)
            self._nodes[key] = replace(before, able=able, state=state, why=why, registered_ns=now_ns)
            self._send.pop(key, None)
            if not refused:
                self._send[key] = send
        elif key in self._nodes and message.HasField("status_report"):
            self._nodes[key] = _with_status(self._nodes[key], message.status_report, now_ns)
        while len(self._nodes) > NODES_MAX:
            oldest = min(self._nodes, key=lambda k: (k in self._send, max(_times(self._nodes[k]))))
            self._nodes.pop(oldest)
            self._send.pop(oldest, None)
        self._dirty = True

    def _alerted(self, feed: str, message: SapientMessage) -> None:
        """Whose alert it is, while it stands, for the day that a person acknowledges it."""
        number = alert_number(message.node_id, message.alert.alert_id)
        self._alerts.pop(number, None)
        if stands(message.alert):
            self._alerts[number] = (feed, message.node_id, message.alert.alert_id)
        while len(self._alerts) > ALERTS_MAX:
            del self._alerts[next(iter(self._alerts))]

    def acknowledged(self, number: int) -> bool:
        """A person has seen the alert of this number: its node is told. Whether it could be."""
        if number not in self._alerts:
            return False
        feed, node_id, alert_id = self._alerts[number]
        node = self._nodes.get((feed, node_id))
        reason, us = "acknowledged by a person", self.we.get(feed, "")
        reply = alert_ack(node_id, alert_id, True, reason, time.time_ns(), us)
        try:
            self.send(feed, node_id, to_v1(reply) if node is not None and is_v1(node.able.icd) else reply)
        except OSError:
            return False
        return True

    def left(self, feed: str, node_id: str, why: str, send: Send | None = None) -> None:
        """A node is gone, unless it has come back over another connection than that of `send`."""
        key = (feed, node_id)
        if key in self._nodes and key in self._send and send in (None, self._send[key]):
            del self._send[key]
            self._nodes[key] = replace(self._nodes[key], state="away", why=why[:REMARK_CHARS_MAX])
            self._dirty = True

    def back(self, feed: str, node_id: str, send: Send) -> None:
        """A node that was silent speaks again."""
        key = (feed, node_id)
        if key in self._nodes and self._nodes[key].state != "refused":
            self._send[key] = send
            self._nodes[key] = replace(self._nodes[key], state="connected", why="")
            self._dirty = True

    def feed_lost(self, feed: str, why: str) -> None:
        """All nodes of a feed are gone."""
        for key in [k for k in self._send if k[0] == feed]:
            self.left(*key, why)

    def find(self, feed: str, called: str) -> KnownNode | None:
        """What is known of one, by its node_id or its name; None where no node or more than one bears it."""
        if (feed, called) in self._nodes:
            return self._nodes[(feed, called)]
        named = [n for n in self._nodes.values() if n.feed == feed and n.able.name == called]
        return named[0] if len(named) == 1 else None

    def send(self, feed: str, node_id: str, message: SapientMessage) -> None:
        """To a connected node. Raises OSError when it is not."""
        if (feed, node_id) not in self._send:
            raise ConnectionError("the node is not connected")
        self._send[(feed, node_id)](message)

    def connected(self) -> list[str]:
        """The node_ids of those that are connected, as far as they are UUIDs of version 4 in lower case: a strict
        parent takes no others."""
        return sorted({node for _, node in self._send if UUID4.fullmatch(node)})

    def rows(self) -> list[dict[str, Any]]:
        """All of them as JSON; times are decimal strings."""
        return [_row(self._nodes[key]) for key in sorted(self._nodes)]

    async def keep(self) -> None:
        """Written down every few seconds when something changed, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(SAVE_S)
                if self._dirty:
                    self._dirty = False
                    await asyncio.to_thread(self._save, tuple(self._nodes.values()))
        finally:
            if self._dirty:
                self._save(tuple(self._nodes.values()))

    def _save(self, nodes: tuple[KnownNode, ...]) -> None:
        if self._file is None:
            return
        new = self._file.with_suffix(".new")
        try:
            with self._writing:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                new.write_text(json.dumps([asdict(n) for n in nodes]), encoding="utf-8")
                os.replace(new, self._file)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("what is known of SAPIENT nodes cannot be written to %s: %s", self._file, error)
            self._failed = True


def _times(node: KnownNode) -> tuple[int, int]:
    return node.registered_ns, node.status_ns


def _with_status(node: KnownNode, told: StatusReport, now_ns: int) -> KnownNode:
    system = StatusReport.System.Name(told.system) if told.system in StatusReport.System.values() else str(told.system)
    remarks = tuple(s.status_value[:REMARK_CHARS_MAX] for s in told.status[:REMARKS_MAX] if s.status_value)
    if told.info == StatusReport.INFO_UNCHANGED and not remarks:
        remarks = node.remarks
    mode = told.mode[:REMARK_CHARS_MAX] or node.mode
    return replace(node, status_ns=now_ns, system=system.removeprefix("SYSTEM_"), mode=mode, remarks=remarks)


def _row(node: KnownNode) -> dict[str, Any]:
    able = node.able
    return {
        "feed": node.feed, "node": node.node_id, "name": able.name, "types": list(able.types), "icd": able.icd,
        "state": node.state, "why": node.why, "system": node.system, "mode": node.mode, "remarks": list(node.remarks),
        "registered_ns": str(node.registered_ns), "status_ns": str(node.status_ns), "modes": list(able.modes),
        "commands": [{"command": kind.lower(), "units": units} for kind, units in able.commands],
        "regions": [r.lower() for r in able.regions],
    }  # fmt: skip


def nodes_file(journal_folder: Path) -> Path:
    """Where the nodes of a site are kept."""
    return journal_folder / "sapient-nodes.json"
