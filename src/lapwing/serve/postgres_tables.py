"""The tables in PostgreSQL: what is copied into them, and how far it is copied. Plain SQL, many sites.

Every copy and the mark that says how far it goes are one transaction, so that whatever is cut off is copied once and
not twice. What is told here stands in docs/history.md: a database administrator reads these tables.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from lapwing.engine import alarm_history, history
from lapwing.serve.acts import Act
from lapwing.serve.versions import Version

SCHEMA = """
CREATE TABLE IF NOT EXISTS lapwing_marks (site text, what text, mark bigint NOT NULL, PRIMARY KEY (site, what));
CREATE TABLE IF NOT EXISTS lapwing_paths (site text NOT NULL, time_ns bigint NOT NULL, kind smallint NOT NULL,
    id bigint NOT NULL, latitude_deg float8 NOT NULL, longitude_deg float8 NOT NULL, height_m float4 NOT NULL,
    speed_mps float4 NOT NULL, course_deg float4 NOT NULL, existence float4 NOT NULL, state smallint NOT NULL);
CREATE INDEX IF NOT EXISTS lapwing_paths_subject ON lapwing_paths (site, kind, id, time_ns);
CREATE INDEX IF NOT EXISTS lapwing_paths_time ON lapwing_paths USING brin (time_ns);
CREATE TABLE IF NOT EXISTS lapwing_alarms (site text NOT NULL, alarm_id bigint NOT NULL, raised_ns bigint NOT NULL,
    cleared_ns bigint NOT NULL, priority smallint NOT NULL, rule text NOT NULL, zone text NOT NULL,
    subject smallint NOT NULL, subject_id bigint NOT NULL, latitude_deg float8 NOT NULL, longitude_deg float8 NOT NULL,
    reason text NOT NULL, PRIMARY KEY (site, raised_ns, alarm_id));
CREATE TABLE IF NOT EXISTS lapwing_acts (site text NOT NULL, journal text NOT NULL, act bigint NOT NULL,
    at_ns bigint NOT NULL, picture_ns bigint NOT NULL, alarm bigint NOT NULL, priority smallint NOT NULL,
    verb text NOT NULL, name text NOT NULL, note text NOT NULL, until_ns bigint NOT NULL, peer text NOT NULL,
    PRIMARY KEY (site, journal, act));
CREATE TABLE IF NOT EXISTS lapwing_versions (site text NOT NULL, number bigint NOT NULL, at_ns bigint NOT NULL,
    name text NOT NULL, note text NOT NULL, text text NOT NULL, PRIMARY KEY (site, number));
CREATE TABLE IF NOT EXISTS lapwing_people (site text NOT NULL, name text NOT NULL, kind text NOT NULL,
    role text NOT NULL, PRIMARY KEY (site, name));
"""
SETUP_LOCK = 0x4C41_5057  # two sites that start at once must not both make the tables
ALARMS_MAX = 10_000  # of one answer


def prepare(db: Any) -> None:
    """Make what is not there yet."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
    db.execute(SCHEMA)


def mark(db: Any, site: str, what: str) -> int | None:
    """How far something is copied, and nobody else moves it until this transaction ends; None: not at all."""
    row = db.execute("SELECT mark FROM lapwing_marks WHERE site=%s AND what=%s FOR UPDATE", (site, what)).fetchone()
    return None if row is None else int(row[0])


def set_mark(db: Any, site: str, what: str, value: int) -> None:
    """It is copied so far."""
    sql = "INSERT INTO lapwing_marks VALUES (%s,%s,%s) ON CONFLICT (site, what) DO UPDATE SET mark=EXCLUDED.mark"
    db.execute(sql, (site, what, value))


def put_paths(db: Any, site: str, rows: pl.DataFrame) -> int:
    """Rows of engine/history; how many."""
    if rows.is_empty():
        return 0
    told = rows.select(pl.lit(site).alias("site"), *history.COLUMNS)
    sql = f"COPY lapwing_paths (site, {', '.join(history.COLUMNS)}) FROM STDIN (FORMAT csv)"
    with db.cursor() as cursor, cursor.copy(sql) as copy:
        copy.write(told.write_csv(include_header=False).encode())
    return len(rows)


def put_alarms(db: Any, site: str, rows: pl.DataFrame) -> int:
    """Rows of engine/alarm_history; one that is there already becomes what it is now. How many."""
    names = list(alarm_history.COLUMNS)
    changed = ", ".join(f"{name}=EXCLUDED.{name}" for name in names if name not in ("alarm_id", "raised_ns"))
    sql = f"INSERT INTO lapwing_alarms (site, {', '.join(names)}) VALUES ({_holes(len(names) + 1)})"
    _many(db, f"{sql} ON CONFLICT (site, raised_ns, alarm_id) DO UPDATE SET {changed}", site, rows.iter_rows())
    return len(rows)


def put_acts(db: Any, site: str, journal: str, acts: Sequence[Act]) -> int:
    """What people did; one that is there already stays. How many."""
    rows = ((journal, a.act, a.at_ns, a.picture_ns, a.alarm, a.priority, a.verb, a.name, a.note, a.until_ns, a.peer)
            for a in acts)  # fmt: skip
    _many(db, f"INSERT INTO lapwing_acts VALUES ({_holes(12)}) ON CONFLICT DO NOTHING", site, rows)
    return len(acts)


def put_versions(db: Any, site: str, versions: Sequence[Version]) -> int:
    """Versions of the site file; one that is there already stays. How many."""
    rows = ((v.number, v.at_ns, v.name, v.note, v.text) for v in versions)
    _many(db, f"INSERT INTO lapwing_versions VALUES ({_holes(6)}) ON CONFLICT DO NOTHING", site, rows)
    return len(versions)


def put_people(db: Any, site: str, people: Sequence[tuple[str, str, str]]) -> int:
    """Names and roles of accounts, and no others; no hash, no token. How many are new or changed."""
    known = db.execute("SELECT name, kind, role FROM lapwing_people WHERE site=%s", (site,)).fetchall()
    new, gone = set(people) - set(known), {name for name, _, _ in known} - {name for name, _, _ in people}
    for name in sorted(gone):
        db.execute("DELETE FROM lapwing_people WHERE site=%s AND name=%s", (site, name))
    sql = f"INSERT INTO lapwing_people VALUES ({_holes(4)}) ON CONFLICT (site, name) DO UPDATE SET "
    _many(db, sql + "kind=EXCLUDED.kind, role=EXCLUDED.role", site, sorted(new))
    return len(new) + len(gone)


def paths(db: Any, site: str, span: tuple[int, int], kind: int, ident: int) -> pl.DataFrame:
    """The columns of engine/history of one subject with span[0] <= time_ns < span[1], in order of time."""
    sql = f"SELECT {', '.join(history.COLUMNS)} FROM lapwing_paths WHERE site=%s AND time_ns>=%s AND time_ns<%s"
    rows = db.execute(sql + " AND kind=%s AND id=%s ORDER BY time_ns", (site, *span, kind, ident)).fetchall()
    return pl.DataFrame(rows, schema=history.COLUMNS, orient="row")


def alarms(db: Any, site: str, span: tuple[int, int]) -> pl.DataFrame:
    """The columns of engine/alarm_history of alarms raised in span[0] <= time < span[1], the newest ALARMS_MAX."""
    names = ", ".join(alarm_history.COLUMNS)
    sql = f"SELECT {names} FROM lapwing_alarms WHERE site=%s AND raised_ns>=%s AND raised_ns<%s"
    rows = db.execute(f"{sql} ORDER BY raised_ns DESC, alarm_id DESC LIMIT {ALARMS_MAX}", (site, *span)).fetchall()
    return pl.DataFrame(rows[::-1], schema=alarm_history.COLUMNS, orient="row")


def _holes(count: int) -> str:
    return ",".join(["%s"] * count)


def _many(db: Any, sql: str, site: str, rows: Iterable[Sequence[Any]]) -> None:
    with db.cursor() as cursor:
        cursor.executemany(sql, [tuple(map(_plain, (site, *row))) for row in rows])


def _plain(value: Any) -> Any:
    """PostgreSQL's text cannot hold a NUL, and what sensors say can."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
