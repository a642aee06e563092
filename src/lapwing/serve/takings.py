"""Files made for people to take away: signed evidence and exports of a time, made by a process of their own.

The same commands make them that a person would type (`lapwing evidence`, `lapwing export`), so that they are the same
files. Each lies in the journal's folder `taken` with a note beside it: who wanted it, of what time, why. One is made at
a time; of those that are done the oldest go first.
"""

import asyncio
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lapwing.engine.durable import put
from lapwing.serve.acts import Note, PersonName
from lapwing.serve.replaying import ONE_THREAD

KEPT_MAX = 20
FAILED_MAX = 5  # of these only the reason is kept
TOLD_MAX = 300  # characters of a reason
NICENESS = 10  # the live picture goes first
COMMAND = f"import os; os.nice({NICENESS}); from lapwing.serve.cli import main; main()"
NAME = re.compile(r"(evidence|history)-[0-9]{8}T[0-9]{6}Z-[0-9]{1,9}\.[a-z.]{3,20}")
Moment = Annotated[int, Field(ge=0, lt=2**63)]


class WantedTaking(BaseModel):
    """A file that somebody wants, as JSON. `withhold` as the site file says where it is not said."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    form: Literal["zip", "geojson", "kml", "csv", "gpx", "czml", "mfjson", "parquet", "courageous.json", "ocsf.jsonl"]
    since_ns: Moment
    until_ns: Moment
    withhold: bool | None = None
    name: PersonName
    note: Note = ""


@dataclass(frozen=True, slots=True)
class Taking:
    """One file: whether it is being made, is there or could not be made, and why not."""

    file: str
    state: Literal["making", "done", "failed"]
    begun_ns: int
    since_ns: int
    until_ns: int
    name: str
    note: str
    withhold: bool | None
    size: int = 0
    why: str = ""


class TakingError(Exception):
    """Nothing is made; the message says why, for a person."""


class Takings:
    """The files of one journal."""

    def __init__(self, journal: Path) -> None:
        self.folder, self._journal = journal / "taken", journal
        self._rows, halves = self._found()
        for taking in halves:
            self._failed(taking, "the server ended while it was made; ask for it again")
        self._task: asyncio.Task[None] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """The newest first; times as text, because they do not fit into a double."""
        ordered = sorted(self._rows.values(), key=lambda t: t.begun_ns, reverse=True)
        return [{k: str(v) if k.endswith("_ns") else v for k, v in asdict(t).items()} for t in ordered]

    def path(self, file: str) -> Path | None:
        """A file that is done."""
        taking = self._rows.get(file)
        return self.folder / file if taking is not None and taking.state == "done" else None

    def begin(self, wanted: WantedTaking, now_ns: int) -> Taking:
        """Start to make it, in the event loop. Raises TakingError, OSError."""
        if wanted.since_ns >= wanted.until_ns:
            raise TakingError("The time must end after it begins.")
        if self._task is not None and not self._task.done():
            raise TakingError("Another file is being made; it is one at a time.")
        self.folder.mkdir(exist_ok=True)
        what = "evidence" if wanted.form == "zip" else "history"
        stamp = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
        file = f"{what}-{stamp}-{now_ns % 10**9}.{wanted.form}"
        taking = Taking(
            file, "making", now_ns, wanted.since_ns, wanted.until_ns, wanted.name, wanted.note, wanted.withhold
        )
        self._write(taking)
        self._rows[file] = taking
        self._forget()
        self._task = asyncio.create_task(self._tried(taking))
        return taking

    async def _tried(self, taking: Taking) -> None:
        """Make it; where not even the process or the note can be made (a full disk), the list says so."""
        try:
            await self._make(taking)
        except OSError as error:
            self._failed(taking, str(error)[:TOLD_MAX])

    async def _make(self, taking: Taking) -> None:
        target = self.folder / taking.file
        kind = "evidence" if taking.file.startswith("evidence") else "export"
        words = [kind, str(self._journal), str(target), "--since", _iso(taking.since_ns), "--until"]
        words += [_iso(taking.until_ns)]
        words += [] if taking.withhold is None else ["--withhold" if taking.withhold else "--tell-all"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", COMMAND, *words),  # -P: not from this folder
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode or not target.is_file():
            lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
            why = (
                lines[-1].removeprefix("lapwing: ")[:TOLD_MAX]
                if lines
                else f"the process ended with {process.returncode}"
            )
            self._failed(taking, why)
            return
        made = replace(taking, state="done", size=target.stat().st_size)
        self._write(made)
        self._rows[taking.file] = made

    def _failed(self, taking: Taking, why: str) -> None:
        """Nothing of it stays but a row that says why."""
        for path in (self.folder / taking.file, self.folder / f"{taking.file}.draft", self._note(taking.file)):
            path.unlink(missing_ok=True)
        self._rows[taking.file] = replace(taking, state="failed", why=why)

    def _write(self, taking: Taking) -> None:
        """Its note, the old one or the new one, whole."""
        note, data = self._note(taking.file), json.dumps(asdict(taking)).encode()
        put(note, note.with_suffix(".draft"), lambda file: file.write(data))

    def _note(self, file: str) -> Path:
        return self.folder / f"{file}.note"

    def _found(self) -> tuple[dict[str, Taking], list[Taking]]:
        """Those of an earlier run of the server, as far as their notes can be read; and those it did not finish."""
        halves: list[Taking] = []
        rows: dict[str, Taking] = {}
        for path in sorted(self.folder.glob("*.note")) if self.folder.is_dir() else ():
            file = path.name.removesuffix(".note")
            try:
                taking = Taking(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if taking.file != file or not NAME.fullmatch(file):
                continue
            if taking.state == "making":  # the server was killed meanwhile
                halves.append(taking)
            elif (self.folder / file).is_file():
                rows[file] = taking
        return rows, halves

    def _forget(self) -> None:
        """The oldest go, with their files, where there are more than may be kept; what could not be made takes no
        file's place."""
        ordered = sorted(self._rows.values(), key=lambda t: t.begun_ns)
        failed = [t for t in ordered if t.state == "failed"]
        for taking in failed[:-FAILED_MAX] + [t for t in ordered if t.state != "failed"][:-KEPT_MAX]:
            del self._rows[taking.file]
            (self.folder / taking.file).unlink(missing_ok=True)
            self._note(taking.file).unlink(missing_ok=True)


def _iso(time_ns: int) -> str:
    """ISO 8601 to the microsecond, as the commands read it."""
    seconds, rest = divmod(time_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000).isoformat()
