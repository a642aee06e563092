"""A replay, as a process of its own: `python -m lapwing.serve.replayer JOURNAL`. Started by serve/web_replay.

Reads a journal that another process may be writing, read-only, at low priority, and gives the messages of docs/wire.md
as they were given live. Standard input: one wish a line (JSON). Standard output: messages, each with a kind (T text,
B binary) and a length (uint32, little endian) before it. Ends when standard input does. Refuses to know sockets.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.replay import Replayed
from lapwing.engine.tape import Tape, same
from lapwing.serve.acts import Act, ActError, acts_file, read_acts, standing_then
from lapwing.serve.remote_id import RemoteText
from lapwing.serve.replaying import planned
from lapwing.serve.telling import Teller, acts_text, hello, parcel

STRIDE_TICKS = 5
SHOWN_S_MIN = 0.2  # between two pictures, however fast it runs
PROGRESS_S = 0.25
GAP_NS = 5_000_000_000  # nothing was recorded for so long: not waited for
BEHIND_S = 0.5  # when this machine is slower than was wished, it is not made up for
NICENESS = 10
INT64_MAX = 2**63 - 1


class Wish(BaseModel):
    """What the listener wants. What is absent stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seek: Annotated[int, Field(ge=0, le=2**53)] = 0  # a number that comes back with every picture since
    at_ns: Annotated[int, Field(ge=0, le=INT64_MAX)] | None = None
    rate: Annotated[float, Field(ge=1, le=100)] | None = None
    paused: bool | None = None

    def over(self, older: "Wish | None") -> "Wish":
        """Both at once, this one being the newer."""
        old = older.model_dump(exclude_none=True, exclude_unset=True) if older else {}
        return Wish.model_validate(old | self.model_dump(exclude_none=True, exclude_unset=True))


class Wishes:
    """The wishes not yet fulfilled, as one: whoever drags a slider quickly is shown where it ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self.closed = False

    def put(self, wish: Wish | None) -> None:
        """A new wish; None: there will be no more."""
        with self._changed:
            if wish is None:
                self.closed = True
            else:
                self._wish = wish.over(self._wish)
            self._changed.notify()

    def take(self, wait_s: float | None) -> Wish | None:
        """What is wished, after at most `wait_s` (None: as long as it takes)."""
        with self._changed:
            self._changed.wait_for(lambda: self._wish is not None or self.closed, wait_s)
            wish, self._wish = self._wish, None
            return wish

    def elsewhere(self) -> bool:
        """Whether somebody wants to be at another moment, or nobody listens any more."""
        return self.closed or (self._wish is not None and self._wish.at_ns is not None)


class Player:
    """Plays a tape as it is wished."""

    def __init__(self, folder: Path, journal: Journal, wishes: Wishes, out: BinaryIO) -> None:
        plan, _ = planned(journal)
        self._site = plan.site
        self._tape = Tape(journal, plan)
        self._acts_file = acts_file(folder)
        self._wishes, self._out = wishes, out
        self._acts: tuple[Act, ...] = ()
        self._remote = RemoteText(journal.feeds_of)
        self._teller = Teller(STRIDE_TICKS)
        self._seek, self._rate, self._paused = 0, 1.0, False
        self._stopped = True  # at the end, or nowhere
        self._anchor = (0.0, 0)  # wall time and picture time that belong together
        self._shown = (0.0, 0)  # the same of the last picture
        self._rate_real = 0.0
        self._compared, self._different = 0, 0

    def play(self) -> None:
        """Until nobody wishes anything any more. Raises OSError when nobody takes the messages."""
        while not self._wishes.closed:
            try:
                wish = self._wishes.take(None if self._paused or self._stopped else self._wait_s())
                if wish is not None:
                    self._obey(wish)
                elif not self._wishes.closed:
                    self._advance()
            except JournalError as error:
                self._stopped = True
                self._say("failed", why=str(error))

    def _obey(self, wish: Wish) -> None:
        self._seek = wish.seek or self._seek
        self._rate = wish.rate or self._rate
        self._paused = self._paused if wish.paused is None else wish.paused
        if wish.at_ns is not None:
            self._go(wish.at_ns)
        elif self._tape.row is not None:
            self._stopped = False
            self._anchor_here()
            self._say(self._state())

    def _go(self, at_ns: int) -> None:
        self._say("preparing", share=0.0)
        self._stopped, said = True, time.monotonic()
        for share in self._tape.go(at_ns):
            if self._wishes.elsewhere():
                return
            if time.monotonic() - said > PROGRESS_S:
                said = time.monotonic()
                self._say("preparing", share=round(share, 3))
        self._stopped, self._rate_real = False, 0.0
        self._teller, self._acts = Teller(STRIDE_TICKS), self._all_acts()
        self._anchor_here()
        self._put(hello(self._site, replay=True))
        self._show()

    def _all_acts(self) -> tuple[Act, ...]:
        try:
            return read_acts(self._acts_file)
        except ActError:
            return ()  # the picture does not depend on them

    def _row(self) -> Replayed:
        assert self._tape.row is not None
        return self._tape.row

    def _anchor_here(self) -> None:
        self._anchor = self._shown = (time.monotonic(), self._row().tick.time_ns)

    def _wait_s(self) -> float:
        """Until the next tick is due."""
        coming = self._tape.peek()
        if coming is None:
            return 0.0
        wall, then_ns = self._anchor
        due = wall + (coming.time_ns - then_ns) * 1e-9 / self._rate
        late = time.monotonic() - due
        if coming.time_ns - self._row().tick.time_ns > GAP_NS or late > BEHIND_S:
            self._anchor = (time.monotonic(), coming.time_ns)
            return 0.0
        return max(0.0, -late)

    def _advance(self) -> None:
        row = self._tape.next()
        if row is None:
            self._stopped = True
            self._show()
        elif time.monotonic() - self._shown[0] >= SHOWN_S_MIN and self._teller.due(row.picture):
            self._show()

    def _show(self) -> None:
        """Tell the picture where the tape is, compared with what was recorded."""
        row = self._row()
        exact = same(row)
        self._compared += exact is not None
        self._different += exact is False
        wall, then_ns = self._shown
        if (passed_s := time.monotonic() - wall) > 0.05:
            rate = (row.tick.time_ns - then_ns) * 1e-9 / passed_s
            self._rate_real = rate if self._rate_real == 0.0 else 0.5 * (rate + self._rate_real)
            self._shown = (time.monotonic(), row.tick.time_ns)
        self._say(self._state(), exact=exact)
        for message in self._teller.messages(parcel(row.picture, self._site.origin, self._more())):
            self._put(message)

    def _more(self) -> dict[str, str]:
        """What people had done about its alarms by then, and what is told of Remote ID."""
        picture = self._row().picture
        priorities = dict(zip(picture.alarms.alarm_id.tolist(), picture.alarms.priority.tolist(), strict=True))
        acts = acts_text(standing_then(self._acts, priorities, picture.time_ns))
        return {"acts": acts, "remote": self._remote.text(picture)}

    def _state(self) -> str:
        return "paused" if self._paused else "end" if self._stopped else "playing"

    def _say(self, state: str, **more: object) -> None:
        """Where the replay is."""
        row = self._tape.row
        told = {"type": "replay", "seek": self._seek, "state": state, "rate": self._rate}
        told |= {"rate_real": round(self._rate_real, 2), "compared": self._compared, "different": self._different}
        if row is not None and state not in ("preparing", "failed"):
            told |= {"tick": row.tick.tick, "time_ns": str(row.tick.time_ns)}
        self._put(json.dumps(told | more))

    def _put(self, message: str | bytes) -> None:
        kind, data = (b"T", message.encode()) if isinstance(message, str) else (b"B", message)
        self._out.write(b"".join([kind, len(data).to_bytes(4, "little"), data]))
        self._out.flush()


def _listen(wishes: Wishes) -> None:
    """Standard input to wishes, unbuffered, so that the process can end while this waits."""
    try:
        with open(0, "rb", buffering=0, closefd=False) as lines:
            for line in lines:
                wishes.put(Wish.model_validate_json(line))
    finally:
        wishes.put(None)


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes standard input
    os.nice(NICENESS)
    folder, wishes = Path(sys.argv[1]), Wishes()
    threading.Thread(target=_listen, args=(wishes,), daemon=True).start()
    with open(1, "wb", closefd=False) as out:
        try:
            with Journal(folder, write=False) as journal:
                Player(folder, journal, wishes, out).play()
        except JournalError as error:
            data = json.dumps({"type": "replay", "seek": 0, "state": "failed", "why": str(error)}).encode()
            out.write(b"T" + len(data).to_bytes(4, "little") + data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer goes nowhere


if __name__ == "__main__":
    main()
