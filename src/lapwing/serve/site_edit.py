"""Changing one zone in the text of a site file, or adding a plan, and nothing else: comments, order and the rest stay
as they were.

The text is cut at its `[[zone]]` headers; afterwards the result is parsed and compared with what was wanted, so that
a file written in an unusual way is refused rather than broken.
"""

import json
import re
import tomllib
from typing import Any

HEADER = re.compile(r"""^\s*\[{1,2}[\w."' -]+\]{1,2}\s*(#.*)?$""")
ZONE = re.compile(r"^\s*\[\[\s*zone\s*\]\]\s*(#.*)?$")
PART = re.compile(r"^\s*\[{1,2}\s*zone\s*\.")
BY_HAND = "the zones of this file are written in a way that only a person can change"


class EditError(ValueError):
    """The message is one sentence for a person."""


def with_zone(text: str, replaces: str, zone: dict[str, Any] | None) -> str:
    """The text with one zone (as in the file) in the place of the one named `replaces`, at the end where that is "", or
    without it where `zone` is None. Raises EditError."""
    try:
        before = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EditError(f"the file is not valid TOML: {error}") from None
    zones = before.get("zone", [])
    if not isinstance(zones, list) or not all(isinstance(z, dict) for z in zones):
        raise EditError(BY_HAND)
    names = [z.get("name") for z in zones]
    if replaces and replaces not in names:
        raise EditError(f"there is no zone {replaces!r} in the file")
    lines, blocks = text.splitlines(keepends=True), _blocks(text)
    if len(blocks) != len(names):
        raise EditError(BY_HAND)
    block = "" if zone is None else _written(zone)
    if replaces:
        first, last = blocks[names.index(replaces)]
        head, tail = "".join(lines[:first]), "".join(lines[last:])
        made = head + block + tail
        wanted = [z if z.get("name") != replaces else zone for z in zones]
    else:
        first, last = blocks[-1] if blocks else (len(lines), len(lines))
        head, tail = "".join(lines[:last]), "".join(lines[last:])
        made = head + ("" if head.endswith("\n") or not head else "\n") + ("\n" if head else "") + block + tail
        wanted = [*zones, zone]
    after = before | {"zone": [z for z in wanted if z is not None]}
    if not after["zone"]:
        del after["zone"]
    try:
        good = tomllib.loads(made) == after
    except tomllib.TOMLDecodeError:
        good = False
    if not good:
        raise EditError(BY_HAND)
    return made


def with_plan(text: str, plan: dict[str, Any]) -> str:
    """The text with one more [[plan]] at its end. Raises EditError."""
    try:
        before = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EditError(f"the file is not valid TOML: {error}") from None
    block = "\n".join(["[[plan]]", *(f"{k} = {_value(v)}" for k, v in plan.items())]) + "\n"
    made = text + ("" if text.endswith("\n") else "\n") + "\n" + block
    try:
        good = tomllib.loads(made) == before | {"plan": [*before.get("plan", []), plan]}
    except (tomllib.TOMLDecodeError, TypeError):
        good = False
    if not good:
        raise EditError(f"the plans of this file are written in a way that only a person can change; add:\n{block}")
    return made


def zone_of(text: str, name: str) -> dict[str, Any]:
    """The zone of this name as the file has it; empty where there is none, or no file that can be read."""
    try:
        zones = tomllib.loads(text).get("zone", [])
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    found = [z for z in zones if isinstance(z, dict) and z.get("name") == name] if isinstance(zones, list) else []
    return found[0] if found else {}


def _blocks(text: str) -> list[tuple[int, int]]:
    """Lines from and to (without) of each [[zone]], with its own tables, without what stands before the next header."""
    lines = text.splitlines()
    out = []
    for first in (i for i, line in enumerate(lines) if ZONE.match(line)):
        rest = range(first + 1, len(lines))
        last = next((i for i in rest if HEADER.match(lines[i]) and not PART.match(lines[i])), len(lines))
        while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")):
            last -= 1
        out.append((first, last))
    return out


def _written(zone: dict[str, Any]) -> str:
    """A zone as TOML. JSON's strings, numbers and arrays are TOML's, but for a control character that JSON leaves."""
    tables = {key: value for key, value in zone.items() if isinstance(value, dict)}
    out = ["[[zone]]", *(f"{k} = {_value(v)}" for k, v in zone.items() if k not in tables)]
    for name, table in tables.items():
        out += [f"[zone.{name}]", *(f"{k} = {_value(v)}" for k, v in table.items())]
    return "\n".join(out) + "\n"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
