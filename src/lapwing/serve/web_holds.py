"""GET /v1/holds: the legal holds on the journal, for people to see. Only `lapwing hold` lays and lifts them."""

from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Response

from lapwing.serve.answers import json, only_known
from lapwing.serve.holds import Hold, HoldError, read

SHOWN_MAX = 500


def add_hold_routes(app: FastAPI, folder: Path) -> None:
    """GET /v1/holds of the journal in `folder`."""

    @app.get("/v1/holds", dependencies=[Depends(only_known)])
    def holds() -> Response:
        """Holds that stand, then lifted ones, newest first."""
        try:
            every = read(folder).holds
        except HoldError as error:
            raise HTTPException(503, f"The holds cannot be read, so nothing is removed: {error}") from None
        rows = sorted(enumerate(every, start=1), key=lambda row: (row[1].lifted_ns > 0, -row[0]))
        return json({"holds": [_told(*row) for row in rows[:SHOWN_MAX]], "left_out": max(len(rows) - SHOWN_MAX, 0)})


def _told(number: int, hold: Hold) -> dict[str, Any]:
    told = {key: str(value) if key.endswith("_ns") else value for key, value in hold.model_dump().items()}
    return {"hold": number, "stands": not hold.lifted_ns, **told}
