"""A hand-over (serve/handover.py) as plain text, and as one printable HTML page without scripts and requests."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from lapwing import __version__
from lapwing.serve.export_paths import moment
from lapwing.serve.paper import HEAD, STYLE, table

Json = dict[str, Any]
WORDS = {"acknowledge": "acknowledged", "shelve": "put aside", "unshelve": "taken back", "note": "notes"}
PRE = "pre{white-space:pre-wrap;font:inherit;border-left:3px solid #333;padding-left:.8em}"


def at(text: str) -> str:
    """A moment for a person: UTC, to the second."""
    return f"{moment(int(text))[:19].replace('T', ' ')}Z"


def summary(told: Json) -> list[str]:
    """What every reader must know, in sentences."""
    counts, load = told["counts"], told["load"]
    kinds = ", ".join(f"{n} {p}" for p, n in counts["by_priority"].items() if n)
    people = ", ".join(f"{counts['acts'][verb]} {name}" for verb, name in WORDS.items())
    ran = told["ran_s"]
    hours = (int(told["until_ns"]) - int(told["since_ns"])) / 3.6e12
    lines = [
        "It is not known when the site ran." if ran is None else f"The site ran {ran / 3600:.2f} of {hours:.2f} hours.",
        f"Raised: {counts['raised']}" + (f" ({kinds})." if kinds else "."),
        f"Still standing: {counts['standing']}, of which {counts['standing_unseen']} nobody has seen or put aside.",
        f"Cleared before anybody acknowledged them: {counts['cleared_unseen']}.",
        f"What people did: {people}; {len(told['tests'])} tests of the alarm outputs.",
        _load(load),
    ]
    flood = load["longest_flood"]
    if flood is not None:
        much = f"{load['floods']} floods" if load["floods"] > 1 else "One flood"
        lines.append(
            f"{much} of alarms; the longest from {at(flood['since_ns'])} to {at(flood['until_ns'])}: {flood['alarms']}."
        )
    if told["left_out"]:
        lines.append(f"{told['left_out']} alarms are counted but not listed.")
    return lines


def _load(load: Json) -> str:
    met = ["met" if load[name] else "NOT met" for name in ("average_met", "peak_met")]
    return (
        f"Load: {load['average_10_min']:.2f} alarms in ten minutes on average "
        f"(target: under {load['average_10_min_target']:g}; {met[0]}), "
        f"{load['peak_10_min']} in the busiest ten minutes (target: under {load['peak_10_min_target']}; {met[1]})."
    )


def _region(r: Json) -> tuple[str, ...]:
    where = f"{r['latitude']:.4f}, {r['longitude']:.4f}"
    return str(r["region"]), at(r["since_ns"]), _end(r["until_ns"], "standing"), where, r["reason"]


def notes(told: Json) -> Iterator[tuple[str, str]]:
    """(who and when, words) of the notes of officers, that of the shift before first."""
    if told["before"] is not None:
        yield f"From the shift before: {_signed(told['before'])}", told["before"]["note"]
    for note in told["notes"]:
        yield f"In this shift: {_signed(note)}", note["note"]


def sections(told: Json) -> Iterator[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]]:
    """(heading, column heads, rows) of everything that is listed."""
    heads = ("No.", "Priority", "What and why", "Raised", "Cleared", "What people did")
    yield "Still standing", heads, [_alarm(r) for r in told["standing"]]
    yield "Raised in this shift", heads, [_alarm(r) for r in told["raised"]]
    lost = [(r["feed"], at(r["lost_ns"]), _end(r["back_ns"], "not back")) for r in told["sensors_lost"]]
    yield "Sensors lost and back", ("Feed", "Lost", "Back"), lost
    regions = [_region(r) for r in told["interference"]]
    yield "GNSS interference", ("Region", "Since", "Until", "Near", "Why"), regions
    tests = [(at(a["at_ns"]), a["name"], a["note"]) for a in told["tests"]]
    yield "Tests of the alarm outputs", ("At", "Who", "Note"), tests


def text(told: Json) -> str:
    """For a terminal or a mail."""
    lines = [f"HAND-OVER {told['site']}", f"{at(told['since_ns'])} to {at(told['until_ns'])}", "", *summary(told)]
    for who, words in notes(told):
        lines += ["", who, *(f"  | {line}" for line in words.splitlines())]
    for title, _, rows in sections(told):
        lines += ["", f"{title}: {len(rows)}" + ("" if rows else " (none)")]
        lines += [f"  {'; '.join(cell for cell in row if cell)}" for row in rows]
    return printable("\n".join(lines)) + "\n"


def page(told: Json) -> str:
    """For paper."""
    title = f"Hand-over: {told['site']}"
    parts = [
        f"{HEAD}<title>{escape(title)}</title><style>{STYLE}{PRE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
    ]
    parts.append(f"<p>{at(told['since_ns'])} until {at(told['until_ns'])}</p>\n<ul>\n")
    parts += [f"<li>{escape(line)}</li>\n" for line in summary(told)]
    parts.append("</ul>\n<h2>From officer to officer</h2>\n")
    said = [f"<p><b>{escape(who)}</b></p><pre>{escape(words)}</pre>\n" for who, words in notes(told)]
    parts += said or ["<p>None.</p>\n"]
    parts += [f"<h2>{title}: {len(rows)}</h2>\n{table(head, rows)}" for title, head, rows in sections(told)]
    parts.append(f"<p>Made by Lapwing {__version__}. It calls no one hostile: people judge.</p>\n</body></html>\n")
    return "".join(parts)


def printable(words: str) -> str:
    """Without what would move a terminal's cursor: names and notes are what somebody typed."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in words)


def _signed(act: Json) -> str:
    return f"{act['name']}, {at(act['at_ns'])}"


def _end(text_ns: str, never: str) -> str:
    return never if text_ns == "0" else at(text_ns)


def _alarm(r: Json) -> tuple[str, ...]:
    where = f" ({r['zone']})" if r["zone"] else ""
    done = [f"seen by {_signed(r['acknowledged'])}"] if r["acknowledged"] else []
    if r["shelved"]:
        done.append(f"aside until {at(r['shelved']['until_ns'])} by {r['shelved']['name']}")
    done += [f"{a['name']}: {a['note']}" for a in r["notes"]]
    people = "; ".join(done) or "nobody has seen it"
    what = f"{r['rule']}{where}: {r['reason']}"
    return str(r["alarm"]), r["priority"], what, at(r["raised_ns"]), _end(r["cleared_ns"], "standing"), people
