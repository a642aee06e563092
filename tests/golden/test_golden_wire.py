"""Bytes of every format that an independent reader read, or that were written by hand from the published format (each
file says which), against our decoders. The readers are not needed here: builders/ made the files."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.checks import feed

from lapwing.decode import make
from lapwing.records import Decoded, FeedConfig, Field, Frame, Position, SensorConfig, Word
from lapwing.records.reports import merged
from lapwing_lab import courageous as trial

GOLDEN = Path(__file__).parent
ORIGIN = Position(float(np.radians(47.0)), float(np.radians(8.0)), 400.0)
RADAR = SensorConfig(
    "radar", ORIGIN, "radar", range_sigma_m=50.0, azimuth_sigma_rad=0.002, elevation_sigma_rad=0.002, second=ORIGIN
)
SCANS = ("sapient_v2", "sapient_v1", "blah2", "json_lines")
CLAIMS = ("ais", "sbs", "readsb", "remoteid", "dronescout")


def cases(*names: str) -> list:
    out = []
    for name in names:
        told = json.loads((GOLDEN / f"{name}.json").read_text())
        out += [pytest.param(told, one, id=f"{name}: {one['name']}") for one in told["cases"]]
    return out


def decoded(decoder, case) -> Decoded:
    given = [Frame(i + 1, "f", case["received_ns"], bytes.fromhex(raw)) for i, raw in enumerate(case["frames"])]
    return merged(feed(decoder, given)[1])


@pytest.mark.parametrize(("about", "case"), cases(*CLAIMS))
def test_claims_are_what_an_independent_reader_read(about, case) -> None:
    """Every place, number and word that it read, no other one, and nothing refused."""
    d = decoded(make(FeedConfig("f", about["decoder"], "file"), {}), case)
    assert d.faults == ()
    places = np.degrees([d.positions.latitude_rad, d.positions.longitude_rad]).T
    assert places == pytest.approx(np.array(case["positions"]).reshape(-1, 2), abs=1e-6)
    ignored = set(about.get("not_read", "").split(", "))
    numbers: dict[str, list[float]] = {}
    for code, value in zip(d.values.field.tolist(), d.values.value.tolist(), strict=True):
        if Field(code).name not in ignored:
            numbers.setdefault(Field(code).name, []).append(value)
    assert numbers == {k: pytest.approx(v, rel=1e-5, abs=1e-6) for k, v in case["values"].items()}
    words: dict[str, list[str]] = {}
    for code, text in zip(d.texts.word.tolist(), d.texts.text, strict=True):
        words.setdefault(Word(code).name, []).append(text)
    assert words == case["words"]
    if "address" in case:
        assert {a for r in (d.positions, d.values, d.texts) for a in r.address.tolist()} == {case["address"]}


@pytest.mark.parametrize(("about", "case"), cases(*SCANS))
def test_scans_are_what_an_independent_reader_read(about, case) -> None:
    """Every scan in its order: when, in which space, what is measured and how well; nothing refused, no other scan."""
    config = FeedConfig("f", about["decoder"], "file", sensor="radar", origin=ORIGIN, carrier_hz=204.64e6)
    d = decoded(make(config, {"radar": RADAR}), case)
    assert d.faults == ()
    assert [(s.sensor, s.space.name, s.scan_ns, len(s)) for s in d.scans] == [
        (s["sensor"], s["space"], s["scan_ns"], len(s["z"])) for s in case["scans"]
    ]
    for mine, theirs in zip(d.scans, case["scans"], strict=True):
        for name, z, want in zip(mine.space.value, mine.z.T, np.array(theirs["z"]).T, strict=False):
            assert z == pytest.approx(want, abs=1e-9 if name.endswith("_rad") else 1e-3, rel=1e-7), name
        if theirs.get("sigma"):
            sigma = np.sqrt(np.diagonal(mine.R, axis1=1, axis2=2))
            assert sigma == pytest.approx(np.array(theirs["sigma"]), rel=1e-6)


def test_a_trial_s_document_is_where_proj_says(tmp_path) -> None:
    (told,) = json.loads((GOLDEN / "courageous.json").read_text())["cases"]
    path = tmp_path / "trial.json"
    path.write_text(json.dumps(told["document"]))
    rows = trial.read(path).tracks.drop_nulls("track_id")
    assert rows["time_ns"].to_list() == told["times_ns"]
    assert set(rows["track_id"]) == {7}
    for axis, column in enumerate(("east_m", "north_m", "up_m")):
        want = [where[axis] for where in told["enu_m"]]
        for got, wanted in zip(rows[column].to_list(), want, strict=True):
            assert wanted is None or got == pytest.approx(wanted, abs=1e-3)


def test_every_file_says_who_made_it_and_who_read_it() -> None:
    for name in (*CLAIMS, *SCANS, "courageous"):
        about = json.loads((GOLDEN / f"{name}.json").read_text())
        assert about["bytes_by"], name
        assert about["values_by"], name
        assert about["cases"], name
