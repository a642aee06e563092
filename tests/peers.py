"""Real peers in environments of their own (var/peers), made at first use; a test that cannot have one says so."""

import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".uv" / "bin" / "uv"


def peer(requirement: str, *more: str) -> Path:
    """The folder of commands of an environment that holds one PyPI package, and what it forgets to ask for."""
    home = ROOT / "var" / "peers" / requirement.replace("==", "-")
    done = home / "done"
    if not done.exists():
        if not UV.exists():
            pytest.skip(f"{requirement} is not here: no .uv/bin/uv to fetch it with")
        for step in (
            ["venv", "-q", "--clear", str(home)],
            ["pip", "install", "-q", "--python", str(home), requirement, *more],
        ):
            ran = subprocess.run([str(UV), *step], capture_output=True, text=True, check=False)
            if ran.returncode:
                pytest.skip(f"{requirement} is not here: {ran.stderr.strip()[-200:]}")
        done.touch()
    return home / "bin"


def wait_for_port(port: int, limit_s: float = 20.0) -> None:
    """Returns when something listens there."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port}")
