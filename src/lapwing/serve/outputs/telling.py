"""News as messages: JSON for webhooks and MQTT, ntfy's JSON, CAP 1.2, e-mail. Pure functions of the news.

What is said is what the alarm says: a warning with its reason. Nothing orders anybody to act.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from xml.etree import ElementTree as Xml

from lapwing.serve.outputs.outbox import News

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
SEVERITY = {"critical": "Extreme", "high": "Severe", "medium": "Moderate", "low": "Minor"}
URGENCY = {"critical": "Immediate", "high": "Immediate", "medium": "Expected", "low": "Unknown"}
NTFY_BYTES_MAX = 3_500  # ntfy makes a file of what is longer than 4,096
NTFY_PRIORITY = {"critical": 5, "high": 4, "medium": 3, "low": 2}


def moment(time_ns: int) -> str:
    """UTC, whole seconds."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}"


def title(news: News) -> str:
    """One line."""
    if news.event == "test":
        return f"TEST: {news.site}: test alarm, nothing has happened"
    zone = f" ({news.zone})" if news.zone else ""
    overdue = f", not acknowledged for {news.unacknowledged_s:g} s" if news.unacknowledged_s else ""
    return f"{news.site}: {news.event} {news.priority} {news.rule}{zone}{overdue}"


def fields(news: News) -> dict[str, Any]:
    """As JSON; `key` is the same when the same event is told again."""
    return {
        "key": news.key, "alarm": news.alarm_key, "event": news.event, "event_type": news.event, "site": news.site,
        "rule": news.rule, "zone": news.zone, "priority": news.priority, "reason": news.reason,
        "latitude_deg": news.latitude_deg, "longitude_deg": news.longitude_deg,
        "raised": moment(news.raised_ns) + "Z", "time": moment(news.time_ns) + "Z",
        **({"unacknowledged_s": news.unacknowledged_s} if news.unacknowledged_s else {}),
    }  # fmt: skip


def webhook(news: News) -> bytes:
    """The body of a webhook."""
    return json.dumps(fields(news), ensure_ascii=False).encode()


def ntfy(news: News, topic: str) -> bytes:
    """The body of ntfy's JSON publishing. A test comes with ntfy's default priority: it is to be heard."""
    tag = {"cleared": "white_check_mark", "test": "test_tube"}.get(news.event, "warning")
    told = {
        "topic": topic, "title": title(news), "message": news.reason or news.rule,
        "priority": {"cleared": 2, "test": 3}.get(news.event, NTFY_PRIORITY[news.priority]), "tags": [tag],
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False).encode()


def digest_title(news: Sequence[News]) -> str:
    """One line on news that waited for the end of quiet hours."""
    raised = sum(n.event == "raised" for n in news)
    return f"{news[0].site}: quiet hours are over: {len(news)} messages, {raised} alarms raised"


def digest_lines(news: Sequence[News], bytes_max: int) -> str:
    """A line each, as many as fit."""
    lines, size = list[str](), 0
    for n in news:
        line = f"{moment(n.time_ns)}Z {n.event} {n.priority} {n.rule}{f' ({n.zone})' if n.zone else ''}: {n.reason}"
        size += len(line.encode()) + 1
        if size > bytes_max:
            break
        lines.append(line)
    more = len(news) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def webhook_digest(news: Sequence[News]) -> bytes:
    """The body of a webhook: everything that waited, in its order."""
    key = f"digest-{news[0].key}-{len(news)}"
    told = {
        "key": key,
        "event": "digest",
        "event_type": "digest",
        "site": news[0].site,
        "news": [fields(n) for n in news],
    }
    return json.dumps(told, ensure_ascii=False).encode()


def ntfy_digest(news: Sequence[News], topic: str) -> bytes:
    """One message for a phone, as loud as the most urgent in it."""
    loud = max(NTFY_PRIORITY[n.priority] for n in news)
    told = {
        "topic": topic,
        "title": digest_title(news),
        "message": digest_lines(news, NTFY_BYTES_MAX),
        "priority": loud,
    }
    return json.dumps(told | {"tags": ["zzz"]}, ensure_ascii=False).encode()


def email(news: Sequence[News], sender: str, to: Sequence[str]) -> EmailMessage:
    """One mail on all of them."""
    mail = EmailMessage()
    more = f" and {len(news) - 1} more" if len(news) > 1 else ""
    waited = len(news) > 1 and all(n.held_ns for n in news)
    mail["Subject"] = _line(digest_title(news) if waited else title(news[0]) + more)
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Message-ID"] = f"<{news[0].key}.{len(news)}@lapwing.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    parts = [
        f"{title(n)}\n{n.reason}\n{moment(n.time_ns)} UTC, near {n.latitude_deg:.5f}, {n.longitude_deg:.5f}\n"
        for n in news
    ]
    mail.set_content("\n".join(parts) + "\nA warning of an automatic system. A human decides.\n")
    return mail


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def cap(news: News, sender: str) -> bytes:
    """A CAP 1.2 alert: Alert when raised, Update when escalated, Cancel when cleared, the latter two with reference. A
    test bears the status Test (CAP 1.2, 3.2.1: all recipients disregard it)."""
    alert = Xml.Element("alert", xmlns=CAP)

    def add(parent: Xml.Element, **texts: str) -> None:
        for name, text in texts.items():
            Xml.SubElement(parent, name).text = "".join(c for c in text if c.isprintable())

    sent = moment(news.time_ns) + "-00:00"
    kind = {"escalated": "Update", "cleared": "Cancel"}.get(news.event, "Alert")
    test = news.event == "test"
    status, certainty = ("Test", "Unknown") if test else ("Actual", "Likely")
    add(alert, identifier=f"lapwing-{news.key}", sender=sender, sent=sent, status=status, msgType=kind)
    add(alert, scope="Private", addresses=sender)
    if kind != "Alert":
        add(alert, references=f"{sender},lapwing-{news.alarm_key}-raised,{moment(news.raised_ns)}-00:00")
    info = Xml.SubElement(alert, "info")
    add(info, language="en", category="Security", event=news.rule, urgency=_past(news, URGENCY[news.priority]))
    add(info, severity=SEVERITY[news.priority], certainty=certainty, headline=title(news)[:160])
    add(info, description=news.reason, contact="the operator of the site")
    area = Xml.SubElement(info, "area")
    add(area, areaDesc=news.zone or f"near {news.site}", circle=f"{news.latitude_deg:.5f},{news.longitude_deg:.5f} 1.0")
    return bytes(Xml.tostring(alert, encoding="utf-8", xml_declaration=True))


def _past(news: News, urgency: str) -> str:
    return "Past" if news.event == "cleared" else urgency
