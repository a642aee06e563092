"""The web API on a fake shelf: what it shows, and what it refuses."""

import asyncio
import contextlib
import json
import socket
import time
import warnings

import httpx
import numpy as np
import pytest
import websockets
from starlette.websockets import WebSocketDisconnect

from lapwing.records import Position, Unseen
from lapwing.serve import wire, wire_unseen
from lapwing.serve.listening import WebAddressError, serve_web
from lapwing.serve.telling import Teller, parcel
from lapwing.serve.web import WebOptions, create_app
from tests.serve import fake_shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient


HOST = "http://127.0.0.1:8765"


@pytest.fixture
def shelf():
    return fake_shelf.FakeShelf(fake_shelf.World(), tick=600)


@pytest.fixture
def client(shelf):
    return TestClient(create_app(shelf, fake_shelf.make_site()), base_url=HOST)


def test_tracks_in_degrees_with_floor_and_etag(client, shelf):
    answer = client.get("/v1/tracks?existence_min=0.9")
    tracks = answer.json()["tracks"]
    assert answer.headers["etag"] == '"600"'
    assert len(tracks) == int((shelf.latest().tracks.existence >= 0.9).sum())
    drone = next(t for t in tracks if t["track_id"] == fake_shelf.DRONE_ID)
    assert drone["course_deg"] == pytest.approx(0.0, abs=0.1)
    assert drone["speed_mps"] == pytest.approx(22.0, abs=0.01)
    assert drone["address"] is None
    assert isinstance(drone["born_ns"], str)
    again = client.get("/v1/tracks?existence_min=0.9", headers={"If-None-Match": '"600"'})
    assert (again.status_code, again.content) == (304, b"")
    shelf.advance()
    assert client.get("/v1/tracks", headers={"If-None-Match": '"600"'}).status_code == 200


def test_picture_is_the_wire_message(client, shelf):
    answer = client.get("/v1/picture")
    assert answer.content == wire.encode_picture(shelf.latest(), fake_shelf.ORIGIN)
    assert answer.headers["content-type"] == "application/vnd.lapwing.picture"


def test_claims_alarms_regions_feeds_site_health(client):
    claims = client.get("/v1/claims").json()["claims"]
    assert len(claims) == 60
    silent = [c for c in claims if c["latitude_deg"] is None]
    assert silent
    assert all(c["condition"] == "unknown" for c in silent)
    assert {c["condition"] for c in claims} == {"ok", "degraded", "lost", "inconsistent", "unknown"}
    assert client.get("/v1/alarms").json()["alarms"][0]["zone"] == "Terminal"
    assert client.get("/v1/regions").json()["regions"][0]["exposed"] == 11
    assert [f["feed"] for f in client.get("/v1/feeds").json()["feeds"]] == ["adsb-north", "harbour-ais", "hill-radar"]
    assert client.get("/v1/site").json()["name"] == "Gyodong test range"
    assert client.get("/healthz").json()["status"] == "ok"


def test_frames_are_evidence(client, shelf):
    frame = client.get("/v1/frames/14").json()
    assert bytes.fromhex(frame["hex"]) == shelf.frame(14).data
    assert frame["feed"] == "hill-radar"
    assert client.get("/v1/frames/99999").status_code == 404
    assert client.get("/v1/frames/99999").json() == {"error": "The journal does not hold frame 99999."}


def test_cells_over_time_come_as_columns_with_rings_and_evidence(client):
    told = client.get("/v1/cells").json()
    columns = told["cells"]
    assert {len(column) for column in columns.values()} == {len(columns["hex"])}
    assert len(set(columns["start_ns"])) == 18
    assert set(columns["hex"]) == set(told["rings"])
    assert {enough for enough, n in zip(columns["enough"], columns["good"], strict=True) if n == 2} == {False}
    assert all(a["reason"] and a["kind"] == "aircraft" for a in told["affected"])
    assert client.get("/v1/cells?since_ns=0&until_ns=99999999999999999").status_code == 400
    assert client.get("/v1/cells?since_ns=5&until_ns=4").status_code == 400


def test_history_has_no_nan(client):
    told = client.get(f"/v1/history?kind=track&id={fake_shelf.DRONE_ID}").json()
    assert told["columns"]["existence"][-1] is None
    assert all(isinstance(t, str) for t in told["columns"]["time_ns"])
    assert client.get("/v1/history?kind=track&id=1").status_code == 404


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/v1/tracks?existence_min=nan", "existence_min"),
        ("/v1/tracks?existence_min=2", "existence_min"),
        ("/v1/tracks?existence_min=x", "existence_min"),
        ("/v1/tracks?existance_min=0.5", "no parameter 'existance_min'"),
        ("/v1/claims?x=1", "it has none"),
        ("/v1/frames/-1", "seq"),
        ("/v1/frames/9223372036854775808", "seq"),
        ("/v1/frames/1e3", "seq"),
        ("/v1/history?kind=ship&id=1", "kind"),
        ("/v1/history?kind=track", "id"),
        ("/v1/history?kind=track&id=1&since_ns=10&until_ns=5", "since_ns"),
        ("/v1/history?kind=track&id=1&since_ns=0&until_ns=9223372036854775807", "24 hours"),
    ],
)
def test_bad_queries_get_one_clear_sentence(client, target, says):
    answer = client.get(target)
    assert answer.status_code == 400
    sentence = answer.json()["error"]
    assert says in sentence
    assert sentence.count("\n") == 0
    assert sentence.endswith(".")


def test_before_the_first_picture(shelf):
    empty = fake_shelf.FakeShelf(fake_shelf.World(), tick=0)
    client = TestClient(create_app(empty, fake_shelf.make_site()), base_url=HOST)
    assert client.get("/v1/tracks").status_code == 503
    assert client.get("/v1/tracks").json() == {"error": "There is no picture yet."}
    assert client.get("/healthz").json()["status"] == "starting"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_foreign_host_names_are_refused(client, host):
    answer = client.get("/v1/tracks", headers={"Host": host})
    assert answer.status_code == 421
    assert "x-content-type-options" in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "[::1]:8765", "LOCALHOST"])
def test_own_host_names_pass(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_bound_and_allowed_names_pass(shelf):
    site = fake_shelf.make_site()
    lan = TestClient(create_app(shelf, site, WebOptions(host="0.0.0.0", allowed_hosts=("tower.local",))), base_url=HOST)
    assert lan.get("/healthz", headers={"Host": "192.0.2.7:8765"}).status_code == 200
    assert lan.get("/healthz", headers={"Host": "tower.local"}).status_code == 200
    assert lan.get("/healthz", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(client, method):
    for target in ("/v1/tracks", "/v1/alarms", "/v1/live", "/"):
        assert client.request(method, target).status_code == 405


def test_long_addresses_and_bodies_are_refused(client):
    assert client.get("/v1/tracks?existence_min=" + "1" * 5_000).status_code == 414
    assert client.request("GET", "/v1/tracks", content=b"x").status_code == 413


@pytest.mark.parametrize(
    "path", ["/../web.py", "/..%2fweb.py", "/%2e%2e/%2e%2e/web.py", "/assets/..%5c..%5cweb.py", "/%00", "//etc/passwd"]
)
def test_paths_stay_inside_the_page(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert b"FastAPI" not in answer.content


def test_headers_keep_strangers_out(client):
    for target in ("/", "/v1/tracks", "/v1/frames/99999", "/openapi.json"):
        headers = client.get(target).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").json()["info"]["title"] == "Lapwing"


OWN = {"host": "127.0.0.1:8765"}


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
                {"host": "evil.example", "origin": "http://evil.example"}]
)  # fmt: skip
def test_live_refuses_strangers(client, headers):
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/v1/live", headers={**OWN, **headers}) as live,
    ):
        live.receive()
    assert refused.value.code == 1008


@pytest.mark.parametrize("stride", ["0", "-1", "301", "x", "1.5", "9" * 30, "000300999", "0" * 5_000 + "5", "%D9%A3"])
def test_live_refuses_bad_strides(client, stride):
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(f"/v1/live?stride={stride}", headers=OWN) as live,
    ):
        live.receive()
    assert refused.value.code == 1008


@contextlib.asynccontextmanager
async def served(app, host="127.0.0.1"):
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve_web(app, host, 0, bound.set_result))
    try:
        yield await bound
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def read_until_picture(live) -> tuple[list[dict], bytes]:
    texts = []
    while True:
        message = await asyncio.wait_for(live.recv(), 5)
        if isinstance(message, bytes):
            return texts, message
        texts.append(json.loads(message))


async def test_live_says_hello_then_pictures_and_changes(shelf):
    async with (
        served(create_app(shelf, fake_shelf.make_site())) as port,
        websockets.connect(f"ws://127.0.0.1:{port}/v1/live?stride=1") as live,
    ):
        texts, picture = await read_until_picture(live)
        kinds = ["hello", "alarms", "feeds", "sensors", "reasons", "regions", "outputs", "remote", "names"]
        assert [t["type"] for t in texts] == kinds
        assert texts[0]["site"]["name"] == "Gyodong test range"
        assert texts[0]["fields"]["tracks"][0]["name"] == "id"
        assert wire.decode_picture(picture)[0]["tick"] == 600
        shelf.advance()
        texts, picture = await read_until_picture(live)
        assert wire.decode_picture(picture)[0]["tick"] == 601
        assert {"feeds", "names", "hello", "outputs", "remote"}.isdisjoint(
            t["type"] for t in texts
        )  # feeds at most once a second


async def test_live_stride_is_broken_by_a_new_alarm():
    shelf = fake_shelf.FakeShelf(fake_shelf.World(), tick=510)
    raised = next(t for t in range(511, 530) if len(shelf.world.picture(t).alarms) == 3)
    async with (
        served(create_app(shelf, fake_shelf.make_site())) as port,
        websockets.connect(f"ws://127.0.0.1:{port}/v1/live?stride=300") as live,
    ):
        await read_until_picture(live)
        for _ in range(raised - 510):
            shelf.advance()
            await asyncio.sleep(0)
        texts, picture = await read_until_picture(live)
        assert wire.decode_picture(picture)[0]["tick"] == raised
        assert texts[0]["alarms"][0]["zone"] == "Terminal"


def test_an_alarm_that_follows_a_picture_is_told_alone_and_the_tables_within_a_second():
    world, site = fake_shelf.World(), fake_shelf.make_site()
    raised = next(t for t in range(511, 530) if len(world.picture(t).alarms) == 3)
    teller = Teller(300)

    def told(tick: int) -> list[str]:
        picture = world.picture(tick)
        if not teller.due(picture):
            return []
        messages = teller.messages(parcel(picture, site.origin, {}), whole=False)
        return ["tables" if isinstance(m, bytes) else json.loads(m)["type"] for m in messages]

    assert told(raised - 1)[-1] == "tables"
    assert told(raised)[0] == "alarms"
    assert [told(raised + k)[-1:] for k in range(1, 4)] == [[], [], []]
    assert told(raised + 4)[-1] == "tables"
    assert told(raised + 5) == []


async def test_served_for_real_ranges_and_origin(shelf):
    async with served(create_app(shelf, fake_shelf.make_site())) as port, httpx.AsyncClient() as web:
        answer = await web.get(f"http://127.0.0.1:{port}/basemap.pmtiles", headers={"Range": "bytes=0-6"})
        assert (answer.status_code, answer.content) == (206, b"PMTiles")
        assert answer.headers["content-range"].startswith("bytes 0-6/")
        page = await web.get(f"http://127.0.0.1:{port}/")
        assert "Lapwing" in page.text
        assert page.headers["cache-control"] == "no-cache"
        origin = f"http://127.0.0.1:{port}"
        async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live", origin=origin) as live:
            assert json.loads(await live.recv())["type"] == "hello"
            assert live.response.headers.get("sec-websocket-extensions") is None  # no per-message deflate


async def test_a_slow_client_blocks_nobody_and_nothing_piles_up(shelf):
    app = create_app(shelf, fake_shelf.make_site())
    shelf.world = fake_shelf.World(n_tracks=8_000, n_claims=0)
    async with served(app) as port:
        slow = socket.create_connection(("127.0.0.1", port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.sendall(
            f"GET /v1/live?stride=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with slow:
            async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live?stride=1", max_size=None) as quick:
                ticks = []
                while len(ticks) < 40:
                    shelf.advance()
                    message = b""
                    while not isinstance(message, bytes) or not message:
                        message = await asyncio.wait_for(quick.recv(), 5)
                    ticks.append(wire.decode_picture(message)[0]["tick"])
                assert ticks == sorted(ticks)
                assert ticks[-1] >= shelf.latest().tick - 1


async def test_client_limit(shelf):
    async with served(create_app(shelf, fake_shelf.make_site(), WebOptions(clients_max=1))) as port:
        async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live") as first:
            await first.recv()
            with pytest.raises(websockets.exceptions.InvalidStatus):
                await websockets.connect(f"ws://127.0.0.1:{port}/v1/live")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:  # its place is free again
            with contextlib.suppress(websockets.exceptions.InvalidStatus):
                async with websockets.connect(f"ws://127.0.0.1:{port}/v1/live") as again:
                    assert json.loads(await again.recv())["type"] == "hello"
                    return
            await asyncio.sleep(0.05)
        pytest.fail("the place was not given back")


async def test_taken_port_is_said_clearly(shelf):
    app = create_app(shelf, fake_shelf.make_site())
    async with served(app) as port:
        with pytest.raises(WebAddressError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use"):
            await serve_web(app, "127.0.0.1", port)


def test_what_could_be_here_unseen(client, shelf):
    told = client.get("/v1/unseen").json()["unseen"]
    assert told["zones"] == {"Terminal": 0.0123}
    assert (len(told["latitude_deg"]), len(told["longitude_deg"])) == (7, 9)
    assert told["latitude_deg"] == sorted(told["latitude_deg"])
    assert told["longitude_deg"] == sorted(told["longitude_deg"])
    north_m = np.radians(told["latitude_deg"][-1] - told["latitude_deg"][0]) * 6.371e6
    assert abs(north_m - 12_000.0) < 60.0
    assert told["expected"][0] == [0.004] * 4 + [0.0002] * 4
    assert told["unwatched"] == 0.004
    assert wire_unseen.unseen(Unseen.empty(), Position(0.9, 0.4, 0.0)) == {"unseen": None}
