"""A browser and a server for the seat's tests. Skips loudly where there is no Chromium."""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapwing.serve.acts import Acts
from lapwing.serve.listening import serve_web
from lapwing.serve.web import WebOptions, create_app
from tests.replay.test_replay import drive
from tests.replay.world import border
from tests.serve import fake_shelf
from tests.serve.recorded import recorded

CHROMIUM = next((p for p in ("/usr/bin/chromium", shutil.which("chromium-browser")) if p and Path(p).exists()), None)
WEBGL = ["--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
NO_WEBGL = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis", "--disable-accelerated-2d-canvas"]


class Stand:
    """A fake shelf served from a thread of its own; `advance` moves the world on. Starts again on the same port."""

    def __init__(self, tick: int, folder: Path, **options) -> None:
        self._tick, self._options = tick, options
        self._acts = Acts(folder / "acts.sqlite")
        self.port = 0

    def make(self):
        """The shelf and the application over it."""
        shelf = fake_shelf.FakeShelf(fake_shelf.World(), self._tick)
        return shelf, create_app(shelf, fake_shelf.make_site(), WebOptions(acts=self._acts, **self._options))

    def start(self) -> None:
        self.shelf, self._app = self.make()
        self._bound = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._bound.wait(10), "the server did not start"

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            await serve_web(self._app, "127.0.0.1", self.port, self._listens)

    def _listens(self, port: int) -> None:
        self.port = port
        self._bound.set()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def advance(self, ticks: int = 1) -> None:
        self._loop.call_soon_threadsafe(self.shelf.advance, ticks)

    def show(self, picture) -> None:
        """A picture of the test's own; its tick must be greater than that of the last one."""
        self._loop.call_soon_threadsafe(self.shelf.put, picture)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def stand(tmp_path) -> Iterator[Stand]:
    made = Stand(400, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def alarmed(tmp_path) -> Iterator[Stand]:
    """The stand later on, when the drone's alarm stands."""
    made = Stand(580, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")  # Playwright holds an event loop: it must be gone before async tests of other files
def launch():
    """`launch(args)` gives a fresh Chromium; all are closed at the end of the file."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the page itself is NOT tested")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = []

        def start(args=WEBGL):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=args)
            opened.append(browser)
            return browser

        yield start
        for browser in opened:
            browser.close()


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, border(35.0))
    return folder


class RecordedStand(Stand):
    """A journal that was really recorded; live is what `show` puts there."""

    def __init__(self, folder, acts):
        self._folder, self._acts, self.port = folder, Acts(acts / "acts.sqlite"), 0

    def make(self):
        shelf, site, self.rows = recorded(self._folder)
        self.site = site
        shelf.put(self.rows[50].picture)
        return shelf, create_app(shelf, site, WebOptions(acts=self._acts, journal=self._folder))

    def show(self, tick):
        self._loop.call_soon_threadsafe(self.shelf.put, self.rows[tick].picture)


@pytest.fixture
def past(journal, tmp_path):
    made = RecordedStand(journal, tmp_path)
    made.start()
    yield made
    made.stop()
