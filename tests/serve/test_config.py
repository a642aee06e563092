"""The site file changed on the page: who may, what is refused, versions, going back, and starting again with it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from lapwing.serve.accounts import Accounts
from lapwing.serve.site import SiteError, load, parse
from lapwing.serve.site_edit import EditError, with_zone
from lapwing.serve.versions import BY_HAND, Overtaken, VersionError, Versions
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.web_config import ConfigDesk
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.test_feeds import free_port

PASSWORD = "three small birds"
GOOD = """name = "Field"
[origin]
latitude_deg = 52.0
longitude_deg = 4.0
[[feed]]
name = "In"
decoder = "nmea"
from = "listen://127.0.0.1:{feed}"
[journal]
folder = "journal"
[web]
port = {port}
login = true
configure = true
"""


def text(**more):
    return GOOD.format(feed=free_port(), port=free_port()) + more.pop("end", "")


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(text())
    return path


def test_versions_are_kept_and_the_file_is_what_counts(site):
    with closing(Versions(site)) as versions:
        first = versions.now()
        assert (first.number, first.name, first.note) == (1, "", "")
        site.chmod(0o640)
        made = versions.save("# two\n", 1, "Kim", "because")
        assert (made.number, site.read_text(), site.stat().st_mode & 0o777) == (2, "# two\n", 0o640)
        site.write_text("# by hand\n")
        with pytest.raises(Overtaken, match="somebody has changed the file meanwhile: it is at version 3"):
            versions.save("# mine\n", 2, "Lee", "")
        assert site.read_text() == "# by hand\n"
        back = versions.save(first.text, 3, "Lee", "back")
        assert site.read_text() == first.text
        assert [(v.number, v.name, v.note) for v in versions.rows()] == [
            (4, "Lee", "back"), (3, "", BY_HAND), (2, "Kim", "because"), (1, "", "")]  # fmt: skip
        assert versions.save(first.text, back.number, "Lee", "again").number == 4  # nothing changed
        assert versions.one(2).text == "# two\n"
        with pytest.raises(VersionError, match="there is no version 9"):
            versions.one(9)
        with pytest.raises(VersionError, match="at most"):
            versions.save("x" * 300_000, 4, "Kim", "")
    with closing(sqlite3.connect(site.with_name("site.toml.versions.sqlite"))) as db:
        for change in ("DELETE FROM versions", "UPDATE versions SET name = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="kept"):
                db.execute(change)


def test_a_disk_that_refuses_leaves_the_file_and_the_versions_as_they_were(site, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with closing(Versions(site)) as versions:
        before = versions.now()
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(VersionError, match="No space left"):
            versions.save("# two\n", 1, "Kim", "")
        assert versions.now() == before
        assert [p.name for p in site.parent.iterdir() if p.name.endswith(".new")] == []


def test_changing_needs_logging_in():
    with pytest.raises(SiteError, match="1 problem") as refused:
        parse(text().replace("login = true\n", ""))
    assert "'configure' needs 'login = true'" in refused.value.problems[0]


@pytest.fixture
async def door(site):
    """The page's door to a site file; a client logged in as whoever is asked for."""
    accounts, versions = Accounts(site.with_name("accounts.sqlite")), Versions(site)
    for role in ("watch", "act", "manage"):
        accounts.add(role, role, PASSWORD)

    def examine(given):
        try:
            parse(given)
        except SiteError as error:
            return list(error.problems), []
        return [], ["does this"]

    desk = ConfigDesk(versions, examine, versions.now().number)
    app = create_app(FakeShelf(World(), tick=560), make_site(), WebOptions(port=1, accounts=accounts, config=desk))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:

        async def as_(role):
            client.cookies.clear()
            answer = await client.post("/v1/login", json={"name": role, "password": PASSWORD})
            assert answer.status_code == 200
            return client

        yield as_, desk
    versions.close()
    accounts.close()


@pytest.mark.parametrize("role", ["watch", "act"])
async def test_who_may_not_manage_sees_and_changes_nothing_of_it(door, site, role):
    as_, desk = door
    client, before = await as_(role), site.read_text()
    for path in ("/v1/config", "/v1/config/versions/1"):
        assert (await client.get(path)).status_code == 403
    wanted = {"text": before + "# x\n", "begun_from": 1}
    for path, body in (("/v1/config", wanted), ("/v1/config/check", {"text": before}), ("/v1/config/restart", {})):
        assert (await client.post(path, json=body)).status_code == 403
    assert site.read_text() == before
    assert not desk.again.is_set()


async def test_a_manager_checks_keeps_and_goes_back(door, site):
    as_, _ = door
    client, before = await as_("manage"), site.read_text()
    told = (await client.get("/v1/config")).json()
    assert (told["file"], told["running"], told["now"]["version"], told["text"]) == ("site.toml", 1, 1, before)
    wrong = before.replace('decoder = "nmea"', 'decoder = "aiz"')
    checked = (await client.post("/v1/config/check", json={"text": wrong})).json()
    assert "aiz" in checked["problems"][0]
    assert '-decoder = "nmea"' in checked["difference"].splitlines()
    refused = await client.post("/v1/config", json={"text": wrong, "begun_from": 1})
    assert (refused.status_code, refused.json()["problems"]) == (422, checked["problems"])
    assert site.read_text() == before
    after = before.replace('name = "Field"', 'name = "North field"')
    kept = await client.post("/v1/config", json={"text": after, "begun_from": 1, "note": "renamed"})
    assert (kept.status_code, kept.json()["version"], kept.json()["name"]) == (201, 2, "manage")
    assert site.read_text() == after
    late = await client.post("/v1/config", json={"text": before, "begun_from": 1})
    assert (late.status_code, late.json()["error"]) == (
        409, "Manage has changed the file meanwhile: it is at version 2.")  # fmt: skip
    old = (await client.get("/v1/config/versions/1")).json()
    assert old["text"] == before
    assert '+name = "Field"' in old["difference"].splitlines()
    assert (await client.get("/v1/config/versions/77")).status_code == 404
    assert (await client.post("/v1/config/restart", json={})).json() == {"restarting": 2}
    site.write_text(wrong)  # by hand
    assert (await client.post("/v1/config/restart", json={})).status_code == 422


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"text": 5}', b'{"text": "x", "begun_from": -1}', b"\xff" * 50])
async def test_what_is_no_request_is_refused(door, site, body):
    as_, _ = door
    client, before = await as_("manage"), site.read_text()
    headers = {"content-type": "application/json"}
    for path in ("/v1/config", "/v1/config/check"):
        assert (await client.post(path, content=body, headers=headers)).status_code == 400
    huge = b'{"text": "' + b"x" * (2 << 20) + b'"}'
    assert (await client.post("/v1/config/check", content=huge, headers=headers)).status_code == 413
    assert site.read_text() == before


class Running:
    """The real command in its own process."""

    def __init__(self, site: Path) -> None:
        url = f"http://127.0.0.1:{load(site)[0].web.port}"
        self.log = site.with_name("log.txt")
        command = [str(Path(sys.executable).with_name("lapwing")), "run", str(site)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.client = httpx.Client(base_url=url, timeout=20)

    def until(self, holds, what, seconds=240.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except (httpx.HTTPError, KeyError, ValueError):
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.3)
        pytest.fail(f"not within {seconds} s: {what}; {self.log.read_text()}")

    def log_in(self):
        answer = self.client.post("/v1/login", json={"name": "Kim", "password": PASSWORD})
        return answer.status_code == 200

    def end(self):
        self.client.close()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()


def test_a_running_site_starts_again_with_a_kept_file_and_puts_back_one_that_does_not_start(site):
    with closing(Accounts(site.with_name("accounts.sqlite"))) as accounts:
        accounts.add("Kim", "manage", PASSWORD)
    running = Running(site)
    try:
        running.until(running.log_in, "the first start")
        client = running.client

        def named():
            return client.get("/v1/site").json()["name"]

        def change(old, new, note=""):
            told = client.get("/v1/config").json()
            changed = told["text"].replace(old, new)
            assert changed != told["text"]
            wanted = {"text": changed, "begun_from": told["now"]["version"], "note": note}
            assert client.post("/v1/config", json=wanted).status_code == 201
            assert client.post("/v1/config/restart", json={}).status_code == 202

        assert named() == "Field"
        change('name = "Field"', 'name = "North field"')
        running.until(lambda: named() == "North field", "the second start")
        assert client.get("/v1/config").json()["running"] == 2
        blocked = site.with_name("blocked")
        blocked.write_text("a file where a folder is wanted")
        change('folder = "journal"', 'folder = "blocked"', "this cannot start")
        running.until(lambda: client.get("/v1/config").json()["running"] == 4, "the file put back")
        told = client.get("/v1/config").json()
        assert 'folder = "journal"' in told["text"]
        assert re.match(r"put back: version 3 did not start: ", told["versions"][0]["note"])
        assert [v["name"] for v in told["versions"]] == ["", "Kim", "Kim", ""]
        assert json.loads(client.get("/healthz").text)["status"] in ("ok", "starting")
    finally:
        running.end()
    assert running.process.returncode == 0, running.log.read_text()


ZONES = """
# our zones
[[zone]]
name = "A"  # the apron
polygon = [
  [52.0, 4.0],
  [52.1, 4.0],
  [52.1, 4.1]
]
[[zone]]
name = "B"
priority = "low"
[zone.circle]
latitude_deg = 52.0
longitude_deg = 4.0
radius_m = 500.0

# what leaves the machine
[[output]]
name = "log"
kind = "webhook"
to = "http://127.0.0.1:9/"
"""
ROUND = {"latitude_deg": 52.5, "longitude_deg": 4.5, "radius_m": 900.0}
CIRCLE = {"name": 'New "zone" \u00e9', "height_m": [0.0, 300.0], "circle": ROUND}
NEW = CIRCLE | {"name": "New zone \u00e9"}


def test_one_zone_is_changed_and_everything_else_stays_as_it_was_written():
    added = with_zone(ZONES, "", CIRCLE)
    assert tomllib.loads(added)["zone"][2] == CIRCLE
    assert added.index("radius_m = 900.0") < added.index("# what leaves")
    moved = with_zone(added, "A", {"name": "A", "polygon": [[1.0, 2.0], [1.0, 3.0], [2.0, 3.0]]})
    assert "# our zones" in moved
    assert [z["name"] for z in tomllib.loads(moved)["zone"]] == ["A", "B", CIRCLE["name"]]
    gone = with_zone(moved, "B", None)
    assert [z["name"] for z in tomllib.loads(gone)["zone"]] == ["A", CIRCLE["name"]]
    assert "# what leaves the machine\n[[output]]" in gone
    assert with_zone(added, CIRCLE["name"], None).replace("\n\n\n", "\n\n") == ZONES
    last = with_zone(with_zone(ZONES, "A", None), "B", None)
    assert "zone" not in tomllib.loads(last)
    assert tomllib.loads(with_zone(last, "", CIRCLE))["zone"] == [CIRCLE]
    assert tomllib.loads(with_zone('name = "x"', "", CIRCLE)) == {"name": "x", "zone": [CIRCLE]}


@pytest.mark.parametrize(
    ("file", "said"),
    [('zone = [{ name = "A" }]\n', "only a person"),
     ('x = """\n[[zone]]\n"""\n[[zone]]\nname = "A"\n', "only a person"), ("zone = 5\n", "only a person"),
     ("[[zone", "not valid TOML")],
)  # fmt: skip
def test_a_file_that_is_written_in_another_way_is_left_alone(file, said):
    with pytest.raises(EditError, match=said):
        with_zone(file, "", CIRCLE)
    with pytest.raises(EditError, match="there is no zone 'Z'"):
        with_zone(ZONES, "Z", None)


async def test_a_manager_draws_a_zone_and_a_wrong_one_is_refused(door, site):
    as_, _ = door
    client, before = await as_("manage"), site.read_text()
    made = await client.post("/v1/config/zone", json={"begun_from": 1, "zone": NEW, "note": "drawn"})
    assert (made.status_code, made.json()["version"], made.json()["note"]) == (201, 2, "drawn")
    assert tomllib.loads(site.read_text())["zone"] == [NEW]
    assert site.read_text().startswith(before)
    site.write_text(site.read_text().replace("height_m =", "hold_s = 7.5\nheight_m ="))
    smaller = {"name": "New zone \u00e9", "polygon": [[52.0, 4.0], [52.1, 4.0], [52.1, 4.1]]}
    wanted = {"begun_from": 3, "replaces": NEW["name"], "zone": smaller}
    assert (await client.post("/v1/config/zone", json=wanted)).status_code == 201
    assert tomllib.loads(site.read_text())["zone"] == [smaller | {"height_m": [0.0, 300.0], "hold_s": 7.5}]
    kept = site.read_text()
    for status, wanted in (
        (409, {"begun_from": 1, "zone": NEW | {"name": "Other"}}),
        (422, {"begun_from": 4, "zone": NEW}),  # two of one name
        (422, {"begun_from": 4, "replaces": "nobody"}),
        (400, {"begun_from": 4}),
        (400, {"begun_from": 4, "zone": NEW | {"polygon": [[1, 2], [2, 3], [3, 4]]}}),
        (400, {"begun_from": 4, "zone": {"name": "x"}}),
    ):
        assert (await client.post("/v1/config/zone", json=wanted)).status_code == status, wanted
        assert site.read_text() == kept
    client = await as_("act")
    refused = await client.post("/v1/config/zone", json={"begun_from": 4, "replaces": NEW["name"]})
    assert refused.status_code == 403
    client = await as_("manage")
    assert (await client.post("/v1/config/zone", json={"begun_from": 4, "replaces": NEW["name"]})).status_code == 201
    assert "zone" not in tomllib.loads(site.read_text())


async def test_thresholds_by_kind_are_written_checked_and_taken_out(door, site):
    client = await door[0]("manage")

    async def sent(version, **more):
        wanted = {"begun_from": version, "replaces": NEW["name"] if version > 1 else "", "zone": NEW | more}
        return (await client.post("/v1/config/zone", json=wanted)).status_code

    assert await sent(1, kind_min={"bird": 0.9, "ship": 1}) == 201
    assert tomllib.loads(site.read_text())["zone"][0]["kind_min"] == {"bird": 0.9, "ship": 1.0}
    assert await sent(2, kind_min={"bird": 0}) == 400
    assert await sent(2, kind_min={"dragon": 0.5}) == 400
    assert await sent(2, kind_min={"bird": 0.5}, each=True) == 400  # they contradict each other
    assert await sent(2, kind_min={}) == 201  # every field of the form is empty
    assert "kind_min" not in site.read_text()
