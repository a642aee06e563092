"""All outputs of a site: pictures in, one guarded task each. A failure is counted, told once, and tried again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from lapwing.records import Picture, Site
from lapwing.serve.acts import Act, Acts
from lapwing.serve.feeds import reason
from lapwing.serve.outputs.alarms import MESSENGERS, AlarmOutputs
from lapwing.serve.outputs.asterix import AsterixSender
from lapwing.serve.outputs.cot import CotSender
from lapwing.serve.outputs.entries import Output
from lapwing.serve.outputs.entries_alarms import AlarmOutput
from lapwing.serve.outputs.health import Box, OutputHealth
from lapwing.serve.outputs.news import test_news
from lapwing.serve.outputs.sapient import Frames, SapientSender
from lapwing.serve.outputs.sbs import SbsServer

log = logging.getLogger("lapwing.outputs")
PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 30.0
Behind = tuple[Frames, Callable[[], list[str]]]  # journal entries by number; SAPIENT nodes that are connected


class Sender(Protocol):
    """One output at work."""

    async def run(self, box: Box, health: OutputHealth) -> None:
        """Send what the box brings until something fails. Raises OSError, TimeoutError."""


SENDERS: dict[str, Callable[[Any, Site, Path], Sender]] = {
    "cot": CotSender,
    "asterix": AsterixSender,
    "sbs": SbsServer,
    "sapient": SapientSender,
}


class Outputs:
    """The outputs of one run. `put` is all that the engine's side ever calls; it waits for nothing."""

    def __init__(
        self,
        entries: Sequence[Output],
        site: Site,
        folder: Path,
        store: Path,
        behind: Behind | None = None,
        acts: Acts | None = None,
    ) -> None:
        recorded = any(f.transport == "file" for f in site.feeds)
        self._rows: list[tuple[Sender, Box, OutputHealth]] = []
        self.healths: list[OutputHealth] = []
        self._site = site
        telling: list[tuple[AlarmOutput, OutputHealth]] = []
        for entry in entries:
            kind = str(getattr(entry, "kind", ""))
            health = OutputHealth(entry.name, kind, _shown(entry.to))
            self.healths.append(health)
            if recorded and not entry.recorded:
                health.link = "off: the site plays recordings (recorded = true would send them)"
                continue
            if isinstance(entry, AlarmOutput):
                telling.append((entry, health))
                continue
            sender = SENDERS[kind](entry, site, folder)
            if isinstance(sender, SapientSender) and behind is not None:
                sender.frames, sender.nodes = behind
            self._rows.append((sender, Box(), health))

        self._alarms = AlarmOutputs(telling, site, folder, store / "outbox.sqlite", acts) if telling else None

    def put(self, picture: Picture) -> None:
        """A published picture."""
        if self._alarms is not None:
            self._alarms.put(picture)
        for _, box, _ in self._rows:
            box.put(picture)

    def rows(self) -> list[dict[str, Any]]:
        """The health of all, as JSON."""
        return [health.row() for health in self.healths]

    def test(self, act: Act) -> None:
        """Somebody tests the alarm outputs."""
        if self._alarms is not None:
            self._alarms.test(test_news(self._site, act))

    def tested(self, act: Act) -> list[dict[str, str]]:
        """What became of a test, per alarm output: waiting, sent, given up, or off. Waits for the disk."""
        became = self._alarms.became(test_news(self._site, act).key) if self._alarms is not None else {}
        off = [h for h in self.healths if h.kind in MESSENGERS and h.output not in became]
        rows = [{"output": output, "state": state, "why": why} for output, (state, why) in became.items()]
        return rows + [{"output": h.output, "state": "off", "why": h.link} for h in off]

    async def run(self) -> None:
        """Until cancelled, also when there is nothing to do."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_for_ever())
            if self._alarms is not None:
                group.create_task(_guarded(self._alarms.run))
            for sender, box, health in self._rows:
                group.create_task(_kept_up(sender, box, health))


def _shown(to: str) -> str:
    """Where to, without the path: that of a webhook is often a secret."""
    parts = urlsplit(to)
    return f"{parts.scheme}://{parts.netloc}"


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _guarded(run: Callable[[], Awaitable[None]]) -> None:
    """For ever; our own bug is seen in the log with its trace, and nobody else is harmed."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("the alarm outputs failed; this is a bug")
        await asyncio.sleep(PAUSE_S_MAX)


async def _kept_up(sender: Sender, box: Box, health: OutputHealth) -> None:
    """One output for ever, with growing pauses while it fails."""
    pause_s = PAUSE_S_MIN
    while True:
        sent = health.sent
        try:
            await sender.run(box, health)
        except (OSError, TimeoutError) as error:
            health.lost(reason(error))
        except Exception as error:  # our own bug: seen in the log with its trace, and nobody else is harmed
            log.exception("output %s failed; this is a bug", health.output)
            health.lost(f"failed: {type(error).__name__}")
        pause_s = PAUSE_S_MIN if health.sent > sent else min(2.0 * pause_s, PAUSE_S_MAX)
        await asyncio.sleep(sender.pause_s if isinstance(sender, SapientSender) else pause_s)
