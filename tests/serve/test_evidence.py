"""Evidence: what was frozen verifies anywhere; whatever was changed, by whoever, is found and named."""

import io
import json
import shutil
import sqlite3
import zipfile
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lapwing.engine.journal import Journal
from lapwing.serve import evidence_zip
from lapwing.serve.acts import Acts, Wanted, acts_file
from lapwing.serve.cli import app
from lapwing.serve.evidence import MEMBERS, EvidenceError, entry
from lapwing.serve.evidence_keys import KeyTrouble, expected_fingerprint, fingerprint, public_bytes, signing_key
from lapwing.serve.evidence_verify import verify_file
from lapwing.serve.export_paths import moment
from tests.replay.test_replay import drive
from tests.replay.world import T0, border

SINCE, UNTIL = T0 + 32 * 10**9, T0 + 34 * 10**9


def lapwing(*args):
    return CliRunner().invoke(app, [*map(str, args)])


def freeze(journal, out, key, since=SINCE, until=UNTIL):
    return lapwing("evidence", journal, out, "--since", moment(since), "--until", moment(until), "--key", key)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A journal of 35 seconds with an alarm, about which somebody did something."""
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, border(35.0))
    acts = Acts(acts_file(folder))
    acts.add(Wanted(alarm=1, verb="acknowledge", name="Kim <script>", note="called the tower"), 1, T0, "127.0.0.1")
    acts.add(Wanted(alarm=999, verb="note", name="Lee", note="of another time"), 1, T0, "127.0.0.1")
    acts.close()
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tmp_path_factory.mktemp("keys") / "lapwing" / "key.pem"


@pytest.fixture(scope="module")
def frozen(journal, key, tmp_path_factory):
    out = tmp_path_factory.mktemp("evidence") / "night.zip"
    done = freeze(journal, out, key)
    assert done.exit_code == 0, done.output
    return out


def contents(path):
    with zipfile.ZipFile(path) as z:
        return {name: z.read(name) for name in z.namelist()}


def packed(members, out):
    """A well-formed archive of whatever members."""
    folder = out.parent / f"{out.name}.members"
    folder.mkdir()
    for name, data in members.items():
        (folder / name).write_bytes(data)
    evidence_zip.write(out, [folder / name for name in members])
    return out


def forged(frozen, out, changes, signer=None, manifest=None, names=MEMBERS):
    """The evidence with other contents, its manifest made to fit and signed: what a dishonest maker could do."""
    members = {**contents(frozen), **changes}
    signer = signer or Ed25519PrivateKey.generate()
    public = public_bytes(signer)
    members["public_key.pem"] = signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    told = json.loads(members["manifest.json"])
    folder = out.parent / f"{out.name}.forged"
    folder.mkdir()
    lines = []
    for name in names:
        (folder / name).write_bytes(members[name])
        lines.append(entry(folder / name).model_dump())
    told.update(public_key=public.hex(), members=lines, **(manifest or {}))
    members["manifest.json"] = json.dumps(told).encode()
    members["manifest.sig"] = signer.sign(members["manifest.json"])
    return packed(members, out)


def changed_journal(frozen, tmp_path, *statements):
    path = tmp_path / "changed.sqlite"
    path.write_bytes(contents(frozen)["journal.sqlite"])
    db = sqlite3.connect(path)
    for sql, values in statements:
        db.execute(sql, values)
    db.commit()
    db.close()
    return {"journal.sqlite": path.read_bytes()}


def wrong(path, wanted=None):
    with pytest.raises(EvidenceError) as caught:
        verify_file(path, wanted)
    return str(caught.value)


def test_it_holds_on_a_copy_elsewhere(frozen, key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(frozen, "copy.zip")
    done = lapwing("verify", "copy.zip")
    named = fingerprint(public_bytes(signing_key(key)[0]))
    assert done.exit_code == 0, done.output
    assert "HOLDS" in done.output
    assert named in done.output
    assert "compare the fingerprint" in done.output
    Path("key.pem").write_bytes(contents("copy.zip")["public_key.pem"])
    for public in (named, named.upper(), "key.pem"):
        known = lapwing("verify", "copy.zip", "--key", public)
        assert known.exit_code == 0, known.output
        assert "the key that you named" in known.output
        assert "compare the fingerprint" not in known.output
    verdict = verify_file(Path("copy.zip"), None)
    assert verdict.told.compared == verdict.told.ticks == 19  # from the checkpoint of tick 150 to tick 169
    assert verdict.told.shown_ticks == (160, 169)
    assert [a.alarm_id for a in verdict.told.alarms] == [1]


def test_what_is_in_it(frozen, journal):
    members = contents(frozen)
    assert list(members) == ["manifest.json", "manifest.sig", *MEMBERS]
    with Journal(journal, write=False) as j:
        assert members["site.toml"].decode() == j.meta("site")
    (act,) = map(json.loads, members["acts.jsonl"].decode().splitlines())
    assert (act["alarm"], act["verb"], act["name"]) == (1, "acknowledge", "Kim <script>")
    page = members["report.html"].decode()
    assert "Kim &lt;script&gt;" in page
    assert "called the tower" in page
    assert not [word for word in ("<script", "src=", "href=", "url(", "@import") if word in page]
    assert "default-src 'none'" in page
    assert "<svg" in page
    assert "Residence" in page
    assert members["alarms.csv"].decode().splitlines()[1].startswith("1,medium,approaching zone,Residence,")
    features = json.loads(members["tracks.geojson"])["features"]
    assert len(features) > 40
    assert members["tracks.csv"].count(b"\r\n") > 80


def test_the_journal_in_it_is_a_journal(frozen, tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(contents(frozen)["journal.sqlite"])
    done = lapwing("replay", tmp_path, "--verify")
    assert done.exit_code == 0
    assert "identical: 19 pictures of 19 ticks" in done.output


@given(st.data())
def test_any_byte_that_is_flipped_anywhere_is_found(frozen, tmp_path_factory, data):
    content = bytearray(frozen.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(content)
    said = wrong(path)
    (inside,) = [*[n for n, s, e in spans(frozen) if s <= at < e], None][:1]
    if inside is None:
        assert "byte" in said or "ZIP" in said or "header" in said
    elif inside not in ("manifest.json", "manifest.sig"):
        assert inside in said
    else:
        assert "manifest" in said


def spans(path):
    with path.open("rb") as file:
        return [(m.name, m.offset, m.offset + m.size) for m in evidence_zip.read(file)]


@given(st.floats(0.0, 1.0, exclude_max=True))
@example(1e-4)  # within the first member's name
def test_a_file_that_is_cut_short_is_told(frozen, tmp_path_factory, share):
    content = frozen.read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.zip"
    path.write_bytes(content[: int(len(content) * share)])
    said = wrong(path)
    assert "cut short" in said or "ZIP" in said


def test_a_changed_byte_is_named_with_its_place_and_the_exit_code_is_1(frozen, tmp_path):
    content = bytearray(frozen.read_bytes())
    ((start, end),) = [(s, e) for name, s, e in spans(frozen) if name == "tracks.csv"]
    content[start + 70_000 if end - start > 70_000 else start] ^= 1
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    done = lapwing("verify", path)
    assert done.exit_code == 1
    assert "DOES NOT HOLD: member tracks.csv was changed in its bytes" in done.output
    assert len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update({"report.html": b"<p>Nothing happened.</p>"}), "member report.html has 24 bytes"),
        (lambda m: m.update({"manifest.json": m["manifest.json"].replace(b"0.1.0", b"0.1.1")}), "signature does not"),
        (lambda m: m.update({"manifest.json": b"{"}), "manifest.json is none that"),
        (lambda m: m.update({"manifest.json": b"[" * 100_000}), "manifest.json is none that"),
        (lambda m: m.update({"manifest.json": b" " * (9 << 20)}), "manifest.json is larger"),
        (lambda m: m.update({"manifest.sig": bytes(64)}), "signature does not fit"),
        (lambda m: m.update({"manifest.sig": b""}), "signature does not fit"),
        (lambda m: m.update({"extra.txt": b"me too"}), "has extra.txt"),
        (lambda m: m.pop("acts.jsonl"), "lacks acts.jsonl"),
        (lambda m: m.update({"site.toml": m.pop("site.toml")}), "in another order"),
        (lambda m: m.update({"public_key.pem": bytes(len(m["public_key.pem"]))}), "public_key.pem was changed"),
    ],
)
def test_members_that_were_changed_and_packed_again(frozen, tmp_path, change, said):
    members = contents(frozen)
    change(members)
    assert said in wrong(packed(members, tmp_path / "a.zip"))


def zipped(names, method=zipfile.ZIP_STORED, content=b"x"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name in names:
            z.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda z: b"", "not a ZIP"),
        (lambda z: b"PK", "not a ZIP"),
        (lambda z: b"Dear Sir or Madam, " * 40, "not a ZIP"),
        (lambda z: zipped([]), "not a ZIP as evidence"),
        (lambda z: zipped(["../../etc.txt"]), "no evidence file has, '../../etc.txt'"),
        (lambda z: zipped(["/etc/passwd"]), "no evidence file has, '/etc/passwd'"),
        (lambda z: zipped(["a" * 300]), "no evidence file has"),
        (lambda z: zipped(["manifest.json"], zipfile.ZIP_DEFLATED, bytes(50 << 20)), "nothing is unpacked"),
        (lambda z: zipped(["a.txt", "a.txt"]), "a member too many, 'a.txt'"),
        (lambda z: z + b"x", "something was added after the end"),
        (lambda z: b"x" + z, "not a ZIP"),
    ],
)
def test_archives_that_were_not_made_here(frozen, tmp_path, content, said):
    path = tmp_path / "a.zip"
    path.write_bytes(content(frozen.read_bytes()))
    assert said in wrong(path)
    assert lapwing("verify", path).exit_code == 1


def test_doubles_and_too_many_members_are_refused(tmp_path):
    one = tmp_path / "a.txt"
    one.write_bytes(b"x")
    evidence_zip.write(tmp_path / "double.zip", [one, one])
    assert "a member too many, 'a.txt'" in wrong(tmp_path / "double.zip")
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(1 << 32)  # a file with a hole: takes no room
    with pytest.raises(evidence_zip.ZipError, match="4 GiB"):
        evidence_zip.write(tmp_path / "big.zip", [tmp_path / "big.bin"])
    assert not (tmp_path / "big.zip").exists()
    with pytest.raises(IsADirectoryError):
        evidence_zip.write(tmp_path / "half.zip", [one, tmp_path])
    assert not (tmp_path / "half.zip").exists()


def test_another_key_is_seen_by_who_knows_the_right_one(frozen, key, tmp_path):
    mine = fingerprint(public_bytes(signing_key(key)[0]))
    path = forged(frozen, tmp_path / "a.zip", {})
    assert verify_file(path, None).fingerprint != mine
    assert "signed by another key" in wrong(path, mine)
    members = contents(frozen)
    members["public_key.pem"] = contents(path)["public_key.pem"]
    assert "public_key.pem was changed" in wrong(packed(members, tmp_path / "b.zip"))


def test_a_maker_who_signs_a_lie_is_found_out(frozen, tmp_path):
    page = contents(frozen)["report.html"]
    lie = page.replace(b"no one hostile", b"no one guilty!")
    said = wrong(forged(frozen, tmp_path / "report.zip", {"report.html": lie}))
    assert f"report.html is not what the journal in it gives, from byte {page.index(b'hostile')} on" in said
    assert "it was made with" not in said
    alarms = b"\n".join(contents(frozen)["alarms.csv"].splitlines()[:1])
    assert "alarms.csv is not what" in wrong(forged(frozen, tmp_path / "alarms.zip", {"alarms.csv": alarms}))
    acts = {"acts.jsonl": b""}
    assert "report.html is not what" in wrong(forged(frozen, tmp_path / "acts.zip", acts))
    other = {"site.toml": contents(frozen)["site.toml"] + b"# other\n"}
    assert "site.toml or the manifest" in wrong(forged(frozen, tmp_path / "site.zip", other))
    ticks = forged(frozen, tmp_path / "ticks.zip", {}, manifest={"first_tick": 159})
    assert "other ticks" in wrong(ticks)
    later = forged(
        frozen, tmp_path / "later.zip", {}, manifest={"numpy": "0.9", "since_ns": UNTIL, "until_ns": UNTIL + 1}
    )
    assert "other ticks" in wrong(later)


def test_a_changed_frame_gives_another_picture(frozen, tmp_path):
    db = sqlite3.connect(tmp_path / "look.sqlite")
    db.close()
    (tmp_path / "look.sqlite").write_bytes(contents(frozen)["journal.sqlite"])
    db = sqlite3.connect(tmp_path / "look.sqlite")
    seq, data = db.execute("SELECT seq, data FROM frames ORDER BY seq LIMIT 1").fetchone()
    db.close()
    other = bytes(len(data))
    change = ("UPDATE frames SET data=?, crc=? WHERE seq=?", (other, zlib.crc32(other), seq))
    said = wrong(forged(frozen, tmp_path / "a.zip", changed_journal(frozen, tmp_path, change), None, {"numpy": "0.9"}))
    assert "the picture of tick 15" in said
    assert "NumPy 0.9 there" in said
    damaged = ("UPDATE frames SET crc=crc+1 WHERE seq=?", (seq,))
    said = wrong(forged(frozen, tmp_path / "b.zip", changed_journal(frozen, tmp_path, damaged)))
    assert f"journal entry {seq} is damaged" in said


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE VIEW more AS SELECT 1", "holds more than one"),
        ("CREATE TRIGGER t AFTER INSERT ON meta BEGIN SELECT 1; END", "holds more than one"),
        ("DROP TABLE feeds", "is no journal"),
        ("DELETE FROM meta WHERE key='site'", "does not say which site"),
        ("UPDATE meta SET value='name = 3' WHERE key='site'", "cannot be run again"),
        ("UPDATE checkpoints SET state=x'0000'", "checkpoint of the journal is damaged"),
        ("UPDATE checkpoints SET state=substr(state, 1, 1000)", "cut short or absurdly large"),
        ("DELETE FROM checkpoints", "cannot be run again"),
        ("UPDATE ticks SET time_ns='noon'", "cannot be run again"),
        ("UPDATE ticks SET digest=NULL", "no picture whose digest"),
        ("DELETE FROM ticks", "other ticks"),
    ],
)
def test_databases_from_strangers(frozen, tmp_path, sql, said):
    changes = changed_journal(frozen, tmp_path, (sql, ()))
    assert said in wrong(forged(frozen, tmp_path / "a.zip", changes))


def test_a_checkpoint_is_unpacked_to_a_bound_only(frozen, monkeypatch):
    monkeypatch.setattr("lapwing.engine.states.BYTES_MAX", 1000)
    assert "absurdly large" in wrong(frozen)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"act": 1}', b"\xff", b'{"act": "1"}', b"[" * 100_000])
def test_acts_from_strangers(frozen, tmp_path, text):
    assert "cannot be run again" in wrong(forged(frozen, tmp_path / "a.zip", {"acts.jsonl": text}))


def test_acts_of_other_kinds_from_strangers(frozen, tmp_path):
    act = {**json.loads(contents(frozen)["acts.jsonl"]), "at_ns": "noon"}
    said = wrong(forged(frozen, tmp_path / "a.zip", {"acts.jsonl": json.dumps(act).encode()}))
    assert "a value of another kind" in said
    for i, change in enumerate(({"at_ns": 10**30}, {"note": "\ud800"})):
        lines = {"acts.jsonl": json.dumps({**act, "at_ns": 1, **change}).encode()}
        assert "cannot be run again" in wrong(forged(frozen, tmp_path / f"{i}.zip", lines))


def test_words_from_strangers_do_not_command_the_terminal(frozen, tmp_path):
    path = forged(frozen, tmp_path / "a.zip", {}, manifest={"\x1b[2J": 1})
    done = lapwing("verify", path)
    assert done.exit_code == 1
    assert "?[2J" in done.output
    assert "\x1b" not in done.output


def test_from_the_very_start_and_while_it_is_written(journal, key, tmp_path):
    folder = tmp_path / "live"
    shutil.copytree(journal, folder)
    (folder / "acts.sqlite").unlink()
    with Journal(folder, write=True) as live:
        live.begin()
        live.append(176, T0 + 36 * 10**9, [("ADS-B", T0, b"not yet")])
        done = freeze(folder, tmp_path / "a.zip", key, T0 - 10**18, T0 + 10**9)
        live.commit()
    assert done.exit_code == 0, done.output
    assert "5 of 5" not in done.output
    assert not (folder / "acts.sqlite").exists()
    verdict = verify_file(tmp_path / "a.zip", None)
    assert (verdict.manifest.replay_after_tick, verdict.told.frames[0], verdict.told.ticks) == (0, 1, 4)
    assert verdict.told.alarms == ()


def test_a_journal_without_its_beginning(frozen, key, tmp_path, monkeypatch):
    part = tmp_path / "part"
    part.mkdir()
    (part / "journal.sqlite").write_bytes(contents(frozen)["journal.sqlite"])
    done = freeze(part, tmp_path / "a.zip", key, T0, UNTIL)
    assert done.exit_code == 0, done.output
    verdict = verify_file(tmp_path / "a.zip", None)
    assert (verdict.manifest.replay_after_tick, verdict.told.shown_ticks) == (150, (151, 169))
    monkeypatch.setattr("lapwing.engine.replay.MAKE", "0.0.0 99 fields")
    done = freeze(part, tmp_path / "b.zip", key)
    assert done.exit_code == 1
    assert "no checkpoint of this version of the software" in done.output


def test_what_cannot_be_frozen_is_told_and_nothing_is_written(journal, frozen, key, tmp_path):
    out = tmp_path / "a.zip"
    cases = [
        (freeze(journal, out, key, UNTIL, SINCE), "--since must be before --until", 2),
        (freeze(journal, out, key, T0 - 10**12, T0 - 10**11), "holds nothing of that interval", 1),
        (freeze(tmp_path, out, key), "holds no journal", 1),
        (freeze(tmp_path / "no.toml", out, key), "cannot be read", 2),
        (freeze(journal, frozen, key), "evidence is never overwritten", 2),
        (freeze(journal, tmp_path / "no" / "a.zip", key), "No such file or directory", 1),
        (lapwing("evidence", journal, out, "--since", "dawn", "--until", "2026"), "'dawn' is no time", 2),
        (lapwing("evidence", journal, out, "--since", "2026-01-01"), "--until", 2),
        (lapwing("verify", tmp_path / "none.zip"), "No such file or directory", 1),
        (lapwing("verify", frozen, "--key", "abc"), "the public key abc cannot be read", 2),
    ]
    for done, said, code in cases:
        assert said in done.output
        assert done.exit_code == code
        assert "Traceback" not in done.output
    assert not out.exists()


def test_what_would_not_verify_is_not_frozen(journal, key, tmp_path):
    folder = tmp_path / "j"
    shutil.copytree(journal, folder)
    db = sqlite3.connect(folder / "journal.sqlite")
    db.execute("UPDATE ticks SET digest=x'00' WHERE tick=165")
    db.commit()
    db.close()
    done = freeze(folder, tmp_path / "a.zip", key)
    assert done.exit_code == 2
    assert "the picture of tick 165 is not the one recorded" in done.output
    (folder / "acts.sqlite").write_bytes(b"this is not a database, it is a letter to my aunt " * 40)
    done = freeze(folder, tmp_path / "a.zip", key, SINCE, SINCE + 10**9 // 2)
    assert done.exit_code == 1
    assert "what people did about alarms cannot be read" in done.output
    assert not (tmp_path / "a.zip").exists()


def test_a_site_file_stands_for_its_journal_and_the_key_lies_in_the_configuration(journal, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    shutil.copytree(journal, tmp_path / "journal")
    with Journal(journal, write=False) as j:
        (tmp_path / "site.toml").write_text(j.meta("site"))
    period = ("--since", moment(SINCE), "--until", moment(SINCE + 10**9 // 2))
    done = lapwing("evidence", tmp_path / "site.toml", tmp_path / "a.zip", *period)
    assert done.exit_code == 0, done.output
    path = tmp_path / "config" / "lapwing" / "evidence_key.pem"
    assert f"a new key, made just now: {path}" in done.output
    assert path.stat().st_mode & 0o777 == 0o600
    again = lapwing("evidence", tmp_path / "site.toml", tmp_path / "b.zip", *period)
    assert "a new key" not in again.output
    assert fingerprint(public_bytes(signing_key(path)[0])) in again.output


def test_keys_that_cannot_be_used(tmp_path):
    path = tmp_path / "key.pem"
    first, new = signing_key(path)
    assert new
    assert public_bytes(signing_key(path)[0]) == public_bytes(first)
    path.chmod(0o640)
    with pytest.raises(KeyTrouble, match="others can read the key"):
        signing_key(path)
    other = generate_private_key(SECP256R1())
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ec.pub").write_bytes(public)
    with pytest.raises(KeyTrouble, match="no Ed25519 key"):
        expected_fingerprint(str(tmp_path / "ec.pub"))
    for content, said in (
        (other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "no Ed25519 key"),
        (b"my aunt", "no private key in PEM"),
    ):
        path.unlink()
        path.touch(0o600)
        path.write_bytes(content)
        with pytest.raises(KeyTrouble, match=said):
            signing_key(path)
    with pytest.raises(KeyTrouble, match="no public key in PEM"):
        expected_fingerprint(str(path))
    with pytest.raises(KeyTrouble, match="cannot be made"):
        signing_key(path / "below" / "key.pem")
    with pytest.raises(KeyTrouble, match="cannot be read"):
        signing_key(tmp_path.joinpath("dir").mkdir(mode=0o700) or tmp_path / "dir")
