"""What printed pages have in common: one HTML file without scripts and requests, for reading and printing."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body{font:14px/1.45 system-ui,sans-serif;color:#111;background:#fff;max-width:1000px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em}
td{border-bottom:1px solid #ccc}
th{border-bottom:2px solid #333}
svg{width:100%;height:auto;border:1px solid #999;background:#fafafa}
@media print{body{margin:0}tr,svg{break-inside:avoid}}
"""
HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of plain text as a table; "None." where there are none."""
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>\n"
    titles = f"<tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr>\n" if any(head) else ""
    return f"<table>\n{titles}" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>\n"
