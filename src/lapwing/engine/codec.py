"""Frozen values to bytes and back: checkpoints and picture digests. Refuses any class outside this package.

Layout: 8-byte little-endian length of a JSON tree, the tree, then the raw bytes of all arrays and byte strings it
points to. Numbers survive exactly (JSON's shortest round-trip floats, unbounded integers).
"""

import hashlib
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np

from lapwing.records import freeze

PLAIN = {type(None), bool, int, float, str}  # what JSON says as it is


class CodecError(ValueError):
    """The bytes are not a value of this software."""


def encode(value: object) -> bytes:
    """The value as bytes; equal values give equal bytes."""
    body: list[bytes] = []
    size = 0

    def put(raw: bytes) -> list[int]:
        nonlocal size
        body.append(raw)
        size += len(raw)
        return [size - len(raw), len(raw)]

    tree = json.dumps(_tree(value, put), separators=(",", ":"), allow_nan=False).encode()
    return b"".join([len(tree).to_bytes(8, "little"), tree, *body])


def _tree(value: object, put: Callable[[bytes], list[int]]) -> Any:
    if value is None or isinstance(value, bool | str) or type(value) in (int, float):
        return value
    if isinstance(value, np.ndarray):
        return {"a": [value.dtype.str, list(value.shape), *put(np.ascontiguousarray(value).tobytes())]}
    if isinstance(value, bytes):
        return {"b": put(value)}
    if isinstance(value, Enum):
        return {"e": [_name(type(value)), value.value if not isinstance(value.value, tuple) else value.name]}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"n": [_name(type(value)), [_tree(v, put) for v in value]]}
    if isinstance(value, tuple):
        return list(value) if set(map(type, value)) <= PLAIN else [_tree(v, put) for v in value]
    if is_dataclass(value):
        cls: Any = type(value)
        return {"d": [_name(cls), {name: _tree(getattr(value, name), put) for name in _columns(cls)}]}
    raise CodecError(f"a {type(value).__name__} cannot be checkpointed")


@cache
def _columns(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


@cache
def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def decode(data: bytes) -> Any:
    """The value that `encode` was given. Raises CodecError on anything else."""
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        return _value(json.loads(data[8:start]), memoryview(data)[start:])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ImportError) as error:
        raise CodecError(f"not a checkpoint of this software: {error}") from error


def _value(tree: Any, body: memoryview) -> Any:
    if isinstance(tree, list):
        return tuple(_value(v, body) for v in tree)
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "a":
        dtype, shape, at, length = content
        return freeze(np.frombuffer(bytes(body[at : at + length]), np.dtype(dtype)).reshape(shape))
    if kind == "b":
        at, length = content
        return bytes(body[at : at + length])
    cls = _class(content[0])
    if kind == "n":
        return cls(*(_value(v, body) for v in content[1]))
    if kind == "e":
        return cls[content[1]] if isinstance(content[1], str) else cls(content[1])
    return cls(**{name: _value(v, body) for name, v in content[1].items()})


def _class(name: str) -> Any:
    module, _, qualname = name.partition(":")
    if not module.startswith("lapwing.") or "." in qualname:
        raise CodecError(f"unknown class {name!r}")
    loaded = sys.modules.get(module) or importlib.import_module(module)
    cls = getattr(loaded, qualname)
    known = isinstance(cls, type) and (is_dataclass(cls) or issubclass(cls, Enum) or hasattr(cls, "_fields"))
    if not known:
        raise CodecError(f"unknown class {name!r}")
    return cls


def digest(value: object) -> bytes:
    """16 bytes that two values share only if they are equal to the last bit."""
    return hashlib.blake2b(encode(value), digest_size=16).digest()
