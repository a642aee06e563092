"""The command line as a stranger meets it: help worth reading, one sentence per mistake, and the right exit code."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

SITE = """
name = "Test"
origin = {{ latitude_deg = 50.0, longitude_deg = 20.0 }}
feed = [{{ name = "f", decoder = "avr", from = "{source}", speed = 0 }}]
web = {{ port = {port} }}
"""


def lapwing(*args, timeout=120, **kwargs):
    command = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **kwargs)


@pytest.fixture
def site(tmp_path):
    recording = tmp_path / "frames.csv"
    recording.write_text(
        "1720000000.0,8D40621D58C382D690C8AC2863A7\n1720000002.0,8D40621D58C386435CC412692AD6\n"
        "1720000003.0,not a frame\n1720000004.0,8D4840D6202CC371C32CE0576098\n"
    )
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(source="file:frames.csv", port=0))
    return path


def test_help_of_every_command_says_what_it_is_for():
    top = lapwing("--help")
    assert top.returncode == 0
    assert "watches and warns" in " ".join(top.stdout.split())
    for command in ("run", "demo", "check", "replay", "evidence", "verify", "warm"):
        text = lapwing(command, "--help").stdout
        assert len(text.split()) > 15
        assert command in top.stdout


@pytest.mark.parametrize(
    ("args", "says", "code"),
    [
        (("check", "nowhere.toml"), "cannot be read: No such file or directory", 2),
        (("run", "nowhere.toml"), "cannot be read", 2),
        (("demo", "--for", "soon"), "--for 'soon' is not a time; write it like 90s, 15m or 2h", 2),
        (("replay", "nowhere"), "nowhere holds no journal", 1),
        (("fly",), "No such command 'fly'", 2),
        (("demo", "--scenario", "no-such-world", "--for", "1s", "--no-browser"), "there is no scenario", 1),
    ],
)
def test_mistakes_are_one_sentence_and_never_a_traceback(args, says, code, tmp_path):
    done = lapwing(*args, cwd=tmp_path)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def test_check_explains_and_approves(site, tmp_path):
    assert "good" in lapwing("check", site).stdout
    bad = tmp_path / "bad.toml"
    bad.write_text(site.read_text().replace("avr", "arv").replace("speed", "sped"))
    done = lapwing("check", bad)
    assert done.returncode == 2
    assert "feed 'f' > decoder" in done.stderr
    assert "did you mean 'speed'?" in done.stderr


def test_run_a_recording_to_its_end_then_replay_and_verify(site, tmp_path):
    done = lapwing("run", site, "--exit", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["messages"] == 3
    assert summary["faults"] == 1
    assert summary["claims"] == 1
    verified = lapwing("replay", tmp_path / "journal", "--verify")
    assert verified.returncode == 0
    assert "identical" in verified.stdout
    again = lapwing("run", site, "--exit", "--json")
    assert json.loads(again.stdout)["ticks"] == 0  # everything was there already


def test_a_changed_site_file_moves_the_old_journal_aside(site, tmp_path):
    lapwing("run", site, "--exit")
    site.write_text(site.read_text().replace("Test", "Other"))
    done = lapwing("run", site, "--exit", "--json")
    assert "was moved to" in done.stderr
    assert json.loads(done.stdout)["messages"] == 3
    (old,) = (tmp_path / "journal").glob("before-*")
    assert lapwing("replay", old, "--verify").returncode == 0


def test_a_taken_port_and_a_second_writer_are_told(site, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = lapwing("run", site, "--exit", "--port", port)
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
        live = tmp_path / "live.toml"
        live.write_text(SITE.format(source=f"listen://127.0.0.1:{port}", port=0))
        done = lapwing("run", live, "--for", "20s")
        assert done.returncode == 1
        assert "feed 'f' cannot listen on" in done.stderr
    from lapwing.engine.journal import Journal

    with Journal(tmp_path / "journal", write=True):
        done = lapwing("run", site, "--exit")
        assert done.returncode == 1
        assert "another Lapwing is already writing" in done.stderr


def test_a_folder_that_cannot_be_made(site, tmp_path):
    (tmp_path / "file").write_text("")
    done = lapwing("run", site, "--exit", "--journal", tmp_path / "file" / "journal")
    assert done.returncode == 1
    assert "cannot use the journal" in done.stderr
    assert "Not a directory" in done.stderr


def test_interrupt_ends_in_order(site, tmp_path):
    command = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", "run", str(site), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    for line in process.stderr:
        if "live picture" in line:
            break
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["messages"] == 3
