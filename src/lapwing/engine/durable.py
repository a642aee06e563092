"""A file that is the old one or the new one, whole, whatever happens, a power cut included: written beside its place,
made durable, put in its place, and that made durable."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl


def put(path: Path, draft: Path, write: Callable[[BinaryIO], Any]) -> None:
    """What `write` writes, at `path`, by way of `draft` in the same folder. Raises OSError and what `write` raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def put_table(table: pl.DataFrame, path: Path) -> None:
    """A table as Parquet. Raises OSError and PolarsError."""
    put(path, path.with_suffix(".draft"), lambda file: table.write_parquet(file, compression="zstd"))
