"""Columns: NumPy arrays that nobody can write to. Refuses object arrays and silent copies of the wrong type."""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lapwing.kernel.bits import finite

Array = np.ndarray
COMPILED = "_MemInfo"  # what Numba calls the memory that it returns arrays in


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, read-only. A view of a writable base is copied first, so nobody can write behind it."""
    if array.base is not None and not _base_is_frozen(array):
        array = array.copy()
    array.setflags(write=False)
    return array


def _base_is_frozen(array: npt.NDArray[Any]) -> bool:
    """Whether nobody can write through what the array is a view of. What compiled code returns is a view of memory that
    no other array knows, unless it returns the same memory twice, or a part of what it was given: kernels whose
    results are kept do not."""
    base = array.base
    if base is None or type(base).__name__ == COMPILED:
        return True
    return isinstance(base, bytes) or (isinstance(base, np.ndarray) and not base.flags.writeable)


def column(values: Sequence[Any] | npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A read-only column of `dtype`."""
    return freeze(np.array(values, dtype=dtype))


def freeze_columns(record: object) -> None:
    """Make every array field of a frozen dataclass read-only; call from `__post_init__`."""
    for name in _names(type(record)):  # type: ignore[arg-type]  # every class can be hashed
        value = getattr(record, name)
        if isinstance(value, np.ndarray):
            if value.base is None or type(value.base).__name__ == COMPILED:  # most are such: `freeze`, in short
                value.setflags(False)  # type: ignore[call-arg]  # by name it takes twice as long
            elif (frozen := freeze(value)) is not value:
                object.__setattr__(record, name, frozen)


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


def same_length(record: object, *names: str) -> int:
    """The common length of the named columns. Raises ValueError that names the column that differs."""
    n = len(getattr(record, names[0]))
    for name in names[1:]:
        rows = len(getattr(record, name))
        if rows != n:
            raise ValueError(f"{type(record).__name__}.{name} has {rows} rows, {names[0]} has {n}")
    return n


def all_finite(record: object, *names: str) -> None:
    """Raises ValueError that names the first column holding a NaN or an infinity."""
    for name in names:
        values = getattr(record, name)
        fine = finite(values.ravel().view(np.int64)) if values.dtype == np.float64 else np.isfinite(values).all()
        if not fine:
            raise ValueError(f"{type(record).__name__}.{name} holds a value that is not finite")
