"""Golden values of ASTERIX: what libasterix (MIT/BSD, its own environment: its import name clashes with others) says.

Run `python builders/golden_asterix.py path/to/cat_034_048.pcap`. Writes tests/golden/asterix_034_048.json: per record
the category, a digest of every item's bytes, and the scaled values that plots are made of. The recording itself (GPL)
stays out of the project.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "tests" / "golden" / "asterix_034_048.json"
ITEMS_034 = "010 000 030 020 041 050 060 070 100 110 120 090 RE SP"
ITEMS_048 = """010 140 020 040 070 090 130 220 240 250 161 042 200 170 210 030 080 100 110 120 230 260 055 050 065 060
SP RE"""
REQUIREMENT = "libasterix==0.36.3"


def datagrams(pcap: bytes) -> list[bytes]:
    """UDP payloads of an Ethernet pcap, little-endian, IPv4."""
    found, at = [], 24
    while at + 16 <= len(pcap):
        size = int.from_bytes(pcap[at + 8 : at + 12], "little")
        packet = pcap[at + 16 : at + 16 + size]
        at += 16 + size
        header = 14 + 4 * (packet[14] & 15)
        if packet[12:14] == b"\x08\x00" and packet[23] == 17:
            length = int.from_bytes(packet[header + 4 : header + 6], "big")
            found.append(packet[header + 8 : header + length])
    return found


def digest(items: dict[str, str]) -> str:
    """The same for the same items with the same bytes."""
    return hashlib.blake2b(json.dumps(sorted(items.items())).encode(), digest_size=8).hexdigest()


def oracle(source: Path, target: Path) -> None:
    """Runs inside libasterix's environment."""
    from asterix.base import Bits, RawDatablock  # type: ignore[import-not-found]
    from asterix.generated import Cat_034_1_29, Cat_048_1_31  # type: ignore[import-not-found]

    names = {34: ITEMS_034.split(), 48: ITEMS_048.split()}
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(json.loads(source.read_text())):
        blocks = RawDatablock.parse(Bits.from_bytes(bytes.fromhex(text)))
        assert not isinstance(blocks, ValueError)
        for block in blocks:
            category = block.get_category()
            spec = Cat_034_1_29 if category == 34 else Cat_048_1_31
            records = spec.cv_uap.parse(block.get_raw_records())
            assert not isinstance(records, ValueError)
            for record in records:
                items = {n: record.get_item(n) for n in names[category]}
                raw = {n: item.unparse().to_bytes().hex() for n, item in items.items() if item is not None}
                row: dict[str, Any] = {"datagram": number, "category": category, "digest": digest(raw)}
                row["items"] = sorted(raw)
                tod = items.get("140") if category == 48 else items.get("030")
                if tod is not None:
                    row["time_of_day_s"] = tod.variation.content.as_quantity()
                if category == 48 and items["040"] is not None:
                    place = items["040"].variation
                    row["range_nm"] = place.get_item("RHO").variation.content.as_quantity()
                    row["azimuth_deg"] = place.get_item("THETA").variation.content.as_quantity()
                if category == 48 and items["220"] is not None:
                    row["address"] = items["220"].variation.content.as_uint()
                if category == 48 and items["240"] is not None:
                    row["callsign"] = items["240"].variation.content.as_string().strip()
                rows.append(row)
    target.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main(pcap: Path) -> None:
    """Ask libasterix, write the golden file."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "in.json").write_text(json.dumps([d.hex() for d in datagrams(pcap.read_bytes())]))
        venv.create(work / "env", with_pip=True)
        python = str(work / "env" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", REQUIREMENT], check=True)
        subprocess.run([python, __file__, "--oracle", str(work / "in.json"), str(TARGET)], check=True)
    print(TARGET, TARGET.stat().st_size, "bytes")


if __name__ == "__main__":
    if sys.argv[1] == "--oracle":
        oracle(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]))
