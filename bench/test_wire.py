"""How long a picture of 10,000 tracks takes to encode, beside the plainest peer (json of lists) in the same run.

make bench ARGS=bench/test_wire.py
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from lapwing.serve.wire import encode_picture, place

_path = Path(__file__).resolve().parents[1] / "tests/serve/fake_shelf.py"
_spec = importlib.util.spec_from_file_location("fake_shelf", _path)
fake_shelf = sys.modules.setdefault("fake_shelf", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(fake_shelf)
N = 10_000


@pytest.mark.parametrize("kind", ["tracks", "claims"])
def test_encode_picture(benchmark, kind):
    world = fake_shelf.World(n_tracks=N * (kind == "tracks"), n_claims=N * (kind == "claims"))
    picture = world.picture(100)
    message = benchmark(encode_picture, picture, fake_shelf.ORIGIN)
    benchmark.extra_info["bytes_per_row"] = round(len(message) / N, 2)


def test_peer_json_of_columns(benchmark):
    picture = fake_shelf.World(n_tracks=N, n_claims=0).picture(100)

    def encode() -> bytes:
        where = place(fake_shelf.ORIGIN, picture.tracks.mean, picture.tracks.cov)
        columns = [picture.tracks.track_id, where.latitude_rad, where.longitude_rad, where.height_ellipsoid_m]
        columns += [where.speed_mps, where.course_rad, where.velocity_mps[:, 2], where.major_m, where.minor_m]
        columns += [where.orientation_rad, picture.tracks.existence, picture.tracks.status, picture.tracks.updated_ns]
        return json.dumps([c.tolist() for c in columns]).encode()

    message = benchmark(encode)
    benchmark.extra_info["bytes_per_row"] = round(len(message) / N, 2)
