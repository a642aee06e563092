"""The gaps of feeds in the last hour, as the index has them: minute by minute, over the edge of an hour."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import MINUTE_NS, Presence
from lapwing.records import Position
from lapwing.serve.web import create_app
from lapwing.serve.web_gaps import gaps
from tests.serve.fake_shelf import FakeShelf, World, make_site

HOUR = 500_000 * HOUR_NS


def seen(looks):
    """An index of these (time_ns, quiet) looks at one feed, and the newest picture."""
    presence, picture = Presence(Path("/nonexistent"), Position(0.0, 0.0, 0.0)), World().picture(400)
    for time_ns, quiet in looks:
        feed = replace(picture.feeds[0], received_ns=time_ns, quiet=quiet)
        picture = replace(picture, time_ns=time_ns, feeds=(feed,))
        presence.add(picture)
    return presence, picture


def test_each_minute_says_whether_the_feed_was_heard_over_the_edge_of_the_hour():
    begin = HOUR - 3 * MINUTE_NS
    looks = [(begin + k * 20 * 10**9, 3 <= k < 8) for k in range(15)]  # silent from minute 1 to the middle of minute 2
    told = gaps(*seen(looks))
    (feed,) = told["feeds"]
    assert len(feed["minutes"]) == 60
    assert feed["minutes"] == "." * 55 + "+-~++"
    assert int(told["since_ns"]) == HOUR + MINUTE_NS - 59 * MINUTE_NS


def test_what_is_older_than_an_hour_is_not_told_and_what_nobody_looked_at_is_no_silence():
    looks = [(HOUR - 90 * MINUTE_NS, True), (HOUR - 50 * MINUTE_NS, True), (HOUR, False)]
    (feed,) = gaps(*seen(looks))["feeds"]
    assert feed["minutes"] == "." * 9 + "-" + "." * 49 + "+"


@pytest.mark.parametrize("time_ns", [6 * 10**9, 5 * MINUTE_NS])
def test_at_the_beginning_of_time(time_ns):
    (feed,) = gaps(*seen([(time_ns, False)]))["feeds"]
    assert feed["minutes"].endswith("+")
    assert len(feed["minutes"]) == time_ns // MINUTE_NS + 1


async def test_over_the_web():
    shelf = FakeShelf(World(), 1000)
    shelf.remember(range(25, 1000, 25))
    transport = httpx.ASGITransport(create_app(shelf, make_site()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8480") as client:
        told = {f["feed"]: f["minutes"] for f in (await client.get("/v1/gaps")).json()["feeds"]}
        assert told["harbour-ais"].count("-") == told["hill-radar"].count("+") >= 3
        assert (await client.get("/v1/gaps?since=1")).status_code == 400

        def broken():
            raise OSError("the disk is away")

        shelf.presence = broken
        assert (await client.get("/v1/gaps")).json() == {"error": "the disk is away"}
