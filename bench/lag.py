"""How late the event loop wakes while the tracker predicts 10,000 tracks in another thread.

    uv run python bench/lag.py

Everything that the server does besides tracking waits so long: reading sockets, answering, encoding pictures. Prints
the lag of 150 waits of 5 ms in milliseconds. The kernels must let go of Python's lock (tests/test_house.py).
"""

import threading
import time

import numpy as np

from lapwing.kernel.manoeuvre import NEVER, changes, predict_modes
from lapwing.track import AIR, TrackSettings

TRACKS, WAITS, WAIT_S = 10_000, 150, 0.005


def main() -> None:
    """Run and report."""
    modes, rng = TrackSettings(modes=AIR).kinematics, np.random.default_rng(1)
    count = len(modes.modes)
    root = rng.normal(size=(TRACKS, count, 6, 6))
    beliefs = np.full((TRACKS, count), 1.0 / count), rng.normal(size=(TRACKS, count, 6)), root @ root.swapaxes(-1, -2)
    change, stop = changes(modes.rates, 0.2), threading.Event()
    predict_modes(beliefs, change, 0.2, modes.modes, NEVER)  # compiled

    def track() -> None:
        while not stop.is_set():
            predict_modes(beliefs, change, 0.2, modes.modes, NEVER)

    tracker, lags = threading.Thread(target=track), []
    tracker.start()
    for _ in range(WAITS):
        began = time.perf_counter()
        time.sleep(WAIT_S)
        lags.append(1000.0 * (time.perf_counter() - began - WAIT_S))
    stop.set()
    tracker.join()
    print("lag, ms: median {:.1f}, p95 {:.1f}, longest {:.1f}".format(*np.percentile(lags, [50, 95, 100])))


if __name__ == "__main__":
    main()
