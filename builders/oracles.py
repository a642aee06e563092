"""How the builders ask an independent reader: a package of its own in a temporary environment, told by lines."""

import json
import subprocess
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

T0 = 1_720_000_000_000_000_000
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"


def ask(requirements: Sequence[str], script: str, given: object) -> Any:
    """What `script` prints as JSON, run in an environment with these packages; it reads `given` as JSON from stdin."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "env", with_pip=True)
        python = str(Path(folder) / "env" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
        done = subprocess.run(
            [python, "-W", "ignore", "-c", script], input=json.dumps(given), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])


def case(name: str, frames: list[bytes], **told: Any) -> dict[str, Any]:
    """One case: frames of bytes and what they say. Values and words are lists, in the order of the messages."""
    return {"name": name, "received_ns": T0, "frames": [raw.hex() for raw in frames], **told}


def write(name: str, about: dict[str, str], cases: list[dict[str, Any]]) -> None:
    """tests/golden/NAME.json: who made the bytes, who read the values, and one case a line."""
    rows = ",\n".join(json.dumps(case) for case in cases)
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    (GOLDEN / f"{name}.json").write_text(f'{{\n{head}"cases": [\n{rows}\n]\n}}\n')
