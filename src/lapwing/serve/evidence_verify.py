"""Check an evidence file from a stranger: nothing added, changed or lost, signed, and true: the raw bytes in it, run
again, give the recorded pictures and every table and word of the report.

Refuses before it looks deeper: nothing is unpacked but one plain database, and only once the signature holds.
"""

import csv
import hashlib
import platform
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import ValidationError

from lapwing import __version__
from lapwing.engine.journal import is_plain
from lapwing.serve.evidence import BLOCK_BYTES, MEMBERS, EvidenceError, Manifest, MemberEntry, derived, entry, save
from lapwing.serve.evidence_keys import fingerprint, is_signed, public_bytes, public_pem, signing_key
from lapwing.serve.evidence_told import Told, acts_of, tell
from lapwing.serve.evidence_withheld import LIST, listed, matched, misfit, salt_of
from lapwing.serve.evidence_zip import Member, ZipError, pieces, read

MANIFEST_BYTES_MAX = 8 << 20
TEXT_BYTES_MAX = 256 << 20  # of the acts and the site file, which are read as one


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a file that holds."""

    manifest: Manifest
    fingerprint: str
    told: Told
    known_key: bool  # the verifier named the key

    def sentence(self) -> str:
        """What holds, for a person."""
        m = self.manifest
        since, until = (datetime.fromtimestamp(t // 10**9, UTC).isoformat() for t in self.told.shown)
        whose = "the key that you named" if self.known_key else f"the key {self.fingerprint}"
        text = (
            f"HOLDS: nothing was changed since it was signed with {whose}, and the {self.told.compared} recorded "
            f"pictures of {m.site!r} up to {until}, all tables and the report follow bit for bit from the raw bytes in "
            f"it (interval from {since}, {len(self.told.alarms)} alarms)."
        )
        if m.withheld is not None:
            text += (
                f"\nLeft out by its maker: {m.withheld.what}; of {', '.join(m.withheld.feeds)} it holds what was "
                "decoded, not the bytes. The digests are of the pictures without these; only the original journal "
                "shows that they are those that were shown live (--original)."
            )
        if self.known_key:
            return text
        return f"{text}\nWhose key that is no file can prove: compare the fingerprint with what its maker told you."


def verify_file(path: Path, wanted: str | None) -> Verdict:
    """Verify a file; `wanted` is the fingerprint of the key that must have signed it. Raises EvidenceError with the
    first thing that is wrong, OSError."""
    with path.open("rb") as file:
        try:
            members = {m.name: m for m in read(file)}
            manifest = _manifest(file, members, wanted)
            for line in manifest.members:
                _same(file, members[line.name], line)
        except ZipError as error:
            raise EvidenceError(str(error)) from error
        public = bytes.fromhex(manifest.public_key)
        if _whole(file, members["public_key.pem"]) != public_pem(public):
            raise EvidenceError("public_key.pem is not the key that signed the manifest")
        with tempfile.TemporaryDirectory(prefix="lapwing-verify-") as name:
            told = _again(file, members, manifest, Path(name))
    return Verdict(manifest, fingerprint(public), told, wanted is not None)


def _manifest(file: BinaryIO, members: dict[str, Member], wanted: str | None) -> Manifest:
    """The manifest, once it is known to be signed and to name every member in order."""
    head = ["manifest.json", "manifest.sig"]
    names = list(members)
    if names not in ([*head, *MEMBERS], [*head, *MEMBERS, LIST]):
        strange = sorted(set(names) - {*head, *MEMBERS})
        missing = sorted({*head, *MEMBERS} - set(names))
        told = [f"has {', '.join(strange)}"] if strange else []
        told += [f"lacks {', '.join(missing)}"] if missing else []
        raise EvidenceError(f"the file {' and '.join(told) or 'has its members in another order'}")
    for name, most in (("manifest.json", MANIFEST_BYTES_MAX), ("manifest.sig", 64), ("public_key.pem", 1000)):
        if members[name].size > most:
            raise EvidenceError(f"member {name} is larger than it can be")
    text, signature = _checked(file, members["manifest.json"]), _checked(file, members["manifest.sig"])
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EvidenceError(f"manifest.json is none that this software knows: {where} {first['msg']}") from error
    public = bytes.fromhex(manifest.public_key)
    if wanted is not None and fingerprint(public) != wanted:
        raise EvidenceError(f"signed by another key: the manifest names {fingerprint(public)}, you named {wanted}")
    if not is_signed(public, signature, text):
        raise EvidenceError("the signature does not fit: manifest.json or manifest.sig was changed")
    if [m.name for m in manifest.members] != list(manifest.names()) or names != [*head, *manifest.names()]:
        raise EvidenceError("manifest.json names other members than an evidence file has")
    return manifest


def _whole(file: BinaryIO, member: Member) -> bytes:
    return b"".join(pieces(file, member))


def _checked(file: BinaryIO, member: Member) -> bytes:
    """A small member, its checksum right."""
    content = _whole(file, member)
    if zlib.crc32(content) != member.crc:
        raise EvidenceError(f"member {member.name} was changed, or its header at byte {_header(member)} was")
    return content


def _header(member: Member) -> int:
    return member.offset - 30 - len(member.name)


def _same(file: BinaryIO, member: Member, line: MemberEntry) -> None:
    """Raises EvidenceError where a member is not what the manifest says, with the first block that differs."""
    if member.size != line.size:
        raise EvidenceError(f"member {member.name} has {member.size} bytes, the manifest says {line.size}")
    if len(line.blocks_sha256) != -(-line.size // BLOCK_BYTES):
        raise EvidenceError(f"manifest.json: member {member.name} has another number of blocks than its size gives")
    whole, crc, at = hashlib.sha256(), 0, 0
    for block, wanted in zip(pieces(file, member), line.blocks_sha256, strict=True):
        if hashlib.sha256(block).hexdigest() != wanted:
            start = member.offset + at
            raise EvidenceError(
                f"member {member.name} was changed in its bytes {at} to {at + len(block) - 1} "
                f"(bytes {start} to {start + len(block) - 1} of the file)"
            )
        whole.update(block)
        crc, at = zlib.crc32(block, crc), at + len(block)
    if whole.hexdigest() != line.sha256:
        raise EvidenceError(f"member {member.name} is not what the manifest says: SHA-256 differs")
    if crc != member.crc:
        raise EvidenceError(f"the checksum in the header of member {member.name} (byte {_header(member)}) was changed")


def _again(file: BinaryIO, members: dict[str, Member], manifest: Manifest, folder: Path) -> Told:
    """Run the journal in the file again and compare all that follows from it."""
    if max(members[m].size for m in ("acts.jsonl", "site.toml", LIST) if m in members) > TEXT_BYTES_MAX:
        raise EvidenceError("acts.jsonl, site.toml or withheld.csv is larger than it can be")
    journal, scratch, made = folder / "journal", folder / "scratch", folder / "made"
    journal.mkdir()
    made.mkdir()
    with (journal / "journal.sqlite").open("wb") as out:
        out.writelines(pieces(file, members["journal.sqlite"]))
    if not is_plain(journal / "journal.sqlite"):
        raise EvidenceError("journal.sqlite is no journal, or holds more than one")
    try:
        told = tell(journal, scratch, manifest.since_ns, manifest.until_ns)
        acts = acts_of(_whole(file, members["acts.jsonl"]).decode())
        period = (manifest.since_ns, manifest.until_ns)
        for name, make in derived(told, acts, period, manifest.software).items():
            save(made / name, make())
        site_text = _whole(file, members["site.toml"]).decode()
    except Exception as error:  # a stranger's state and frames, signed or not, may be wrong in any way
        raise EvidenceError(f"what is in it cannot be run again{_other(manifest)}: {_said(error)}") from error
    _same_facts(told, site_text, manifest)
    _same_list(file, members, manifest, (told, journal))
    lines = {line.name: line for line in manifest.members}
    for path in sorted(made.iterdir()):
        if entry(path) != lines[path.name]:
            where = f"from byte {_first_difference(path, pieces(file, members[path.name]))} on"
            raise EvidenceError(f"{path.name} is not what the journal in it gives, {where}{_other(manifest)}")
    return told


def _same_facts(told: Told, site_text: str, manifest: Manifest) -> None:
    """Raises EvidenceError where the run is not the one that the manifest names."""
    if told.difference is not None:
        raise EvidenceError(f"the picture of tick {told.difference} is not the one recorded{_other(manifest)}")
    ticks = (manifest.replay_after_tick, manifest.first_tick, manifest.last_tick)
    if (told.after_tick, *told.shown_ticks) != ticks:
        raise EvidenceError("the manifest names other ticks than the journal in it has")
    if told.compared == 0:
        raise EvidenceError("the journal in it has no picture whose digest was recorded")
    if site_text != told.site_text or told.site.name != manifest.site:
        raise EvidenceError("site.toml or the manifest's site is not the one that the journal was made with")


def _same_list(file: BinaryIO, members: dict[str, Member], manifest: Manifest, made: tuple[Told, Path]) -> None:
    """Raises EvidenceError where what is said to be left out is not what the journal lacks."""
    told, journal = made
    withheld = manifest.withheld
    if list(told.left_out) != (withheld.feeds if withheld else []):
        raise EvidenceError("the manifest names other feeds whose bytes were left out than the journal in it")
    if withheld is None:
        return
    try:
        text = _whole(file, members[LIST]).decode()
        why, entries = misfit(journal, text), len(listed(text))
    except (ValueError, csv.Error) as error:
        raise EvidenceError(f"{LIST} is not as it was written: {_said(error)}") from error
    if why or entries != withheld.entries:
        raise EvidenceError(why or f"the manifest names another number of entries than {LIST}")


def match(path: Path, verdict: Verdict, original: Path, secret: Path) -> str:
    """What became of comparing the entries that were left out with those of an original journal, for a person. Raises
    EvidenceError where one differs or none can be compared, JournalError, KeyTrouble, OSError."""
    manifest = verdict.manifest
    if manifest.withheld is None:
        raise EvidenceError("nothing was left out of this file")
    key, _ = signing_key(secret) if secret.exists() else (None, False)
    if key is None or public_bytes(key).hex() != manifest.public_key:
        raise EvidenceError(f"only the key that signed it can match what was left out; {secret} is not that key")
    with path.open("rb") as file:
        text = _whole(file, {m.name: m for m in read(file)}[LIST]).decode()
    same, other, gone = matched(text, original, salt_of(key, manifest.since_ns, manifest.until_ns))
    if other or not same:
        raise EvidenceError(f"of the entries left out, {same} are in {original}, {other} are others there, {gone} gone")
    return f"MATCHES: {same} of {manifest.withheld.entries} entries left out are in {original}, byte for byte." + (
        f" {gone} are not there any more." if gone else ""
    )


def _other(manifest: Manifest) -> str:
    """Where it was made with something else than what runs here: a likely reason for a difference."""
    theirs = (manifest.software, manifest.numpy, manifest.machine)
    here = (__version__, np.__version__, platform.machine())
    if theirs == here:
        return ""
    names = ("Lapwing", "NumPy", "machine")
    told = (f"{n} {a} there, {b} here" for n, a, b in zip(names, theirs, here, strict=True) if a != b)
    return f" (it was made with other software: {', '.join(told)})"


def _said(error: Exception) -> str:
    text = str(error) if not isinstance(error, sqlite3.Error) else f"the database in it is damaged: {error}"
    return text[:300] or type(error).__name__


def _first_difference(path: Path, other: Iterator[bytes]) -> int:
    at = 0
    with path.open("rb") as file:
        for piece in other:
            mine = file.read(len(piece))
            if mine != piece:
                return at + next((i for i, (a, b) in enumerate(zip(mine, piece, strict=False)) if a != b), len(mine))
            at += len(piece)
    return at
