"""Numbers out of text and JSON that may be hostile bytes: a finite float, or None. Nothing here raises."""

import math
import re

FOOT_M = 0.3048
KNOT_MPS = 1852.0 / 3600.0
FPM_MPS = FOOT_M / 60.0
_DECIMAL = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{1,6}", re.ASCII)


def number(text: str) -> float | None:
    """A plain decimal number; no exponent, no NaN, no infinity, no underscore."""
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def hexadecimal(text: str) -> int | None:
    """A 24-bit address."""
    return int(text, 16) if _HEX.fullmatch(text) else None


def finite(value: object) -> float | None:
    """A JSON number as a finite float; booleans, strings and numbers beyond 1e15 are not numbers."""
    if type(value) is int:
        return float(value) if -(10**15) <= value <= 10**15 else None
    if type(value) is float and math.isfinite(value) and abs(value) <= 1e15:
        return value
    return None


def bounded(value: float | None, low: float, high: float) -> float | None:
    """The value when it is within bounds."""
    return value if value is not None and low <= value <= high else None


def whole(value: object, low: int, high: int) -> int | None:
    """A JSON integer within bounds (3.0 is 3)."""
    x = finite(value)
    return int(x) if x is not None and x == int(x) and low <= x <= high else None


def angle(degrees: float | None) -> float | None:
    """Radians in [0, 2 pi) of -180..360 degrees."""
    if degrees is None or not -180.0 <= degrees <= 360.0:
        return None
    return math.radians(degrees % 360.0)
