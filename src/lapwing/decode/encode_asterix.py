"""A picture's tracks to ASTERIX CAT062 data blocks, with CAT065 end of batch and service status. Pure.

Items told of a track: 010, 015, 070, 105, 185, 380 (address, when a plot brought one), 040, 080, 130 and 220 (when
the height is known), 500 (accuracy). Never 136: pressure altitude is not ours to say. Layouts and units as the reader
has them; read back by our own reader in tests. Tentative tracks are not told.
"""

import numpy as np

from lapwing.decode.asterix_items import CATEGORIES
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import ANONYMOUS, Picture, Position, TrackStatus

BLOCK_BYTES_MAX = 1_400  # within one unfragmented datagram
FOOT_M = 0.3048
HEIGHT_SIGMA_M_MAX = 500.0
SERVICE = 1
SERVICE_STATUS, END_OF_BATCH = 1, 2


def blocks(picture: Picture, origin: Position, sac: int, sic: int) -> list[bytes]:
    """CAT062 blocks of all confirmed and coasting tracks, then CAT065; each fits one datagram."""
    at = np.flatnonzero(picture.tracks.status != TrackStatus.TENTATIVE)
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    latitude, longitude, height = enu_to_geodetic(place, picture.tracks.mean[at, :3])
    out: list[bytes] = []
    body = b""
    for k, i in enumerate(at.tolist()):
        told = _track(picture, i, (float(latitude[k]), float(longitude[k]), float(height[k])), bytes((sac, sic)))
        if len(body) + len(told) + 3 > BLOCK_BYTES_MAX:
            out.append(block(62, body))
            body = b""
        body += told
    if body:
        out.append(block(62, body))
    service = {"010": bytes((sac, sic)), "015": bytes((SERVICE,)), "030": time_of_day(picture.time_ns)}
    end = {**service, "000": bytes((END_OF_BATCH,)), "020": bytes(((picture.tick - 1) % 256,))}
    status = {**service, "000": bytes((SERVICE_STATUS,)), "040": b"\x00"}  # 040: data released for operational use
    return [*out, block(65, record(65, end) + record(65, status))]


def block(category: int, body: bytes) -> bytes:
    """A data block."""
    return bytes((category,)) + (len(body) + 3).to_bytes(2, "big") + body


def record(category: int, items: dict[str, bytes]) -> bytes:
    """A record of these items, in the order of the category."""
    order = [name for name, _ in CATEGORIES[category]]
    chosen = sorted(order.index(name) for name in items)
    return presence(chosen) + b"".join(items[order[number]] for number in chosen)


def presence(numbers: list[int]) -> bytes:
    """A presence field with these bits (from 0) set."""
    octets = [0] * (max(numbers) // 7 + 1)
    for number in numbers:
        octets[number // 7] |= 0x80 >> number % 7
    return bytes(octet | (i + 1 < len(octets)) for i, octet in enumerate(octets))


def time_of_day(time_ns: int) -> bytes:
    """1/128 s since midnight UTC."""
    return (time_ns % 86_400_000_000_000 * 128 // 1_000_000_000).to_bytes(3, "big")


def signed(value: float, size: int) -> bytes:
    """The nearest whole number, as far as `size` bytes can say."""
    limit = 1 << (8 * size - 1)
    return int(max(-limit, min(limit - 1, round(value)))).to_bytes(size, "big", signed=True)


def _track(picture: Picture, i: int, where: tuple[float, float, float], source: bytes) -> bytes:
    t = picture.tracks
    half = 1 << 25
    east, north, up = t.mean[i, 3:].tolist()
    coasting = t.status[i] == TrackStatus.COASTING
    items = {
        "010": source,
        "015": bytes((SERVICE,)),
        "070": time_of_day(t.time_ns),
        "105": signed(where[0] / np.pi * half, 4) + signed(where[1] / np.pi * half, 4),
        "185": signed(east / 0.25, 2) + signed(north / 0.25, 2),
        "040": (int(t.track_id[i]) & 0xFFFF).to_bytes(2, "big"),
        "080": b"\x01\x01\x01\x80" if coasting else b"\x00",  # the bit of the fourth octet: coasting
    }
    height_sigma_m = float(np.sqrt(t.cov[i, 2, 2]))
    sigmas = np.sqrt(np.diagonal(t.cov[i, :2, :2]))
    per_unit_rad = np.pi / half  # of item 500 APW; one radian of latitude is about 6,371 km
    shrink = max(np.cos(where[0]), 0.01)
    accuracy = [sigmas[1] / 6_371_000.0 / per_unit_rad, sigmas[0] / 6_371_000.0 / shrink / per_unit_rad]
    items["500"] = b"\x20" + b"".join(min(round(a), 0xFFFF).to_bytes(2, "big") for a in accuracy)
    if height_sigma_m <= HEIGHT_SIGMA_M_MAX:
        items["130"] = signed(where[2] / FOOT_M / 6.25, 2)
        items["220"] = signed(up * 60.0 / FOOT_M / 6.25, 2)
    if t.address[i] != ANONYMOUS and 0 <= t.address[i] < 1 << 24:
        items["380"] = b"\x80" + int(t.address[i]).to_bytes(3, "big")
    return record(62, items)
