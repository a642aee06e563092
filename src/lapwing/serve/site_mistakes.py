"""Mistakes in a site file, told to a person: which key, what was found, what is allowed."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

UNSAID = {"password", "token", "postgres"}  # keys where a secret may stand by mistake: what was found is not repeated
Models = Mapping[str, type[BaseModel]]


def sentence(error: dict[str, Any], table: dict[str, Any], models: Models) -> str:
    """One sentence on one mistake; `models` has what each key may hold, "" the whole file's."""
    loc = _without_kinds(error["loc"])
    at = _where(loc, table)
    kind, found = error["type"], error.get("input")
    if kind == "missing":
        return f"{at}: is missing"
    if kind == "extra_forbidden":
        key, allowed = str(loc[-1]), _allowed(error["loc"], models)
        near = difflib.get_close_matches(key, allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; allowed here: {', '.join(allowed)}"
        return f"{at}: unknown key{hint}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        named = found.get("kind") if isinstance(found, dict) else None
        given = "is missing" if named is None else f"{named!r} is none"
        return f"{at} > kind: {given}; allowed here: {error['ctx'].get('expected_tags', 'see lapwing feeds')}"
    text = str(error["msg"]).removeprefix("Value error, ")
    text = text[0].lower() + text[1:]
    quiet = isinstance(found, dict | list) or repr(found) in text or bool(loc and loc[-1] in UNSAID)
    shown = "" if quiet else f", found {found!r}"
    return f"{at}: {text}{shown}" if at else text


def _without_kinds(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The path without the words that only say which kind of output was read."""
    return loc[:2] + loc[3:] if loc[:1] == ("output",) and len(loc) > 2 else loc


def _where(loc: tuple[Any, ...], table: Any) -> str:
    """A path a person can follow: zone 'Airport' > circle > radius_m."""
    words: list[str] = []
    for part in loc:
        if isinstance(part, int):
            inner = table[part] if isinstance(table, list) and part < len(table) else None
            name = inner.get("name") if isinstance(inner, dict) else None
            words[-1] += f" {name!r}" if isinstance(name, str) else f" no. {part + 1}"
            table = inner
        else:
            words.append(str(part))
            table = table.get(part) if isinstance(table, dict) else None
    return " > ".join(words)


def _allowed(loc: tuple[Any, ...], models: Models) -> list[str]:
    """The keys that the table at `loc` may have."""
    parents = [p for p in loc[:-1] if isinstance(p, str)]
    model = models.get(parents[-1], models[""]) if parents else models[""]
    return [f.alias or name for name, f in model.model_fields.items()]
