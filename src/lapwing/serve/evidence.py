"""Freeze an interval of a journal into one signed ZIP: the raw bytes with the state before them, the site file, what
people did, and tables and a report made from these. docs/evidence.md has the members one by one.

The interval is run again before anything is written: what would not verify is refused here.
"""

import hashlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lapwing import __version__
from lapwing.engine.excerpt import Excerpt, excerpt
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.withhold import Masks
from lapwing.serve import evidence_zip
from lapwing.serve.acts import Act, ActError, acts_file, read_acts
from lapwing.serve.evidence_keys import fingerprint, public_bytes, public_pem, signing_key
from lapwing.serve.evidence_report import report
from lapwing.serve.evidence_told import Told, act_lines, tables, tell
from lapwing.serve.evidence_withheld import LIST, cleaned, leak, leave_out, listed, salt_of

BLOCK_BYTES = evidence_zip.CHUNK_BYTES
MEMBERS = (
    "public_key.pem",
    "readme.txt",
    "site.toml",
    "journal.sqlite",
    "acts.jsonl",
    "alarms.csv",
    "tracks.csv",
    "tracks.geojson",
    "report.html",
)
WITHHELD_README = """
Some of it was left out: of the feeds that manifest.json names under "withheld", journal.sqlite holds what was decoded
from their bytes, without serial numbers and other identities, without the places of people who fly, their identities
and free text. Numbers stand in place of addresses, in this file only. withheld.csv names each such entry, with the
SHA-256 of a salt and its original bytes. The maker of this file can tell the salt, or match the list with the original
journal: lapwing verify THIS.zip --original JOURNAL. The digests of the pictures were made when this file was: the
pictures are those of the original but for what was left out, which only the original can prove.
"""
README = """This is evidence frozen by Lapwing, an open protective air picture.

Read report.html (no request leaves your machine), alarms.csv, tracks.csv and tracks.geojson.

To check all of it, on any machine with Lapwing:    lapwing verify THIS.zip --key FINGERPRINT
where FINGERPRINT was told to you by whoever made it, on another way than this file.

To check the signature and the checksums without Lapwing:
    openssl pkeyutl -verify -pubin -inkey public_key.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum *      (compare with manifest.json)
    openssl pkey -pubin -in public_key.pem -outform DER | tail -c 32 | sha256sum      (the key's fingerprint)

journal.sqlite holds every byte that was received, in order, with a digest of the picture that was shown after each
tick. Unpacked into a folder of its own, `lapwing replay FOLDER --verify` runs it again.
"""
Ns = Annotated[int, Field(ge=0, lt=2**63)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class EvidenceError(Exception):
    """No evidence can be made, or it does not hold; the message says why, for a person."""


class MemberEntry(BaseModel):
    """One member: its size, its hash, and those of its blocks, so that a change can be placed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    size: Ns
    sha256: Hash
    blocks_sha256: list[Hash]


class Withheld(BaseModel):
    """What was left out, where something was."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    feeds: list[str]  # of which the journal holds rows, not bytes
    entries: Ns  # of theirs
    what: Literal["places of people who fly, serial numbers and other identities, free text"]


WHAT: Literal["places of people who fly, serial numbers and other identities, free text"] = (
    "places of people who fly, serial numbers and other identities, free text"
)


class Manifest(BaseModel):
    """manifest.json: what is signed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["lapwing-evidence-1"]
    software: str
    numpy: str
    machine: str
    site: str
    made_ns: Ns  # by the clock of the machine that made it
    since_ns: Ns
    until_ns: Ns
    first_tick: Ns
    last_tick: Ns
    replay_after_tick: Ns  # the checkpoint that the replay begins with; 0 = the very start
    public_key: Hash  # not a hash, but 32 bytes all the same
    members: list[MemberEntry]
    withheld: Withheld | None = None

    def names(self) -> tuple[str, ...]:
        """The members that must be there, but for the manifest itself and its signature."""
        return MEMBERS if self.withheld is None else (*MEMBERS, LIST)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be frozen."""

    journal: Path
    since_ns: int
    until_ns: int
    key: Path
    withhold: bool = False  # who flies, and from where


def freeze(order: Order, target: Path) -> list[str]:
    """Write the evidence; lines that say what it holds. Raises EvidenceError, JournalError, KeyTrouble, ZipError."""
    if target.exists():
        raise EvidenceError(f"{target} is there already; evidence is never overwritten")
    if not order.since_ns < order.until_ns:
        raise EvidenceError("--since must be before --until")
    with tempfile.TemporaryDirectory(prefix="lapwing-evidence-") as name:
        whole, part, scratch = (Path(name) / sub for sub in ("whole", "part", "scratch"))
        whole.mkdir()
        part.mkdir()
        with Journal(order.journal, write=False) as journal:
            cut = excerpt(journal, whole, order.since_ns, order.until_ns)
        key, new = signing_key(order.key)
        if order.withhold:
            masks = leave_out(whole, part, salt_of(key, order.since_ns, order.until_ns))
        else:
            masks = None
            (whole / "journal.sqlite").rename(part / "journal.sqlite")
        told = tell(part, scratch, order.since_ns, order.until_ns)
        if told.difference is not None:
            raise EvidenceError(
                f"the picture of tick {told.difference} is not the one recorded; freeze this interval with the version "
                "of Lapwing that recorded it"
            )
        acts = _acts(order, told, masks)
        _members(part, order, told, acts, public_bytes(key))
        if masks is not None and (where := leak(part, masks)):
            raise EvidenceError(f"a name that is to be left out still stands in {where}; nothing was written")
        manifest = _manifest(part, order, told, cut, public_bytes(key))
        text = manifest.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"
        (part / "manifest.json").write_bytes(text)
        (part / "manifest.sig").write_bytes(key.sign(text))
        evidence_zip.write(target, [part / m for m in ("manifest.json", "manifest.sig", *manifest.names())])
    return _lines(target, told, acts, fingerprint(public_bytes(key)), order.key if new else None)


def _acts(order: Order, told: Told, masks: Masks | None) -> tuple[Act, ...]:
    """What people did about the alarms. Raises JournalError."""
    try:
        acts = read_acts(acts_file(order.journal), {a.alarm_id for a in told.alarms})
    except ActError as error:
        raise JournalError(str(error)) from error
    return acts if masks is None else cleaned(acts, masks)


def _members(part: Path, order: Order, told: Told, acts: tuple[Act, ...], public: bytes) -> None:
    """Write all but the journal, the list of what was left out, and the manifest."""
    made: dict[str, Iterable[str]] = {
        "public_key.pem": [public_pem(public).decode()],
        "readme.txt": [README + (WITHHELD_README if order.withhold else "")],
        "site.toml": [told.site_text],
        "acts.jsonl": act_lines(acts),
        **{name: make() for name, make in derived(told, acts, (order.since_ns, order.until_ns), __version__).items()},
    }
    for member, pieces in made.items():
        save(part / member, pieces)


def _manifest(part: Path, order: Order, told: Told, cut: Excerpt, public: bytes) -> Manifest:
    withheld, names = None, list(MEMBERS)
    if order.withhold:
        entries = len(listed((part / LIST).read_text(encoding="utf-8")))
        withheld, names = Withheld(feeds=list(told.left_out), entries=entries, what=WHAT), [*MEMBERS, LIST]
    return Manifest(
        format="lapwing-evidence-1",
        software=__version__,
        numpy=np.__version__,
        machine=platform.machine(),
        site=told.site.name,
        made_ns=time.time_ns(),
        since_ns=order.since_ns,
        until_ns=order.until_ns,
        first_tick=cut.first_tick,
        last_tick=cut.last_tick,
        replay_after_tick=cut.after_tick,
        public_key=public.hex(),
        members=[entry(part / member) for member in names],
        withheld=withheld,
    )


def _lines(target: Path, told: Told, acts: tuple[Act, ...], named: str, new_key: Path | None) -> list[str]:
    counts = f"{len(told.alarms)} alarms, {len(acts)} acts, {target.stat().st_size} bytes"
    lines = [f"{target}: {told.compared} of {told.ticks} pictures compared and identical, {counts}"]
    if told.left_out:
        lines.append(f"left out: who flies and from where; of {', '.join(told.left_out)} rows are kept, no bytes")
    lines.append(f"signed with the key {named}")
    if new_key:
        lines.append(f"(a new key, made just now: {new_key}; keep it, tell its fingerprint to those who will verify)")
    return lines


def derived(
    told: Told, acts: tuple[Act, ...], period: tuple[int, int], software: str
) -> dict[str, Callable[[], Iterable[str]]]:
    """The members that follow from the journal and the acts."""
    return {**tables(told), "report.html": lambda: report(told, acts, period, software)}


def save(path: Path, pieces: Iterable[str]) -> None:
    """Write text as it is, whatever the system's line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces)


def entry(path: Path) -> MemberEntry:
    """The manifest's line about a file."""
    whole, blocks, size = hashlib.sha256(), [], 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            whole.update(block)
            size += len(block)
            blocks.append(hashlib.sha256(block).hexdigest())
    return MemberEntry(name=path.name, size=size, sha256=whole.hexdigest(), blocks_sha256=blocks)
