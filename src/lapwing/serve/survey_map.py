"""The map of a survey: one HTML file that needs nothing else: cells by ten minutes, events, sources, spells."""

import json
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("survey.html")


def page(cells: dict[str, Any], events: dict[str, Any], spells: dict[str, Any]) -> str:
    """The file's text. Data cannot end the script: every "<" is written as an escape."""
    data = json.dumps({"cells": cells, "events": events, "spells": spells}, separators=(",", ":"), allow_nan=False)
    return TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/", data.replace("<", "\\u003c"))
