"""The battery of tests/checks.py on every decoder that a site can name."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import checks
from tests.decode import mutations
from tests.decode.helpers import T0, frames
from tests.decode.samples import DOCUMENTS, SENSOR, STREAMS, decoder

from lapwing import decode
from lapwing.records import FeedConfig, Frame

QUICK = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), derandomize=True)
CUTS = st.lists(st.integers(0, 1 << 20), max_size=6)
EDITS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255), st.integers(0, 2)), min_size=1, max_size=8)
ALL = sorted(decode.DECODERS)


def edited(data: bytes, edits: list[tuple[int, int, int]]) -> bytes:
    """Bytes replaced, inserted or removed."""
    out = bytearray(data)
    for at, byte, kind in edits:
        i = at % max(len(out), 1)
        if kind == 0 and out:
            out[i] = byte
        elif kind == 1:
            out[i:i] = bytes([byte])
        elif out:
            del out[i : i + 1 + byte % 4]
    return bytes(out)


def sample(name: str) -> list[bytes]:
    return DOCUMENTS[name]() if name in DOCUMENTS else [STREAMS[name]()]


def test_every_decoder_is_here() -> None:
    assert set(DOCUMENTS) | set(STREAMS) == set(decode.DECODERS)


@pytest.mark.parametrize("name", ALL)
def test_the_sample_says_something(name: str) -> None:
    _, out = checks.feed(decoder(name), [Frame(i + 1, "f", T0, data) for i, data in enumerate(sample(name))])
    assert sum(d.messages for d in out) > 0
    assert sum(len(d.values) + len(d.scans) for d in out) > 0


@pytest.mark.parametrize("name", ALL)
@QUICK
@given(data=st.binary(max_size=400), cuts=CUTS)
def test_random_bytes(name: str, data: bytes, cuts: list[int]) -> None:
    checks.survives(decoder(name), data, *cuts)


@pytest.mark.parametrize("name", ALL)
@QUICK
@given(edits=EDITS)
def test_damaged_recordings(name: str, edits: list[tuple[int, int, int]]) -> None:
    given_frames = [Frame(i + 1, "f", T0, edited(data, edits)) for i, data in enumerate(sample(name))]
    checks.feed(decoder(name), given_frames)


@pytest.mark.parametrize("name", sorted(STREAMS))
@QUICK
@given(cuts=CUTS, edits=st.one_of(st.just([]), EDITS))
def test_any_split_gives_the_same_rows(name: str, cuts: list[int], edits: list[tuple[int, int, int]]) -> None:
    checks.split_invariant(decoder(name), edited(STREAMS[name](), edits), *cuts)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_byte_by_byte(name: str) -> None:
    data = STREAMS[name]()[:3000]
    checks.split_invariant(decoder(name), data, *range(len(data)))


@pytest.mark.parametrize("name", ALL)
def test_pure(name: str) -> None:
    parts = sample(name)
    given_frames = [Frame(i + 1, "f", T0, data) for i, data in enumerate(parts)]
    checks.pure(decoder(name), given_frames if len(parts) > 1 else frames(parts[0], len(parts[0]) // 2))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("byte", [b"\0", b"\x1a", b"[", b"!", b"*", b'{"a":', b"\xff", b"0"])
def test_a_flood_of_one_byte(name: str, byte: bytes) -> None:
    flood = byte * (200_000 // len(byte))
    checks.feed(decoder(name), frames(flood, 70_000, 130_000))


def test_a_site_cannot_name_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match="decoder that does not exist"):
        decode.make(FeedConfig("f", "morse", "tcp"), {})
    with pytest.raises(ValueError, match="sensor that does not exist"):
        decode.make(FeedConfig("f", "json", "tcp"), {"radar": SENSOR})
    with pytest.raises(ValueError, match="sensor that does not exist"):
        decode.make(FeedConfig("f", "asterix", "udp", sensor="x"), {"radar": SENSOR})


@pytest.mark.parametrize("name", ALL)
def test_a_short_soak(name: str) -> None:
    """The long one is `python -m tests.decode.mutations`."""
    assert mutations.soak(name, 60, seed=2).startswith(f"{name}: 60 streams")
