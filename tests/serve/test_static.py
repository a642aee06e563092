"""The committed page: built from the sources beside it, whole, and asking nothing of any other host."""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/lapwing/serve/static"
WEB = ROOT / "web"


def test_the_build_is_of_these_sources():
    """Without Node: the manifest that `make web` wrote must match web/. If this fails, run `make web`."""
    told = json.loads((STATIC / "sources.json").read_text())
    sources = [
        WEB / "index.html",
        WEB / "package-lock.json",
        WEB / "symbols.mjs",
        WEB / "vite.config.ts",
        *(WEB / "src").iterdir(),
    ]
    here = {p.relative_to(WEB).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sources}
    assert here == told


def test_every_asset_that_is_named_is_there():
    page = (STATIC / "index.html").read_text()
    named = set(re.findall(r'(?:src|href)="/(assets/[^"]+)"', page))
    for sheet in (STATIC / "assets").glob("*.css"):
        named |= {f"assets/{Path(u).name}" for u in re.findall(r"url\(([^)]+?)\)", sheet.read_text()) if "woff" in u}
    assert len(named) >= 6
    assert [n for n in sorted(named) if not (STATIC / n).is_file()] == []


def test_the_page_names_no_other_host_and_no_inline_script():
    page = (STATIC / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', page) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    for sheet in (STATIC / "assets").glob("*.css"):
        assert re.findall(r"url\([\"']?https?:", sheet.read_text()) == []


@pytest.mark.parametrize("name", ["maplibre-gl", "pmtiles", "@fontsource/open-sans", "Natural Earth", "airportsdata"])
def test_licences_travel_with_the_page(name):
    assert name in (STATIC / "THIRD-PARTY.txt").read_text()


def test_base_map_is_small_and_a_pmtiles():
    data = STATIC / "basemap.pmtiles"
    assert data.read_bytes()[:8] == b"PMTiles\x03"
    assert data.stat().st_size < 7_000_000
