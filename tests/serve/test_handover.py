"""The hand-over of a shift: complete, in three forms, and the officer's note kept by name."""

import asyncio
import json
import warnings
from html.parser import HTMLParser

import polars as pl
import pytest
from typer.testing import CliRunner

from lapwing.engine.alarm_history import COLUMNS
from lapwing.serve import handover_paper
from lapwing.serve.acts import Act, ActError, Acts, Wanted, WantedHandover, WantedTest, acts_file
from lapwing.serve.cli import app
from lapwing.serve.handover import ALARMS_MAX, Shift, handover, shift
from lapwing.serve.listening import serve_web
from lapwing.serve.web import WebOptions, create_app
from tests.replay.test_replay import drive
from tests.replay.world import border
from tests.serve import fake_shelf
from tests.serve.recorded import recorded
from tests.serve.test_feeds import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8765"
MIN = 60 * 10**9
SITE = fake_shelf.make_site()


def alarms(*rows):
    """Rows of (alarm, raised in minutes, cleared in minutes or 0, priority, rule, subject, subject_id)."""
    table = [
        (i, raised * MIN, cleared * MIN, priority, rule, "Terminal", subject, ident, 37.9, 126.6, "because <b>")
        for i, raised, cleared, priority, rule, subject, ident in rows
    ]
    return pl.DataFrame(table, schema=COLUMNS, orient="row")


def act(number, minute, alarm, verb, name="Kim", note="", until=0):
    return Act(number, minute * MIN, minute * MIN, alarm, 1, verb, name, note, until * MIN, "")


def told(rows, acts=(), since=100, until=580, ran_s=None):
    return handover(Shift(SITE, since * MIN, until * MIN, rows, acts, ran_s))


def test_what_was_raised_who_did_what_and_what_still_stands():
    rows = alarms(
        (1, 10, 50, 0, "a", 0, 7),  # over before the shift
        (2, 20, 0, 1, "a", 0, 8),  # from the shift before, stands
        (3, 110, 120, 2, "a", 0, 9),  # seen by nobody
        (4, 200, 0, 0, "a", 0, 9),  # seen, with a note
        (5, 300, 700, 3, "a", 5, 0),  # put aside; cleared after the shift
        (6, 600, 0, 0, "a", 0, 7),  # after the shift
        (7, 120, 125, 3, "feed quiet", 3, 1),
        (8, 130, 0, 1, "GNSS interference", 2, 4),
    )
    acts = (
        act(1, 90, 2, "acknowledge", "Lee"), act(2, 95, 0, "handover", "Lee", "quiet so far"),
        act(3, 201, 4, "acknowledge", "Kim", "called the tower"), act(4, 301, 5, "shelve", until=800),
        act(5, 400, 0, "test", note="weekly"), act(6, 500, 0, "handover", "Kim", "watch <4>\nplease"),
        act(7, 210, 4, "note", "Park", "a kite?"), act(8, 140, 8, "shelve", until=150), act(9, 141, 8, "unshelve"),
    )  # fmt: skip
    t = told(rows, acts)
    assert [r["alarm"] for r in t["standing"]] == [4, 8, 2, 5]
    assert [r["alarm"] for r in t["raised"]] == [4, 8, 3, 7, 5] or [r["alarm"] for r in t["raised"]] == [4, 8, 3, 5, 7]
    assert t["counts"]["by_priority"] == {"critical": 1, "high": 1, "medium": 1, "low": 2}
    assert (t["counts"]["raised"], t["counts"]["standing"], t["counts"]["standing_unseen"]) == (5, 4, 1)
    assert t["counts"]["cleared_unseen"] == 2
    assert t["counts"]["acts"] == {"acknowledge": 1, "shelve": 2, "unshelve": 1, "note": 1}
    by = {r["alarm"]: r for r in t["standing"]}
    assert by[2]["acknowledged"]["name"] == "Lee"
    assert [n["note"] for n in by[4]["notes"]] == ["called the tower", "a kite?"]
    assert by[5]["shelved"]["until_ns"] == str(800 * MIN)
    assert by[8]["shelved"] is None
    assert by[5]["cleared_ns"] == "0"  # it stood then
    assert t["sensors_lost"] == [
        {"feed": "harbour-ais", "lost_ns": str(120 * MIN), "back_ns": str(125 * MIN), "reason": "because <b>"}
    ]
    assert [(r["region"], r["until_ns"]) for r in t["interference"]] == [(4, "0")]
    assert [a["note"] for a in t["tests"]] == ["weekly"]
    assert t["before"]["note"] == "quiet so far"
    assert [a["note"] for a in t["notes"]] == ["watch <4>\nplease"]
    assert t["load"]["average_10_min"] == pytest.approx(5 / 48, abs=1e-3)
    assert t["load"]["average_met"]
    assert not t["load"]["longest_flood"]


def test_text_and_paper_say_the_same_and_no_words_can_break_them():
    rows = alarms(*[(i, 200, 0, 0, "a", 0, 7) for i in range(1, 14)])
    evil = "</pre><script>alert(1)</script>\x1b[2J"
    t = told(rows, (act(1, 300, 0, "handover", "Kim", evil), act(2, 301, 1, "acknowledge", evil)))
    text, page = handover_paper.text(t), handover_paper.page(t)
    assert "\x1b" not in text
    assert "<script" not in page.lower()
    for words in ("Raised: 13 (13 critical).", "One flood of alarms", "NOT met", "Still standing: 13, of which 12"):
        assert words in text
        assert words in page
    assert "nobody has seen it" in text
    opened = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)
            assert not {"src", "href", "onclick"} & {name for name, _ in attrs}

    Reader().feed(page)
    assert opened.count("h2") == 6
    assert "default-src 'none'" in page


def test_a_flood_of_alarms_is_listed_in_part_and_counted_whole():
    rows = alarms(*[(i, 200, 0, 3, "a", 0, 7) for i in range(1, ALARMS_MAX + 8)])
    t = told(rows)
    assert (len(t["raised"]), t["counts"]["raised"], t["left_out"]) == (ALARMS_MAX, ALARMS_MAX + 7, 14)
    assert "14 alarms are counted but not listed" in handover_paper.text(t)


def test_an_empty_shift_says_so():
    text = handover_paper.text(told(alarms()))
    assert "Raised: 0." in text
    assert text.count("(none)") == 5


@pytest.fixture
def client(tmp_path):
    acts = Acts(tmp_path / "acts.sqlite")
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=600)
    yield TestClient(create_app(shelf, SITE, WebOptions(acts=acts)), base_url=HOST)
    acts.close()


def test_a_note_is_kept_by_name_and_shown_to_the_next(client, tmp_path):
    note = {"name": " Kim ", "note": "track 7 is the farmer's"}
    written = client.post("/v1/handover", json=note)
    assert written.status_code == 201
    assert (written.json()["verb"], written.json()["name"], written.json()["alarm"]) == ("handover", "Kim", 0)
    client.post("/v1/acts", json={"alarm": 2, "verb": "acknowledge", "name": "Lee"})
    told = client.get("/v1/handover").json()
    assert [n["note"] for n in told["notes"]] == [note["note"]]
    assert [r["alarm"] for r in told["standing"] if r["acknowledged"]] == [2]
    until = int(told["until_ns"])
    later = client.get(f"/v1/handover?since_ns={until}&until_ns={until + MIN}").json()
    assert later["before"]["note"] == note["note"]
    assert later["notes"] == []
    text = client.get("/v1/handover?format=text")
    assert "farmer" in text.text
    page = client.get("/v1/handover?format=html")
    assert page.headers["content-disposition"].startswith('attachment; filename="handover-2')
    assert "farmer" in page.text
    again = Acts(tmp_path / "acts.sqlite")
    assert (again.count, again.standing({0: 3}), again.newest_test) == (2, {}, None)
    again.close()


@pytest.mark.parametrize(
    "query", ["?since_ns=5&until_ns=5", "?until_ns=-1", "?since_ns=0", "?format=pdf", "?hours=8", "?since_ns=x"]
)
def test_a_wrong_question_is_refused(client, query):
    answer = client.get(f"/v1/handover{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("change", [{"name": " "}, {"note": ""}, {"note": "x" * 4001}, {"alarm": 1}, {"name": 5}])
def test_a_wrong_note_is_refused(client, change):
    assert client.post("/v1/handover", json={"name": "Kim", "note": "x", **change}).status_code == 400
    assert client.get("/v1/handover").json()["notes"] == []


def test_where_nobody_may_act_it_can_still_be_read(tmp_path):
    acts = Acts(acts_file(tmp_path))
    acts.add_handover(WantedHandover(name="Kim", note="x"), fake_shelf.START_NS, "")
    acts.close()
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=600)
    closed = TestClient(create_app(shelf, SITE, WebOptions(journal=tmp_path)), base_url=HOST)
    assert closed.post("/v1/handover", json={"name": "Kim", "note": "x"}).status_code == 405
    assert [n["name"] for n in closed.get("/v1/handover").json()["notes"]] == ["Kim"]
    acts_file(tmp_path).write_bytes(b"no database" * 100)
    assert closed.get("/v1/handover").status_code == 503
    with pytest.raises(ActError):
        shift(shelf, SITE, (0, 1), acts_file(tmp_path))


def test_a_disk_that_refuses_is_not_the_officers_mistake(tmp_path):
    acts = Acts(tmp_path / "acts.sqlite")
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=600)
    client = TestClient(create_app(shelf, SITE, WebOptions(acts=acts)), base_url=HOST)
    acts._db.execute("DROP TABLE acts")
    assert client.post("/v1/handover", json={"name": "Kim", "note": "x"}).status_code == 503
    acts.close()


def lapwing(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


async def test_the_command_makes_it_from_a_journal_and_leaves_a_note(tmp_path):
    folder = tmp_path / "journal"
    world = border(35.0)
    drive(folder, world)
    acts = Acts(acts_file(folder))
    shelf, site, rows = recorded(folder)
    last = rows[175].picture
    acts.add(Wanted(alarm=1, verb="acknowledge", name="Kim"), 1, last.time_ns - 10**9, "127.0.0.1")
    acts.add_test(WantedTest(name="Kim"), last.time_ns - 10**9, "")
    told = json.loads((await asyncio.to_thread(lapwing, "handover", folder, "--json")).stdout)
    assert [r["alarm"] for r in told["raised"]] == last.alarms.alarm_id.tolist()
    assert told["raised"][0]["acknowledged"]["name"] == "Kim"
    assert len(told["tests"]) == 1
    page = tmp_path / "shift.html"
    assert (await asyncio.to_thread(lapwing, "handover", folder, "--html", page)).exit_code == 0
    assert "Still standing" in page.read_text()

    port = free_port()
    site_file = tmp_path / "site.toml"
    site_file.write_text(world[0] + f'\n[web]\nport = {port}\n[journal]\nfolder = "journal"\n')
    web = create_app(shelf, site, WebOptions(port=port, acts=acts))
    up = asyncio.Event()
    server = asyncio.create_task(serve_web(web, "127.0.0.1", port, lambda _: up.set()))
    await up.wait()
    done = await asyncio.to_thread(lapwing, "handover", site_file, "--note", "all quiet", "--by", "Kim")
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
    acts.close()
    assert done.exit_code == 0, done.stderr
    assert "kept as act 3" in done.stderr
    assert "all quiet" in done.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--note", "x"), "--note WORDS --by NAME"),
        (("--note", "x", "--by", "Kim"), "name its site file"),
        ((), "holds no journal"),
    ],
)
def test_mistakes_at_the_keyboard(tmp_path, args, says):
    done = CliRunner().invoke(app, ["handover", str(tmp_path), *args])
    assert says in done.stderr
    assert done.exit_code in (1, 2)


def test_averages_are_over_the_time_in_which_the_site_ran(tmp_path):
    t = told(alarms((1, 200, 0, 3, "a", 0, 7)), ran_s=600.0)
    assert t["load"]["average_10_min"] == 1.0
    assert "The site ran 0.17 of 8.00 hours." in handover_paper.text(t)
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=1000)
    client = TestClient(create_app(shelf, SITE, WebOptions()), base_url=HOST)
    assert client.get("/v1/handover").json()["ran_s"] is None
    shelf.remember(range(25, 1000, 25))
    assert client.get("/v1/handover").json()["ran_s"] == 4 * 60
