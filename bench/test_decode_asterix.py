"""Speed of the ASTERIX reader against libasterix on the same bytes in the same run, in CPU time of one core.

libasterix lives in an environment of its own (import names clash) and is given the bytes on standard input. Both cut
data blocks into records and items; neither makes numbers of them. Ours alone also as a whole decoder, to columns."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "asterix_more.json"
REAL = ROOT.parent / "shared" / "data" / "asterix" / "croatiacontrol"
CATEGORIES = (10, 20, 21, 62, 65, 205)
EDITIONS = {
    10: "Cat_010_1_1", 20: "Cat_020_1_11", 21: "Cat_021_2_6", 34: "Cat_034_1_29", 48: "Cat_048_1_31",
    62: "Cat_062_1_20", 65: "Cat_065_1_6", 205: "Cat_205_1_0",
}  # fmt: skip
TIMES = 3
Samples = dict[str, list[str]]  # of each kind, data blocks in hexadecimal


def samples() -> Samples:
    """The golden blocks per category, and the real recordings where they are."""
    rows = json.loads(GOLDEN.read_text())
    out = {f"CAT{c:03d}": [row["block"] for row in rows if row["category"] == c] for c in CATEGORIES}
    out["golden, all"] = [row["block"] for row in rows]
    if REAL.exists():
        from tests.decode.test_asterix import datagrams

        plots = datagrams((REAL / "cat_034_048.pcap").read_bytes())
        out["real CAT034 and 048"] = [block for d in plots for block in cut(d)]
        out["real CAT062 and 065"] = cut((REAL / "cat062cat065.raw").read_bytes())
    return out


def cut(datagram: bytes) -> list[str]:
    """Its data blocks."""
    out, at = [], 0
    while at < len(datagram):
        end = at + int.from_bytes(datagram[at + 1 : at + 3], "big")
        out.append(datagram[at:end].hex())
        at = end
    return out


def rate(work, rounds: int = 5) -> float:  # type: ignore[no-untyped-def]
    """What `work` counts, per CPU second, the best of some rounds."""
    best = 0.0
    for _ in range(rounds):
        begin = time.process_time()
        count = work()
        best = max(best, count / (time.process_time() - begin))
    return best


def libasterix() -> dict[str, float]:
    """Its records per CPU second, in its own environment."""
    from tests.peers import peer

    command = [str(peer("libasterix==0.36.3") / "python"), __file__]
    ran = subprocess.run(command, input=json.dumps(samples()), capture_output=True, text=True, check=True)
    return dict(json.loads(ran.stdout))


def test_items_of_each_category(benchmark) -> None:  # type: ignore[no-untyped-def]
    from lapwing.decode import AsterixDecoder
    from lapwing.decode.asterix import records_of
    from lapwing.decode.faults import Refusals
    from lapwing.records import Frame, Position, SensorConfig

    every = {label: [bytes.fromhex(b) for b in blocks] for label, blocks in samples().items()}

    def read(given: list[bytes]) -> int:
        refusals = Refusals()
        return sum(1 for _ in range(20) for b in given for _ in records_of(Frame(1, "f", 0, b), refusals))

    def whole(given: list[bytes]) -> int:
        decoder = AsterixDecoder("f", SensorConfig("f", Position(0.8, 0.1, 0.0), "radar"))
        frames = [Frame(1, "f", 0, b) for b in given]
        for _ in range(20):
            decoder.decode(decoder.start(), frames)
        return 20 * sum(1 for f in frames for _ in records_of(f, Refusals()))

    ratios: dict[str, list[float]] = {label: [] for label in every}
    for _ in range(TIMES):
        theirs = libasterix()
        ours = {
            label: (rate(lambda g=given: read(g)), rate(lambda g=given: whole(g))) for label, given in every.items()
        }
        for label, (items, columns) in ours.items():
            ratios[label].append(items / theirs[label])
            print(f"\n{label}: {items:,.0f}/s, {columns:,.0f}/s to columns, libasterix {theirs[label]:,.0f}/s", end="")
    print("".join(f"\n{label}: {' '.join(f'{r:.0f} x' for r in all_)}" for label, all_ in ratios.items()))
    benchmark.extra_info.update({label: statistics.median(all_) for label, all_ in ratios.items()})
    benchmark.pedantic(lambda: read(every["CAT062"]), rounds=3)
    for label in set(ratios) & {"golden, all", "real CAT034 and 048", "real CAT062 and 065"}:
        assert statistics.median(ratios[label]) > 20.0, label


def oracle(given: Samples) -> dict[str, float]:
    """Records per CPU second of libasterix."""
    from asterix import generated  # type: ignore[import-not-found]
    from asterix.base import Bits, RawDatablock  # type: ignore[import-not-found]

    uaps = {category: getattr(generated, name).cv_uap for category, name in EDITIONS.items()}

    def read(blocks: list[bytes]) -> int:
        count = 0
        for b in blocks:
            (parsed,) = RawDatablock.parse(Bits.from_bytes(b))
            count += len(uaps[b[0]].parse(parsed.get_raw_records()))
        return count

    every = {label: [bytes.fromhex(text) for text in blocks] for label, blocks in given.items()}
    return {label: rate(lambda b=blocks: read(b), 3) for label, blocks in every.items()}  # type: ignore[misc]


if __name__ == "__main__":
    print(json.dumps(oracle(json.load(sys.stdin))))
