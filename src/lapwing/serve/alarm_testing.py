"""`lapwing alarm-test`: test the alarm outputs of the site that is running here, and wait for what becomes of it."""

import json
import time
from typing import Any

from lapwing.serve.ordering import ANSWER_S, OrderError, address, ask

REFUSED = "the site takes no tests: [web] acts does not allow people to act there"


def ring(host: str, port: int, name: str, note: str = "", key: str = "") -> tuple[bool, str]:
    """Whether every alarm output handed the test over, and what became of it, one line an output. Raises OrderError."""
    if not name.strip():
        raise OrderError("a test is written down with a name: --by NAME")
    url = address(host, port, "/v1/alarm-test")
    told = ask(url, json.dumps({"name": name, "note": note}).encode(), REFUSED, key)
    until = time.monotonic() + ANSWER_S
    while any(row["state"] == "waiting" for row in told["outputs"]) and time.monotonic() < until:
        time.sleep(0.3)
        newer = ask(url, None, REFUSED, key)
        if newer["test"]["act"] != told["test"]["act"]:
            raise OrderError("somebody else has started another test; see the page")
        told = newer
    rows: list[dict[str, Any]] = told["outputs"]
    lines = [f"  {r['output']}: {r['state']}{': ' if r['why'] else ''}{r['why']}" for r in rows]
    head = f"test alarm by {told['test']['name']}, act {told['test']['act']}:"
    good = all(row["state"] == "sent" for row in rows)
    return good, "\n".join([head, *(lines or ["  the site has no alarm output"])])
