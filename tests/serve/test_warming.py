"""The first start: who helps to compile, and with whom the helper ends."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from lapwing.serve import warming


@pytest.fixture
def slow(monkeypatch):
    """A warm-up of which only the tracking takes time: half a second."""
    for name in ("_one_flow", "_others", "_one_crowd"):
        monkeypatch.setattr(warming, name, lambda *_: None)
    monkeypatch.setattr(warming, "_scanned", lambda *_: time.sleep(0.5))
    monkeypatch.setattr(warming.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(warming, "finite", SimpleNamespace(stats=SimpleNamespace(cache_misses={"any": 1})))


def helper(monkeypatch, code, *arguments):
    monkeypatch.setattr(warming, "HELPER", (sys.executable, "-c", code, *map(str, arguments)))
    monkeypatch.setattr(warming, "HELP_AFTER_S", 0.1)


def test_a_helper_is_waited_for(slow, monkeypatch, tmp_path):
    done = tmp_path / "done"
    helper(monkeypatch, "import sys, time; time.sleep(1); open(sys.argv[1], 'w').close()", done)
    assert warming.warm_up() > 1.0
    assert done.exists()


def test_nobody_helps_where_it_does_not_take_long_or_there_is_one_core(slow, monkeypatch, tmp_path):
    done = tmp_path / "done"
    helper(monkeypatch, "import sys; open(sys.argv[1], 'w').close()", done)
    monkeypatch.setattr(warming, "HELP_AFTER_S", 5.0)
    warming.warm_up()
    monkeypatch.setattr(warming, "HELP_AFTER_S", 0.1)
    monkeypatch.setattr(warming.os, "sched_getaffinity", lambda _: {3})
    warming.warm_up()
    assert not done.exists()


def test_nobody_helps_where_all_was_kept_and_only_reading_it_takes_long(slow, monkeypatch, tmp_path):
    done = tmp_path / "done"
    helper(monkeypatch, "import sys; open(sys.argv[1], 'w').close()", done)
    monkeypatch.setattr(warming.finite.stats, "cache_misses", {})
    warming.warm_up()
    assert not done.exists()


KEPT = """
import numpy as np
from lapwing.kernel.bits import finite
finite(np.zeros(1, np.int64))
print(len(finite.stats.cache_misses))
"""


def test_what_is_compiled_here_is_told_from_what_was_kept(tmp_path):
    """Numba's own count, of which the fixture above has a double."""
    where = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    call = (sys.executable, "-c", KEPT)
    told = [subprocess.run(call, env=where, capture_output=True, check=True, timeout=120).stdout for _ in range(2)]
    assert told == [b"1\n", b"0\n"]


def test_the_helper_runs_nothing_that_lies_where_it_is_started(tmp_path):
    """A file that is called as a module of the standard library is."""
    for name in ("queue", "logging", "lapwing"):
        (tmp_path / f"{name}.py").write_text("open('met', 'w').close()")
    helping = subprocess.Popen(
        warming.HELPER, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
    )  # nobody holds the other end: it ends at once
    helping.communicate(timeout=100)
    assert helping.returncode == 0
    assert not (tmp_path / "met").exists()


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "import time; time.sleep(60)"])
def test_a_helper_that_fails_or_hangs_harms_nobody(code, slow, monkeypatch):
    helper(monkeypatch, code)
    monkeypatch.setattr(warming, "HELPER_S", 0.5)
    assert warming.warm_up() < 30.0


def test_a_helper_that_cannot_be_started_harms_nobody(slow, monkeypatch):
    monkeypatch.setattr(warming, "HELPER", ("/nowhere/python",))
    monkeypatch.setattr(warming, "HELP_AFTER_S", 0.1)
    warming.warm_up()


def test_the_helper_ends_with_whom_it_helps():
    """Its standard input is that one's pipe: closed, it ends, however far it is."""
    code = (
        "import time; from lapwing.serve import warming; warming._others = lambda: time.sleep(1e4); warming.help_out()"
    )
    helping = subprocess.Popen((sys.executable, "-c", code), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        helping.wait(8.0)
    assert helping.communicate(timeout=100)[1] == b""
    assert helping.returncode == 0
