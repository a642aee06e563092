"""The atlas of symbols: identities pending, unknown and neutral, no others; what the build wrote is what is served."""

import json
import re
from pathlib import Path

from lapwing.records import Kind

ROOT = Path(__file__).resolve().parents[2]
WEB, STATIC = ROOT / "web", ROOT / "src/lapwing/serve/static"
ATLAS = json.loads((WEB / "src/symbols.json").read_text())
DRAWN = (WEB / "src/symbols.svg").read_text()
# Fills of APP-6 frames (light): friend, hostile or suspect or faker, in milsymbol's colours; and those that may be.
FRIEND, HOSTILE, SUSPECT = "128,224,255", "255,128,128", "255,188,1"
UNKNOWN, NEUTRAL = "255,255,128", "170,255,170"


def fills(text):
    return {re.sub(r"\s", "", f) for f in re.findall(r'fill="rgb\(([^)]*)\)"', text)}


def test_every_symbol_says_pending_unknown_or_neutral():
    assert ATLAS["identities"] == ["pending", "unknown", "neutral"]
    assert len(ATLAS["app6"]) == 3 * len(ATLAS["kinds"])
    for row, digit in enumerate("014"):  # standard identity, the fourth digit of APP-6D: 5 suspect, 6 hostile
        mine = ATLAS["app6"][row * len(ATLAS["kinds"]) : (row + 1) * len(ATLAS["kinds"])]
        assert all(len(sidc) == 20 and sidc[:3] == "100" and sidc[3] == digit for sidc in mine)


def test_no_frame_in_the_colour_of_friend_suspect_or_hostile_is_drawn():
    assert fills(DRAWN) >= {UNKNOWN, NEUTRAL}
    assert fills(DRAWN) & {FRIEND, HOSTILE, SUSPECT} == set()
    assert fills(DRAWN) <= {UNKNOWN, NEUTRAL, "239,239,239"}  # and the grey of icons
    assert fills(DRAWN.replace(UNKNOWN, HOSTILE)) & {HOSTILE}  # the check can fail


def test_the_generator_knows_no_other_identity():
    source = (WEB / "symbols.mjs").read_text()
    found = re.search(r"const IDENTITIES = \{([^}]*)\}", source)
    assert found is not None
    assert dict(re.findall(r'(\w+): "(\d)"', found[1])) == {"pending": "0", "unknown": "1", "neutral": "4"}


def test_kinds_are_those_of_tracks_in_their_order():
    words = [k.name.lower().replace("_", " ").replace("fixed wing", "fixed-wing") for k in Kind]
    assert ATLAS["kinds"] == words
    assert [bool(path) for path in ATLAS["silhouettes"]] == [False] + [True] * 7


def test_what_is_served_is_what_was_drawn():
    served = [p.read_text() for p in (STATIC / "assets").glob("symbols-*.svg")]
    assert served == [DRAWN]
    code = "".join(p.read_text() for p in (STATIC / "assets").glob("index-*.js"))
    assert "standardIdentity" not in code  # milsymbol itself, which could draw any, does not travel with the page
