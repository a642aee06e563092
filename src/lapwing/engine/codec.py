"""Frozen values to bytes and back: checkpoints and picture digests. Refuses any class outside this package.

Layout: 8-byte little-endian length of a JSON tree, the tree, then the raw bytes of all arrays and byte strings it
points to. Numbers survive exactly (JSON's shortest round-trip floats, unbounded integers).
"""

import hashlib
import importlib
import json
import sys
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
    """The value as bytes; equal values give equal bytes. Raises CodecError, ValueError for a number JSON cannot say."""
    writing = _Writing()
    writing.put(value)
    tree = "".join(writing.text).encode()
    return b"".join([len(tree).to_bytes(8, "little"), tree, *writing.body])


class _Writing:
    """The tree's text and the raw bytes so far. The text is written piece by piece: a picture is encoded in every tick,
    and a tree of dictionaries made only to be written costs more (its twin: tests/naive/test_codec.py)."""

    __slots__ = ("body", "size", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.body: list[bytes] = []
        self.size = 0

    def put(self, value: Any) -> None:
        """Append one value. Raises CodecError, ValueError."""
        if isinstance(value, np.ndarray):
            self._array(value)
        elif value is None or isinstance(value, bool | str) or type(value) in (int, float):
            self.text.append(_json(value))
        elif isinstance(value, bytes):
            self.text.append(f'{{"b":[{self._raw(value)}]}}')
        elif isinstance(value, Enum):
            said = value.value if not isinstance(value.value, tuple) else value.name
            self.text.append(f'{{"e":["{_name(type(value))}",{_json(said)}]}}')
        elif isinstance(value, tuple) and hasattr(value, "_fields"):
            self._row(f'{{"n":["{_name(type(value))}",[', value, "]]}")
        elif isinstance(value, tuple) and set(map(type, value)) <= PLAIN:
            self.text.append(_json(value))
        elif isinstance(value, tuple):
            self._row("[", value, "]")
        elif is_dataclass(value):
            self._record(value)
        else:
            raise CodecError(f"a {type(value).__name__} cannot be checkpointed")

    def _raw(self, raw: bytes) -> str:
        self.body.append(raw)
        self.size += len(raw)
        return f"{self.size - len(raw)},{len(raw)}"

    def _array(self, value: np.ndarray) -> None:
        shape = ",".join(map(str, value.shape))
        self.text.append(f'{{"a":["{value.dtype.str}",[{shape}],{self._raw(value.tobytes())}]}}')

    def _row(self, opening: str, values: tuple[Any, ...], closing: str) -> None:
        self.text.append(opening)
        for k, value in enumerate(values):
            if k:
                self.text.append(",")
            self.put(value)
        self.text.append(closing)

    def _record(self, value: Any) -> None:
        opening, columns = _columns(type(value))  # type: ignore[arg-type]  # every class can be hashed
        self.text.append(opening)
        for key, name in columns:
            self.text.append(key)
            self.put(getattr(value, name))
        self.text.append("}]}")


_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@cache
def _columns(cls: type) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What is written before a dataclass, and before each of its fields."""
    names = [f.name for f in fields(cls)]
    return f'{{"d":["{_name(cls)}",{{', tuple((f'{"," if k else ""}"{name}":', name) for k, name in enumerate(names))


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
