"""A PostgreSQL server of the tests' own, from Debian's package: in a folder of its own, on a Unix socket."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PASSWORD = "swordfish and chips"
ROOT = Path("/usr/lib/postgresql")


class PostgresServer:
    """Started at once; `stop` as if the machine's plug was pulled; `start` again."""

    def __init__(self) -> None:
        found = sorted(ROOT.glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
        if not found:
            pytest.skip("NOT TESTED: there is no PostgreSQL server here: apt-get install postgresql")
        self._bin = found[-1].parent
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="lapwing-pg-"))
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        if self._as:
            for path in (self.folder, secret):
                shutil.chown(path, "postgres", "postgres")
        self._data = self.folder / "data"
        self._call("initdb", "-D", str(self._data), "-U", "lapwing", "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        self.start()
        self.url = f"postgresql://lapwing@/postgres?host={self.folder}"

    def _call(self, name: str, *words: str) -> None:
        command = [*self._as, str(self._bin / name), *words]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self._call("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
