"""Exports that do not tell which drone it was: in place of the address of a Remote ID, which is a digest of its serial
number and so tells whoever knows the number, stands one that counts from the first seen to the last, in this file only.

Serial numbers themselves, and where people who fly are, are in no row of the history. Places of drones stay.
"""

from pathlib import Path

import numpy as np

from lapwing.engine.history import CLAIM
from lapwing.engine.presence import WHO, Presence
from lapwing.engine.withhold import FIRST, OTHERS_MAX
from lapwing.records import Array, Position
from lapwing.serve.export import Change
from lapwing.serve.shelf import presence_folder


def without_identities(folder: Path) -> Change:
    """What changes rows of the history of the journal in `folder`."""

    def change(rows: dict[str, Array]) -> dict[str, Array]:
        claims = rows["kind"] == CLAIM
        if not claims.any():
            return rows
        span = int(rows["time_ns"].min()), int(rows["time_ns"].max()) + 1
        remote = claims & ((rows["id"] >= OTHERS_MAX) | np.isin(rows["id"], _indexed(folder, span)))
        old, first, back = np.unique(rows["id"][remote], return_index=True, return_inverse=True)
        place = np.empty(len(old), np.int64)
        place[np.argsort(first)] = np.arange(1, len(old) + 1)
        new = rows["id"].copy()
        new[remote] = FIRST + place[back]
        return {**rows, "id": new}

    return change


def _indexed(folder: Path, span: tuple[int, int]) -> Array:
    """Addresses of Remote ID in the index: an address that is as short as an aircraft's is known from there."""
    persons = Presence(presence_folder(folder), Position(0.0, 0.0, 0.0)).persons
    found = [rows.filter(rows["who"] == WHO.index("remote_id"))["id"].to_numpy() for _, rows in persons.between(*span)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)
