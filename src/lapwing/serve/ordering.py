"""`lapwing task`: an order to a SAPIENT sensor, given to the site that is running here and followed until answered."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from lapwing.records import Site

ANSWER_S = 10.0
REQUEST_S = 10.0
NO_ORDERS = "the site takes no orders: it has no SAPIENT feed, or [web] acts does not allow it"


class OrderError(Exception):
    """The order was not given; the message is one sentence for a person."""


def give(host: str, port: int, site: Site, wanted: dict[str, Any], key: str = "") -> str:
    """What became of an order, for a person. Raises OrderError."""
    told = {key: value for key, value in wanted.items() if value not in (None, "")}
    if "name" not in told:
        raise OrderError("an order is written down with a name: --by NAME")
    feeds = [f.feed for f in site.feeds if f.decoder == "sapient"]
    if "feed" not in told:
        if len(feeds) != 1:
            raise OrderError(f"which feed? --feed, one of {feeds}")
        told["feed"] = feeds[0]
    if "corners" in told:
        told["corners"] = _corners(told["corners"])
    url = address(host, port, "/v1/tasks")
    row = ask(url, json.dumps(told).encode(), NO_ORDERS, key)
    until = time.monotonic() + ANSWER_S
    while not row["answers"] and time.monotonic() < until:
        time.sleep(0.2)
        row = ask(f"{url}?task={row['task_id'].replace(' ', '%20')}", None, NO_ORDERS, key)["tasks"][0]
    answers = [f"{a['status']}{': ' if a['reason'] else ''}{a['reason']}" for a in row["answers"]]
    return f"task {row['task_id']}: " + ("; ".join(answers) or f"sent; no answer within {ANSWER_S:.0f} s")


def address(host: str, port: int, path: str) -> str:
    """Where a site that listens there is asked on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
    return f"http://{shown}:{port}{path}"


def _corners(text: str) -> list[list[float]]:
    try:
        return [[float(v) for v in pair.split(",")] for pair in text.split()]
    except ValueError:
        raise OrderError(f"--corners {text!r}: write them as LATITUDE,LONGITUDE LATITUDE,LONGITUDE ...") from None


def ask(url: str, body: bytes | None, refused: str, key: str = "") -> dict[str, Any]:
    """The server's JSON; a POST when there is a body. Raises OrderError, with `refused` where there is no such door.
    `key` is shown where people must log in."""
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(url, body, headers | ({"Authorization": f"Bearer {key}"} if key else {}))
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:
            out: dict[str, Any] = json.load(answer)
            return out
    except urllib.error.HTTPError as error:
        with error:
            try:
                why = str(json.load(error)["error"])
            except (ValueError, KeyError, TypeError):
                why = f"the server answered {error.code}"
        if error.code in (404, 405) and ("no parameter" in why or "Not Found" in why or "only shows" in why):
            why = refused
        raise OrderError(why) from None
    except (OSError, ValueError) as error:
        raise OrderError(f"the site does not answer at {url}: {error}") from None
