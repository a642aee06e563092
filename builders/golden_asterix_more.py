"""Golden values of CAT010, 020, 021, 062, 065 and 205: records made and read by libasterix (MIT/BSD, own environment).

Run `python builders/golden_asterix_more.py`. Every category gets records with random subsets of its items and random
contents (seeded), as libasterix encodes them; beside each record's bytes stand the items as libasterix cuts them and
the scaled values that we use. Writes tests/golden/asterix_more.json.
"""

import json
import random
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "tests" / "golden" / "asterix_more.json"
REQUIREMENT = "libasterix==0.36.3"
EDITIONS = {10: "Cat_010_1_1", 20: "Cat_020_1_11", 21: "Cat_021_2_6", 62: "Cat_062_1_20", 65: "Cat_065_1_6",
            205: "Cat_205_1_0"}  # fmt: skip
EACH = 40
# items whose scaled values are compared: path inside the item -> name
QUANTITIES: dict[int, dict[str, tuple[str, ...]]] = {
    10: {"041": ("LAT", "LON"), "040": ("RHO", "TH"), "042": ("X", "Y"), "202": ("VX", "VY"), "140": ()},
    20: {"041": ("LAT", "LON"), "202": ("VX", "VY"), "105": (), "140": ()},
    21: {"131": ("LAT", "LON"), "130": ("LAT", "LON"), "140": (), "145": (), "073": (), "071": ()},
    62: {"105": ("LAT", "LON"), "185": ("VX", "VY"), "136": (), "220": (), "070": ()},
    65: {"030": ()},
    205: {"070": (), "080": (), "200": (), "030": ()},
}


def variable(layout: Any, rng: random.Random) -> bytes:
    """Random bytes of one item: the layout as (kind, detail) that `shape` gave."""
    kind, detail = layout
    if kind == "F":
        return rng.randbytes(detail)
    if kind == "X":
        n = rng.randint(1, detail[1])
        pieces = [bytearray(rng.randbytes(detail[0])) for _ in range(n)]
        for i, piece in enumerate(pieces):
            piece[-1] = piece[-1] & 0xFE | (i + 1 < n)
        return b"".join(bytes(p) for p in pieces)
    if kind == "R":
        n = rng.randint(1, 3)
        return bytes([n]) + rng.randbytes(n * detail)
    if kind == "E":
        n = rng.randint(1, 6)
        return bytes([n + 1]) + rng.randbytes(n)
    chosen = [i for i, part in enumerate(detail) if part is not None and rng.random() < 0.4] or [0]
    return presence(chosen) + b"".join(variable(detail[i], rng) for i in chosen)


def presence(numbers: list[int]) -> bytes:
    """A presence field with these bits set."""
    octets = [0] * (max(numbers) // 7 + 1)
    for n in numbers:
        octets[n // 7] |= 0x80 >> n % 7
    return bytes(o | (i + 1 < len(octets)) for i, o in enumerate(octets))


def shape(rule: Any) -> Any:
    """How long an item is, from libasterix's definition of it."""
    variation = getattr(rule, "cv_variation", None) or rule.cv_default_variation
    kind = variation.__mro__[1].__name__
    if kind in ("Element", "Group"):
        return "F", variation.cv_bit_size // 8
    if kind == "Extended":
        return "X", (1, len(variation.cv_items_list))
    if kind == "Repetitive":
        inner = variation.cv_variation.cv_bit_size
        return ("R", inner // 8) if getattr(variation, "cv_rep_bytes", None) else ("X", ((inner + 1) // 8, 3))
    if kind == "Compound":
        return "C", [None if part is None else shape(part.cv_rule) for part in variation.cv_items_list]
    return "E", None


def oracle(target: Path) -> None:
    """Runs inside libasterix's environment."""
    from asterix import generated  # type: ignore[import-not-found]
    from asterix.base import Bits, RawDatablock  # type: ignore[import-not-found]

    rng, rows = random.Random(335), []
    for category, edition in EDITIONS.items():
        spec = getattr(generated, edition)
        members = spec.cv_uap.cv_record.cv_items_list
        uap: list[Any] = [getattr(item, "cv_non_spare", None) for item in members]
        for _ in range(EACH):
            chosen = [i for i, item in enumerate(uap) if item is not None and (i == 0 or rng.random() < 0.45)]
            body = presence(chosen) + b"".join(variable(shape(uap[i].cv_rule), rng) for i in chosen)
            block = bytes([category]) + (len(body) + 3).to_bytes(2, "big") + body
            (parsed,) = RawDatablock.parse(Bits.from_bytes(block))
            (record,) = spec.cv_uap.parse(parsed.get_raw_records())
            items = {uap[i].cv_name: record.get_item(uap[i].cv_name) for i in chosen}
            values = {}
            for name, inner in QUANTITIES[category].items():
                if name in items:
                    found = [items[name].variation.get_item(i) for i in inner] or [items[name]]
                    values[name] = [f.variation.content.as_quantity() for f in found]
            raw = {name: item.unparse().to_bytes().hex() for name, item in items.items()}
            rows.append({"category": category, "block": block.hex(), "items": raw, "values": values})
    target.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main() -> None:
    """Ask libasterix, write the golden file."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "env", with_pip=True)
        python = str(Path(folder) / "env" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", REQUIREMENT], check=True)
        subprocess.run([python, __file__, "--oracle", str(TARGET)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--oracle"]:
        oracle(Path(sys.argv[2]))
    else:
        main()
