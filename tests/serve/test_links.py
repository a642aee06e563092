"""Several sites in one picture: another server's picture is taken as a stranger's words, shown beside, never mixed."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from dataclasses import replace
from http import HTTPStatus

import httpx
import numpy as np
import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lapwing.serve import link_socket, link_wire
from lapwing.serve import links as links_room
from lapwing.serve.accounts import Accounts
from lapwing.serve.link_wire import ROWS_MAX, LinkFault, read_picture, read_text
from lapwing.serve.links import Link, Links
from lapwing.serve.logs import set_up
from lapwing.serve.site import SiteError, parse
from lapwing.serve.site_link import SiteLinkEntry
from lapwing.serve.site_words import missing, words
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.wire import MAGIC, decode_picture, encode_picture, pack
from lapwing.serve.wire_text import names, texts
from tests.serve.fake_shelf import ORIGIN, FakeShelf, World, make_site
from tests.serve.test_web import served

PICTURE = encode_picture(World().picture(600), ORIGIN)


def entry(port: int, **more) -> SiteLinkEntry:
    return SiteLinkEntry(name="North", to=f"http://127.0.0.1:{port}", colour="#e69f00", **more)


@contextlib.asynccontextmanager
async def linked(link: Link):
    running = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(holds, seconds: float = 10.0) -> None:
    for _ in range(round(seconds / 0.02)):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def test_another_site_is_shown_as_it_shows_itself(tmp_path):
    shelf = FakeShelf(World(), tick=600)
    async with served(create_app(shelf, make_site())) as there:
        all_ = Links([entry(there)], tmp_path)
        mine = FakeShelf(World(), tick=100)
        app = create_app(mine, make_site(), WebOptions(links=all_))
        link, running = all_.all[0], None
        try:
            async with served(app) as here, httpx.AsyncClient(base_url=f"http://127.0.0.1:{here}") as web:
                before = (await web.get("/v1/picture")).content
                assert (await web.get("/v1/links/0/picture")).status_code == 404
                assert (await web.get("/v1/links/1/picture")).status_code == 404
                assert (await web.get("/v1/links")).json()["links"][0]["state"] == "never"
                running = asyncio.create_task(all_.run())
                await until(lambda: link.picture is not None)
                (row,) = (await web.get("/v1/links")).json()["links"]
                assert (row["name"], row["site"], row["state"], row["faults"]) == (
                    "North",
                    "Gyodong test range",
                    "live",
                    0,
                )
                theirs = (await web.get("/v1/links/0/picture")).content
                header, tables = decode_picture(theirs)
                told, original = decode_picture(PICTURE)
                assert (header["tick"], header["time_ns"]) == (600, told["time_ns"])
                for table in ("tracks", "claims"):
                    for column, values in original[table].items():
                        np.testing.assert_array_equal(tables[table][column], values)
                alarms = (await web.get("/v1/alarms")).json()["alarms"]
                assert {a["reason"] for a in row["alarms"]} != {a["reason"] for a in alarms} or not alarms
                assert len(row["alarms"]) == len(World().picture(600).alarms)
                assert [f["feed"] for f in row["feeds"]] == [f.feed for f in World().picture(600).feeds]
                assert row["names"]
                assert (await web.get("/v1/picture")).content == before  # ours knows nothing of it
                shelf.advance(5)
                await until(lambda: link.picture.tick == 605)
                tag = (await web.get("/v1/links/0/picture")).headers["etag"]
                again = await web.get("/v1/links/0/picture", headers={"If-None-Match": tag})
                assert again.status_code == 304
                async with websockets.connect(f"ws://127.0.0.1:{here}/v1/live") as live:
                    assert "links" in json.loads(await live.recv())["offers"]
        finally:
            if running is not None:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running


async def test_rows_are_made_once_per_change_for_all_pages(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(links_room, "dump", lambda value: made.append(1) or json.dumps(value))
    all_ = Links([entry(1), entry(2)], tmp_path)
    link = all_.all[0]
    app = create_app(FakeShelf(World(), tick=100), make_site(), WebOptions(links=all_))
    async with served(app) as here, httpx.AsyncClient(base_url=f"http://127.0.0.1:{here}") as web:
        first = await web.get("/v1/links")
        assert len(made) == 2
        again = await web.get("/v1/links", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await web.get("/v1/links")).json() == first.json()
        assert len(made) == 2
        changes = [
            lambda: link._take(json.dumps({"type": "alarms", "alarms": [ALARM]})),
            lambda: link._take('{"type": "feeds", "feeds": []}'),
            lambda: link._take('{"type": "hello", "version": "1", "site": {"name": "There"}}'),
            lambda: link._fault("something"),
            link._found,
            lambda: link._lost("gone"),
        ]
        tag = first.headers["etag"]
        for count, change in enumerate(changes, start=3):
            change()
            told = await web.get("/v1/links", headers={"If-None-Match": tag})
            assert told.status_code == (304 if count == 4 else 200)  # no feeds after no feeds: the same words
            assert len(made) == count  # of this link only
            tag = told.headers["etag"]
        (row, _) = told.json()["links"]
        assert row["alarms"] == [ALARM]
        assert (row["site"], row["why"], row["connected"], row["faults"]) == ("There", "gone", False, 1)


def test_names_are_told_of_claims_in_the_picture_only(tmp_path):
    link = Link(entry(1), tmp_path)
    known = names(World().picture(600).claims)
    link._take(json.dumps({"type": "names", "names": known | {"0:99999": "ELSEWHERE"}, "gone": []}))
    assert link.row(0)["names"] == {}
    link._take(PICTURE)
    assert known
    assert json.loads(link.text(0))["names"] == known
    link._take(json.dumps({"type": "names", "names": {}, "gone": list(known)}))
    assert json.loads(link.text(0))["names"] == {}


def test_the_age_of_a_picture_makes_a_row_anew(tmp_path):
    link = Link(entry(1), tmp_path)
    link._take(PICTURE)
    link.up = True
    assert json.loads(link.text(0))["state"] == "live"
    link.received_s -= 60
    row = json.loads(link.text(0))
    assert row["state"] == "old"
    assert 60 <= row["age_s"] < 90


async def test_a_silent_link_is_old_and_a_dead_one_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(links_room, "OLD_S", 0.3)
    shelf = FakeShelf(World(), tick=600)
    async with contextlib.AsyncExitStack() as stack:
        there = await stack.enter_async_context(served(create_app(shelf, make_site())))
        link = await stack.enter_async_context(linked(Link(entry(there), tmp_path)))
        await until(lambda: link.picture is not None)
        assert link.row(0)["state"] == "live"
        await until(lambda: link.row(0)["state"] == "old")
        assert link.row(0)["connected"]
        monkeypatch.setattr(links_room, "SILENT_S_MAX", 0.2)
        shelf.advance(5)
        await until(lambda: link.picture.tick == 605)
        await until(lambda: not link.row(0)["connected"])
        assert "nothing came" in link.row(0)["why"]
        assert link.row(0)["tick"] == 605  # the last picture stays, as old


async def test_a_link_comes_back_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(links_room, "PAUSE_S_MIN", 0.02)
    monkeypatch.setattr(links_room, "PAUSE_S_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with linked(Link(entry(port), tmp_path)) as link:
        await until(lambda: link.up is False)
        assert link.row(0)["state"] == "never"
        assert "refused" in link.why.lower()
        async with websockets.serve(lambda s: s.send(PICTURE), "127.0.0.1", port):
            await until(lambda: link.picture is not None)


async def test_who_must_log_in_there_needs_a_token(tmp_path):
    accounts = Accounts(tmp_path / "accounts.sqlite")
    token = accounts.add_token("south", "watch")
    app = create_app(FakeShelf(World(), tick=600), make_site(), WebOptions(accounts=accounts))
    async with served(app) as there:
        async with linked(Link(entry(there), tmp_path)) as link:
            await until(lambda: link.up is False)
            assert link.picture is None
        (tmp_path / "token").write_text(token + "\n")
        async with linked(Link(entry(there, token="file:token"), tmp_path)) as link:
            await until(lambda: link.picture is not None)
            assert token not in json.dumps(link.row(0))
        async with linked(Link(entry(there, token="file:none"), tmp_path)) as link:
            await until(lambda: link.up is False)
            assert "is not there" in link.why
    accounts.close()


async def test_a_token_is_never_logged(tmp_path, caplog):
    (tmp_path / "token").write_text("s3cret\n")
    with caplog.at_level(logging.DEBUG):
        async with (
            websockets.serve(lambda s: s.send(PICTURE), "127.0.0.1", 0, logger=link_socket.SILENT) as server,
            linked(Link(entry(server.sockets[0].getsockname()[1], token="file:token"), tmp_path)) as link,
        ):
            await until(lambda: link.picture is not None)
    assert "connected to" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_is_for_our_own_loggers(verbose):
    names = ["", "lapwing", "websockets", "httpx"]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        logging.getLogger("websockets").setLevel(logging.DEBUG)
        set_up(verbose)
        assert logging.getLogger("lapwing.outputs").isEnabledFor(logging.DEBUG) == verbose
        assert not logging.getLogger("websockets.client").isEnabledFor(logging.INFO)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


async def test_a_redirection_is_not_followed(tmp_path):
    asked = []

    async def away(connection, request):
        response = connection.respond(HTTPStatus.FOUND, "over there")
        response.headers["Location"] = f"ws://127.0.0.1:{thief.sockets[0].getsockname()[1]}/v1/live"
        return response

    async def steal(_connection, request):
        asked.append(request.headers.get("Authorization"))

    (tmp_path / "token").write_text("secret\n")
    async with (
        websockets.serve(lambda s: s.wait_closed(), "127.0.0.1", 0, process_request=steal) as thief,
        websockets.serve(lambda s: s.wait_closed(), "127.0.0.1", 0, process_request=away) as first,
        linked(Link(entry(first.sockets[0].getsockname()[1], token="file:token"), tmp_path)) as link,
    ):
        await until(lambda: link.up is False)
        assert "302" in link.why
        assert asked == []


def changed(**how) -> bytes:
    """The good picture with another header."""
    length = int.from_bytes(PICTURE[4:8], "little")
    header = json.loads(PICTURE[8 : 8 + length])
    for key, value in how.items():
        if key in ("tick", "time_ns", "tables"):
            header[key] = value
        else:
            header["tables"]["tracks"][key] = value
    raw = json.dumps(header).encode()
    return MAGIC + len(raw).to_bytes(4, "little") + raw + PICTURE[8 + length :]


COLUMNS = decode_picture(PICTURE)[0]["tables"]["tracks"]["columns"]
WRONG = [
    (b"", "no picture"),
    (b"LWP2" + PICTURE[4:], "no picture"),
    (MAGIC + (2**31).to_bytes(4, "little") + b"x" * 100, "no picture"),
    (MAGIC + (4).to_bytes(4, "little") + b"null", "cannot be understood"),
    (MAGIC + (4_000).to_bytes(4, "little") + b"[" * 4_000, "cannot be understood"),
    (changed(tick=-1), "of no time"),
    (changed(tick=1e400), "cannot be understood"),
    (changed(time_ns="9" * 30), "of no time"),
    (changed(tables={}), "cannot be understood"),
    (changed(n=ROWS_MAX + 1), "more than"),
    (changed(n=-1), "more than"),
    (changed(n="3"), "more than"),
    (changed(columns=COLUMNS[1:]), "no column id"),
    (changed(columns=[["id", "f8", 0, 1], *COLUMNS[1:]]), "said in another way"),
    (changed(columns=[["id", "u4", 0, 2], *COLUMNS[1:]]), "said in another way"),
    (changed(columns=[["id", "u4", 10**9, 1], *COLUMNS[1:]]), "outside the message"),
    (changed(columns=[["id", "u4", -4, 1], *COLUMNS[1:]]), "outside the message"),
    (changed(columns=[["id", "u4", 0.5, 1], *COLUMNS[1:]]), "outside the message"),
    (changed(columns=7), "cannot be understood"),
    (PICTURE[: len(PICTURE) // 2], "outside the message"),
]


@pytest.mark.parametrize(("message", "why"), WRONG)
def test_a_wrong_picture_is_a_fault(message, why):
    with pytest.raises(LinkFault, match=why):
        read_picture(message)


ALARM = {
    "id": 1, "rule": "r", "zone": "", "subject": "track", "subject_id": 7, "state": "raised", "priority": "high",
    "raised_ns": "1", "cleared_ns": "0", "latitude": 1.0, "longitude": 2.0, "reason": "because",
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "[]",
        "7",
        "[" * 100_000,
        '{"type": 7}',
        '{"type": "hello"}',
        '{"type": "alarms", "alarms": [' + ",".join([json.dumps(ALARM)] * 501) + "]}",
        json.dumps({"type": "alarms", "alarms": [ALARM | {"latitude": 91}]}),
        '{"type": "alarms", "alarms": [' + json.dumps(ALARM).replace("1.0", "NaN") + "]}",
        json.dumps({"type": "alarms", "alarms": [ALARM | {"priority": "apocalypse"}]}),
        json.dumps({"type": "alarms", "alarms": [ALARM | {"reason": "x" * 1_001}]}),
        json.dumps({"type": "alarms", "alarms": [ALARM | {"raised_ns": "soon"}]}),
        json.dumps({"type": "feeds", "feeds": [{"feed": "f"}]}),
        json.dumps({"type": "names", "names": {"0:1": "x" * 81}, "gone": []}),
        '{"type": "hello", "x": "' + "x" * (5 << 20) + '"}',
    ],
)
def test_a_wrong_text_is_a_fault(text):
    with pytest.raises(LinkFault) as told:
        read_text(text)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "alarms", "alarms": [' + ",".join(["{}"] * 80_000) + "]}",
        '{"type": "alarms", "alarms": [' + ",".join(["{}"] * link_wire.ALARMS_MAX) + "]}",
        '{"type": "feeds", "feeds": [' + ",".join(["{}"] * 80_000) + "]}",
        json.dumps({"type": "names", "names": {f"{i:050}": 5 for i in range(15_000)}, "gone": []}),
        json.dumps({"type": "names", "names": {}, "gone": [7] * 20_000}),
        json.dumps({"type": "names", "names": {}, "gone": [7] * 100_000}),
    ],
)
def test_many_mistakes_cost_no_more_than_one(text, monkeypatch):
    listed = []

    def first_only(kind):
        def check(told):
            try:
                return kind.model_validate(told)
            except ValidationError as error:
                listed.append(error.error_count())
                raise

        return check

    for name, kind in list(link_wire.KINDS.items()):
        watched = type(name, (), {"model_fields": kind.model_fields, "model_validate": staticmethod(first_only(kind))})
        monkeypatch.setitem(link_wire.KINDS, name, watched)
    with pytest.raises(LinkFault):
        read_text(text)
    assert sum(listed) <= 24  # columns of an alarm, twice: a missing one can be told in two ways


def padded(kind: str, size: int) -> str:
    text = f'{{"type": "{kind}", "x": "'
    return text + "x" * (size - len(text) - 2) + '"}'


@pytest.mark.parametrize("kind", ["hello", "alarms", "feeds", "names", "weather"])
def test_a_text_is_as_long_as_its_kind_needs(kind):
    size = link_wire.TEXT_BYTES_MAX.get(kind, link_wire.OTHER_BYTES_MAX)
    with pytest.raises(LinkFault, match="too long"):
        read_text(padded(kind, size + 1))
    with pytest.raises(LinkFault, match="too long"):
        read_text(padded(kind, size - 2).replace("xxxx", "é" * 4, 1))  # bytes count, not characters
    if kind == "weather":
        assert read_text(padded(kind, size)) is None
    else:
        with pytest.raises(LinkFault) as told:
            read_text(padded(kind, size))
        assert "too long" not in str(told.value)


def test_a_text_that_is_never_shown_is_never_parsed(monkeypatch):
    monkeypatch.setattr(link_wire.json, "loads", None)
    for kind in link_wire.UNREAD:  # in a jammed hour the reasons of thousands of claims are long
        assert read_text(padded(kind, 3 << 20)) is None
    with pytest.raises(LinkFault, match="begin with its type"):
        read_text('{"x": "' + "x" * 64 + '", "type": "weather"}')


def test_what_ours_tells_is_read_or_passed_over():
    told = texts(World().picture(600), ORIGIN)
    assert set(told) == {"alarms", "feeds", "sensors", "reasons", "regions"}
    for kind, text in told.items():
        assert (read_text(text) is None) == (kind in link_wire.UNREAD)


def test_a_link_may_cost_so_much_and_no_more():
    full = links_room.MESSAGE_BYTES_MAX
    calm = links_room.Budget()
    assert not any(calm.came(full, 100.0 + second) or calm.took(0.19) for second in range(60))
    burst = links_room.Budget()
    assert [burst.came(full, 100.0 + 0.01 * i) for i in range(4)] == ["", "", "", "it sends too much"]
    slow = links_room.Budget()
    assert [slow.came(9, 100.0) + slow.took(0.15), slow.came(9, 100.9) + slow.took(0.15)] == [
        "",
        "its messages take too long to read",
    ]
    many = links_room.Budget()
    assert [bool(many.came(1, 100.0)) for _ in range(102)] == [False] * 100 + [True] * 2


async def test_a_peer_whose_messages_take_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(links_room, "TAKING_S_MAX", 0.0)
    link = await peer_that_says(tmp_path, PICTURE)
    assert (link.faults, link.last_fault) == (1, "its messages take too long to read")
    assert "given up: its messages take too long" in link.why


def test_the_largest_picture_and_its_texts_fit():
    """20,000 rows of every table, with the texts that are told beside it once, in one second."""
    n = ROWS_MAX
    tables = {name: {c.name: np.zeros(n, "<" + c.dtype) for c in columns} for name, columns in link_wire.TABLES.items()}
    picture = pack(1, 1, tables)
    named = json.dumps({"type": "names", "names": {f"0:{i:010}": "CALLSIGN" for i in range(n)}, "gone": []})
    budget = links_room.Budget()
    came = [budget.came(len(message), 100.0) for message in (named, padded("reasons", 4 << 20), picture, picture)]
    began_s = time.thread_time()
    assert len(read_picture(picture).tables["tracks"]["id"]) == n
    assert len(read_text(named).names) == n
    assert not any(came)
    assert not budget.took(time.thread_time() - began_s)


def test_what_is_not_known_is_left_alone():
    assert read_text('{"type": "weather", "rain": true}') is None
    (alarm,) = read_text(json.dumps({"type": "alarms", "alarms": [ALARM | {"more": "later"}]})).alarms
    assert alarm.model_dump() == ALARM


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(PICTURE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_picture_is_a_fault_or_a_whole_picture(at, what):
    damaged = PICTURE[:at] + what + PICTURE[at + len(what) :]
    try:
        told = read_picture(damaged)
    except LinkFault:
        return
    _, tables = decode_picture(told.message())
    for table in tables.values():
        assert np.abs(table["latitude"].astype(np.int64)).max(initial=0) <= 900_000_000
        assert len({len(column) for column in table.values()}) == 1


async def peer_that_says(tmp_path, *messages, forever=False, ends=True):
    """A link to a peer that says this, after it was heard for a while."""

    async def speak(connection):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                for message in messages:
                    await connection.send(message)
                if not forever:
                    break
            await connection.wait_closed()

    async with websockets.serve(speak, "127.0.0.1", 0) as server:
        link = Link(entry(server.sockets[0].getsockname()[1]), tmp_path)
        async with linked(link):
            await until(lambda: link.up is False if ends else link.faults > 0)
            await asyncio.sleep(0.1)
        return link


async def test_wrong_words_are_counted_and_too_many_end_the_connection(tmp_path):
    link = await peer_that_says(tmp_path, "nonsense", PICTURE, ends=False)
    assert (link.faults, link.last_fault, link.up) == (
        1,
        "a text does not begin with its type within 64 characters",
        True,
    )
    assert link.picture is not None  # the rest is taken
    link = await peer_that_says(tmp_path, *["nonsense"] * 50)
    assert link.faults == links_room.FAULTS_MAX
    assert "given up: 20 messages were wrong" in link.why


async def test_a_flood_is_cut(tmp_path):
    link = await peer_that_says(tmp_path, '{"type": "weather"}', forever=True)
    assert "sends too much" in link.why
    link = await peer_that_says(tmp_path, b"x" * (links_room.MESSAGE_BYTES_MAX + 1))
    assert link.up is False
    assert link.picture is None
    said = {"type": "names", "gone": []}
    many = [json.dumps(said | {"names": {f"{k}:{i}": "n" for i in range(15_000)}}) for k in range(3)]
    link = await peer_that_says(tmp_path, *many, ends=False)
    assert len(link.names) <= links_room.KNOWN_MAX
    assert "names more than" in link.last_fault


async def peer_that_sends_raw(tmp_path, raw: bytes, times: int) -> Link:
    """A link to a peer that opens properly, then sends raw frames and never reads."""

    async def speak(connection):
        connection.transport.pause_reading()
        with contextlib.suppress(OSError):
            for _ in range(times):
                if connection.transport.is_closing():
                    break
                connection.transport.write(raw)
                await asyncio.sleep(0)
        await connection.wait_closed()

    async with websockets.serve(speak, "127.0.0.1", 0, close_timeout=0.1) as server:
        async with linked(Link(entry(server.sockets[0].getsockname()[1]), tmp_path)) as link:
            await until(lambda: link.up is False)
        for connection in server.connections:
            connection.transport.abort()
        return link


async def test_pings_whose_answers_nobody_reads_end_the_link(tmp_path, monkeypatch):
    monkeypatch.setattr(link_socket, "FRAMES_PER_S_MAX", 10**9)
    link = await peer_that_sends_raw(tmp_path, (b"\x89\x7d" + b"p" * 125) * 500, 400)
    assert (link.faults, link.last_fault) == (1, "it sends pings and does not read the answers")


@pytest.mark.parametrize("frame", [b"\x89\x00", b"\x8a\x00", b"\x00\x00"])
async def test_frames_that_are_no_messages_are_bounded(tmp_path, frame):
    opened = b"\x01\x00" if frame[0] == 0 else b""  # a text that never ends
    link = await peer_that_sends_raw(tmp_path, opened + frame * 1_100, 1)
    assert (link.faults, link.last_fault) == (1, "it sends too many frames")
    assert "given up: it sends too many frames" in link.why


async def test_a_peer_cannot_forge_lines_of_the_log(tmp_path, caplog):
    forged = "bye\n12:00:00 I site link North: connected\x1b[2J\u202e\u2028"

    async with websockets.serve(lambda s: s.close(4000, forged), "127.0.0.1", 0) as server:
        with caplog.at_level(logging.INFO):
            async with linked(Link(entry(server.sockets[0].getsockname()[1]), tmp_path)) as link:
                await until(lambda: link.up is False)
    (line,) = [r.getMessage() for r in caplog.records if "lost" in r.getMessage()]
    assert line.isprintable()
    assert line.endswith("bye 12:00:00 I site link North: connected?[2J?")
    assert link.why in line


async def test_rows_that_are_nowhere_are_left_out_and_counted(tmp_path):
    _, tables = decode_picture(PICTURE)
    raw = {name: dict(tables[name]) for name in ("tracks", "claims")}
    raw["tracks"]["latitude"] = raw["tracks"]["latitude"].copy()
    raw["tracks"]["latitude"][:3] = 2_000_000_000
    told = read_picture(replace(read_picture(PICTURE), tables=raw).message())
    assert told.left_out == 3
    assert len(told.tables["tracks"]["id"]) == len(tables["tracks"]["id"]) - 3


SITE = """
name = "Here"
origin = {latitude_deg = 47.0, longitude_deg = 8.0}
feed = [{name = "f", decoder = "nmea", from = "udp://127.0.0.1:9999"}]
[[site_link]]
name = "North"
"""


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('to = "http://h:1/path"', "more than a server"),
        ('to = "ftp://h:1"', "is not an address"),
        ('to = "http://u:p@h:1"', "password does not belong"),
        ('to = "http://h:1"\ntoken = "plain"', "a secret is"),
        ('to = "http://h:1"\ncolour = "red"', "colour"),
        ('to = "http://h:1"\n[[site_link]]\nname = "North"\nto = "http://g:1"', "names must differ"),
    ],
)
def test_mistakes_are_told(lines, why):
    with pytest.raises(SiteError) as told:
        parse(SITE + lines)
    assert any(why in problem for problem in told.value.problems)


def test_what_a_link_will_do_is_said(tmp_path):
    site = parse(SITE + 'to = "http://north.example:8480"\ntoken = "file:t"')
    (told,) = [line for line in words(site, site.site(tmp_path)) if line.startswith("site link")]
    assert "never mixed" in told
    assert "CAN BE READ" in told
    assert "site link 'North'" in missing(site, site.site(tmp_path), tmp_path)[0]
    assert site.site_link[0].live() == "ws://north.example:8480/v1/live?stride=5"
    assert SiteLinkEntry(name="n", to="https://[::1]").live() == "wss://[::1]:443/v1/live?stride=5"
