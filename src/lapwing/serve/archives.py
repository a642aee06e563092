"""Archives as samples: what a survey reads, told by content and column names, in pieces of bounded size.

readsb traces (one document, or many in a tar), tables of OpenSky, `traffic`, the Danish Maritime Authority and
MarineCadastre (CSV, Parquet, JSON by columns), and recordings of Beast, AVR and NMEA through the live decoders.
A file that is not what it seems raises ArchiveError: which file, what was expected, what was found.
"""

import gzip
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import polars as pl

from lapwing.engine.survey import GROUND, SAMPLES, SHIP
from lapwing.kernel import condition as kernel
from lapwing.serve.archive_tables import TableError, samples_of
from lapwing.serve.recordings import RecordingError

LINE = re.compile(rb'\s*\{"time(?:stamp)?": ?\d')  # of a recording: one JSON object a line
FOOT_M, KNOT_MPS = 0.3048, 1852.0 / 3600.0
ROWS_PER_PIECE = 1_000_000
DOCUMENT_BYTES_MAX = 256 << 20
GEOMETRIC_ALTITUDE = 8
SELF_DECLARED = ("adsb_icao", "adsb_icao_nt", "adsb_other", "adsr_icao", "mode_s")


class ArchiveError(Exception):
    """A file that cannot be read as what it seems to be; the message names it."""


def pieces(path: Path) -> Iterator[pl.DataFrame]:
    """Samples of one input, piece by piece. Raises ArchiveError."""
    try:
        yield from _pieces(path)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise ArchiveError(f"{path}: the file is damaged or cut off ({error})") from error
    except (TableError, RecordingError) as error:
        text = str(error)
        raise ArchiveError(text if str(path) in text else f"{path}: {text}") from error
    except pl.exceptions.PolarsError as error:
        raise ArchiveError(f"{path}: no table that can be read ({str(error).splitlines()[0][:200]})") from error
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror or error}") from error


def _pieces(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise ArchiveError(f"{path}: the file is empty")
    if head[:4] == b"PAR1":
        yield from _table(pl.scan_parquet(path))
        return
    packed = head[:2] == b"\x1f\x8b"
    with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
        start = file.read(1024)
    if start[257:262] == b"ustar":
        yield from _tar(path)
    elif start.lstrip()[:2] == b"[{" or (start.lstrip()[:1] == b"{" and not LINE.match(start)):
        yield from _document(path, packed)
    elif _is_recording(path, start):
        from lapwing.serve.archive_recordings import recording

        yield from recording(path)
    elif b"," in start.split(b"\n")[0] or b";" in start.split(b"\n")[0]:
        yield from _csv(path, packed, start)
    else:
        raise ArchiveError(
            f"{path}: expected a readsb trace, a table (CSV, Parquet) with known columns, or a Beast, AVR or NMEA "
            f"recording; it begins with {start[:24]!r}"
        )


def _is_recording(path: Path, start: bytes) -> bool:
    """Beast by its frame marks; AVR and NMEA by their line starts; times in front are allowed."""
    if start[:1] == b"\x1a" or start.count(b"\x1a3") + start.count(b"\x1a2") > 3:
        return True
    lines = [line for line in start.split(b"\n")[:20] if line]
    marks = sum(b"VDM," in x or b"VDO," in x or x.startswith((b"*", b"@", b'{"timestamp"')) for x in lines)
    return marks > len(lines) // 2 or path.name.removesuffix(".gz").endswith("flight_short.csv")


def _document(path: Path, packed: bool) -> Iterator[pl.DataFrame]:
    with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
        data = file.read(DOCUMENT_BYTES_MAX + 1)
    if len(data) > DOCUMENT_BYTES_MAX:
        raise ArchiveError(f"{path}: a document of more than 256 MiB")
    if data.lstrip()[:1] == b"[":
        yield samples_of(_records(data, path))
        return
    content = _parsed(data, str(path))
    if "trace" in content:
        yield trace(content, str(path))
        return
    columns = {k: list(v.values()) for k, v in content.items() if isinstance(v, dict)}
    if not columns or len({len(v) for v in columns.values()}) != 1:
        raise ArchiveError(f"{path}: a JSON document that is neither a readsb trace nor a table by columns")
    yield samples_of(pl.DataFrame(columns, strict=False))


def _records(data: bytes, path: Path) -> pl.DataFrame:
    """The table of a JSON list of objects."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{path}: not JSON ({error})") from error
    if not all(isinstance(r, dict) for r in rows):
        raise ArchiveError(f"{path}: a JSON list that is no table")
    return pl.DataFrame(rows, strict=False, infer_schema_length=None)


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{name}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ArchiveError(f"{name}: a JSON document that is neither a readsb trace nor a table by columns")
    return content


def _tar(path: Path) -> Iterator[pl.DataFrame]:
    """All traces in a tar, gathered into pieces; members that are none are passed over, and told when none is one."""
    gathered: list[pl.DataFrame] = []
    traces = rows = 0
    with tarfile.open(path, "r|*") as tar:
        for member in tar:
            name = member.name.rsplit("/", 1)[-1]
            if not member.isfile() or not name.startswith("trace_") or member.size > DOCUMENT_BYTES_MAX:
                continue
            file = tar.extractfile(member)
            try:
                data = file.read() if file else b""
                data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                gathered.append(trace(_parsed(data, name), name))
            except (ArchiveError, EOFError, zlib.error, gzip.BadGzipFile):
                continue  # one damaged aircraft does not cost the others
            traces, rows = traces + 1, rows + len(gathered[-1])
            if rows >= ROWS_PER_PIECE:
                yield pl.concat(gathered)
                gathered, rows = [], 0
    if not traces:
        raise ArchiveError(f"{path}: a tar without readable readsb traces (trace_full_*.json)")
    if gathered:
        yield pl.concat(gathered)


def trace(content: dict[str, Any], name: str) -> pl.DataFrame:
    """Samples of one readsb trace document. Raises ArchiveError."""
    try:
        icao, start_s, points = str(content["icao"]), float(content["timestamp"]), content["trace"]
        address = int(icao.removeprefix("~"), 16)
        rows = [r for p in points if (r := _trace_row(p, start_s, address)) is not None]
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveError(f"{name}: not a readsb trace (expected icao, timestamp and trace: {error})") from error
    if not rows and len(points):
        raise ArchiveError(f"{name}: a readsb trace of which no row can be read")
    return pl.DataFrame(rows, schema=SAMPLES, orient="row")


def _trace_row(p: Any, start_s: float, address: int) -> tuple[Any, ...] | None:
    """A sample of one trace row; None for rows that are not the aircraft's own word or cannot be read. A gap between
    rows is none of the aircraft's doing: a trace does not tell whether anything else was heard meanwhile."""
    if not isinstance(p, list) or len(p) < 5 or not all(isinstance(x, int | float) for x in p[:3]):
        return None
    p = p + [None] * (14 - len(p))
    source = p[9]
    if isinstance(source, str) and source not in SELF_DECLARED:
        return None
    time_ns = round((start_s + p[0]) * 1e9)
    flags = p[6] if isinstance(p[6], int) else 0
    details = p[8] if isinstance(p[8], dict) else {}
    altitude, geometric = (x * FOOT_M if isinstance(x, int | float) else None for x in (p[3], p[10]))
    difference = None if altitude is None or geometric is None or flags & GEOMETRIC_ALTITUDE else geometric - altitude
    version = _whole(details.get("version"))
    bits = (GROUND if p[3] == "ground" else 0) | _turning(p[13], details)
    return (
        time_ns, address, time_ns, float(p[1]), float(p[2]),
        altitude, _scaled(p[4], KNOT_MPS), _scaled(p[5], 1.0), _scaled(details.get("true_heading"), 1.0),
        _scaled(details.get("tas"), KNOT_MPS), difference, _whole(details.get("nic")), _whole(details.get("nac_p")),
        version, bits,
    )  # fmt: skip


def _turning(roll: Any, details: dict[str, Any]) -> int:
    rate = details.get("track_rate")
    banked = isinstance(roll, int | float) and abs(roll) > 25.0
    turning = isinstance(rate, int | float) and abs(rate) > 2.0
    return kernel.MANOEUVRE if banked or turning else 0


def _scaled(value: Any, scale: float) -> float | None:
    return float(value) * scale if isinstance(value, int | float) and np.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= 11 else None


def _csv(path: Path, packed: bool, start: bytes) -> Iterator[pl.DataFrame]:
    line = start.split(b"\n")[0]
    separator = ";" if line.count(b";") > line.count(b",") else ","
    if not packed:
        yield from _table(pl.scan_csv(path, separator=separator, infer_schema=False, ignore_errors=True))
        return
    with gzip.open(path, "rb") as file:  # in pieces: a packed file is not held unpacked
        header = file.readline()
        while True:
            lines = file.readlines(64 << 20)
            if not lines:
                return
            text = io.BytesIO(header + b"".join(lines))
            yield samples_of(pl.read_csv(text, separator=separator, infer_schema=False, ignore_errors=True))


def _table(lazy: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    count = int(lazy.select(pl.len()).collect().item())
    for begin in range(0, max(count, 1), ROWS_PER_PIECE):
        yield samples_of(lazy.slice(begin, ROWS_PER_PIECE).collect())


__all__ = ["SHIP", "ArchiveError", "pieces", "trace"]
