"""Statistics over the web and at the keyboard: bounded, in local hours, and clear about mistakes."""

import json
import warnings

import pytest
from typer.testing import CliRunner

from lapwing.serve import statistics
from lapwing.serve.acts import Acts, Wanted, acts_file
from lapwing.serve.cli import app as command
from lapwing.serve.web import WebOptions, create_app
from tests.replay.test_replay import drive
from tests.replay.world import border
from tests.serve import fake_shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8765"
SITE = fake_shelf.make_site()


@pytest.fixture
def client(tmp_path):
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=1000)
    shelf.remember(range(25, 1000, 25))
    acts = Acts(tmp_path / "acts.sqlite")
    acts.add(Wanted(alarm=2, verb="acknowledge", name="Kim"), 1, fake_shelf.START_NS, "")
    yield TestClient(create_app(shelf, SITE, WebOptions(acts=acts)), base_url=HOST)
    acts.close()


def test_everything_is_told(client):
    told = client.get("/v1/stats").json()
    assert told["watched_h"] == pytest.approx(4 / 60, abs=0.01)
    shown = [i for i in range(1, 41) if (i - 1) % 9 != 8]
    assert told["identities"]["track"] == len(shown)
    heat = told["heat"]
    assert len(heat["hex"]) == len(heat["rings"]) == len(heat["track_min"]) == len(heat["claim_min"]) > 20
    assert all(ring[0] == ring[-1] for ring in heat["rings"])
    watched = [(d, h) for d, row in enumerate(told["hours"]["watched"]) for h, v in enumerate(row) if v]
    assert watched == [(0, 14)]  # the world begins on a Monday, 14:13 UTC
    assert told["hours"]["track"][0][14] == len(shown)
    assert told["hours"]["track"][3][3] is None
    feeds = {f["feed"]: f for f in told["feeds"]}
    assert (feeds["hill-radar"]["uptime"], feeds["harbour-ais"]["uptime"]) == (1.0, 0.0)
    alarms = told["alarms"]
    assert alarms["load"]["alarms"] == 3
    assert alarms["acknowledged_share"] == pytest.approx(1 / 3, abs=1e-3)
    assert alarms["by_rule"] == {"feed quiet": 1, "gnss interference": 1, "uncooperative in zone": 1}
    assert sum(alarms["per_hour"]) == 3
    assert told["visitors"] == []


def test_hours_are_those_of_the_clock_on_the_wall(client):
    told = client.get("/v1/stats?tz=Asia/Seoul").json()
    watched = [(d, h) for d, row in enumerate(told["hours"]["watched"]) for h, v in enumerate(row) if v]
    assert watched == [(0, 23)]
    assert told["timezone"] == "Asia/Seoul"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("tz=Nowhere/Land", "no time zone 'Nowhere/Land'"), ("tz=../../etc/passwd", "no time zone"),
        ("since_ns=9&until_ns=9", "must end after it begins"), ("since_ns=0", "at most 31 days"),
        ("days=3", "no parameter"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_refused(client, query, says):
    answer = client.get(f"/v1/stats?{query}")
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_much_is_told_in_part(client, monkeypatch):
    monkeypatch.setattr(statistics, "CELLS_MAX", 3)
    heat = client.get("/v1/stats").json()["heat"]
    assert len(heat["hex"]) == 3
    assert heat["left_out"] > 10
    assert heat["track_min"] != [0, 0, 0] or heat["claim_min"] != [0, 0, 0]


def test_acts_that_cannot_be_read_are_said(tmp_path):
    acts_file(tmp_path).write_bytes(b"no database" * 999)
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=1000)
    client = TestClient(create_app(shelf, SITE, WebOptions(journal=tmp_path)), base_url=HOST)
    assert client.get("/v1/stats").status_code == 503


def test_the_page_is_served_whole_and_asks_no_other_host(client):
    page = client.get("/history.html")
    assert page.headers["content-type"].startswith("text/html")
    assert 'src="/history.js"' in page.text
    for name, kind in (("history.js", "text/javascript"), ("history.css", "text/css")):
        answer = client.get(f"/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in answer.text
    assert " style=" not in page.text  # the Content-Security-Policy forbids it
    assert "<script>" not in page.text


def test_the_command_reads_a_journal(tmp_path):
    folder = tmp_path / "journal"
    drive(folder, border(35.0))
    run = lambda *args: CliRunner().invoke(command, ["stats", str(folder), *args])  # noqa: E731
    told = json.loads(run("--json").stdout)
    assert told["identities"]["track"] > 5
    assert told["heat"]["hex"]
    text = run("--tz", "Europe/Oslo").stdout
    assert "in ten minutes on average" in text
    assert "Radar: up" in text
    assert "(Europe/Oslo)" in text
    wrong = run("--tz", "Mars")
    assert (wrong.exit_code, "no time zone 'Mars'" in wrong.stderr) == (2, True)
