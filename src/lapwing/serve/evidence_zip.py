"""A ZIP that can be written in one way only: stored members one after another, fixed headers, nothing between.

So every byte of the file is either a member's content or follows from it, and whatever was changed, added or cut off
shows, with its offset. Any unzip tool opens it. Reading refuses all that writing would not have made: compression
(hence bombs), paths, doubles, comments, a second archive around it. Below 4 GiB, as plain ZIP is.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NAME = re.compile(r"[a-z_]{1,40}\.[a-z]{1,8}")
MEMBERS_MAX = 32
BYTES_MAX = (1 << 32) - (1 << 16)
CHUNK_BYTES = 1 << 16
LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
DATE = 0x21  # 1 January 1980, the first day that ZIP knows


class ZipError(Exception):
    """Not a file as `write` makes it; the message says where, for a person."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in the archive; `offset` is of its first byte."""

    name: str
    size: int
    crc: int
    offset: int


def write(target: Path, files: Sequence[Path]) -> None:
    """Write the files, in order, under their own names. Raises ZipError where they are too many bytes, OSError."""
    if sum(f.stat().st_size for f in files) > BYTES_MAX:
        raise ZipError("the interval has more than 4 GiB; take a shorter one")
    with target.open("xb") as out:  # what is there is never overwritten
        try:
            members = [_append(out, file) for file in files]
            out.write(_directory(members, out.tell()))
            out.flush()
            os.fsync(out.fileno())
        except BaseException:
            target.unlink()
            raise


def _append(out: BinaryIO, file: Path) -> Member:
    start, size, crc = out.tell(), 0, 0
    out.write(_local(Member(file.name, 0, 0, 0)))
    with file.open("rb") as source:
        while piece := source.read(CHUNK_BYTES):
            out.write(piece)
            size, crc = size + len(piece), zlib.crc32(piece, crc)
    header = _local(Member(file.name, size, crc, 0))
    out.seek(start)
    out.write(header)
    out.seek(0, os.SEEK_END)
    return Member(file.name, size, crc, start + len(header))


def _local(m: Member) -> bytes:
    name = m.name.encode()
    return LOCAL.pack(b"PK\3\4", 20, 0, 0, 0, DATE, m.crc, m.size, m.size, len(name), 0) + name


def _directory(members: Sequence[Member], at: int) -> bytes:
    """All that follows the last member's content."""
    entries = b""
    for m in members:
        name = m.name.encode()
        start = m.offset - len(name) - LOCAL.size
        sizes = (m.crc, m.size, m.size, len(name), 0, 0, 0, 0, 0o100644 << 16, start)
        entries += CENTRAL.pack(b"PK\1\2", (3 << 8) | 20, 20, 0, 0, 0, DATE, *sizes) + name
    return entries + END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(entries), at, 0)


def read(file: BinaryIO) -> list[Member]:
    """The members of an archive, whose headers are then known to be right to the last byte; their content is not yet.
    Raises ZipError, OSError."""
    end = file.seek(0, os.SEEK_END)
    if end > BYTES_MAX + (1 << 16):
        raise ZipError("larger than any evidence file")
    members: list[Member] = []
    at = 0
    while (header := _peek(file, at, LOCAL.size))[:4] == b"PK\3\4":
        members.append(_member(file, at, header, end))
        at = members[-1].offset + members[-1].size
        if len(members) > MEMBERS_MAX or len({m.name for m in members}) < len(members):
            raise ZipError(f"byte {at}: a member too many, {members[-1].name!r}")
    if not members:
        raise ZipError("not a ZIP" if header[:2] != b"PK" else "byte 0: not a ZIP as evidence files are")
    wanted = _directory(members, at)
    found = _peek(file, at, len(wanted))
    if found != wanted:
        wrong = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), len(found))
        cut = " (the file is cut short)" if at + wrong == end else ""
        raise ZipError(f"byte {at + wrong}: not as it was written{cut}")
    if at + len(wanted) != end:
        raise ZipError(f"byte {at + len(wanted)}: something was added after the end")
    return members


def _peek(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _member(file: BinaryIO, at: int, header: bytes, end: int) -> Member:
    """The member whose header begins at a byte."""
    if len(header) < LOCAL.size:
        raise ZipError(f"byte {end}: the file is cut short")
    method, crc, size, name_size = (LOCAL.unpack(header)[i] for i in (3, 6, 8, 9))
    raw = _peek(file, at + LOCAL.size, min(name_size, 64))
    if len(raw) < min(name_size, 64):
        raise ZipError(f"byte {end}: the file is cut short")
    name = raw.decode("ascii", "replace")
    if not NAME.fullmatch(name):
        raise ZipError(f"byte {at}: a member's name that no evidence file has, {name!r}")
    if method != 0:
        raise ZipError(f"byte {at + 8}: member {name} is compressed; evidence files are not, and nothing is unpacked")
    member = Member(name, size, crc, at + LOCAL.size + name_size)
    wanted = _local(member)
    found = header + raw
    if found != wanted:
        wrong = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b)
        raise ZipError(f"byte {at + wrong}: the header of member {name} is not as it was written")
    if member.offset + size > end:
        raise ZipError(f"member {name}: the file is cut short at byte {end}")
    return member


def pieces(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """A member's content, in pieces of CHUNK_BYTES."""
    file.seek(member.offset)
    left = member.size
    while left > 0:
        piece = file.read(min(left, CHUNK_BYTES))
        if not piece:
            raise ZipError(f"member {member.name}: the file became shorter while it was read")
        left -= len(piece)
        yield piece
