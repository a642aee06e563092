"""Messengers: how the outbox's messages reach the other side. Each returns when the message is taken."""

import asyncio
import json
import logging
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from lapwing.serve.mqtt import Broker, MqttLink
from lapwing.serve.mqtt_wire import Message
from lapwing.serve.outputs import telling
from lapwing.serve.outputs.entries import Output, secret
from lapwing.serve.outputs.entries_alarms import (
    CapOutput,
    EmailOutput,
    HttpOutput,
    MqttOutput,
    NtfyOutput,
)
from lapwing.serve.outputs.outbox import News
from lapwing.serve.outputs.posting import Target, post
from lapwing.serve.outputs.sockets import TlsOnce

log = logging.getLogger("lapwing.outputs")
SMTP_S = 15.0
GOODBYE_S = 2.0


class Messenger(Protocol):
    """One way out."""

    at_once: int  # messages that it can take together

    async def send(self, news: Sequence[News]) -> int:
        """The bytes that left, once they are taken. Raises OSError, TimeoutError."""


def _tls(entry: Output, folder: Path, *schemes: str) -> TlsOnce:
    """Of an output whose address has one of these schemes."""
    scheme = entry.parts()[0]
    return TlsOnce(partial(entry.context, folder) if scheme in schemes else None)


class HttpMessenger:
    """Webhook, ntfy, CAP by POST."""

    at_once = 1

    def __init__(self, entry: HttpOutput, folder: Path) -> None:
        self._entry, self._folder = entry, folder
        self._tls = _tls(entry, folder, "https")

    async def _target(self) -> Target:
        e = self._entry
        _, host, port, path = e.parts()
        token = secret(e.token, self._folder)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        path = "/" if isinstance(e, NtfyOutput) else path
        return Target(host, port, path, await self._tls.get(), e.server_name, headers)

    async def send(self, news: Sequence[News]) -> int:
        """One POST each; one for all that waited for the end of quiet hours, where the kind has a word for it."""
        sizes = 0
        digest = self._entry.digests and len(news) > 1
        try:
            for one in news[:1] if digest else news:
                body, kind = self._digest(news) if digest else self._body(one)
                key = f"digest-{one.key}-{len(news)}" if digest else one.key
                await post(await self._target(), body, kind, {"Idempotency-Key": key})
                sizes += len(body)
        except (OSError, TimeoutError):
            self._tls.forget()
            raise
        return sizes

    def _digest(self, news: Sequence[News]) -> tuple[bytes, str]:
        if isinstance(self._entry, NtfyOutput):
            return telling.ntfy_digest(news, self._entry.topic), "application/json"
        return telling.webhook_digest(news), "application/json"

    def _body(self, news: News) -> tuple[bytes, str]:
        if isinstance(self._entry, NtfyOutput):
            return telling.ntfy(news, self._entry.topic), "application/json"
        if isinstance(self._entry, CapOutput):
            return telling.cap(news, self._entry.sender), "application/cap+xml"
        return telling.webhook(news), "application/json"


class EmailMessenger:
    """Mail to an SMTP server; what waited together goes as one mail."""

    at_once = 50

    def __init__(self, entry: EmailOutput, folder: Path) -> None:
        self._entry, self._folder = entry, folder
        self._tls = _tls(entry, folder, "submission", "smtps")

    async def send(self, news: Sequence[News]) -> int:
        """One mail."""
        tls = await self._tls.get()
        try:
            return await asyncio.to_thread(self._send, news, tls)
        except OSError:
            self._tls.forget()
            raise

    def _send(self, news: Sequence[News], tls: ssl.SSLContext | None) -> int:
        e = self._entry
        if e.refusal():
            raise OSError(e.refusal())
        scheme, host, port, _ = e.parts()
        mail = telling.email(news, e.sender, e.recipients)
        try:
            with self._server(scheme, host, port, tls) as server:
                if scheme == "submission":
                    server.starttls(context=tls)
                if e.user:
                    server.login(e.user, secret(e.password, self._folder))
                refused = server.send_message(mail)
                if refused:  # the others have it: sending again would tell them twice
                    log.warning("the mail server refused %s", ", ".join(sorted(refused)))
        except smtplib.SMTPException as error:
            raise OSError(f"{type(error).__name__}: {error}"[:200]) from None
        return len(bytes(mail))

    @staticmethod
    def _server(scheme: str, host: str, port: int, tls: ssl.SSLContext | None) -> smtplib.SMTP:
        if scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=SMTP_S, context=tls)
        return smtplib.SMTP(host, port, timeout=SMTP_S)


class MqttMessenger:
    """Alarms to a broker, with Home Assistant discovery; availability is retained, its end is our last will."""

    at_once = 20

    def __init__(self, entry: MqttOutput, folder: Path) -> None:
        self._entry, self._folder = entry, folder
        self._tls = _tls(entry, folder, "mqtts")
        self._link: MqttLink | None = None

    async def send(self, news: Sequence[News]) -> int:
        """Every event, and the alarm's own topic, retained until it is cleared."""
        link, size = await self._connected(), 0
        try:
            for one in news:
                body = telling.webhook(one)
                kept = b"" if one.event == "cleared" else body
                if one.event != "test":  # a test is no alarm: only an event
                    await link.publish(Message(f"{self._entry.root}/alarm/{one.alarm_key}", kept, retain=True))
                await link.publish(Message(f"{self._entry.root}/event", body))
                size += len(body)
        except (OSError, TimeoutError):
            await self.close()
            raise
        return size

    async def show(self, state: Mapping[str, object]) -> None:
        """The retained state. Raises OSError, TimeoutError."""
        link = await self._connected()
        try:
            await link.publish(Message(f"{self._entry.root}/state", json.dumps(state).encode(), retain=True))
        except (OSError, TimeoutError):
            await self.close()
            raise

    async def close(self) -> None:
        """The availability is told first, where it can be."""
        if self._link is not None:
            link, self._link = self._link, None
            try:
                if not link.over.done():
                    async with asyncio.timeout(GOODBYE_S):
                        await link.publish(Message(f"{self._entry.root}/availability", b"offline", retain=True))
            except (OSError, TimeoutError):
                pass
            await link.close()

    async def _connected(self) -> MqttLink:
        if self._link is not None and self._link.over.done():
            await self.close()
        if self._link is None:
            e = self._entry
            _, host, port, _ = e.parts()
            tls = await self._tls.get()
            will = Message(f"{e.root}/availability", b"offline", retain=True)
            ident = f"lapwing-{e.root.replace('/', '-')}"[:60]
            broker = Broker(host, port, ident, e.user, secret(e.password, self._folder), tls, will)
            self._tls.forget()  # one connection lasts; the next reads the files again
            link = await MqttLink.open(broker)
            try:
                for message in discovery(e):
                    await link.publish(message)
                await link.publish(Message(f"{e.root}/availability", b"online", retain=True))
            except BaseException:
                await link.close()
                raise
            self._link = link
        return self._link


def discovery(entry: MqttOutput) -> list[Message]:
    """What Home Assistant needs to show the site by itself."""
    if not entry.discovery:
        return []
    root = entry.root  # of it Home Assistant's topics may hold only this:
    ident = "lapwing_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in root)
    base = {
        "availability_topic": f"{root}/availability",
        "device": {"identifiers": [ident], "name": entry.name, "manufacturer": "Lapwing"},
    }
    state = {"state_topic": f"{root}/state"}
    parts: dict[tuple[str, str], dict[str, object]] = {
        ("binary_sensor", "alarm"): {
            **state, "name": "Alarm", "device_class": "safety",
            "value_template": "{{ 'ON' if value_json.alarms > 0 else 'OFF' }}",
        },
        ("sensor", "alarms"): {
            **state, "name": "Standing alarms", "value_template": "{{ value_json.alarms }}",
            "state_class": "measurement",
        },
        ("sensor", "tracks"): {
            **state, "name": "Confirmed tracks", "value_template": "{{ value_json.tracks }}",
            "state_class": "measurement",
        },
        ("event", "news"): {
            "state_topic": f"{root}/event", "name": "Alarm news",
            "event_types": ["raised", "escalated", "cleared", "test"],
        },
    }  # fmt: skip
    return [
        Message(
            f"{entry.discovery}/{kind}/{ident}/{name}/config",
            json.dumps({**base, **part, "unique_id": f"{ident}_{name}"}).encode(),
            retain=True,
        )
        for (kind, name), part in parts.items()
    ]
