"""Claims of a real airliner that was jammed and spoofed (2024-09-17, one-second state vectors)."""

import gzip
import json

import numpy as np

from lapwing.records import Decoded, Doubt, Field, Position, Positions, Source, Values
from lapwing.track import ClaimSettings, claims_start, claims_step

TICK_NS = 15_000_000_000


def test_a_spoofed_airliner_is_followed_with_doubt(shared_recording):
    """Few reports are disbelieved, at the jumps alone; each jump is followed within three reports and stays marked. One
    of them, 12 km after 72 s without a position, is where a turn could have taken it: that is no jump."""
    with gzip.open(shared_recording("adsb/traffic_samples/noisy_spoofing.json.gz")) as file:
        data = json.load(file)
    names = ("latitude", "longitude", "groundspeed", "track", "last_position")
    columns = [[data[name][key] for key in data["latitude"]] for name in names]
    table = np.array(columns, dtype=float).T
    table = table[np.isfinite(table).all(axis=1)]
    _, first = np.unique(table[:, :2], axis=0, return_index=True)  # a state vector repeats the last position
    table = table[first][np.argsort(table[first, 4], kind="stable")]
    ns = table[:, 4].astype(np.int64) * 1_000_000
    origin, settings = Position(np.radians(47.0), np.radians(22.0), 0.0), ClaimSettings()
    claims, doubted, disbelieved = claims_start(settings), 0, 0
    for begin in range(int(ns[0]), int(ns[-1]), TICK_NS):
        now = np.flatnonzero((ns > begin) & (ns <= begin + TICK_NS))
        m, both = len(now), np.repeat(now, 2)
        i = np.zeros(m, dtype=np.int64)
        positions = Positions(ns[now], now, i, i + 1, *np.radians(table[now, :2]).T.copy(), i)
        numbers = np.stack([table[now, 2] * 0.514444, np.radians(table[now, 3])], axis=1).ravel()
        kinds = np.tile(np.array([Field.GROUND_SPEED_MPS, Field.TRACK_RAD], dtype=np.int64), m)
        ones = np.ones(2 * m, dtype=np.int64)
        decoded = Decoded(positions, Values(ns[both], both, ones * int(Source.ADSB), ones, kinds, numbers))
        claims = claims_step(claims, decoded, settings, origin, begin + TICK_NS)
        if m:
            assert claims.rejected[0] < settings.reinitialise_after
            disbelieved += int(claims.rejected[0] > 0)
            doubted += int(bool(claims.doubt[0] & Doubt.JUMP))
    assert disbelieved <= 3
    assert 2 <= doubted <= 20  # a minute of ticks after each jump
