"""Golden values of Mode S: what rs1090 (MIT) and pyModeS (GPL, oracle only) say of the same frames.

Run `python builders/golden_modes.py` in the project's environment. It makes one environment per oracle in a temporary
folder, lets each decode (a) the 57,793 real frames of the `traffic` wheel and (b) made-up squitters of the kinds that
the recording lacks, and writes tests/golden/modes.npz: per oracle and field the indices and the values, in the
oracle's own units. Nothing of the oracles' code enters the project.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

ORACLES = {"rs1090": "rs1090==0.7.0", "pymodes": "pyModeS==3.6.1"}
TARGET = Path(__file__).resolve().parents[1] / "tests" / "golden" / "modes.npz"
KINDS = (
    (31, 0),
    (31, 1),
    (29, 1),
    (28, 1),
    (19, 1),
    (19, 2),
    (19, 3),
    (19, 4),
    (2, 0),
    (4, 3),
    (7, 0),
    (11, 0),
    (13, 1),
)
EACH = 60
RS1090 = """altitude squawk callsign groundspeed track vertical_rate vrate_src geo_minus_baro latitude longitude NACv
version NACp GVA SIL BAI HRD selected_altitude nic_baro IAS TAS heading bds50.roll bds50.track bds50.groundspeed
bds50.track_rate bds50.TAS bds60.heading bds60.IAS bds60.Mach bds60.vrate_barometric"""
PYMODES = """altitude squawk callsign category groundspeed track vertical_rate vr_source geo_minus_baro nac_v version
nac_p sil nic_baro hrd selected_altitude airspeed airspeed_type heading"""
KEEP = {"rs1090": RS1090.split(), "pymodes": PYMODES.split()}


def recording() -> tuple[list[str], list[float]]:
    """Frames and times of the recording inside the `traffic` wheel, which is found without being imported."""
    spec = importlib.util.find_spec("traffic")
    assert spec
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data/samples/rs1090/full_flight_short.jsonl"
    rows = [json.loads(line) for line in path.open()]
    return [row["frame"] for row in rows], [row["timestamp"] for row in rows]


def with_parity(body: bytes) -> bytes:
    """The frame with its parity: long division, bit by bit."""
    rest, bits = int.from_bytes(body + b"\0\0\0", "big"), 8 * len(body)
    for i in range(bits):
        if rest >> (bits + 23 - i) & 1:
            rest ^= 0x1FFF409 << (bits - 1 - i)
    return body + rest.to_bytes(3, "big")


def made_up() -> list[str]:
    """Random squitters of each kind, the fields that select a layout set to defined values."""
    rng = np.random.default_rng(1090)
    frames = []
    for code, subtype in KINDS:
        for _ in range(EACH):
            me = rng.integers(0, 256, 7, dtype=np.uint8)
            me[0] = code << 3 | (subtype << 1 | int(me[0]) & 1 if code == 29 else subtype)
            if code == 31:
                me[1] &= 0x3F
                me[3] &= 0x3F
                me[5] = int(me[5]) & 0x1F | int(rng.integers(1, 3)) << 5
            frames.append(with_parity(bytes([0x8D, 0x48, 0x40, 0xD6]) + me.tobytes()).hex())
    return frames


def ask_rs1090(frames: list[str], times: list[float]) -> list[dict[str, Any]]:
    """One dictionary per frame."""
    import rs1090

    return [dict(said) for said in rs1090.decode(frames, times)]


def ask_pymodes(frames: list[str], _times: list[float]) -> list[dict[str, Any]]:
    """One dictionary per frame."""
    import pyModeS  # type: ignore[import-not-found]

    return [dict(pyModeS.decode(frame)) for frame in frames]


def oracle(name: str, source: Path, target: Path) -> None:
    """Runs inside the oracle's own environment."""
    asked = json.loads(source.read_text())
    ask = ask_rs1090 if name == "rs1090" else ask_pymodes
    columns: dict[str, Any] = {}
    for part, (frames, times) in asked.items():
        for field in KEEP[name]:
            head, _, inner = field.partition(".")
            rows = []
            for i, said in enumerate(ask_once(ask, frames, times, part)):
                value = said.get(head)
                if inner:
                    value = value.get(inner) if isinstance(value, dict) else None
                if value is not None:
                    rows.append((i, value))
            columns[f"{name}/{part}/{field}"] = rows
    target.write_text(json.dumps(columns))


_said: dict[str, list[dict[str, Any]]] = {}


def ask_once(ask: Any, frames: list[str], times: list[float], part: str) -> list[dict[str, Any]]:
    """The oracle's answers, asked for only once per part."""
    if part not in _said:
        _said[part] = ask(frames, times)
    return _said[part]


def main() -> None:
    """Ask both, write one file."""
    frames, times = recording()
    fake = made_up()
    arrays: dict[str, Any] = {"made_up": np.array(fake)}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "in.json").write_text(
            json.dumps({"real": (frames, times), "fake": (fake, [float(i) * 100 for i in range(len(fake))])})
        )
        for name, requirement in ORACLES.items():
            venv.create(work / name, with_pip=True)
            python = str(work / name / "bin" / "python")
            subprocess.run([python, "-m", "pip", "install", "-q", requirement, "numpy"], check=True)
            subprocess.run([python, __file__, name, str(work / "in.json"), str(work / "out.json")], check=True)
            for key, rows in json.loads((work / "out.json").read_text()).items():
                if rows:
                    arrays[key + ":i"] = np.array([row[0] for row in rows], np.int32)
                    arrays[key] = np.array([row[1] for row in rows])
    np.savez_compressed(TARGET, **arrays)
    print(TARGET, TARGET.stat().st_size, "bytes")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        oracle(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
