"""The privacy switch: evidence and exports that do not tell who flies a drone and from where, and still hold."""

import csv
import json
import re
import sqlite3
import struct
import zlib
from contextlib import closing

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lapwing.decode.remoteid_messages import interned
from lapwing.engine.history import COLUMNS
from lapwing.engine.told import META
from lapwing.engine.withhold import FIRST, Masks
from lapwing.serve.acts import Act, Acts, Wanted, acts_file
from lapwing.serve.cli import app
from lapwing.serve.evidence import EvidenceError
from lapwing.serve.evidence_keys import signing_key
from lapwing.serve.evidence_verify import verify_file
from lapwing.serve.evidence_withheld import LIST, cleaned, salt_of
from lapwing.serve.export_paths import moment
from lapwing.serve.site import essence
from tests.replay.remote_world import PILOTS, SERIALS, WORDS, pilot, skies
from tests.replay.test_replay import drive
from tests.replay.world import T0
from tests.serve.test_evidence import changed_journal, contents, forged

SINCE, UNTIL = T0 + 32 * 10**9, T0 + 34 * 10**9
ADDRESSES = sorted(interned("rid 1", serial) for serial in SERIALS)


def lapwing(*args):
    return CliRunner().invoke(app, [*map(str, args)])


def freeze(journal, out, key, *more):
    return lapwing("evidence", journal, out, "--since", moment(SINCE), "--until", moment(UNTIL), "--key", key, *more)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, skies(35.0))
    acts = Acts(acts_file(folder))
    note = f"drone {SERIALS[0].decode().lower()} of Kim, asked to land"
    acts.add(Wanted(alarm=1, verb="acknowledge", name="Kim", note=note), 1, T0, "127.0.0.1")
    acts.close()
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return tmp_path_factory.mktemp("keys") / "key.pem"


@pytest.fixture(scope="module")
def frozen(journal, key, tmp_path_factory):
    out = tmp_path_factory.mktemp("evidence") / "night.zip"
    done = freeze(journal, out, key, "--withhold")
    assert done.exit_code == 0, done.output
    assert "left out: who flies and from where; of Remote ID rows are kept, no bytes" in done.output
    return out


def unpacked(path, tmp_path):
    """All bytes that are in an evidence file, also those of entries and of the packed state."""
    yield "the file", path.read_bytes()
    members = contents(path)
    (tmp_path / "look.sqlite").write_bytes(members["journal.sqlite"])
    with closing(sqlite3.connect(tmp_path / "look.sqlite")) as db:
        for seq, data in db.execute("SELECT seq, data FROM frames"):
            yield f"entry {seq}", data
        for (state,) in db.execute("SELECT state FROM checkpoints"):
            yield "state", zlib.decompress(state)


def traces():
    """What would tell: every serial number, word and place, as the forms in which these are written anywhere."""
    for k, serial in enumerate(SERIALS):
        latitude, longitude = pilot(k)
        yield from (serial, serial.lower(), PILOTS[k], serial.hex().encode(), WORDS)
        for degrees in (latitude, longitude):
            yield struct.pack("<i", round(degrees * 1e7))
            yield f"{degrees:.5f}".encode()
            for number in (degrees, np.radians(degrees), np.radians(round(degrees * 1e7) * 1e-7)):
                yield struct.pack("<d", number)
    for address in ADDRESSES:  # a digest of the serial number: who knows the number knows it again
        yield f"{address:06X}".encode()
        yield str(address).encode()
        yield struct.pack("<q", address)
        yield struct.pack("<q", 2 << 40 | address)


def found(pieces):
    marks = list(traces())
    find = re.compile(b"|".join(map(re.escape, marks)))
    return [(name, hit[0]) for name, data in pieces if (hit := find.search(data))]


def test_no_byte_of_it_tells_who_flies_or_from_where(journal, key, frozen, tmp_path):
    told = tmp_path / "all.zip"
    assert freeze(journal, told, key, "--tell-all").exit_code == 0
    places = {name for name, _ in found(unpacked(told, tmp_path))}
    assert {"the file", "state"} < places  # the search finds what is there
    assert found(unpacked(frozen, tmp_path)) == []


def test_it_holds_and_says_what_was_left_out(frozen, key, tmp_path):
    done = lapwing("verify", frozen)
    assert done.exit_code == 0, done.output
    assert "HOLDS" in done.output
    assert "Left out by its maker: places of people who fly" in done.output
    members = contents(frozen)
    manifest = json.loads(members["manifest.json"])
    assert manifest["withheld"]["feeds"] == ["Remote ID"]
    rows = list(csv.DictReader(members[LIST].decode().splitlines()))
    assert len(rows) == manifest["withheld"]["entries"] > 5
    page = members["report.html"].decode()
    assert "Left out by the maker" in page
    assert '"Remote ID"' not in members["readme.txt"].decode()
    assert "withheld.csv names each such entry" in members["readme.txt"].decode()
    (act,) = map(json.loads, members["acts.jsonl"].decode().splitlines())
    assert act["note"] == "drone withheld 3 of Kim, asked to land"
    (tmp_path / "journal.sqlite").write_bytes(members["journal.sqlite"])
    assert "identical: 19 pictures of 19 ticks" in lapwing("replay", tmp_path, "--verify").output


def test_tracks_and_alarms_are_those_of_the_whole_file(journal, key, frozen, tmp_path):
    told = tmp_path / "all.zip"
    assert freeze(journal, told, key).exit_code == 0  # the site file says nothing: all is told
    whole, part = contents(told), contents(frozen)
    assert whole["alarms.csv"] == part["alarms.csv"]
    a, b = (list(csv.reader(m["tracks.csv"].decode().splitlines())) for m in (whole, part))
    number = a[0].index("id")
    stands = {str(old): str(FIRST + i) for i, old in enumerate(ADDRESSES)}
    assert [[*r[:number], stands.get(r[number], r[number]), *r[number + 1 :]] for r in a] == b
    assert {r[number] for r in b} > set(stands.values())


def test_what_was_left_out_can_be_matched_with_the_original(journal, key, frozen, tmp_path):
    done = lapwing("verify", frozen, "--original", journal, "--secret", key)
    assert done.exit_code == 0, done.output
    assert re.search(r"MATCHES: (\d+) of \1 entries left out are in", done.output)
    for secret in (tmp_path / "none.pem", tmp_path / "other.pem"):
        signing_key(tmp_path / "other.pem")
        wrong = lapwing("verify", frozen, "--original", journal, "--secret", secret)
        assert wrong.exit_code == 1
        assert "only the key that signed it can match" in wrong.output
    (tmp_path / "j").mkdir()
    with closing(sqlite3.connect(tmp_path / "j" / "journal.sqlite")) as copy:
        with closing(sqlite3.connect(journal / "journal.sqlite")) as db:
            db.backup(copy)
        entry = int(next(csv.DictReader(contents(frozen)[LIST].decode().splitlines()))["entry"])
        copy.execute("UPDATE frames SET data=x'00', crc=? WHERE seq=?", (zlib.crc32(b"\0"), entry))
        copy.commit()
    other = lapwing("verify", frozen, "--original", tmp_path / "j", "--secret", key)
    assert other.exit_code == 1
    assert "1 are others there" in other.output


def test_the_salt_cannot_be_guessed_and_is_always_the_same(key):
    mine = signing_key(key)[0]
    assert salt_of(mine, 1, 2) == salt_of(mine, 1, 2) != salt_of(mine, 1, 3)
    assert len(salt_of(mine, 1, 2)) == 32


def test_the_site_file_decides_where_nothing_is_said(tmp_path, key):
    text, chunks = skies(8.0)
    drive(tmp_path / "j", (text + "\n[privacy]\nwithhold = true\n", chunks), 40)
    span = ("--since", moment(T0 + 10**9), "--until", moment(T0 + 7 * 10**9), "--key", key)
    assert lapwing("evidence", tmp_path / "j", tmp_path / "a.zip", *span).exit_code == 0
    assert json.loads(contents(tmp_path / "a.zip")["manifest.json"])["withheld"]["entries"] > 0
    assert "HOLDS" in lapwing("verify", tmp_path / "a.zip").output  # from the very start, without a checkpoint
    assert lapwing("evidence", tmp_path / "j", tmp_path / "b.zip", *span, "--tell-all").exit_code == 0
    assert "withheld" not in json.loads(contents(tmp_path / "b.zip")["manifest.json"])
    lapwing("export", tmp_path / "j", tmp_path / "a.csv")
    assert not found([("csv", (tmp_path / "a.csv").read_bytes())])


def test_the_switch_does_not_begin_a_new_journal():
    plain, switched = "[privacy]\noperator_s = 5\n", "[privacy]\noperator_s = 5\nwithhold = true\n"
    assert essence(plain) == essence(switched)
    assert essence("") == essence("[privacy]\nwithhold = true\n") != essence(plain)


def test_a_name_that_stands_elsewhere_is_found_before_anything_is_written(tmp_path, key):
    text, chunks = skies(8.0)
    said = text.replace("[[feed]]", f"# the drone {SERIALS[1].decode()} is ours\n[[feed]]", 1)
    drive(tmp_path / "j", (said, chunks), 40)
    span = ("--since", moment(T0 + 10**9), "--until", moment(T0 + 7 * 10**9), "--key", key)
    done = lapwing("evidence", tmp_path / "j", tmp_path / "a.zip", *span, "--withhold")
    assert done.exit_code == 2
    assert "still stands in site.toml; nothing was written" in done.output
    assert not (tmp_path / "a.zip").exists()


def lie(frozen, tmp_path, change=None, manifest=None):
    rows = contents(frozen)[LIST].decode().splitlines(keepends=True)
    changes = {} if change is None else {LIST: "".join(change(rows)).encode()}
    path = tmp_path / "lie.zip"
    members = (*json.loads(contents(frozen)["manifest.json"])["members"],)
    with pytest.raises(EvidenceError) as caught:
        verify_file(forged(frozen, path, changes, None, manifest, names=[m["name"] for m in members]), None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:-1], "does not name the entries that were left out"),
        (lambda rows: [rows[0], *rows], "not as it was written"),
        (lambda rows: ["entry\r\n", *rows[1:]], "has other columns"),
        (lambda rows: [*rows[:-1], rows[-1].replace(rows[-1][-10:], "x\r\n")], "no SHA-256 of entry"),
        (lambda rows: [], "has other columns"),
    ],
)
def test_a_list_that_lies_is_refused(frozen, tmp_path, change, said):
    assert said in lie(frozen, tmp_path, change)


@pytest.mark.parametrize(
    ("withheld", "said"),
    [
        ({"feeds": []}, "other feeds"),
        ({"entries": 1}, "another number of entries"),
        ({"what": "nothing"}, "manifest.json is none that"),
    ],
)
def test_a_manifest_that_lies_about_it_is_refused(frozen, tmp_path, withheld, said):
    true = json.loads(contents(frozen)["manifest.json"])["withheld"]
    assert said in lie(frozen, tmp_path, manifest={"withheld": {**true, **withheld}})


@pytest.mark.parametrize("word", ["3", "[3]", "{", "[" * 100_000])
def test_a_journal_that_lies_about_it_is_refused(frozen, tmp_path, word):
    change = changed_journal(frozen, tmp_path, (f"UPDATE meta SET value=? WHERE key='{META}'", (word,)))
    names = [m["name"] for m in json.loads(contents(frozen)["manifest.json"])["members"]]
    with pytest.raises(EvidenceError, match="cannot be run again"):
        verify_file(forged(frozen, tmp_path / "a.zip", change, names=names), None)


def test_the_bytes_of_a_left_out_feed_from_a_stranger_are_a_fault(frozen, tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(contents(frozen)["journal.sqlite"])
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db:
        feed = db.execute("SELECT id FROM feeds WHERE name='Remote ID'").fetchone()[0]
        db.execute("UPDATE frames SET data=x'0102', crc=? WHERE feed=?", (zlib.crc32(b"\1\2"), feed))
        db.commit()
    done = lapwing("replay", tmp_path)
    assert done.exit_code == 0, done.output
    assert "ticks run again" in done.output


@pytest.mark.parametrize("ending", ["geojson", "kml", "csv", "gpx", "czml", "mfjson", "parquet", "courageous.json"])
def test_no_export_tells_which_drone_it_was(journal, tmp_path, ending):
    out, told = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    assert lapwing("export", journal, out, "--withhold").exit_code == 0
    assert lapwing("export", journal, told).exit_code == 0
    if ending == "parquet":
        a, b = (set(pl.read_parquet(p)["id"].to_list()) for p in (out, told))
        assert set(ADDRESSES) <= b
        assert not a & set(ADDRESSES)
        assert a - b == {FIRST + 1, FIRST + 2, FIRST + 3}
        assert set(COLUMNS) <= set(pl.read_parquet(out).columns)
        return
    assert found([("told", told.read_bytes())])
    assert found([("withheld", out.read_bytes())]) == []


def test_nothing_can_be_left_out_twice_or_matched_where_nothing_was(journal, frozen, key, tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(contents(frozen)["journal.sqlite"])
    twice = freeze(tmp_path, tmp_path / "twice.zip", key, "--withhold")
    assert twice.exit_code == 1
    assert "the bytes were left out already" in twice.output
    assert freeze(journal, tmp_path / "all.zip", key).exit_code == 0
    none = lapwing("verify", tmp_path / "all.zip", "--original", journal, "--secret", key)
    assert none.exit_code == 1
    assert "nothing was left out of this file" in none.output


def test_an_address_that_somebody_noted_is_replaced_as_a_name_is():
    drone, small = 0x9A_F1E2_D3C4, 0x4CA2D6
    masks = Masks(frozenset(), {small: frozenset({"EIN"}), drone: frozenset()})
    note = f"{drone:X} again, {drone:x}, id {drone}, see /#sel=c2:{drone & 0xFFFFFFFF}; beside it {small:X}"
    (act,) = cleaned([Act(1, T0, T0, 1, 1, "note", "Kim", note, 0, "127.0.0.1")], masks)
    assert act.note == "withheld 2 again, withheld 2, id withheld 2, see /#sel=c2:withheld 2; beside it 4CA2D6"
