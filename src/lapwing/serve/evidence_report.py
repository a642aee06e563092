"""The report in an evidence file: one HTML page without scripts and requests, for reading and printing.

Same words in, same bytes out: whoever verifies the file makes the page again and compares.
"""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from lapwing.engine.history import TRACK
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Array, Circle, Position
from lapwing.serve.acts import Act
from lapwing.serve.evidence_told import Told
from lapwing.serve.export_paths import moment, paths
from lapwing.serve.paper import HEAD, STYLE, table

PATHS_MAX, POINTS_MAX, SIZE_PX = 400, 200, 760


def report(told: Told, acts: Sequence[Act], period: tuple[int, int], software: str) -> Iterator[str]:
    """The page. `period`: since_ns, until_ns as asked for."""
    title = f"Evidence: {told.site.name}"
    yield f"{HEAD}<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
    yield f"<p>{moment(period[0])} until {moment(period[1])} (UTC)</p>\n"
    yield "<p>Made by a machine from what its sensors received. It calls no one hostile: people judge.</p>\n"
    yield table(("", ""), _facts(told, acts, software))
    yield f"<h2>Where</h2>\n{_plot(told)}"
    yield f"<h2>Alarms: {len(told.alarms)}</h2>\n"
    yield table(("No.", "Priority", "What and why", "Raised", "Cleared", "Who saw it"), _alarms(told, acts))
    yield f"<h2>What people did: {len(acts)}</h2>\n"
    yield table(("At", "Who, from", "Alarm", "What", "Note"), map(_act, acts))
    yield f"<h2>Feeds at the end</h2>\n{table(('Feed', 'Frames', 'Faults', 'Last fault', 'Link'), _feeds(told))}"
    yield "</body></html>\n"


def _facts(told: Told, acts: Sequence[Act], software: str) -> Iterator[tuple[str, ...]]:
    yield "First and last picture", f"{moment(told.shown[0])} to {moment(told.shown[1])}"
    yield "Raw journal entries in this file", f"{told.frames[0]} to {told.frames[1]}"
    yield "Pictures run again", f"{told.ticks}, of which {told.compared} had a recorded digest; all of these agree"
    kinds = told.rows["kind"] == TRACK
    counts = [len(set(told.rows["id"][mask].tolist())) for mask in (kinds, ~kinds)]
    yield "Tracks; claims", f"{counts[0]}; {counts[1]} (a claim is somebody's own word, not evidence of a place)"
    seen = {act.alarm for act in acts if act.verb == "acknowledge"}
    yield "Alarms acknowledged", f"{len(seen)} of {len(told.alarms)}"
    if told.left_out:
        text = (
            "serial numbers and other identities of Remote ID, where people who fly are, their identities, free text. "
            f"Of the feeds {', '.join(told.left_out)} this file holds what was decoded from their bytes, and a salted "
            "SHA-256 of each entry. Numbers stand in place of addresses. The pictures are the original ones but for "
            "this, which was compared when the file was made."
        )
        yield "Left out by the maker", text
    yield "Software", f"Lapwing {software}"


def _alarms(told: Told, acts: Sequence[Act]) -> Iterator[tuple[str, ...]]:
    seen: dict[int, list[str]] = {}
    for act in acts:
        if act.verb == "acknowledge":
            seen.setdefault(act.alarm, []).append(f"{act.name}, {moment(act.at_ns)}")
    for a in told.alarms:
        where = f" ({a.zone})" if a.zone else ""
        cleared = moment(a.cleared_ns) if a.cleared_ns else "standing"
        what = f"{a.rule}{where}: {a.reason}"
        people = "; ".join(seen.get(a.alarm_id, ["nobody"]))
        yield str(a.alarm_id), a.priority.name.lower(), what, moment(a.raised_ns), cleared, people


def _act(act: Act) -> tuple[str, ...]:
    until = f" until {moment(act.until_ns)}" if act.until_ns else ""
    return moment(act.at_ns), f"{act.name}, {act.peer}", str(act.alarm), act.verb + until, act.note


def _feeds(told: Told) -> Iterator[tuple[str, ...]]:
    for f in told.feeds:
        yield f.feed, str(f.frames), str(f.faults), f.last_fault, "quiet" if f.quiet else f.link


def _plot(told: Told) -> str:
    """Tracks, claims, zones, sensors and alarms over a square of the site's plane, north up."""
    at = _Plane(told)
    every = sorted(paths(told.rows), key=lambda p: (int(p[1]["kind"][0]), -len(p[1]["id"])))
    shapes = [line for zone in told.site.zones for line in _zone(at, zone.name, zone.shape)]
    for name, path in reversed(every[:PATHS_MAX]):
        track = int(path["kind"][0]) == TRACK
        points = at.path(path)[:: max(1, len(path["id"]) // POINTS_MAX)]
        ink = 'stroke="#c2410c" stroke-width="2"' if track else 'stroke="#0f766e" stroke-width="1"'
        shapes.append(f'<polyline fill="none" {ink} points="{_points(points)}"><title>{name}</title></polyline>')
        if track:
            shapes.append(_text(points[-1], name.removeprefix("track "), "#7c2d12"))
    for sensor in told.site.sensors:
        spot = at.px(at.enu([sensor.position]))[0]
        shapes.append(f'<rect x="{spot[0] - 4:.1f}" y="{spot[1] - 4:.1f}" width="8" height="8" fill="#333"/>')
        shapes.append(_text(spot, sensor.sensor, "#333"))
    for a in told.alarms:
        x, y = at.px(np.array([[a.east_m, a.north_m]]))[0]
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="#b91c1c" stroke-width="2"/>')
        shapes.append(_text((x + 4, y + 14), f"alarm {a.alarm_id}", "#b91c1c"))
    scale = 10.0 ** np.floor(np.log10(at.half_m))
    shapes.append(
        f'<path d="M20 {SIZE_PX - 20} h{scale * at.px_per_m:.1f}" stroke="#111" stroke-width="3"/>'
        + _text((20, SIZE_PX - 28), f"{scale / 1000:g} km; north is up", "#111")
    )
    left = max(0, len(every) - PATHS_MAX)
    note = f" {left} of {len(every)} paths, claims and then the shortest tracks, are not drawn." if left else ""
    return (
        f'<svg viewBox="0 0 {SIZE_PX} {SIZE_PX}" role="img" aria-label="Tracks over zones; the tables say the same" '
        'font-family="sans-serif" font-size="12">\n' + "\n".join(shapes) + "\n</svg>\n<p>Orange: tracks (physical "
        "evidence) with their numbers; thin green: claims; dashed: zones; squares: sensors; red rings: where an "
        f"alarm's subject was last.{note}</p>\n"
    )


class _Plane:
    """The site's east-north plane on the page: around zones, sensors and tracks; around claims if nothing else is."""

    def __init__(self, told: Told) -> None:
        o = told.site.origin
        self._origin = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
        spots = [np.zeros((1, 2)), self.enu([s.position for s in told.site.sensors])]
        for zone in told.site.zones:
            if isinstance(zone.shape, Circle):
                r = zone.shape.radius_m
                spots.append(self.enu([zone.shape.centre]) + np.array([[-r, -r], [r, r]]))
            else:
                spots.append(self.enu(zone.shape.vertices))
        mine = told.rows["kind"] == TRACK
        if mine.any() or not told.site.zones:
            mine = mine if mine.any() else ~mine
            spots.append(self.path({name: column[mine] for name, column in told.rows.items()}, raw=True))
        every = np.concatenate(spots)
        self._centre = (every.min(0) + every.max(0)) / 2.0
        self.half_m = max(500.0, float((every.max(0) - every.min(0)).max()) * 0.55)
        self.px_per_m = SIZE_PX / 2.0 / self.half_m

    def enu(self, places: Sequence[Position]) -> Array:
        """East and north of places, in metres."""
        rows = [(p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m) for p in places]
        places_rad = np.array(rows, np.float64).reshape(-1, 3)
        return geodetic_to_enu(self._origin, *places_rad.T)[:, :2]

    def path(self, rows: dict[str, Array], *, raw: bool = False) -> Array:
        """History rows on the page (raw: in metres)."""
        lat, lon = np.radians(rows["latitude_deg"]), np.radians(rows["longitude_deg"])
        metres = geodetic_to_enu(self._origin, lat, lon, rows["height_m"].astype(np.float64))[:, :2]
        return metres if raw else self.px(metres)

    def px(self, metres: Array) -> Array:
        """Metres on the page."""
        return np.asarray(SIZE_PX / 2.0 + (metres - self._centre) * (self.px_per_m, -self.px_per_m))


def _zone(at: _Plane, name: str, shape: object) -> Iterator[str]:
    ink = 'fill="#1d4ed8" fill-opacity="0.06" stroke="#1d4ed8" stroke-dasharray="6 4"'
    if isinstance(shape, Circle):
        x, y = at.px(at.enu([shape.centre]))[0]
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape.radius_m * at.px_per_m:.1f}" {ink}/>'
        yield _text((x, y), name, "#1d4ed8")
    else:
        points = at.px(at.enu(shape.vertices))  # type: ignore[attr-defined]
        yield f'<polygon points="{_points(points)}" {ink}/>'
        yield _text(points.mean(0), name, "#1d4ed8")


def _points(points: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())


def _text(at: Sequence[float] | Array, words: str, colour: str) -> str:
    return f'<text x="{at[0] + 6:.1f}" y="{at[1] - 4:.1f}" fill="{colour}">{escape(words)}</text>'
