"""Small code words of Mode S: altitude, identity, movement, integrity categories. Scalars in, scalars out.

An altitude that is not given comes back as NO_ALTITUDE (law 7: no NaN).
"""

from numba import njit

NO_ALTITUDE = -1e9
NO_SPEED = -1.0
FOOT_M = 0.3048
KNOT_MPS = 1852.0 / 3600.0


@njit(cache=True, forceinline=True)
def _gray(code: int) -> int:
    """The number whose Gray code this is."""
    value = code
    shift = code >> 1
    while shift:
        value ^= shift
        shift >>= 1
    return value


@njit(cache=True, forceinline=True)
def gillham_ft(code: int) -> float:
    """Altitude of a 13-bit Mode C code (C1 A1 C2 A2 C4 A4 M B1 Q B2 D2 B4 D4, M = Q = 0) in hundreds of feet."""
    c1, a1, c2, a2 = (code >> 12) & 1, (code >> 11) & 1, (code >> 10) & 1, (code >> 9) & 1
    c4, a4, b1, b2 = (code >> 8) & 1, (code >> 7) & 1, (code >> 5) & 1, (code >> 3) & 1
    d2, b4, d4 = (code >> 2) & 1, (code >> 1) & 1, code & 1
    five = _gray(d2 << 7 | d4 << 6 | a1 << 5 | a2 << 4 | a4 << 3 | b1 << 2 | b2 << 1 | b4)
    hundred = _gray(c1 << 2 | c2 << 1 | c4)
    if hundred in (0, 5, 6):
        return NO_ALTITUDE
    if hundred == 7:
        hundred = 5
    if five % 2:
        hundred = 6 - hundred
    return 500.0 * five + 100.0 * hundred - 1300.0


@njit(cache=True, forceinline=True)
def altitude13_m(code: int) -> float:
    """Metres of a 13-bit altitude code; metric codes (M = 1) and all zeros are refused."""
    if code == 0 or code & 0x40:
        return NO_ALTITUDE
    if code & 0x10:
        return (25.0 * _eleven(code) - 1000.0) * FOOT_M
    feet = gillham_ft(code)
    return NO_ALTITUDE if feet == NO_ALTITUDE else feet * FOOT_M


@njit(cache=True, forceinline=True)
def _eleven(code: int) -> int:
    """The 13-bit code without its M and Q bits."""
    return ((code >> 7) << 5) | (((code >> 5) & 1) << 4) | (code & 0xF)


@njit(cache=True, forceinline=True)
def altitude12_m(code: int) -> float:
    """Metres of the 12-bit altitude code of an airborne position."""
    if code == 0:
        return NO_ALTITUDE
    return altitude13_m(((code & 0xFC0) << 1) | (code & 0x3F))


@njit(cache=True, forceinline=True)
def squawk(code: int) -> int:
    """Mode A code: four octal digits as a decimal number, 0..7777."""
    a = ((code >> 7) & 1) << 2 | ((code >> 9) & 1) << 1 | ((code >> 11) & 1)
    b = ((code >> 1) & 1) << 2 | ((code >> 3) & 1) << 1 | ((code >> 5) & 1)
    c = ((code >> 8) & 1) << 2 | ((code >> 10) & 1) << 1 | ((code >> 12) & 1)
    d = (code & 1) << 2 | ((code >> 2) & 1) << 1 | ((code >> 4) & 1)
    return 1000 * a + 100 * b + 10 * c + d


@njit(cache=True, forceinline=True)
def movement_kt(code: int) -> float:
    """Ground speed of a surface position, lower edge of its step; NO_SPEED where the code says none."""
    if code == 0 or code > 124:
        return NO_SPEED
    if code == 1:
        return 0.0
    if code < 9:
        return 0.125 * (code - 1)
    if code < 13:
        return 1.0 + 0.25 * (code - 9)
    if code < 39:
        return 2.0 + 0.5 * (code - 13)
    if code < 94:
        return 15.0 + (code - 39)
    if code < 109:
        return 70.0 + 2.0 * (code - 94)
    if code < 124:
        return 100.0 + 5.0 * (code - 109)
    return 175.0


@njit(cache=True, forceinline=True)
def nic_airborne(type_code: int, version: int, a: int, b: int) -> int:
    """NIC of an airborne position (type codes 0, 9..18, 20..22) under ADS-B version 1 and up."""
    if type_code in (9, 20):
        return 11
    if type_code in (10, 21):
        return 10
    both = (a == 1 and b == 1) if version >= 2 else a == 1
    if type_code == 11:
        return 9 if both else 8
    if type_code == 16:
        return 3 if both else 2
    if 12 <= type_code <= 15:
        return 19 - type_code
    return 1 if type_code == 17 else 0


@njit(cache=True, forceinline=True)
def nic_surface(type_code: int, version: int, a: int, c: int) -> int:
    """NIC of a surface position (type codes 5..8) under ADS-B version 1 and up."""
    if type_code == 5:
        return 11
    if type_code == 6:
        return 10
    if type_code == 7:
        return 9 if a == 1 and (version < 2 or c == 0) else 8
    if version < 2:
        return 0
    return 7 if a == 1 and c == 1 else (6 if a != c else 0)
