"""Speed of the journal, as a ratio against a bare SQLite append of the same rows with the same durability."""

import sqlite3
import time

from lapwing.engine.journal import Journal

TICKS, EACH, DATA = 200, 400, bytes(range(256)) * 2


def test_journal_against_a_bare_append(benchmark, tmp_path_factory) -> None:
    """80,000 chunks of 512 bytes in 200 commits: rows per second against executemany into one table."""

    def bare() -> float:
        db = sqlite3.connect(tmp_path_factory.mktemp("bare") / "a.sqlite", isolation_level=None)
        db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE f (seq INTEGER PRIMARY KEY, d BLOB)"
        )
        began, seq = time.perf_counter(), 0
        for _ in range(TICKS):
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO f VALUES (?,?)", ((seq + i, DATA) for i in range(EACH)))
            db.execute("COMMIT")
            seq += EACH
        took = time.perf_counter() - began
        db.close()
        return took

    def ours() -> float:
        with Journal(tmp_path_factory.mktemp("ours"), write=True) as journal:
            began = time.perf_counter()
            for tick in range(1, TICKS + 1):
                journal.begin()
                journal.append(tick, tick, [("f", tick, DATA)] * EACH)
                journal.commit()
            return time.perf_counter() - began

    bare_s = min(bare() for _ in range(3))
    ours_s = benchmark.pedantic(lambda: min(ours() for _ in range(3)), rounds=1)
    print(
        f"\njournal {TICKS * EACH / ours_s:,.0f} rows/s, bare SQLite {TICKS * EACH / bare_s:,.0f} rows/s, "
        f"time ratio {ours_s / bare_s:.2f}"
    )
    assert ours_s > 0
