"""A GeoPackage (OGC 12-128r17) to the GeoJSON of a plan: the features of all its tables, with their properties.

A GeoPackage is an SQLite file, perhaps of a stranger: it is opened read-only and as it lies on the disk, its schema is
not trusted, no view, virtual table or function of it runs, and time, rows, bytes and points have limits. Refuses tiles,
and every reference system but WGS 84 degrees (EPSG:4326): nothing is projected here. Used by the command that adds a
plan, never by a running site.
"""

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lapwing.serve.plan_files import FEATURES_MAX, LAYERS_MAX, PlanFileError, geojson
from lapwing.serve.plan_wkb import Budget, geometries

FILE_BYTES_MAX = 512 << 20
READ_BYTES_MAX = 64 << 20  # of all values that are looked at
OUT_BYTES_MAX = 8 << 20  # site_plans.GEOJSON_BYTES_MAX: what a plan may have
VALUE_BYTES_MAX = 16 << 20
SECONDS_MAX = 20.0
STEPS = 10_000  # of SQLite between two looks at the clock
COLUMNS_MAX = 200
APPLICATION_IDS = (b"GPKG", b"GP10", b"GP11")  # versions 1.2 and later, 1.0, 1.1
READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
COLUMNS_OF = "table_xinfo"
COMPUTED = (2, 3)  # in its column `hidden`: generated columns
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: VALUE_BYTES_MAX,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: COLUMNS_MAX,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}


def converted(path: Path) -> bytes:
    """The plan's GeoJSON, examined as every plan is. Raises PlanFileError with a sentence."""
    _look(path)
    try:
        with contextlib.closing(_open(path)) as database:
            pieces = list(_features(database))
    except PlanFileError:
        raise
    except (sqlite3.Error, OverflowError, ValueError) as error:
        late = "interrupted" in str(error)
        why = f"reading it takes more than {SECONDS_MAX:.0f} s" if late else str(error)[:120]
        raise PlanFileError(f"{path.name} cannot be read as a GeoPackage: {why}") from None
    data = ('{"type": "FeatureCollection", "features": [\n' + ",\n".join(pieces) + "\n]}\n").encode()
    geojson(data)
    return data


def kept(path: Path, folder: Path) -> tuple[Path, bool]:
    """The plan's GeoJSON written to `folder`, beside the site file, and whether it is new there. What lies there
    already is never overwritten. Raises PlanFileError, OSError."""
    data, target = converted(path), folder / f"{path.stem}.geojson"
    try:
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError:
        if target.stat().st_size == len(data) and target.read_bytes() == data:
            return target, False
        raise PlanFileError(f"{target} would be made of it, but is there already; move it away") from None
    return target, True


def _look(path: Path) -> None:
    """What can be said before SQLite gets the file."""
    if not path.is_file():
        raise PlanFileError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            head = file.read(100)
        size = path.stat().st_size
        waiting = [s for s in ("-wal", "-journal") if Path(f"{path}{s}").exists() and Path(f"{path}{s}").stat().st_size]
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}") from None
    if head[:16] != b"SQLite format 3\0" or head[68:72] not in APPLICATION_IDS:
        raise PlanFileError(f"{path.name} is not a GeoPackage")
    if size > FILE_BYTES_MAX:
        raise PlanFileError(f"{path.name} has {size >> 20} MiB; at most {FILE_BYTES_MAX >> 20} are read")
    if waiting:
        raise PlanFileError(f"{path.name} has unsaved changes in {path.name}{waiting[0]}; close it where it is open")


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for limit, value in LIMITS.items():
        database.setlimit(limit, value)
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        database.execute(f"PRAGMA {pragma}")
    database.set_authorizer(_allowed)
    end = time.monotonic() + SECONDS_MAX
    database.set_progress_handler(lambda: int(time.monotonic() > end), STEPS)
    return database


def _allowed(act: int, what: str | None, *_: object) -> int:
    told = act == sqlite3.SQLITE_PRAGMA and what == COLUMNS_OF
    return sqlite3.SQLITE_OK if told or act in READING else sqlite3.SQLITE_DENY


def _features(database: sqlite3.Connection) -> Iterator[str]:
    """Each feature as a line of GeoJSON, table by table in the order of their names."""
    tables = _tables(database)
    budget, read, written, count = Budget(), 0, 0, 0
    for table, column, srs_id in tables:
        rows = database.execute(f"SELECT * FROM {_quoted(table)}")
        names = [d[0] for d in rows.description]
        if column not in names:
            raise PlanFileError(f"table {table!r:.80} has no column {column!r:.80}")
        at = names.index(column)
        for number, row in enumerate(rows, start=1):
            read += sum(len(v) if isinstance(v, bytes | str) else 8 for v in row)
            if read > READ_BYTES_MAX:
                raise PlanFileError(f"more than {READ_BYTES_MAX >> 20} MiB of values in it")
            try:
                places = [] if row[at] is None else _places(row[at], srs_id, budget)
            except PlanFileError as error:
                raise PlanFileError(f"table {table!r:.80}, row {number}: {error}") from None
            properties = _properties(names, row, at)
            if len(tables) > 1:
                properties.setdefault("layer", table)
            for place in places:
                told = json.dumps({"type": "Feature", "properties": properties, "geometry": place}, allow_nan=False)
                written, count = written + len(told), count + 1
                if written > OUT_BYTES_MAX:
                    raise PlanFileError(f"more than {OUT_BYTES_MAX >> 20} MiB of GeoJSON; simplify it, or make PMTiles")
                if count > FEATURES_MAX:
                    raise PlanFileError(f"more than {FEATURES_MAX} features in it")
                yield told


def _places(blob: Any, srs_id: int, budget: Budget) -> list[dict[str, Any]]:
    if not isinstance(blob, bytes):
        raise PlanFileError("its geometry has no GeoPackage header")
    return geometries(blob, srs_id, budget)


def _properties(names: list[str], row: tuple[Any, ...], geometry_at: int) -> dict[str, Any]:
    """Numbers and texts; blobs, nothings and infinities are left out."""
    pairs = [(name, v) for k, (name, v) in enumerate(zip(names, row, strict=True)) if k != geometry_at]
    return {k: v for k, v in pairs if isinstance(v, int | str) or (isinstance(v, float) and math.isfinite(v))}


def _tables(database: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """(table, its geometry column, its srs_id) of the tables of features. Raises PlanFileError, sqlite3.Error."""
    asked = (
        "SELECT c.table_name, g.column_name, g.srs_id, s.organization, s.organization_coordsys_id FROM gpkg_contents c"
        " JOIN gpkg_geometry_columns g ON g.table_name = c.table_name"
        " LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id"
        " WHERE c.data_type = 'features' ORDER BY c.table_name"
    )
    found = database.execute(asked).fetchmany(LAYERS_MAX + 1)
    if not found:
        raise PlanFileError("there is no table of features in it (tiles are not taken: make PMTiles of them)")
    if len(found) > LAYERS_MAX:
        raise PlanFileError(f"more than {LAYERS_MAX} tables of features; there may be {LAYERS_MAX}")
    out = []
    for table, column, srs_id, organization, code in found:
        if not all(isinstance(text, str) and "\0" not in text for text in (table, column)):
            raise PlanFileError("a table of features has no name that can be read")
        if str(organization).upper() != "EPSG" or code != 4326:
            raise PlanFileError(
                f"table {table!r:.80} is in {organization!s:.20}:{code!s:.20}; a plan is in WGS 84 degrees "
                "(EPSG:4326). Export it so, e.g. ogr2ogr -t_srs EPSG:4326 new.gpkg old.gpkg, or in QGIS with that CRS"
            )
        if not database.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?", (table,)
        ).fetchone():
            raise PlanFileError(f"{table!r:.80} is no ordinary table (views are not taken)")
        # Each may be as large as a value may be, and a row has all of them at once: no limit of SQLite holds the sum.
        if any(row[6] in COMPUTED for row in database.execute(f"PRAGMA {COLUMNS_OF}({_quoted(table)})")):
            raise PlanFileError(
                f"table {table!r:.80} has computed columns, which are not taken; export it without them"
            )
        out.append((table, column, int(srs_id)))
    return out


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
