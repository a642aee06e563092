"""People's acts: written down for good, shown to all, and only taken from this page."""

import contextlib
import sqlite3
import warnings
from concurrent.futures import CancelledError

import pytest

from lapwing.records import Priority
from lapwing.serve.acts import ACTS_MAX, ActError, Acts, Wanted, acts_file, read_acts
from lapwing.serve.runtime import open_journal
from lapwing.serve.web import WebOptions, create_app
from tests.serve import fake_shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient


HOST = "http://127.0.0.1:8765"
SEEN = {"alarm": 2, "verb": "acknowledge", "name": "Kim", "note": "called the tower"}


@pytest.fixture
def acts(tmp_path):
    made = Acts(tmp_path / "acts.sqlite")
    yield made
    made.close()


@pytest.fixture
def shelf():
    return fake_shelf.FakeShelf(fake_shelf.World(), tick=600)


@pytest.fixture
def client(shelf, acts):
    return TestClient(create_app(shelf, fake_shelf.make_site(), WebOptions(acts=acts)), base_url=HOST)


def test_what_a_person_did_is_kept_over_a_restart(client, tmp_path, shelf):
    written = client.post("/v1/acts", json=SEEN)
    assert written.status_code == 201
    assert written.json()["picture_ns"] == str(shelf.latest().time_ns)
    assert client.post("/v1/acts", json={**SEEN, "verb": "shelve", "for_s": 900}).status_code == 201
    again = Acts(tmp_path / "acts.sqlite")
    told = again.about(2)
    assert [(a.verb, a.name, a.note) for a in told] == [(v, "Kim", SEEN["note"]) for v in ("acknowledge", "shelve")]
    assert told[1].until_ns == shelf.latest().time_ns + 900 * 10**9
    assert told[0].peer == "testclient"
    assert set(again.standing({2: 1, 3: 1})) == {2}
    again.add(Wanted(alarm=2, verb="unshelve", name="Lee"), Priority.HIGH, 5, "")
    assert set(again.standing({2: 1})[2]) == {"acknowledge"}
    again.close()
    assert [a["verb"] for a in client.get("/v1/acts?alarm=2").json()["acts"]] == ["acknowledge", "shelve", "unshelve"]


def test_nothing_written_can_be_changed_or_deleted(acts, tmp_path):
    acts.add(Wanted(**SEEN), 1, 1, "")
    other = sqlite3.connect(tmp_path / "acts.sqlite")
    for change in ("UPDATE acts SET name='Lee'", "DELETE FROM acts"):
        with pytest.raises(sqlite3.DatabaseError, match="acts are kept"):
            other.execute(change)
    other.close()


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"alarm": 99}, 404, "no alarm 99"),
        ({"alarm": 0}, 400, "alarm"),
        ({"alarm": 2**70}, 400, "alarm"),
        ({"verb": "delete"}, 400, "verb"),
        ({"name": "  "}, 400, "name"),
        ({"name": "x" * 81}, 400, "name"),
        ({"note": "x" * 1001}, 400, "note"),
        ({"verb": "shelve"}, 400, "for_s"),
        ({"verb": "shelve", "for_s": 10**6}, 400, "for_s"),
        ({"verb": "note", "note": " "}, 400, "words"),
        ({"hostile": True}, 400, "hostile"),
    ],
)
def test_a_wrong_act_is_refused_in_a_sentence(client, acts, change, status, said):
    answer = client.post("/v1/acts", json={**SEEN, **change})
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert acts.count == 0


def test_who_has_seen_a_warning_has_not_seen_the_alarm_that_it_became(acts, tmp_path):
    for verb, extra in (("acknowledge", {}), ("shelve", {"for_s": 900}), ("note", {"note": "a kite?"})):
        acts.add(Wanted(alarm=7, verb=verb, name="Kim", **extra), Priority.MEDIUM, 5, "")
    for kept in (acts, again := Acts(tmp_path / "acts.sqlite")):
        assert set(kept.standing({7: Priority.MEDIUM})[7]) == {"acknowledge", "shelve", "note"}
        assert set(kept.standing({7: Priority.LOW})[7]) == {"acknowledge", "shelve", "note"}
        assert set(kept.standing({7: Priority.CRITICAL})[7]) == {"note"}
    again.close()


def test_a_disk_that_refuses_is_not_the_persons_mistake(client, acts):
    acts._db.execute("DROP TABLE acts")
    assert client.post("/v1/acts", json=SEEN).status_code == 503
    assert client.get("/v1/acts?alarm=2").status_code == 503


def test_acts_go_aside_with_the_journal_whose_alarms_they_are_about(tmp_path):
    open_journal(tmp_path, 'name = "a"').close()
    acts = Acts(acts_file(tmp_path))
    acts.add(Wanted(**SEEN), 1, 1, "")
    acts.close()
    stores = ("history", "cells", "alarms", "tracks", "presence")
    for name in stores:
        (tmp_path / name).mkdir()
    open_journal(tmp_path, 'name = "b"').close()
    assert [name for name in stores if (tmp_path / name).exists()] == []
    fresh = Acts(acts_file(tmp_path))
    assert (fresh.count, fresh.standing({2: 1})) == (0, {})
    fresh.close()
    aside = next(tmp_path.glob("before-*"))
    assert [a.name for a in read_acts(aside / "acts.sqlite", {2})] == ["Kim"]


def test_only_this_page_may_write(client, acts):
    post = lambda **kw: client.post("/v1/acts", **kw).status_code  # noqa: E731
    assert post(json=SEEN, headers={"Origin": "http://evil.example"}) == 403
    assert post(json=SEEN, headers={"Origin": HOST}) == 201
    assert post(content=b'{"alarm": 2}', headers={"Content-Type": "text/plain"}) == 415
    assert post(content=b"x" * 9000, headers={"Content-Type": "application/json"}) == 413
    assert post(content=iter([b"{}"]), headers={"Content-Type": "application/json"}) == 411
    assert post(content=b"[" * 5000, headers={"Content-Type": "application/json"}) == 400
    assert post(json=SEEN, headers={"Host": "evil.example"}) == 421
    assert client.put("/v1/acts", json=SEEN).status_code == 405
    assert acts.count == 1


def test_listeners_are_told(client, shelf):
    kinds = []
    gone = contextlib.suppress(CancelledError)  # the client's own end of a socket that is left while the server tells
    with gone, client.websocket_connect("ws://127.0.0.1:8765/v1/live") as live:
        while "acts" not in kinds:
            message = live.receive()
            if message.get("text"):
                kinds.append(message["text"].split('"')[3])
    assert kinds[0] == "hello"


def test_without_a_place_to_keep_them_there_are_no_acts(shelf):
    closed = TestClient(create_app(shelf, fake_shelf.make_site()), base_url=HOST)
    assert closed.post("/v1/acts", json=SEEN).status_code in (404, 405)


def test_a_file_that_is_no_database_and_a_full_one_are_said(tmp_path, acts):
    (tmp_path / "bad.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(ActError, match="cannot keep what people do"):
        Acts(tmp_path / "bad.sqlite")
    acts.count = ACTS_MAX
    with pytest.raises(ActError, match="begin a new journal"):
        acts.add(Wanted(**SEEN), 1, 1, "")
