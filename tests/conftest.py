"""Shared by all tests: shape and type checks at run time on every room but kernel/, and where recordings lie."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED = [
    "lapwing.records",
    "lapwing.decode",
    "lapwing.track",
    "lapwing.integrity",
    "lapwing.alarm",
    "lapwing.engine",
]
_hook = install_import_hook(CHECKED, "beartype.beartype")

# Locally hypothesis explores anew each time; in CI it tries the same examples for the same code.
settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def recording(relative: str) -> Path:
    """A real recording beside the checkout; skips loudly where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"real recording not here: shared/data/{relative}")
    return path


@pytest.fixture(scope="session", autouse=True)
def unforgiving():
    """A tick that fails is a failed test: nothing is set aside (engine/aside.py) but in tests marked `spared`."""
    from lapwing.engine import tick

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tick, "sparing", lambda _state, _frames, _tick, whole: whole({}))
        yield


@pytest.fixture(autouse=True)
def spared(request, monkeypatch):
    if request.node.get_closest_marker("spared"):
        from lapwing.engine import aside, tick

        monkeypatch.setattr(tick, "sparing", aside.sparing)


@pytest.fixture
def shared_recording():
    return recording
