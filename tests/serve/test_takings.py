"""Files to take away: made by the same commands that a person would type, one at a time, kept with who wanted them."""

import asyncio
import json
import os
import warnings

import pytest

from lapwing.serve import takings
from lapwing.serve.acts import Acts
from lapwing.serve.takings import FAILED_MAX, KEPT_MAX, NICENESS, TakingError, Takings, WantedTaking
from lapwing.serve.web import WebOptions, create_app
from tests.serve.fake_shelf import FakeShelf, World, make_site, written_history

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

S = 1_000_000_000
T = World().picture(200).time_ns
CSV = {"form": "csv", "since_ns": str(T - 60 * S), "until_ns": str(T + 60 * S), "name": "Kim", "note": "case 7"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written_history(tmp_path_factory.mktemp("journal"))


async def made(of: Takings, **change):
    taking = of.begin(WantedTaking(**{**CSV, **change}), T)
    await of._task
    return next(row for row in of.rows() if row["file"] == taking.file)


async def test_a_file_is_made_kept_with_its_note_and_found_again(folder):
    of = Takings(folder)
    row = await made(of)
    assert (row["state"], row["name"], row["note"], row["since_ns"]) == ("done", "Kim", "case 7", CSV["since_ns"])
    data = of.path(row["file"]).read_bytes()
    assert data.startswith(b"time,")
    assert len(data) == row["size"]
    again = Takings(folder)
    assert [r for r in again.rows() if r["file"] == row["file"]] == [row]
    (folder / "taken" / (row["file"] + ".note")).write_text("{")
    assert row["file"] not in {r["file"] for r in Takings(folder).rows()}


async def test_what_cannot_be_made_says_why_and_leaves_nothing(folder):
    of = Takings(folder)
    row = await made(of, since_ns="0", until_ns="1000")
    assert (row["state"], row["why"]) == ("failed", "nothing was tracked in that period")
    assert of.path(row["file"]) is None
    assert not (folder / "taken" / row["file"]).exists()


async def test_a_full_disk_is_said(folder, monkeypatch):
    async def full(self, taking):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(takings.Takings, "_make", full)
    row = await made(Takings(folder))
    assert (row["state"], "No space left" in row["why"]) == ("failed", True)


async def test_one_at_a_time_and_never_backwards(folder):
    of = Takings(folder)
    of.begin(WantedTaking(**CSV), T + 1)
    with pytest.raises(TakingError, match="one at a time"):
        of.begin(WantedTaking(**CSV), T + 2)
    await of._task
    with pytest.raises(TakingError, match="end after it begins"):
        of.begin(WantedTaking(**{**CSV, "until_ns": CSV["since_ns"]}), T + 3)


async def test_the_oldest_go(tmp_path, monkeypatch):
    async def nothing(self, taking):
        self._rows[taking.file] = taking
        (self.folder / taking.file).write_text("x")

    monkeypatch.setattr(takings.Takings, "_make", nothing)
    of = Takings(tmp_path)
    for k in range(KEPT_MAX + 5):
        of.begin(WantedTaking(**CSV), T + 1000 * S + k * S)
        await of._task
    assert len(of.rows()) == KEPT_MAX
    assert len(list((tmp_path / "taken").glob("history-*.csv"))) == KEPT_MAX


async def test_what_could_not_be_made_takes_no_files_place(folder, monkeypatch):
    of = Takings(folder)
    good = await made(of)

    async def full(self, taking):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(takings.Takings, "_make", full)
    for k in range(KEPT_MAX):
        of.begin(WantedTaking(**CSV), T + 2000 * S + k * S)
        await of._task
    assert of.path(good["file"]).is_file()
    assert sum(row["state"] == "failed" for row in of.rows()) == FAILED_MAX + 1  # the newest failed after it was looked


async def test_the_live_picture_goes_first(folder, monkeypatch):
    monkeypatch.setattr(takings, "COMMAND", takings.COMMAND.partition("from ")[0] + "raise SystemExit(os.nice(0))")
    row = await made(Takings(folder))
    assert row["why"] == f"the process ended with {min(os.nice(0) + NICENESS, 19)}"


def client(folder, tmp_path, acts=True):
    options = WebOptions(acts=Acts(tmp_path / "acts.sqlite") if acts else None, journal=folder)
    return TestClient(create_app(FakeShelf(World(), 400), make_site(), options), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"form": "exe"}, 400),
        ({"since_ns": "-1"}, 400),
        ({"until_ns": str(2**63)}, 400),
        ({"name": " "}, 400),
        ({"more": 1}, 400),
        ({"until_ns": "0"}, 409),
    ],
)
def test_a_wrong_wish_is_refused_in_a_sentence(folder, tmp_path, change, status):
    answer = client(folder, tmp_path).post("/v1/taken", json={**CSV, **change})
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("file", ["..%2Facts.sqlite", "x.csv", "history-20260101T000000Z-1.csv.note", "%2e%2e"])
def test_no_other_file_is_handed_out(folder, tmp_path, file):
    assert client(folder, tmp_path).get(f"/v1/taken/{file}").status_code == 404


def test_nothing_is_offered_where_people_may_not_act(folder, tmp_path):
    web = client(folder, tmp_path, acts=False)
    assert web.get("/v1/taken").json() == {"offered": False, "taken": []}
    assert web.post("/v1/taken", json=CSV).status_code == 405
    assert client(folder, tmp_path).get("/v1/taken").json()["offered"] is True


async def test_a_process_does_not_outlive_the_server(folder):
    of = Takings(folder)
    of.begin(WantedTaking(**CSV), T + 5)
    await asyncio.sleep(0.2)
    of._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await of._task
    assert json.dumps(of.rows())  # it still tells what it was doing


async def test_what_a_killed_server_left_half_made_says_so_and_leaves_nothing(folder, monkeypatch):
    async def killed(self, taking):
        (self.folder / taking.file).write_bytes(b"half of")
        (self.folder / f"{taking.file}.draft").write_bytes(b"and a draft")

    monkeypatch.setattr(takings.Takings, "_make", killed)
    of = Takings(folder)
    file = of.begin(WantedTaking(**CSV), T + 5000 * S).file
    await of._task
    (row,) = (r for r in Takings(folder).rows() if r["file"] == file)
    assert (row["state"], "ended while it was made" in row["why"]) == ("failed", True)
    assert not [p for p in (folder / "taken").iterdir() if p.name.startswith(file)]
    assert file not in [r["file"] for r in Takings(folder).rows()]
