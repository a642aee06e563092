"""Who speaks: one row per (source family, address), kept in that order. Axes: n claims, k rows of a report.

The same address on two roads is two claims on purpose: multilateration that disagrees with the aircraft's own word is
evidence. Only the transponder's squitters and its plain replies are one voice.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import Array, Claims, Decoded, Source
from lapwing.records.reports import Positions, Texts, Values

ADDRESS_BITS = 56
UNKNOWN_SOURCE = 99

FAMILY = np.arange(len(Source), dtype=np.int64)  # of each Source code
FAMILY[Source.MODE_S] = Source.ADSB
SHIP = np.zeros(len(Source), dtype=bool)
SHIP[[Source.AIS, Source.AIS_OTHER]] = True


@dataclass(slots=True)
class Columns:
    """Claims being worked on: the columns of the record, writable, owned by one step."""

    address: Int64[Array, " n"]
    source: Int64[Array, " n"]
    has_position: Int64[Array, " n"]
    mean: Float64[Array, "n 6"]
    cov: Float64[Array, "n 6 6"]
    position_ns: Int64[Array, " n"]
    heard_ns: Int64[Array, " n"]
    frame_seq: Int64[Array, " n"]
    doubt: Int64[Array, " n"]
    rejected: Int64[Array, " n"]
    values: Float64[Array, "n f"]
    values_ns: Int64[Array, "n f"]
    suspect_m: Float64[Array, "n 2"]
    suspect_ns: Int64[Array, " n"]
    suspects: Int64[Array, " n"]
    position_m: Float64[Array, "n 2"]

    def record(self, time_ns: int, names: tuple[str, ...], keep: Array | None = None) -> Claims:
        """The frozen record, of the rows to keep (None = all)."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        if keep is not None:
            columns = {name: value[keep] for name, value in columns.items()}
            names = tuple(name for name, stays in zip(names, keep, strict=True) if stays)
        return Claims(time_ns=time_ns, names=names, **columns)


def keys_of(rows: Claims | Positions | Values | Texts) -> Int64[Array, " k"]:
    """A number per row that sorts by (family, address); -1 for a source or an address outside its range."""
    known = (rows.source >= 0) & (rows.source < len(FAMILY)) & (rows.address >= 0)
    known &= rows.address < (1 << ADDRESS_BITS)
    family = FAMILY[np.where(known, rows.source, 0)]
    return np.where(known, (family << ADDRESS_BITS) | rows.address, -1)


def seat(claims: Claims, decoded: Decoded) -> tuple[Columns, list[str], Int64[Array, " n"]]:
    """Writable columns with a row for every old and every new speaker, their names, and their keys."""
    old = keys_of(claims)
    said = np.concatenate([keys_of(rows) for rows in (decoded.positions, decoded.values, decoded.texts)])
    said = said[said >= 0]
    known = len(old) > 0 and bool((old[np.minimum(np.searchsorted(old, said), len(old) - 1)] == said).all())
    keys = old if known else np.unique(np.concatenate([old, said]))
    if known:
        same = {f.name: getattr(claims, f.name).copy() for f in fields(Columns)}
        return Columns(**same), list(claims.names), keys
    at = np.searchsorted(keys, old)
    grown = {}
    for f in fields(Columns):
        value = getattr(claims, f.name)
        grown[f.name] = np.zeros((len(keys), *value.shape[1:]), dtype=value.dtype)
        grown[f.name][at] = value
    columns = Columns(**grown)
    fresh = np.ones(len(keys), dtype=bool)
    fresh[at] = False
    columns.address[fresh] = keys[fresh] & ((1 << ADDRESS_BITS) - 1)
    columns.source[fresh] = UNKNOWN_SOURCE
    names = [""] * len(keys)
    for row, name in zip(at, claims.names, strict=True):
        names[row] = name
    return columns, names, keys
