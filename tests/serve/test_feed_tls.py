"""Feeds behind TLS: who has the right certificate is heard, who has none or another is not, and nobody else notices."""

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import subprocess
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from lapwing.engine.notices import NOTICE_FEED
from lapwing.records import FeedConfig, TlsConfig
from lapwing.serve import door, feeds, sapient, sapient_peer
from lapwing.serve.cli import app
from lapwing.serve.clock import SystemClock
from lapwing.serve.feed_tls import connecting, names_in
from lapwing.serve.inbox import Inbox
from lapwing.serve.site import SiteError, parse
from tests.decode import sapient_samples as s
from tests.peers import wait_for_port
from tests.serve.authority import authority
from tests.serve.sapient_middleware import Wire, middleware
from tests.serve.test_feeds import free_port, until
from tests.serve.test_sapient_peer import full, look, now


@contextlib.asynccontextmanager
async def at_work(config):
    """The feed's inbox while it runs, and all that came out of it."""
    inbox, got = Inbox(SystemClock()), []
    task = asyncio.create_task(feeds.listen_to(config, inbox))
    try:
        yield lambda: got.extend((feed, data) for feed, _, data in inbox.drain()) or got
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def told(got) -> str:
    return " ".join(data.decode() for feed, data in got() if feed == NOTICE_FEED)


def passed(got) -> list[bytes]:
    return [data for feed, data in got() if feed != NOTICE_FEED]


async def refused(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether nobody answers who connects like this and registers."""
    try:
        async with asyncio.timeout(20.0):
            name = "localhost" if context else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
            try:
                writer.write(s.frame(s.registration(time_ns=now(), node=s.NODE)))
                return not await reader.read(4)
            finally:
                writer.close()
    except OSError:
        return True


async def test_a_node_with_our_authority_s_certificate_is_heard_and_no_other(tmp_path) -> None:
    """The server shows its certificate and, as it is told an authority, wants to see one."""
    folder, strange = authority(tmp_path / "ours").folder, authority(tmp_path / "strange")
    port = free_port()
    mine = TlsConfig(str(folder / "ca.pem"), str(folder / "server.pem"), str(folder / "server.key"))
    config = FeedConfig("s", "sapient", "sapient", "127.0.0.1", port, sensor="radar", tls=mine)
    theirs = TlsConfig(mine.authority, str(strange.folder / "server.pem"), str(strange.folder / "server.key"))
    async with at_work(config) as got:
        await asyncio.to_thread(wait_for_port, port)
        for other in (None, connecting(TlsConfig(mine.authority)), connecting(theirs)):
            assert await refused(port, other)
        assert passed(got) == []
        wire = Wire(
            *await asyncio.open_connection(
                "127.0.0.1", port, ssl=connecting(TlsConfig(mine.authority, mine.certificate, mine.key))
            )
        )
        registration, report = s.registration(time_ns=now()), s.bearing(12.0, now(), range=800.0)
        wire.say(registration)
        assert (await wire.hear()).registration_ack.acceptance is True
        wire.say(report)
        await until(lambda: passed(got) == [s.frame(registration), s.frame(report)])
        wire.writer.close()
        await until(lambda: "closed by the node" in told(got))


async def test_without_an_authority_anybody_may_come_but_nobody_listens_in(tmp_path) -> None:
    folder, port = authority(tmp_path / "a").folder, free_port()
    tls = TlsConfig("", str(folder / "server.pem"), str(folder / "server.key"))
    async with at_work(FeedConfig("s", "sapient", "sapient", "127.0.0.1", port, sensor="radar", tls=tls)):
        await asyncio.to_thread(wait_for_port, port)
        assert not await refused(port, connecting(TlsConfig(str(folder / "ca.pem"))))
        assert await refused(port, None)


async def test_a_middleware_is_known_by_its_certificate(tmp_path, monkeypatch) -> None:
    """One of another authority, or of another name, is told nothing; the right one's nodes are heard."""
    monkeypatch.setattr(sapient_peer, "RETRY_S", 0.05)
    ours, strange = authority(tmp_path / "ours"), authority(tmp_path / "strange")
    child, port = free_port(), free_port()
    heard = []

    async def relay(reader, writer):
        """TLS in front of the stand-in's peer port."""
        up, down = await asyncio.open_connection("127.0.0.1", port)
        heard.append(1)

        async def pump(a, b):
            with contextlib.suppress(OSError):
                while data := await a.read(65_536):
                    b.write(data)
            b.close()

        await asyncio.gather(pump(reader, down), pump(up, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=ours.server)
    at = server.sockets[0].getsockname()[1]
    right = TlsConfig(str(ours.folder / "ca.pem"))
    base = FeedConfig("m", "sapient", "sapient-peer", "127.0.0.1", at, sensor="radar")
    for wrong, why in (
        (TlsConfig(str(strange.folder / "ca.pem")), "TLS: "),
        (replace(right, server_name="other.example"), "TLS: "),
        (TlsConfig(str(tmp_path / "nothing.pem")), "No such file"),
    ):
        async with at_work(replace(base, tls=wrong)) as got:
            await until(lambda got=got, why=why: why in told(got))
    assert heard == []
    async with middleware(child, port) as mw, at_work(replace(base, tls=right)) as got:
        await until(lambda: mw.peers)
        node = Wire(*await asyncio.open_connection("127.0.0.1", child))
        node.say(full())
        assert (await node.hear()).registration_ack.acceptance is True
        node.say(look(12.0))
        await until(lambda: len(passed(got)) == 2)
        node.writer.close()
    server.close()


async def test_a_broker_that_wants_our_certificate_gets_it(tmp_path) -> None:
    """mqtts:// as a feed, with a real mosquitto that lets nobody in without a certificate of its authority."""
    path = shutil.which("mosquitto", path="/usr/sbin:" + os.environ["PATH"])
    if path is None or not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto is not here (Debian packages mosquitto, mosquitto-clients)")
    folder, port = authority(tmp_path / "a").folder, free_port()
    files = [f"cafile {folder / 'ca.pem'}", f"certfile {folder / 'server.pem'}", f"keyfile {folder / 'server.key'}"]
    lines = [f"listener {port} 127.0.0.1", *files, "require_certificate true", "allow_anonymous true", "user root"]
    (tmp_path / "m.conf").write_text("\n".join(lines) + "\n")
    broker = subprocess.Popen([path, "-c", str(tmp_path / "m.conf")], stderr=subprocess.DEVNULL)
    base = FeedConfig("f", "json", "mqtts", "localhost", port, "t/detections", sensor="S")
    ca, mine = str(folder / "ca.pem"), (str(folder / "server.pem"), str(folder / "server.key"))
    try:
        await asyncio.to_thread(wait_for_port, port)
        async with at_work(replace(base, tls=TlsConfig(ca))) as got:
            await until(lambda: '"lost"' in told(got))
        async with at_work(replace(base, tls=TlsConfig(ca, *mine))) as got:
            await until(lambda: '"connected"' in told(got))
            options = ["--cafile", ca, "--cert", mine[0], "--key", mine[1], "-h", "localhost", "-p", str(port)]
            send = ["mosquitto_pub", *options, "-t", "t/detections", "-q", "1", "-m", '{"azimuth_deg": 12}']
            for _ in range(50):
                await asyncio.to_thread(subprocess.run, send, check=True)
                if passed(got):
                    break
                await asyncio.sleep(0.1)
            assert json.loads(passed(got)[0]) == {"azimuth_deg": 12}
    finally:
        broker.terminate()
        broker.wait(10)


SITE = """
name = "t"
origin = {latitude_deg = 47, longitude_deg = 8}
sensor = [{name = "S", at = {latitude_deg = 47, longitude_deg = 8}}]
feed = [{name = "f", decoder = "%s", from = "%s", sensor = "S"%s}]
"""


@pytest.mark.parametrize(
    ("decoder", "source", "keys", "says"),
    [
        ("sapient", "sapient+tls://0.0.0.0:5020", "", "needs 'certificate'"),
        ("sapient", "sapient+tls://0.0.0.0:5020", 'certificate = "a", server_name = "b"', "we are the server"),
        ("sapient", "sapient://0.0.0.0:5020", 'certificate = "a"', "'certificate' does nothing for sapient"),
        ("sapient", "sapient-peer+tls://h:5001", 'key = "a"', "'key' needs 'certificate'"),
        ("json", "mqtt://h/t", 'ca = "a"', "'ca' does nothing for mqtt"),
        (
            "sapient",
            "sapient+tls://0.0.0.0:5020",
            'certificate = "a", certified = true',
            "'certified' does nothing here",
        ),
        ("sapient", "sapient-peer+tls://h:5001", 'ca = "a", certified = true', "'certified' does nothing here"),
        ("json", "sapient+tls://0.0.0.0:5020", 'certificate = "a"', "need each other"),
    ],
)
def test_a_key_that_is_missing_or_would_do_nothing_is_told(decoder, source, keys, says) -> None:
    with pytest.raises(SiteError) as told:
        parse(SITE % (decoder, source, keys and f", {keys}"))
    assert says in str(told.value.problems)


def test_check_reads_the_certificates(tmp_path) -> None:
    folder = authority(tmp_path / "a").folder
    site = tmp_path / "site.toml"

    def check(keys):
        site.write_text(SITE % ("sapient", "sapient+tls://0.0.0.0:5020", f", {keys}"))
        return CliRunner().invoke(app, ["check", str(site)])

    assert check('certificate = "a/server.pem", key = "a/server.key", ca = "a/ca.pem"').exit_code == 0
    missing = check('certificate = "a/none.pem"')
    assert (missing.exit_code, "there is no file" in missing.output) == (2, True)
    wrong = check('certificate = "a/server.pem", key = "a/ca.pem"')
    assert (wrong.exit_code, "cannot be used" in wrong.output) == (2, True)
    entry = parse(SITE % ("sapient", "sapient+tls://0.0.0.0:5020", ', certificate = "c.pem"'))
    made = entry.site(folder).feeds[0]
    assert (made.transport, made.tls) == ("sapient", TlsConfig("", str(folder / "c.pem")))


async def test_who_does_not_end_its_handshake_counts_and_keeps_nobody_out(tmp_path, monkeypatch) -> None:
    """Of one address a few may hang; they count against the nodes until their time is over."""
    monkeypatch.setattr(door, "SHAKING_MAX", 2)
    monkeypatch.setattr(door, "HANDSHAKE_S", 3.0)
    folder, port = authority(tmp_path / "a").folder, free_port()
    tls = TlsConfig("", str(folder / "server.pem"), str(folder / "server.key"))
    async with at_work(FeedConfig("s", "sapient", "sapient", "127.0.0.1", port, sensor="radar", tls=tls)) as got:
        await asyncio.to_thread(wait_for_port, port)
        await asyncio.sleep(1.0)  # until the connection that looked whether it listens is gone
        hanging = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        hanging[0][1].write(b"\x16\x03\x01")  # the beginning of a handshake
        await asyncio.sleep(0.2)
        good = connecting(TlsConfig(str(folder / "ca.pem")))
        assert await refused(port, good)  # one too many of this address
        for reader, writer in hanging:  # both are ended
            async with asyncio.timeout(20.0):
                assert await reader.read() == b""
            writer.close()
        assert not await refused(port, good)
        assert passed(got)
        monkeypatch.setattr(door, "SHAKING_MAX", 8)
        monkeypatch.setattr(sapient, "NODES", 3)
        hanging = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.2)
        assert await refused(port, good)  # one too many in all
        for _, writer in hanging:
            writer.close()
        await asyncio.sleep(0.2)
        assert not await refused(port, good)


async def test_a_new_certificate_is_shown_from_the_next_connection_on(tmp_path, caplog) -> None:
    folder, port = authority(tmp_path / "a").folder, free_port()
    new = authority(tmp_path / "b").folder
    tls = TlsConfig("", str(folder / "server.pem"), str(folder / "server.key"))
    old_ca, new_ca = (connecting(TlsConfig(str(f / "ca.pem"))) for f in (folder, new))
    async with at_work(FeedConfig("s", "sapient", "sapient", "127.0.0.1", port, sensor="radar", tls=tls)):
        await asyncio.to_thread(wait_for_port, port)
        assert not await refused(port, old_ca)
        shutil.copy(new / "server.pem", folder / "server.pem")  # the key is not yet there
        assert not await refused(port, old_ca)
        assert "the new certificate files cannot be used, the old stay" in caplog.text
        shutil.copy(new / "server.key", folder / "server.key")
        assert await refused(port, old_ca)
        assert not await refused(port, new_ca)
        (folder / "server.key").unlink()
        assert not await refused(port, new_ca)


async def test_a_node_may_only_be_whom_its_certificate_names(tmp_path) -> None:
    folder, port = authority(tmp_path / "a").folder, free_port()
    other = authority(tmp_path / "b", names=(s.NODE.upper(), "localhost"))
    bundle = tmp_path / "both.pem"
    bundle.write_bytes((folder / "ca.pem").read_bytes() + (other.folder / "ca.pem").read_bytes())
    mine = TlsConfig(str(bundle), str(folder / "server.pem"), str(folder / "server.key"), "", True)
    config = FeedConfig("s", "sapient", "sapient", "127.0.0.1", port, sensor="radar", tls=mine)

    async def answer(of, node: str):
        shown = TlsConfig(str(folder / "ca.pem"), str(of / "server.pem"), str(of / "server.key"))
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port, ssl=connecting(shown)))
        wire.say(s.registration(time_ns=now(), node=node))
        ack = (await wire.hear()).registration_ack
        wire.writer.close()
        return ack.acceptance, list(ack.ack_response_reason)

    async with at_work(config) as got:
        await asyncio.to_thread(wait_for_port, port)
        assert (await answer(other.folder, s.NODE))[0] is True
        assert await answer(folder, s.NODE) == (False, ["the certificate does not name this node_id"])
        stranger = "b8654cdf-4328-47de-81fa-c495589e30c9"
        assert (await answer(other.folder, stranger))[0] is False
        await until(lambda: "does not name this node_id" in told(got))
        assert len(passed(got)) == 1


def test_whom_a_certificate_names() -> None:
    told = {
        "subject": ((("organizationName", "X"),), (("commonName", "Gate"),)),
        "subjectAltName": (("DNS", "gate.example"), ("URI", f"urn:uuid:{s.NODE.upper()}"), ("IP Address", "127.0.0.1")),
    }
    assert names_in(told) == {"gate", "gate.example", s.NODE}
    assert names_in({}) == frozenset()
