"""How long one look at 10,000 tracks and 10,000 claims takes for the index of who was there.

make bench ARGS=bench/test_presence.py
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from lapwing.engine.presence import EVERY_NS, Presence

_path = Path(__file__).resolve().parents[1] / "tests/serve/fake_shelf.py"
_spec = importlib.util.spec_from_file_location("fake_shelf", _path)
fake_shelf = sys.modules.setdefault("fake_shelf", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(fake_shelf)


def test_one_look(benchmark, tmp_path):
    presence = Presence(tmp_path, fake_shelf.ORIGIN)
    base = fake_shelf.World(10_000, 10_000).picture(100)
    looks = iter(range(1, 1_000_000))

    def look() -> None:
        presence.add(replace(base, time_ns=base.time_ns + next(looks) * EVERY_NS))

    benchmark.pedantic(look, rounds=30, iterations=1)
