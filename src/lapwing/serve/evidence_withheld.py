"""Evidence that does not tell who flies a drone and from where (engine/withhold.py), and how what was left out can be
matched with the original later: a salted SHA-256 of every original entry.

Without the salt a stranger could try out places and serial numbers until a SHA-256 fits, as all else of an entry is
known. The salt is the SHA-256 of a signature that only the holder of the evidence key can make, always the same one.
"""

import csv
import hashlib
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.states import BYTES_MAX
from lapwing.engine.told import told_feeds
from lapwing.engine.withhold import OTHERS_MAX, SILENT, Masks, masks_for, withhold
from lapwing.records import Frame
from lapwing.serve.acts import Act
from lapwing.serve.export import Line
from lapwing.serve.export_paths import moment
from lapwing.serve.replaying import planned

LIST = "withheld.csv"
HEADER = ("entry", "feed", "received", "bytes", "sha256_salted")
SURE_CHARS = 6  # a shorter name may stand anywhere by chance


def salt_of(key: Ed25519PrivateKey, since_ns: int, until_ns: int) -> bytes:
    """The salt of one interval: with Ed25519 a signature of the same words is always the same."""
    return hashlib.sha256(key.sign(f"lapwing withheld entries {since_ns} {until_ns}".encode())).digest()


def hashed(salt: bytes, data: bytes) -> str:
    """What stands in the list for an entry's bytes."""
    return hashlib.sha256(salt + data).hexdigest()


def leave_out(whole: Path, part: Path, salt: bytes) -> Masks:
    """Write the journal in `whole` without what is left out, and the list of it, into `part`. Raises JournalError."""
    with Journal(whole, write=False) as journal:
        plan, _ = planned(journal)
        if told_feeds(journal):
            raise JournalError("of this journal the bytes were left out already")
        masks = masks_for(journal, plan)
        line = Line()
        writer = csv.writer(line)
        with (part / LIST).open("w", encoding="utf-8", newline="") as out:
            for row in (HEADER, *_rows(withhold(journal, part, plan, masks), salt)):
                writer.writerow(row)
                out.write(line.text)
    return masks


def _rows(frames: Iterable[Frame], salt: bytes) -> Iterator[tuple[object, ...]]:
    for f in frames:
        yield f.seq, f.feed, moment(f.received_ns), len(f.data), hashed(salt, f.data)


def cleaned(acts: Iterable[Act], masks: Masks) -> tuple[Act, ...]:
    """What people did, without the names and the addresses that are left out."""
    words = _numbers(masks) | masks.words
    known = sorted((w for w in words if len(w) >= SURE_CHARS), key=len, reverse=True)
    if not known:
        return tuple(acts)
    find = re.compile("|".join(map(re.escape, known)), re.IGNORECASE)
    upper = {w.upper(): stands for w, stands in words.items()}
    return tuple(replace(a, note=find.sub(lambda m: upper.get(m[0].upper(), "withheld"), a.note)) for a in acts)


def _numbers(masks: Masks) -> dict[str, str]:
    """How the page and the commands write an address that is left out (also in a link to it: its lower half), and what
    stands for it. Who knows a serial number knows its address again."""
    numbers: dict[str, str] = {}
    for number, address in enumerate(sorted(masks.names), start=1):
        written = {str(n): n for n in (address, address & 0xFFFFFFFF)} | {f"{address:X}": address}
        sure = [text for text, n in written.items() if n >= OTHERS_MAX]  # a small number may stand anywhere by chance
        numbers |= dict.fromkeys(sure, f"{SILENT} {number}")
    return numbers


def leak(part: Path, masks: Masks) -> str:
    """Where a name that is left out still stands, "" = nowhere. Looks through every file, and unpacks states."""
    words = [w.encode() for w in masks.words if len(w) >= SURE_CHARS]
    if not words:
        return ""
    find = re.compile(b"|".join(map(re.escape, words)))
    for path in sorted(part.iterdir()):
        if path.suffix != ".sqlite" and path.is_file() and find.search(path.read_bytes()):
            return path.name
    with closing(sqlite3.connect(part / "journal.sqlite")) as db:
        for seq, data in db.execute("SELECT seq, data FROM frames"):
            if find.search(data):
                return f"journal entry {seq}"
        for (state,) in db.execute("SELECT state FROM checkpoints"):
            if find.search(zlib.decompressobj().decompress(state, BYTES_MAX)):
                return "the state before the interval"
    return ""


def listed(text: str) -> list[tuple[int, str, str, int, str]]:
    """The rows of the list. Raises ValueError."""
    rows = list(csv.reader(text.splitlines()))
    if not rows or tuple(rows[0]) != HEADER or any(len(row) != len(HEADER) for row in rows):
        raise ValueError(f"{LIST} has other columns")
    return [(int(entry), feed, when, int(size), digest) for entry, feed, when, size, digest in rows[1:]]


def misfit(journal_folder: Path, text: str) -> str:
    """Why a list is not that of a journal's left out entries, "" = it is. Raises JournalError, ValueError."""
    rows = listed(text)
    with Journal(journal_folder, write=False) as journal:
        feeds, oldest = told_feeds(journal), journal.first_checkpoint()
        frames = (f for _, fs in journal.ticks(oldest[0] if oldest else 0) for f in fs if f.feed in feeds)
        found = [(f.seq, f.feed, moment(f.received_ns)) for f in frames]
    if found != [row[:3] for row in rows]:
        return f"{LIST} does not name the entries that were left out"
    bad = next((row[0] for row in rows if row[3] < 0 or not re.fullmatch("[0-9a-f]{64}", row[4])), None)
    return "" if bad is None else f"{LIST} has no SHA-256 of entry {bad}"


def matched(text: str, original: Path, salt: bytes) -> tuple[int, int, int]:
    """How many of the list's entries are the same in an original journal, are others there, are not there any more.
    Raises JournalError, ValueError."""
    same, other, gone = 0, 0, 0
    with Journal(original, write=False) as journal:
        for entry, feed, _, _, digest in listed(text):
            frame = journal.frame(entry)
            if frame is None:
                gone += 1
            elif frame.feed == feed and hashed(salt, frame.data) == digest:
                same += 1
            else:
                other += 1
    return same, other, gone
