"""Speed of the ASTERIX reader in CPU time of one core. libasterix lives in an environment of its own (import names
clash); its rate on the same blocks is measured with `python bench/test_decode_asterix.py` there."""

import json
import time
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "asterix_more.json"
CATEGORIES = (10, 20, 21, 62, 65, 205)


def blocks() -> dict[int, list[bytes]]:
    """The golden blocks per category."""
    rows = json.loads(GOLDEN.read_text())
    return {c: [bytes.fromhex(row["block"]) for row in rows if row["category"] == c] for c in CATEGORIES}


def rate(work, n: int, rounds: int = 5) -> float:  # type: ignore[no-untyped-def]
    """Records per CPU second, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return n / best


def test_items_of_each_category(benchmark) -> None:  # type: ignore[no-untyped-def]
    from lapwing.decode.asterix import records_of
    from lapwing.decode.faults import Refusals
    from lapwing.records import Frame

    def read(given: list[bytes]) -> int:
        refusals = Refusals()
        return sum(1 for _ in range(20) for b in given for _ in records_of(Frame(1, "f", 0, b), refusals))

    every = blocks()
    rates = {c: rate(lambda g=given: read(g), 20 * len(given)) for c, given in every.items()}
    benchmark.extra_info.update({f"cat{c:03d}_hz": r for c, r in rates.items()})
    benchmark.pedantic(lambda: read(every[62]), rounds=3)
    print("\n" + ", ".join(f"CAT{c:03d} {r:,.0f}/s" for c, r in rates.items()))
    assert min(rates.values()) > 20_000


def oracle() -> None:
    """The same with libasterix."""
    from asterix import generated  # type: ignore[import-not-found]
    from asterix.base import Bits, RawDatablock  # type: ignore[import-not-found]

    editions = ("Cat_010_1_1", "Cat_020_1_11", "Cat_021_2_6", "Cat_062_1_20", "Cat_065_1_6", "Cat_205_1_0")
    for (category, given), edition in zip(blocks().items(), editions, strict=True):
        uap = getattr(generated, edition).cv_uap

        def read(given: list[bytes] = given, uap: type = uap) -> None:
            for b in given:
                (parsed,) = RawDatablock.parse(Bits.from_bytes(b))
                uap.parse(parsed.get_raw_records())  # type: ignore[attr-defined]

        print(f"CAT{category:03d} {rate(read, len(given)):,.0f}/s")


if __name__ == "__main__":
    oracle()
