"""The world of `world.py` with three drones that say by Remote ID who and where they and their pilots are."""

from tests.decode import remoteid_samples as rid
from tests.replay.world import T0, border

SERIALS = (b"1581F4QWB22CC00302LV", b"1596F3537B0A7C21D4XE", b"1668B4KLD91AA77413QP")
PILOTS = (b"FIN87astrdge12k8", b"CHEtest123", b"GBR-OP-77ABCDEF12")
WORDS = b"call Jane Doe 5550"
FEED = '\n[[feed]]\nname = "Remote ID"\ndecoder = "remoteid"\nfrom = "listen://127.0.0.1:4"\n'


def place(k, t):
    """Where drone k is, degrees, t seconds after the start."""
    return 37.95 + 0.004 * k + 1e-5 * t, 126.60 + 0.003 * k


def pilot(k):
    """Where the person who flies drone k is, degrees."""
    return 37.9412345 + 0.0011111 * k, 126.5912345 + 0.0022222 * k


def packet(k, t):
    """One radio frame of drone k: all that it says."""
    said = rid.pack(
        rid.basic(SERIALS[k]),
        rid.location(*place(k, t)),
        rid.system(*pilot(k)),
        rid.operator(PILOTS[k]),
        rid.self_id(WORDS),
    )
    return rid.beacon(said, mac=bytes([0x60, 0x60, 0x1F, 0x30, 0x1E, k]))


def skies(seconds, seed=1):
    """The site file's text and its chunks; captures are cut in the middle, as sockets do."""
    text, chunks = border(seconds, seed)
    for second in range(1, int(seconds)):
        now = T0 + second * 10**9
        capture = rid.pcap(*(packet(k, second) for k in range(3)), time_ns=now)[0 if second == 1 else 24 :]
        half = len(capture) // 2
        chunks.append(("Remote ID", now, capture[:half]))
        chunks.append(("Remote ID", now + 300_000_000, capture[half:]))
    return text + FEED, sorted(chunks, key=lambda c: c[1])
