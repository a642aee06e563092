"""Claims: what each address says of itself now; and what integrity makes of it. Axis: n claims."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length
from lapwing.records.interference import Interference, Sources, no_sources
from lapwing.records.interference import no_interference as no_interference
from lapwing.records.reports import Field

FIELDS: tuple[Field, ...] = tuple(Field)  # the columns of Claims.values
FIELD_COLUMN = {field: i for i, field in enumerate(FIELDS)}
NO_TRACK = -1  # a track_id column's value for "no track agrees"


@dataclass(frozen=True, slots=True)
class Claims:
    """n self-declared targets, one per (source family, address), filtered in the site's ENU frame.
    Rows with `has_position` 0 have been heard but have not said where they are: their mean and cov are zero."""

    time_ns: int
    address: Int64[Array, " n"]
    source: Int64[Array, " n"]  # Source; an aircraft that both squitters and replies is ADSB
    has_position: Int64[Array, " n"]
    mean: Float64[Array, "n 6"]  # ENU metres and metres per second
    cov: Float64[Array, "n 6 6"]
    position_ns: Int64[Array, " n"]  # last believed position report, 0 = never
    heard_ns: Int64[Array, " n"]  # last frame of any kind
    frame_seq: Int64[Array, " n"]  # of the last position report; of the last report of any kind while there was none
    doubt: Int64[Array, " n"]  # Doubt bits of the last position
    rejected: Int64[Array, " n"]  # position reports in a row that the filter did not believe
    values: Float64[Array, "n f"]  # latest number per Field code (column = position in FIELDS)
    values_ns: Int64[Array, "n f"]  # when it was said, 0 = never (then the value is 0 and means nothing)
    names: tuple[str, ...]  # callsign or ship name, "" = not said
    suspect_m: Float64[Array, "n 2"] = field(default_factory=lambda: np.zeros((0, 2)))  # east, north last disbelieved
    suspect_ns: Int64[Array, " n"] = field(default_factory=lambda: column([], np.int64))  # when, 0 = never
    suspects: Int64[Array, " n"] = field(default_factory=lambda: column([], np.int64))  # such in a row that agree
    position_m: Float64[Array, "n 2"] = field(default_factory=lambda: np.zeros((0, 2)))  # east, north last believed

    def __post_init__(self) -> None:
        if not len(self.suspect_ns):  # left out: nothing was ever disbelieved
            n = len(self.address)
            object.__setattr__(self, "suspect_m", np.zeros((n, 2)))
            object.__setattr__(self, "suspect_ns", np.zeros(n, dtype=np.int64))
            object.__setattr__(self, "suspects", np.zeros(n, dtype=np.int64))
        if not len(self.position_m):  # left out: where it is
            object.__setattr__(self, "position_m", self.mean[:, :2].copy())
        same_length(self, "address", "source", "has_position", "mean", "cov", "position_ns", "heard_ns", "frame_seq")
        same_length(self, "address", "doubt", "rejected", "values", "values_ns", "names")
        same_length(self, "address", "suspect_m", "suspect_ns", "suspects", "position_m")
        all_finite(self, "mean", "cov", "values", "suspect_m", "position_m")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.address)

    def said(self, field: Field) -> tuple[Float64[Array, " n"], Int64[Array, " n"]]:
        """The latest value of one field and when it was said (0 = never), per claim."""
        at = FIELD_COLUMN[field]
        return self.values[:, at], self.values_ns[:, at]

    @classmethod
    def empty(cls, time_ns: int) -> "Claims":
        """Nobody has said anything."""
        i, f = column([], np.int64), len(FIELDS)
        zero = np.zeros
        return cls(
            time_ns, i, i, i, zero((0, 6)), zero((0, 6, 6)), i, i, i, i, i, zero((0, f)), zero((0, f), np.int64), ()
        )


class Condition(IntEnum):
    """What integrity thinks of one claim's navigation."""

    OK = 0
    DEGRADED = 1  # it says itself that its position is much worse than its own normal
    LOST = 2  # it still talks but no longer says where it is
    INCONSISTENT = 3  # what it says contradicts itself, physics or our tracks
    UNKNOWN = 4  # too little said to judge


@dataclass(frozen=True, slots=True)
class Integrity:
    """Verdict per claim, rows as in the same picture's Claims, and per region."""

    condition: Int64[Array, " n"]  # Condition
    since_ns: Int64[Array, " n"]  # when this condition began
    reason: tuple[str, ...]  # one short sentence, "" when OK
    good_east_m: Float64[Array, " n"]  # where it last truly was, by its own good word
    good_north_m: Float64[Array, " n"]
    good_ns: Int64[Array, " n"]  # 0 = never
    frame_seq: Int64[Array, " n"]  # evidence of the verdict
    track_id: Int64[Array, " n"]  # the track that agrees with the claim, or NO_TRACK
    interference: Interference
    sources: Sources = field(default_factory=no_sources)

    def __post_init__(self) -> None:
        same_length(self, "condition", "since_ns", "reason", "good_east_m", "good_north_m", "good_ns", "frame_seq")
        same_length(self, "condition", "track_id")
        all_finite(self, "good_east_m", "good_north_m")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.condition)
