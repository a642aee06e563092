"""Legal holds: times of which nothing may be removed, laid and lifted by named people. Kept in `holds.json` in the
journal's folder, beside what they hold; one that is lifted stays in the list. Refuses a file that is none.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lapwing.engine.durable import put

HOLDS_MAX = 10_000
Word = Annotated[str, Field(min_length=1, max_length=500)]
Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]


class HoldError(Exception):
    """The holds cannot be read or written; one sentence."""


class Hold(BaseModel):
    """One hold. `lifted_ns` 0: it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    since_ns: Nanoseconds
    until_ns: Nanoseconds
    by: Word
    why: Word
    laid_ns: Nanoseconds
    lifted_ns: Nanoseconds = 0
    lifted_by: str = ""
    lifted_why: str = ""


class Holds(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    holds: Annotated[list[Hold], Field(max_length=HOLDS_MAX)] = []

    def standing(self) -> list[tuple[int, int]]:
        """(since_ns, until_ns) of those that stand."""
        return [(h.since_ns, h.until_ns) for h in self.holds if not h.lifted_ns]


def holds_file(journal_folder: Path) -> Path:
    """Where the holds of a journal lie."""
    return journal_folder / "holds.json"


def read(journal_folder: Path) -> Holds:
    """All holds. Raises HoldError: whoever cannot read them must remove nothing."""
    path = holds_file(journal_folder)
    try:
        return Holds.model_validate_json(path.read_bytes()) if path.exists() else Holds()
    except (OSError, ValidationError) as error:
        raise HoldError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def lay(journal_folder: Path, span: tuple[int, int], by: str, why: str, now_ns: int) -> str:
    """Lay a hold; what was done. Raises HoldError."""
    if span[1] <= span[0]:
        raise HoldError("a hold ends after it begins")
    old = read(journal_folder)
    try:
        new = Hold(since_ns=span[0], until_ns=span[1], by=by, why=why, laid_ns=now_ns)
    except ValidationError as error:
        raise HoldError(f"a hold needs a name and a reason: {error.errors()[0]['msg']}") from error
    _write(journal_folder, [*old.holds, new])
    return f"hold {len(old.holds) + 1} laid"


def lift(journal_folder: Path, number: int, by: str, why: str, now_ns: int) -> str:
    """Lift a hold by its number from 1 on; what was done. Raises HoldError."""
    every = list(read(journal_folder).holds)
    if not 1 <= number <= len(every) or every[number - 1].lifted_ns:
        raise HoldError(f"there is no standing hold {number}")
    if not by or not why:
        raise HoldError("whoever lifts a hold says who and why")
    change = {"lifted_ns": now_ns, "lifted_by": by[:500], "lifted_why": why[:500]}
    every[number - 1] = every[number - 1].model_copy(update=change)
    _write(journal_folder, every)
    return f"hold {number} lifted"


def listed(journal_folder: Path) -> str:
    """All holds for a person, a line each. Raises HoldError."""
    lines = []
    for number, h in enumerate(read(journal_folder).holds, start=1):
        lifted = f"; lifted {_utc(h.lifted_ns)} by {h.lifted_by}: {h.lifted_why}" if h.lifted_ns else ""
        lines.append(
            f"{number}: {_utc(h.since_ns)} to {_utc(h.until_ns)}, laid {_utc(h.laid_ns)} by {h.by}: {h.why}{lifted}"
        )
    return "\n".join(lines) or "no holds"


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(min(time_ns // 10**9, 253_402_300_799), UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _write(journal_folder: Path, holds: list[Hold]) -> None:
    path = holds_file(journal_folder)
    try:
        data = json.dumps(Holds(holds=holds).model_dump(), indent=1).encode()
        put(path, path.with_suffix(".draft"), lambda file: file.write(data))
    except (OSError, ValidationError) as error:
        raise HoldError(f"{path} cannot be written: {error}") from error
