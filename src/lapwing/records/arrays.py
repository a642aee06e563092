"""Columns: NumPy arrays that nobody can write to. Refuses object arrays and silent copies of the wrong type."""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = np.ndarray


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, read-only. A view of a writable base is copied first, so nobody can write behind it."""
    if not array.flags.writeable and _base_is_frozen(array):
        return array
    if array.base is not None and not _base_is_frozen(array):
        array = array.copy()
    array.flags.writeable = False
    return array


def _base_is_frozen(array: npt.NDArray[Any]) -> bool:
    base = array.base
    if base is None:
        return True
    return isinstance(base, bytes) or (isinstance(base, np.ndarray) and not base.flags.writeable)


def column(values: Sequence[Any] | npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A read-only column of `dtype`."""
    return freeze(np.array(values, dtype=dtype))


def freeze_columns(record: object) -> None:
    """Make every array field of a frozen dataclass read-only; call from `__post_init__`."""
    for name in _names(type(record)):  # type: ignore[arg-type]  # every class can be hashed
        value = getattr(record, name)
        if isinstance(value, np.ndarray) and (frozen := freeze(value)) is not value:
            object.__setattr__(record, name, frozen)


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


def same_length(record: object, *names: str) -> int:
    """The common length of the named columns. Raises ValueError that names the column that differs."""
    n = len(getattr(record, names[0]))
    for name in names[1:]:
        if len(getattr(record, name)) != n:
            raise ValueError(
                f"{type(record).__name__}.{name} has {len(getattr(record, name))} rows, {names[0]} has {n}"
            )
    return n


def all_finite(record: object, *names: str) -> None:
    """Raises ValueError that names the first column holding a NaN or an infinity."""
    for name in names:
        values = getattr(record, name)
        with np.errstate(all="ignore"):  # the sum of what is finite may be infinite, but never the other way round
            fine = np.isfinite(np.add.reduce(values, axis=None))
        if not fine and not np.logical_and.reduce(np.isfinite(values), axis=None):
            raise ValueError(f"{type(record).__name__}.{name} holds a value that is not finite")
