"""Plots as inline SVG, without anybody else's code: lines, dots, axes. Axes: k points."""

from dataclasses import dataclass, field
from html import escape

import numpy as np

Array = np.ndarray
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 460, 300, 58, 36, 26, 12
COLOURS = {
    "lapwing": "#0b6e99",
    "naive": "#c2571a",
    "pmbm": "#5b3fa0",
    "truth": "#8a8f98",
    "detected": "#5b3fa0",
    "tracked": "#0b6e99",
    "identified": "#2e7d32",
    "honest": "#8a8f98",
    "chance": "#8a8f98",
}


@dataclass
class Plot:
    """A titled pair of axes with series on it; `equal` keeps metres square."""

    title: str
    x_label: str
    y_label: str
    equal: bool = False
    lines: list[tuple[str, Array, Array, bool]] = field(default_factory=list)
    limits: tuple[float, float, float, float] | None = None
    note: str = ""  # what a reader must know, under the figure

    def line(self, name: str, x: Array, y: Array, dots: bool = False) -> "Plot":
        """Add a series; a NaN breaks the line."""
        self.lines.append((name, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), dots))
        return self

    def svg(self) -> str:
        """The figure."""
        x0, x1, y0, y1 = self.limits or self._limits()
        w, h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        if self.equal:
            scale = max((x1 - x0) / w, (y1 - y0) / h)
            mx, my = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
            x0, x1, y0, y1 = mx - 0.5 * scale * w, mx + 0.5 * scale * w, my - 0.5 * scale * h, my + 0.5 * scale * h

        def at(x: Array, y: Array) -> tuple[Array, Array]:
            return LEFT + (x - x0) / (x1 - x0) * w, TOP + (y1 - y) / (y1 - y0) * h

        out = [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(self.title)}</title>',
            f'<text x="{LEFT}" y="16" class="t">{escape(self.title)}</text>',
            f'<rect x="{LEFT}" y="{TOP}" width="{w}" height="{h}" class="f"/>',
        ]
        for v in ticks(x0, x1):
            px = float(at(np.array(v), np.array(y0))[0])
            out.append(f'<path d="M{px:.1f} {TOP}v{h}" class="g"/><text x="{px:.1f}" y="{TOP + h + 14}" '
                       f'text-anchor="middle">{v:g}</text>')  # fmt: skip
        for v in ticks(y0, y1):
            py = float(at(np.array(x0), np.array(v))[1])
            out.append(f'<path d="M{LEFT} {py:.1f}h{w}" class="g"/><text x="{LEFT - 5}" y="{py + 3:.1f}" '
                       f'text-anchor="end">{v:g}</text>')  # fmt: skip
        out.append(f'<text x="{LEFT + w / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(self.x_label)}</text>')
        out.append(f'<text x="12" y="{TOP + h / 2}" transform="rotate(-90 12 {TOP + h / 2})" '
                   f'text-anchor="middle">{escape(self.y_label)}</text>')  # fmt: skip
        for name, x, y, dots in self.lines:
            out.append(_series(*at(x, y), COLOURS.get(name, "#555"), dots))
        return "".join([*out, self._legend(), "</svg>"])

    def figure(self) -> str:
        """The figure with its note, as HTML."""
        return f"<figure>{self.svg()}<figcaption>{escape(self.note)}</figcaption></figure>"

    def _limits(self) -> tuple[float, float, float, float]:
        xs = np.concatenate([x for _, x, _, _ in self.lines] or [np.zeros(1)])
        ys = np.concatenate([y for _, _, y, _ in self.lines] or [np.zeros(1)])
        xs, ys = xs[np.isfinite(xs)], ys[np.isfinite(ys)]
        x0, x1 = (float(xs.min()), float(xs.max())) if len(xs) else (0.0, 1.0)
        y0, y1 = (float(ys.min()), float(ys.max())) if len(ys) else (0.0, 1.0)
        y0 = y0 if self.equal else min(y0, 0.0)
        return x0, max(x1, x0 + 1e-9), y0, y1 + 0.05 * (y1 - y0) + 1e-9

    def _legend(self) -> str:
        """The names in their colours, above the frame, where they hide nothing."""
        names = dict.fromkeys(name for name, *_ in self.lines)
        spans = (f'<tspan dx="8" fill="{COLOURS.get(name, "#555")}">{escape(name)}</tspan>' for name in names)
        return f'<text x="{WIDTH - RIGHT}" y="16" text-anchor="end">{"".join(spans)}</text>'


def _series(px: Array, py: Array, colour: str, dots: bool) -> str:
    if dots:
        good = np.isfinite(px) & np.isfinite(py)
        return "".join(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>'
            for a, b in zip(px[good].tolist(), py[good].tolist(), strict=True)
        )
    parts, pen = [], "M"
    for a, b in zip(px.tolist(), py.tolist(), strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            pen = "M"
            continue
        parts.append(f"{pen}{a:.1f} {b:.1f}")
        pen = "L"
    return f'<path d="{"".join(parts)}" fill="none" stroke="{colour}" stroke-width="1.2"/>'


def ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers in an interval."""
    span = max(high - low, 1e-12)
    step = 10.0 ** np.floor(np.log10(span / 3.0))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if span / (factor * step) <= 6.0:
            step *= factor
            break
    first = np.ceil(low / step - 1e-9)
    return [float(np.round(k * step, 12)) + 0.0 for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]
