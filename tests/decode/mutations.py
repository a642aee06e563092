"""A long soak of every decoder: `python -m tests.decode.mutations [COUNT] [NAME ...]` feeds COUNT (100,000) damaged or
random streams to each. No exception, no stream that takes over a second, no memory that grows without end.
"""

import random
import resource
import sys
import time

from tests.decode.helpers import T0
from tests.decode.samples import DOCUMENTS, STREAMS, decoder

from lapwing.records import Frame

LONGEST_S = 1.0
KEEP_STATE = 50  # streams in a row that one decoder's state goes through
GROWTH_MIB = 64.0  # between a tenth of the way and the end


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Bytes replaced, flipped, inserted, removed, repeated or cut; or something random altogether."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(400))
    out = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        i, kind = rng.randrange(len(out) or 1), rng.randrange(6)
        if kind == 0 and out:
            out[i] = rng.randrange(256)
        elif kind == 1 and out:
            out[i] ^= 1 << rng.randrange(8)
        elif kind == 2:
            out[i:i] = rng.randbytes(rng.randrange(1, 8))
        elif kind == 3:
            del out[i : i + rng.randrange(1, 16)]
        elif kind == 4:
            out[i:i] = out[i : i + rng.randrange(1, 64)]
        elif len(out) > 40 and rng.random() < 0.2:
            del out[i:]
    return bytes(out)


def soak(name: str, count: int, seed: int = 1) -> str:
    """What happened. Raises AssertionError, or whatever a decoder raises."""
    rng, made = random.Random(f"{name} {seed}"), decoder(name)
    parts = DOCUMENTS[name]() if name in DOCUMENTS else [STREAMS[name]()]
    made.decode(made.start(), [Frame(1, "f", T0, part) for part in parts])  # kernels are loaded at first use
    state, seq, refused, longest, early = made.start(), 0, 0, 0.0, 0.0
    for k in range(count):
        if k % KEEP_STATE == 0:
            state = made.start()
        frames = []
        for part in parts[:3]:
            seq += 1
            frames.append(Frame(seq, "f", T0 + seq * 1_000_000, damaged(rng, part[:6_000])))
        began = time.process_time()
        state, out = made.decode(state, frames)
        longest = max(longest, time.process_time() - began)
        refused += sum(f.count for f in out.faults)
        assert longest < LONGEST_S, f"{name}: a stream took {longest:.1f} s"
        if k == count // 10:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0 - early
    assert grown < GROWTH_MIB, f"{name}: memory grew by {grown:.0f} MiB"
    assert refused > 0, f"{name}: nothing was refused, so nothing was damaged"
    return f"{name}: {count} streams, {refused} refused, longest {1000.0 * longest:.0f} ms, memory +{grown:.1f} MiB"


def main() -> None:
    """The soak."""
    count = int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000
    for name in sys.argv[2:] or sorted({*DOCUMENTS, *STREAMS}):
        sys.stdout.write(soak(name, count) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
