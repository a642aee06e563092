"""The first start: who helps to compile, and with whom the helper ends."""

import subprocess
import sys
import time

import pytest

from lapwing.serve import warming


@pytest.fixture
def slow(monkeypatch):
    """A warm-up of which only the tracking takes time: half a second."""
    for name in ("_one_flow", "_others", "_one_crowd"):
        monkeypatch.setattr(warming, name, lambda *_: None)
    monkeypatch.setattr(warming, "_scanned", lambda *_: time.sleep(0.5))
    monkeypatch.setattr(warming.os, "cpu_count", lambda: 2)


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
    monkeypatch.setattr(warming.os, "cpu_count", lambda: 1)
    warming.warm_up()
    assert not done.exists()


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
