"""The why-view of a track: what was believed, on which detections of which sensor, down to the bytes."""

import warnings

import pytest

from lapwing.engine.track_history import KINDS
from lapwing.serve import web_why
from lapwing.serve.web import create_app
from tests.replay.test_replay import drive
from tests.replay.world import border
from tests.serve import fake_shelf
from tests.serve.recorded import recorded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, border(35.0))
    shelf, site, rows = recorded(folder)
    return TestClient(create_app(shelf, site), base_url=HOST), rows


def test_a_recorded_track_down_to_its_bytes(site):
    client, rows = site
    last = rows[175].picture
    row = int((last.tracks.existence + 10 * (last.tracks.status == 1)).argmax())
    ident = int(last.tracks.track_id[row])
    told = client.get(f"/v1/why?track={ident}").json()
    assert told["until_ns"] == str(last.time_ns)
    existence = {int(t): p for t, p in zip(told["time_ns"], told["existence"], strict=True)}
    by_time = {r.picture.time_ns: r.picture.tracks for r in rows.values()}
    for time_ns, p in existence.items():
        tracks = by_time[time_ns]
        assert p == pytest.approx(tracks.existence[tracks.track_id.tolist().index(ident)], abs=1e-4)
    assert set(told["kinds"]) == set(KINDS)
    assert sum(k[-1] for k in told["kinds"].values()) == pytest.approx(1.0, abs=1e-3)
    seen = told["seen"]
    assert set(seen["sensor"]) == {"Radar"}
    assert len(seen["frame"]) == len(set(seen["frame"])) >= 3
    frame = client.get(f"/v1/frames/{seen['frame'][-1]}").json()
    assert frame["feed"] == "Radar"
    assert told["seen_left_out"] == 0


def test_alarms_of_the_track_are_told_and_others_are_not(site):
    client, rows = site
    alarms = rows[175].picture.alarms
    told = client.get(f"/v1/why?track={int(alarms.subject_id[0])}").json()
    assert [a["id"] for a in told["alarms"]] == [int(alarms.alarm_id[0])]
    other = next(t for t in rows[175].picture.tracks.track_id.tolist() if t != alarms.subject_id[0])
    assert client.get(f"/v1/why?track={other}").json()["alarms"] == []


def test_many_points_are_thinned_and_entries_that_are_gone_are_null(monkeypatch):
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=600)
    monkeypatch.setattr(web_why, "POINTS_MAX", 50)
    monkeypatch.setattr(web_why, "SEEN_MAX", 29)
    told = TestClient(create_app(shelf, fake_shelf.make_site()), base_url=HOST).get("/v1/why?track=7").json()
    until = int(told["until_ns"])
    assert len(told["time_ns"]) == 40  # every third of 120
    assert told["time_ns"][-1] == str(until - 10**9)
    assert told["seen_left_out"] == 1
    assert told["seen"]["frame"][0] == 3
    monkeypatch.setattr(shelf, "feeds_of", lambda seqs: {seq: "hill-radar" for seq in seqs if seq > 10})
    seen = web_why.why(shelf, fake_shelf.make_site(), 7, (until - 60 * 10**9, until))["seen"]
    assert [f is None for f in seen["frame"]] == [s is None for s in seen["sensor"]] == [True] * 9 + [False] * 6
    monkeypatch.setattr(shelf, "feeds_of", lambda seqs: {})
    seen = web_why.why(shelf, fake_shelf.make_site(), 7, (until - 60 * 10**9, until))["seen"]
    assert set(seen["sensor"]) == set(seen["frame"]) == {None}
    assert len(seen["time_ns"]) == 15


def test_nothing_known_is_an_empty_answer_and_nonsense_is_refused():
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=600)
    client = TestClient(create_app(shelf, fake_shelf.make_site()), base_url=HOST)
    told = client.get("/v1/why?track=8").json()
    assert (told["time_ns"], told["seen"]["frame"], told["alarms"]) == ([], [], [])
    for query in ("", "?track=-1", "?track=x", "?track=7&since_ns=5&until_ns=1", "?track=7&claim=1"):
        assert client.get(f"/v1/why{query}").status_code == 400
