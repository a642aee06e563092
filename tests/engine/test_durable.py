"""Files that are whole after a power cut: their bytes are on the disk before their name is, and then the name."""

import os

import polars as pl
import pytest

from lapwing.engine.durable import put, put_table


def test_bytes_then_the_name_then_the_folder(tmp_path, monkeypatch):
    done, real_sync, real_replace = [], os.fsync, os.replace

    def sync(handle):
        what = os.readlink(f"/proc/self/fd/{handle}")
        done.append(("sync", what, os.stat(handle).st_size if os.path.isfile(what) else 0))
        real_sync(handle)

    def replace(old, new):
        done.append(("replace", str(new), 0))
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "day" / "a.parquet"
    put_table(pl.DataFrame({"x": [1, 2]}), path)
    assert done == [
        ("sync", str(path.with_suffix(".draft")), path.stat().st_size),
        ("replace", str(path), 0),
        ("sync", str(path.parent), 0),
    ]
    assert pl.read_parquet(path)["x"].to_list() == [1, 2]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    put(path, tmp_path / "a.draft", lambda file: file.write(b"old"))

    def broken(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        put(path, tmp_path / "a.draft", broken)
    assert path.read_bytes() == b"old"
