"""Links to other Lapwing servers: their live pictures, read only, kept beside ours and never mixed with it.

One task a link: it connects as any listener would, takes what comes within bounds, and tries again for ever. What a
peer says is checked by link_wire; wrong words and floods are counted, told with the link, and end the connection when
there are too many. Nothing is asked of a peer but its live picture, nothing of it reaches the engine, and what it says
is not passed on to those who are linked to us. Redirections are not followed: they could lead our token elsewhere.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from lapwing.serve.feeds import reason
from lapwing.serve.link_socket import SILENT, Connect, PeerConnection
from lapwing.serve.link_wire import LinkAlarm, LinkFault, LinkFeed, LinkPicture, read_picture, read_text, size_bytes
from lapwing.serve.logs import printable
from lapwing.serve.outputs.entries import secret
from lapwing.serve.site_link import SiteLinkEntry
from lapwing.serve.wire_text import claim_key, dump

log = logging.getLogger("lapwing")
MESSAGE_BYTES_MAX = 4 << 20
BYTES_PER_S_MAX, MESSAGES_PER_S_MAX = 4 << 20, 100
BYTES_AT_ONCE_MAX = 12 << 20  # three messages of the largest size: alarms are told between the seconds
TAKING_S_MAX = 0.2  # of this thread's time, for the messages of one second
FAULTS_MAX = 20  # of one connection
OPEN_S, CLOSE_S, PAUSE_S_MIN, PAUSE_S_MAX = 10.0, 1.0, 1.0, 30.0
SILENT_S_MAX = 20.0  # after which the connection is begun anew
OLD_S = 5.0  # a picture a second is usual
KNOWN_MAX = 20_000  # names


Moment = tuple[int, str, int | None]  # version, state, age in whole seconds: what a row is a function of


@dataclass
class Budget:
    """What one connection may cost us. Each call returns what is wrong, or nothing; it reads no clock."""

    _second_s: float = -1.0  # begin of the second that is counted
    _messages: int = 0
    _taken_s: float = 0.0
    _at_s: float = 0.0  # of the last message
    _spare_bytes: float = BYTES_AT_ONCE_MAX

    def came(self, size: int, now_s: float) -> str:
        """A message of so many bytes came at `now_s`, monotonic."""
        if now_s - self._second_s >= 1.0:
            self._second_s, self._messages, self._taken_s = now_s, 0, 0.0
        more = BYTES_PER_S_MAX * (now_s - self._at_s)
        self._at_s, self._messages = now_s, self._messages + 1
        self._spare_bytes = min(self._spare_bytes + more, BYTES_AT_ONCE_MAX) - size
        return "it sends too much" if self._spare_bytes < 0 or self._messages > MESSAGES_PER_S_MAX else ""

    def took(self, spent_s: float) -> str:
        """Reading the message took so much time of this thread."""
        self._taken_s += spent_s
        return "its messages take too long to read" if self._taken_s > TAKING_S_MAX else ""


@dataclass
class Link:
    """One other site: what it said last, and how the link fares. Belongs to one event loop."""

    entry: SiteLinkEntry
    folder: Path
    up: bool | None = None  # None: nothing tried yet
    why: str = ""
    site: str = ""
    picture: LinkPicture | None = None
    packed: bytes = b""  # the picture, for our pages
    received_s: float = 0.0  # monotonic, of the picture
    alarms: tuple[LinkAlarm, ...] = ()
    feeds: tuple[LinkFeed, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    faults: int = 0
    last_fault: str = ""
    _budget: Budget = field(default_factory=Budget)
    _version: int = 0  # grows with everything that `row` tells, but for the age
    _told: tuple[Moment | None, str] = (None, "")  # the row as JSON, and of when

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = PAUSE_S_MIN
        while True:
            began = time.monotonic()
            try:
                await self._listen()
                self._lost("the other side closed the connection")
            except websockets.ConnectionClosed as closed:
                self._lost(f"the other side closed the connection: {str(closed.rcvd.reason)[:200]}" if closed.rcvd
                           and closed.rcvd.reason else "the connection broke off")  # fmt: skip
            except websockets.InvalidStatus as refused:
                told = {401: "the token is not taken", 403: "the token may not look", 404: "there is no live picture"}
                status = refused.response.status_code
                self._lost(told.get(status, f"it answered {status}"))
            except LinkFault as fault:
                self._lost(f"given up: {fault}")
            except TimeoutError:
                self._lost("no answer, or nothing came any more")
            except (OSError, websockets.WebSocketException, ValueError) as error:
                self._lost(reason(error) if isinstance(error, OSError) else str(error)[:200] or type(error).__name__)
            pause_s = PAUSE_S_MIN if time.monotonic() - began > 60.0 else min(2.0 * pause_s, PAUSE_S_MAX)
            await asyncio.sleep(pause_s)

    async def _listen(self) -> None:
        token = secret(self.entry.token, self.folder)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        opening = Connect(
            self.entry.live(), additional_headers=headers, ssl=self.entry.tls(self.folder), proxy=None,
            server_hostname=self.entry.server_name or None if self.entry.to.startswith("https:") else None,
            compression=None, open_timeout=OPEN_S, max_size=MESSAGE_BYTES_MAX, max_queue=4, user_agent_header=None,
            close_timeout=CLOSE_S, create_connection=PeerConnection, logger=SILENT,
        )  # fmt: skip
        async with opening as socket:
            faults, self.names, self._budget = self.faults, {}, Budget()
            self._found()
            while True:
                message = await self._next(socket)
                wrong = self._budget.came(size_bytes(message), time.monotonic())
                if not wrong:
                    began_s = time.thread_time()
                    try:
                        self._take(message)
                    except LinkFault as fault:
                        self._fault(str(fault))
                        if self.faults - faults >= FAULTS_MAX:
                            raise LinkFault(f"{FAULTS_MAX} messages were wrong, the last: {fault}") from None
                    wrong = self._budget.took(time.thread_time() - began_s)
                if wrong:
                    self._fault(wrong)
                    raise LinkFault(wrong)

    async def _next(self, socket: ClientConnection) -> str | bytes:
        """The next message. Raises LinkFault where the connection was cut because of a flood, and what recv raises."""
        try:
            async with asyncio.timeout(SILENT_S_MAX):
                return await socket.recv()
        except websockets.ConnectionClosed:
            if isinstance(socket, PeerConnection) and socket.flood:
                self._fault(socket.flood)
                raise LinkFault(socket.flood) from None
            raise

    def _take(self, message: str | bytes) -> None:
        """One message. Raises LinkFault."""
        if isinstance(message, bytes):
            picture = read_picture(message)
            if picture.left_out:
                self._fault(f"{picture.left_out} rows of a picture are nowhere on Earth")
            self.picture, self.packed, self.received_s = picture, picture.message(), time.monotonic()
            self._version += 1
            return
        told = read_text(message)
        kind = getattr(told, "type", "")
        self._version += told is not None
        if kind == "hello":
            self.site = told.site.name
        elif kind == "alarms":
            self.alarms = told.alarms
        elif kind == "feeds":
            self.feeds = told.feeds
        elif kind == "names":
            for gone in told.gone:
                self.names.pop(gone, None)
            if len(self.names) + len(told.names) > KNOWN_MAX:
                raise LinkFault(f"it names more than {KNOWN_MAX} claims")
            self.names |= told.names

    def _fault(self, why: str) -> None:
        self.faults, self.last_fault, self._version = self.faults + 1, why, self._version + 1

    def _found(self) -> None:
        if self.up is not True:
            log.info("site link %s: connected to %s", self.entry.name, self.entry.to)
        self.up, self.why, self._version = True, "", self._version + 1

    def _lost(self, why: str) -> None:
        why = printable(why)  # a peer's words may be in it
        if self.up is not False:
            log.warning("site link %s: lost: %s", self.entry.name, why)
        self.up, self.why, self._version = False, why, self._version + 1

    def moment(self) -> Moment:
        """What a row is a function of. The state: live, old (no picture for OLD_S), or never."""
        if self.picture is None:
            return self._version, "never", None
        age_s = time.monotonic() - self.received_s
        return self._version, "old" if age_s > OLD_S or not self.up else "live", int(age_s)

    def row(self, number: int) -> dict[str, Any]:
        """For our pages. The names are those of claims in the picture."""
        picture = self.picture
        _, state, age_s = self.moment()
        return {
            "number": number, "name": self.entry.name, "colour": self.entry.colour, "to": self.entry.to, "state": state,
            "connected": self.up is True, "why": self.why, "site": self.site, "faults": self.faults,
            "last_fault": self.last_fault, "age_s": age_s, "tick": None if picture is None else picture.tick,
            "time_ns": None if picture is None else str(picture.time_ns),
            "alarms": [a.model_dump() for a in self.alarms], "feeds": [f.model_dump() for f in self.feeds],
            "names": {} if picture is None else self._names_in(picture),
        }  # fmt: skip

    def text(self, number: int) -> str:
        """The row as JSON, made once per change for all pages."""
        moment = self.moment()
        if self._told[0] != moment:
            self._told = moment, dump(self.row(number))
        return self._told[1]

    def _names_in(self, picture: LinkPicture) -> dict[str, str]:
        claims = picture.tables["claims"]
        keys = map(claim_key, claims["source"].tolist(), claims["address"].tolist())
        return {key: self.names[key] for key in keys if key in self.names}


class Links:
    """All of a site."""

    def __init__(self, entries: Sequence[SiteLinkEntry], folder: Path) -> None:
        self.all = [Link(entry, folder) for entry in entries]
        self._texts: list[str] = []
        self._body = b'{"links":[]}'

    def __bool__(self) -> bool:
        return bool(self.all)

    async def run(self) -> None:
        """Until cancelled."""
        tasks = [asyncio.create_task(link.run()) for link in self.all]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    def body(self) -> bytes:
        """All rows as JSON: the same object until one changes."""
        texts = [link.text(number) for number, link in enumerate(self.all)]
        if texts != self._texts:
            self._texts, self._body = texts, f'{{"links":[{",".join(texts)}]}}'.encode()
        return self._body

    def picture(self, number: int) -> bytes | None:
        """The newest picture of one, or None."""
        return self.all[number].packed or None if 0 <= number < len(self.all) else None
