"""ASTERIX to scans and claims. One frame is one datagram of data blocks.

Scans of the sensor that the feed names: CAT048 plots and CAT034 markers of one radar, CAT010 plots of a surface radar,
CAT205 bearings of a direction finder. Claims, with or without a sensor: CAT010, 020, 021, 062 (`asterix_reports`).
CAT065 and status messages are counted.

A scan ends at the north marker; at a wrap of the sector number when the radar sends no north markers; and without any
CAT034 at a silence of half a period or after a full one. It is given to the tracker whole, not sector by sector: a
Detections says "the sensor looked everywhere it can", and a sector did not. An empty scan is given too.

Range rate is given when every plot of the scan has one, so that one scan stays one batch: two batches would count each
miss twice. Refuses other categories, broken records (with the rest of their block), simulated and test targets, field
monitors, coasted tracks, plots without range and azimuth, and sensors other than the first one heard, or passes over
those other than the one that the feed names.

Plots with a Mode S address also give value rows: their pressure altitude, code and callsign are the aircraft's word.
Axes: m plots.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.decode.asterix_items import CATEGORIES, Broken, record
from lapwing.decode.asterix_plots import Bearing, Plot, bearing_of, bearing_scans, echo_of, rcs_of, surface_plot
from lapwing.decode.asterix_reports import REPORTS, TIMES
from lapwing.decode.faults import Refusals
from lapwing.decode.modes import callsign
from lapwing.decode.rows import Rows
from lapwing.records import (
    ANONYMOUS,
    Array,
    Decoded,
    Detections,
    Field,
    Frame,
    SensorConfig,
    Source,
    Space,
    Word,
    column,
)
from lapwing.records.arrays import freeze_columns

DAY_NS = 86_400_000_000_000
NM_M = 1852.0
FLIGHT_LEVEL_M = 30.48
PLOTS_MAX = 20_000
NORTH_MARKER, SECTOR_CROSSING = 1, 2
NO_RADAR = -1
PASSED = "of another radar than the one that the feed is about"
PRIMARY = 3  # of CAT010 item 020: a surface radar's own echo


def _no_integers() -> Int64[Array, " none"]:
    return column([], np.int64)


@dataclass(frozen=True, slots=True)
class AsterixState:
    """The plots of the scan that is not yet over, and what was heard of markers."""

    radar: int = NO_RADAR  # SAC and SIC of the first radar heard
    sector: int = -1
    north_heard: bool = False
    marker_heard: bool = False
    time_ns: Int64[Array, " m"] = field(default_factory=_no_integers)
    z: Float64[Array, "m 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    has_rate: Bool[Array, " m"] = field(default_factory=lambda: column([], np.bool_))
    address: Int64[Array, " m"] = field(default_factory=_no_integers)
    frame_seq: Int64[Array, " m"] = field(default_factory=_no_integers)
    finder: int = -1  # item 170 of the first direction finder heard

    def __post_init__(self) -> None:
        freeze_columns(self)


class _Scan:
    """The state while a decode call works on it."""

    def __init__(self, state: AsterixState) -> None:
        self.state = state
        self.plots = [
            Plot(t, z[0], z[1], z[2] if rate else None, a, s)
            for t, z, rate, a, s in zip(
                state.time_ns.tolist(), state.z.tolist(), state.has_rate.tolist(), state.address.tolist(),
                state.frame_seq.tolist(), strict=True,
            )
        ]  # fmt: skip
        self.done: list[Detections] = []
        self.bearings: list[Bearing] = []

    def frozen(self) -> AsterixState:
        plots = self.plots
        z = [(p.range_m, p.azimuth_rad, p.range_rate_mps or 0.0) for p in plots]
        return replace(
            self.state,
            time_ns=column([p.time_ns for p in plots], np.int64),
            z=column(np.array(z, np.float64).reshape(len(plots), 3), np.float64),
            has_rate=column([p.range_rate_mps is not None for p in plots], np.bool_),
            address=column([p.address for p in plots], np.int64),
            frame_seq=column([p.frame_seq for p in plots], np.int64),
        )


@final
@dataclass(frozen=True, slots=True)
class AsterixDecoder:
    """Claims, and scans of what `sensor` describes (None = claims alone); its sigmas become R."""

    feed: str
    sensor: SensorConfig | None
    radar: int = NO_RADAR  # SAC and SIC of the only one that is heeded; others are passed over, and are no faults

    def start(self) -> AsterixState:
        """Nothing heard."""
        return AsterixState(radar=self.radar)

    def decode(self, state: AsterixState, frames: Sequence[Frame]) -> tuple[AsterixState, Decoded]:
        """The scans that ended."""
        if not frames:
            return state, Decoded()
        refusals, rows, scan = Refusals(), Rows(), _Scan(state)
        for frame in frames:
            for category, items in records_of(frame, refusals):
                if category in (34, 48):
                    reason = self._record(scan, category, items, frame, rows)
                else:
                    reason = self._other(scan, category, items, frame, rows)
                if reason and reason is not PASSED:
                    refusals.add(reason, frame.seq, frame.data)
            if scan.bearings:
                assert self.sensor is not None
                scan.done += bearing_scans(scan.bearings, self.sensor)
                scan.bearings = []
        decoded = replace(rows.decoded(), scans=tuple(scan.done), faults=refusals.faults())
        return scan.frozen(), decoded

    def _other(self, scan: _Scan, category: int, items: Mapping[str, bytes], frame: Frame, rows: Rows) -> str:
        """Claims, a surface radar's plots, bearings, and what is only counted; the reason when it is refused."""
        kind = items.get("000", b"\x01")[0]
        time_ns = next((time_of_day(items[i], frame.received_ns) for i in TIMES[category] if i in items), 0)
        time_ns = time_ns or frame.received_ns
        if category == 65 or (category in (10, 20) and kind != 1) or (category == 205 and kind not in (2, 5)):
            rows.messages += 1
            return ""
        primary = category == 10 and items.get("020", b"\0")[0] >> 5 == PRIMARY
        if not primary and category != 205:
            return REPORTS[category](items, time_ns, frame.seq, rows)
        reason = self._ours(scan, items)
        if not reason and category == 205:
            bearing, reason = bearing_of(items, time_ns, frame.seq)
            scan.bearings += [bearing] if bearing else []
        elif not reason:
            plot, reason = surface_plot(items, time_ns, frame.seq)
            if plot:
                self._add(scan, plot)
        rows.messages += not reason
        return reason

    def _ours(self, scan: _Scan, items: Mapping[str, bytes]) -> str:
        """ "" when a plot or bearing comes from the one sensor that this feed is about."""
        if self.sensor is None:
            return "plot or bearing, but the feed names no sensor"
        source, finder = (int.from_bytes(items.get(i, b""), "big") for i in ("010", "170"))
        finder = finder if "070" in items or "080" in items else -1
        if self.radar not in (NO_RADAR, source):
            return PASSED
        if scan.state.radar == NO_RADAR or (self.radar != NO_RADAR and scan.state.finder == -1):
            scan.state = replace(scan.state, radar=source, finder=finder)
        same = (source, finder) == (scan.state.radar, scan.state.finder)
        return "" if same else "another sensor than the first one heard"

    def _record(self, scan: _Scan, category: int, items: Mapping[str, bytes], frame: Frame, rows: Rows) -> str:
        if self.sensor is None:
            return "plot or bearing, but the feed names no sensor"
        radar = int.from_bytes(items.get("010", b"\xff\xff"), "big")
        if "010" in items and scan.state.radar == NO_RADAR:
            scan.state = replace(scan.state, radar=radar)
        if "010" not in items or radar != scan.state.radar:
            return "another radar than the first one heard" if self.radar == NO_RADAR else PASSED
        rows.messages += 1
        if category == 34:
            self._marker(scan, items, frame)
            return ""
        plot, reason = plot_of(items, frame)
        if plot is None:
            return reason
        _claims(items, plot, rows)
        self._add(scan, plot)
        return ""

    def _marker(self, scan: _Scan, items: Mapping[str, bytes], frame: Frame) -> None:
        kind = items.get("000", b"\0")[0]
        time_ns = time_of_day(items["030"], frame.received_ns) if "030" in items else frame.received_ns
        if kind == NORTH_MARKER:
            scan.state = replace(scan.state, north_heard=True, marker_heard=True, sector=-1)
            self._close(scan, time_ns)
        elif kind == SECTOR_CROSSING:
            sector = items.get("020", b"\0")[0]
            wrapped = sector < scan.state.sector and not scan.state.north_heard
            scan.state = replace(scan.state, marker_heard=True, sector=sector)
            if wrapped:
                self._close(scan, time_ns)

    def _add(self, scan: _Scan, plot: Plot) -> None:
        assert self.sensor is not None
        if scan.plots and not scan.state.marker_heard:
            silence_s = (plot.time_ns - scan.plots[-1].time_ns) * 1e-9
            turned_s = (plot.time_ns - scan.plots[0].time_ns) * 1e-9
            if silence_s > self.sensor.period_s / 2 or turned_s >= self.sensor.period_s:
                self._close(scan, scan.plots[-1].time_ns)
        scan.plots.append(plot)
        if len(scan.plots) >= PLOTS_MAX:
            self._close(scan, plot.time_ns)

    def _close(self, scan: _Scan, scan_ns: int) -> None:
        assert self.sensor is not None
        plots, scan.plots = scan.plots, []
        m = len(plots)
        rates = [p.range_rate_mps for p in plots if p.range_rate_mps is not None]
        rated = m > 0 and len(rates) == m
        space = Space.RANGE_AZIMUTH_RANGE_RATE if rated else Space.RANGE_AZIMUTH
        if m == 0:
            scan.done.append(Detections.empty(self.sensor.sensor, space, scan_ns))
            return
        z = np.array([(p.range_m, p.azimuth_rad) for p in plots])
        sigmas = [self.sensor.range_sigma_m, self.sensor.azimuth_sigma_rad]
        if rated:
            z = np.column_stack([z, rates])
            sigmas.append(self.sensor.range_rate_sigma_mps)
        scan.done.append(
            Detections(
                self.sensor.sensor,
                space,
                scan_ns,
                np.array([p.time_ns for p in plots], np.int64),
                z,
                np.tile(np.diag(np.square(sigmas)), (m, 1, 1)),
                np.array([p.address for p in plots], np.int64),
                np.array([p.frame_seq for p in plots], np.int64),
                rcs_of(plots, self.sensor),
            )
        )


def records_of(frame: Frame, refusals: Refusals) -> Iterator[tuple[int, dict[str, bytes]]]:
    """(category, items) of each record of a datagram that can be read."""
    data, at = frame.data, 0
    total = len(data)
    while at < total:
        end = at + (data[at + 1] << 8 | data[at + 2]) if at + 3 <= total else at
        if not at + 3 <= end <= total:
            refusals.add("data block does not fit its datagram", frame.seq, data[at : at + 64])
            return
        category, inside = data[at], at + 3
        if category not in CATEGORIES:
            refusals.add(f"category {category:03d} is not read", frame.seq, data[at : at + 64])
            inside = end
        try:
            while inside < end:
                inside, items = record(category, data, inside, end)
                yield category, items
        except Broken as broken:
            refusals.add(str(broken), frame.seq, data[at : at + 64])
        at = end


def time_of_day(item: bytes, received_ns: int) -> int:
    """UTC of a time of day in 1/128 s: of the three days around reception, the nearest."""
    tod_ns = int.from_bytes(item, "big") * 1_000_000_000 // 128
    nearest = received_ns - received_ns % DAY_NS + tod_ns
    if nearest - received_ns > DAY_NS // 2:
        return nearest - DAY_NS
    return nearest + DAY_NS if received_ns - nearest > DAY_NS // 2 else nearest


def plot_of(items: Mapping[str, bytes], frame: Frame) -> tuple[Plot | None, str]:
    """The plot of a CAT048 record, or why there is none."""
    kind = items.get("020", b"")
    if kind and kind[0] >> 5 == 0:
        return None, "coasted track without a detection"
    if kind and (kind[0] & 0x12 or (len(kind) > 1 and kind[1] & 0x80)):
        return None, "simulated target, test target or field monitor"
    if "040" not in items:
        return None, "plot without range and azimuth"
    rho, theta = (int.from_bytes(items["040"][i : i + 2], "big") for i in (0, 2))
    time_ns = time_of_day(items["140"], frame.received_ns) if "140" in items else frame.received_ns
    address = int.from_bytes(items["220"], "big") if "220" in items else ANONYMOUS
    azimuth = theta * (2.0 * np.pi / 65536.0)
    echo_dbm = echo_of(items.get("130", b""))
    return Plot(time_ns, rho * (NM_M / 256.0), azimuth, range_rate(items), address, frame.seq, echo_dbm), ""


def range_rate(items: Mapping[str, bytes]) -> float | None:
    """The calculated Doppler speed in m/s, when it is there and not marked doubtful."""
    item = items.get("120", b"\0")
    if not item[0] & 0x80:
        return None
    first = 1 + next((i for i, byte in enumerate(item) if not byte & 1), 0)
    value = int.from_bytes(item[first : first + 2], "big")
    if value & 0x8000:
        return None
    return float((value & 0x3FF) - ((value & 0x200) << 1))


def _claims(items: Mapping[str, bytes], plot: Plot, rows: Rows) -> None:
    """What the transponder said, when we know whose it is. Garbled and unvalidated codes say nothing."""
    if plot.address == ANONYMOUS:
        return
    rows.about(plot.time_ns, plot.frame_seq, Source.MODE_S, plot.address)
    level = int.from_bytes(items.get("090", b"\xff\xff"), "big")
    if not level & 0xC000:
        rows.value(Field.ALTITUDE_BARO_M, ((level & 0x3FFF) ^ 0x2000) - 0x2000, FLIGHT_LEVEL_M / 4.0)
    code = int.from_bytes(items.get("070", b"\xff\xff"), "big")
    if not code & 0xE000:
        rows.value(Field.SQUAWK, int(f"{code & 0xFFF:04o}"))
    if "240" in items:
        rows.text(Word.CALLSIGN, callsign(int.from_bytes(items["240"], "big")))
