"""The site's own plans: the list of them, and their files.

A file is found by a word that the server made itself; no part of an address ever becomes part of a path.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Response
from starlette.responses import FileResponse

from lapwing.serve.answers import json, only_known
from lapwing.serve.site_plans import Plan

TYPES = {"geojson": "application/geo+json", "vector": "application/octet-stream", "raster": "application/octet-stream"}


def told_plans(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """Every plan as JSON, without where its file lies."""
    return [
        {
            "name": p.name,
            "slug": p.slug,
            "kind": p.content.kind,
            "bounds_deg": list(p.content.bounds_deg),
            "layers": list(p.content.layers),
            "zoom_max": p.content.zoom_max,
            "label": p.label,
            "credit": p.credit,
            "sha256": p.sha256,
            "bytes": p.size_bytes,
        }
        for p in plans
    ]


def add_plan_routes(app: FastAPI, plans: Sequence[Plan]) -> None:
    """GET /v1/plans, and each file under /plans/SLUG, with byte ranges."""
    known, by_slug = [Depends(only_known)], {p.slug: p for p in plans}

    @app.get("/v1/plans", dependencies=known)
    async def listed() -> Response:
        """The site's own plans."""
        return json({"plans": told_plans(plans)})

    @app.get("/plans/{slug}", dependencies=known)
    def plan_file(slug: str) -> Response:
        """The file of one plan."""
        plan = by_slug.get(slug)
        if plan is None:
            raise HTTPException(404, "There is no such plan.")
        if not plan.unchanged():
            raise HTTPException(409, f"The file of plan {plan.name!r} is not the one that was read at the start.")
        headers = {"Cache-Control": "no-cache", "ETag": f'"{plan.sha256}"'}
        return FileResponse(plan.path, media_type=TYPES[plan.content.kind], headers=headers)
