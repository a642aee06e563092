"""The Mode S decoder against rs1090 0.7.0 and pyModeS 3.6.1 on the same frames (builders/golden_modes.py).

Where the oracles differ from each other, the test says which one is followed and why.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.decode.helpers import KNOT_MPS, real_batch

from lapwing.decode import modes
from lapwing.decode.faults import Refusals
from lapwing.records import Decoded, Doubt, Field

FOOT_M = 0.3048
FPM_MPS = FOOT_M / 60.0
DEGREE = np.pi / 180.0


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden" / "modes.npz") as file:
        return dict(file)


def said(oracle: str, part: str, field: str) -> dict[int, object]:
    """Frame index -> the oracle's value."""
    key = f"{oracle}/{part}/{field}"
    return dict(zip(golden()[key + ":i"].tolist(), golden()[key].tolist(), strict=True))


def run(frames: np.ndarray, length: np.ndarray, time_ns: np.ndarray) -> Decoded:
    batch = modes.plain_batch(frames, length, time_ns, np.arange(len(frames)))
    refusals = Refusals()
    _, decoded = modes.decode(modes.start(), batch, np.zeros(4), refusals)
    assert refusals.faults() == ()
    return decoded


@cache
def real() -> Decoded:
    return run(*real_batch())


@cache
def fake() -> Decoded:
    frames = np.array([list(bytes.fromhex(text)) for text in golden()["made_up"].tolist()], np.uint8)
    n = len(frames)
    return run(frames, np.full(n, 14), np.arange(n) * 100_000_000_000 + 10**18)


def ours(decoded: Decoded, *fields: Field) -> dict[int, float]:
    """Frame index -> value."""
    which = np.isin(decoded.values.field, [int(f) for f in fields])
    return dict(zip(decoded.values.frame_seq[which].tolist(), decoded.values.value[which].tolist(), strict=True))


def squitter_rows(decoded: Decoded, field: Field) -> dict[int, float]:
    """As `ours`, only from extended squitters (Comm-B says speeds too)."""
    formats = ours(decoded, Field.DOWNLINK_FORMAT)
    return {i: v for i, v in ours(decoded, field).items() if formats[i] == 17}


def same(mine: dict[int, float], theirs: dict[int, object], scale: float, tolerance: float) -> None:
    assert mine.keys() == theirs.keys()
    for i, value in theirs.items():
        assert mine[i] == pytest.approx(float(value) * scale, abs=tolerance), i


def test_every_frame_is_accepted() -> None:
    assert real().messages == len(real_batch()[0]) == 57_793
    assert len(ours(real(), Field.DOWNLINK_FORMAT)) == 57_793


def test_callsigns() -> None:
    theirs = said("rs1090", "real", "callsign")
    mine = dict(zip(real().texts.frame_seq.tolist(), real().texts.text, strict=True))
    assert mine == theirs
    assert len(mine) == 865


def test_altitudes() -> None:
    """rs1090 refuses the one altitude below zero (-100 ft); pyModeS does not."""
    theirs = said("pymodes", "real", "altitude")
    same(ours(real(), Field.ALTITUDE_BARO_M), theirs, FOOT_M, 1e-9)
    assert {i: v for i, v in theirs.items() if v > 0} == said("rs1090", "real", "altitude")


def test_squawks() -> None:
    theirs = {i: int(str(v)) for i, v in said("rs1090", "real", "squawk").items()}
    same(ours(real(), Field.SQUAWK), theirs, 1.0, 0.0)


def test_ground_speeds_and_tracks() -> None:
    same(squitter_rows(real(), Field.GROUND_SPEED_MPS), said("rs1090", "real", "groundspeed"), KNOT_MPS, 1e-9)
    same(squitter_rows(real(), Field.TRACK_RAD), said("rs1090", "real", "track"), DEGREE, 1e-9)


def test_vertical_rates_and_their_source() -> None:
    """rs1090 0.7.0 names the source bit the wrong way round; pyModeS and DO-260B agree with us."""
    theirs = said("pymodes", "real", "vertical_rate")
    source = said("pymodes", "real", "vr_source")
    assert said("rs1090", "real", "vertical_rate") == theirs
    assert set(said("rs1090", "real", "vrate_src").values()) == {"barometric"}
    assert set(source.values()) == {"GNSS"}
    same(squitter_rows(real(), Field.VERTICAL_RATE_GEOMETRIC_MPS), theirs, FPM_MPS, 1e-9)
    assert squitter_rows(real(), Field.VERTICAL_RATE_BARO_MPS) == {}


def test_geometric_minus_baro() -> None:
    """rs1090 says nothing where the difference is zero; pyModeS does."""
    theirs = said("pymodes", "real", "geo_minus_baro")
    same(ours(real(), Field.GEOMETRIC_MINUS_BARO_M), theirs, FOOT_M, 1e-9)
    assert {i: v for i, v in theirs.items() if v} == said("rs1090", "real", "geo_minus_baro")


def test_positions() -> None:
    """Every position of rs1090 is one of ours, to 1e-6 deg."""
    lat, lon = said("rs1090", "real", "latitude"), said("rs1090", "real", "longitude")
    mine = dict(zip(real().positions.frame_seq.tolist(), range(len(real().positions)), strict=True))
    assert len(lat) == 6870
    assert len(mine) == 6969
    assert lat.keys() <= mine.keys()
    rows = [mine[i] for i in lat]
    assert np.degrees(real().positions.latitude_rad[rows]) == pytest.approx(np.array(list(lat.values())), abs=1e-6)
    assert np.degrees(real().positions.longitude_rad[rows]) == pytest.approx(np.array(list(lon.values())), abs=1e-6)
    doubt = real().positions.doubt
    assert int(np.count_nonzero(doubt & Doubt.JUMP)) == 0


REGISTERS = [
    ("bds50.roll", Field.ROLL_RAD, DEGREE),
    ("bds50.track", Field.TRACK_RAD, DEGREE),
    ("bds50.groundspeed", Field.GROUND_SPEED_MPS, KNOT_MPS),
    ("bds50.track_rate", Field.TRACK_RATE_RADPS, DEGREE),
    ("bds50.TAS", Field.TRUE_AIRSPEED_MPS, KNOT_MPS),
    ("bds60.heading", Field.HEADING_RAD, DEGREE),
    ("bds60.IAS", Field.INDICATED_AIRSPEED_MPS, KNOT_MPS),
    ("bds60.Mach", Field.MACH, 1.0),
    ("bds60.vrate_barometric", Field.VERTICAL_RATE_BARO_MPS, FPM_MPS),
]


@pytest.mark.parametrize(("name", "field", "scale"), REGISTERS)
def test_comm_b_registers(name: str, field: Field, scale: float) -> None:
    """What we believe, rs1090 says too (where it finds the register); we believe nearly all that it finds. It reads
    a rate of all ones (-32 ft/min) as zero."""
    theirs = said("rs1090", "real", name)
    formats = ours(real(), Field.DOWNLINK_FORMAT)
    mine = {i: v for i, v in ours(real(), field).items() if formats[i] >= 20}
    both = mine.keys() & theirs.keys()
    assert len(both) >= 0.97 * len(theirs)
    assert len(mine) - len(both) <= (0.41 * len(mine) if name == "bds50.track_rate" else 4)
    for i in both:
        ones = name.endswith("vrate_barometric") and theirs[i] == 0.0
        assert mine[i] == pytest.approx(float(theirs[i]) * scale, abs=0.1626 if ones else 1e-6), i


FAKE = [
    ("groundspeed", Field.GROUND_SPEED_MPS, KNOT_MPS, 1.0),
    ("track", Field.TRACK_RAD, DEGREE, 1e-9),
    ("nac_p", Field.NAC_P, 1.0, 0.0),
    ("sil", Field.SIL, 1.0, 0.0),
    ("nic_baro", Field.NIC_BARO, 1.0, 0.0),
    ("version", Field.ADSB_VERSION, 1.0, 0.0),
    ("altitude", Field.ALTITUDE_BARO_M, FOOT_M, 1e-9),
    ("selected_altitude", Field.ALTITUDE_SELECTED_M, FOOT_M, 1e-9),
    ("heading", Field.HEADING_RAD, DEGREE, 1e-9),
]


@pytest.mark.parametrize(("name", "field", "scale", "tolerance"), FAKE)
def test_made_up_squitters(name: str, field: Field, scale: float, tolerance: float) -> None:
    """Kinds of squitter that the recording lacks, against pyModeS (whose speeds are whole knots)."""
    same(ours(fake(), field), said("pymodes", "fake", name), scale, tolerance)


def test_made_up_differences_of_height() -> None:
    """The oracles say nothing for the largest code; we say the largest number and that it is saturated."""
    mine, theirs = ours(fake(), Field.GEOMETRIC_MINUS_BARO_M), said("pymodes", "fake", "geo_minus_baro")
    saturated = {i for i, v in ours(fake(), Field.GEOMETRIC_MINUS_BARO_SATURATED).items() if v == 1.0}
    assert saturated
    assert {i: mine[i] for i in saturated} == pytest.approx({i: 960.12 * np.sign(mine[i]) for i in saturated})
    same({i: v for i, v in mine.items() if i not in saturated}, theirs, FOOT_M, 1e-9)


def test_made_up_vertical_rates() -> None:
    rate, source = said("pymodes", "fake", "vertical_rate"), said("pymodes", "fake", "vr_source")
    for name, field in (("GNSS", Field.VERTICAL_RATE_GEOMETRIC_MPS), ("BARO", Field.VERTICAL_RATE_BARO_MPS)):
        same(ours(fake(), field), {i: v for i, v in rate.items() if source[i] == name}, FPM_MPS, 1e-9)


def test_made_up_airspeeds() -> None:
    speed, kind = said("pymodes", "fake", "airspeed"), said("pymodes", "fake", "airspeed_type")
    for name, field in (("TAS", Field.TRUE_AIRSPEED_MPS), ("IAS", Field.INDICATED_AIRSPEED_MPS)):
        same(ours(fake(), field), {i: v for i, v in speed.items() if kind[i] == name}, KNOT_MPS, 1e-9)
