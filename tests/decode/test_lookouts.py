"""JSON lines of home-made sensors: what each form becomes, and that every mistake names its key."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.checks import feed
from tests.decode.helpers import T0, faults

from lapwing.decode.lookouts import LookoutDecoder
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import MICRO_UNSAID, RCS_UNSAID, Decoded, Frame, Position, SensorConfig, Space
from lapwing.records.reports import merged

ORIGIN = Position(np.radians(47.0), np.radians(8.0), 400.0)
SENSOR = SensorConfig("mic", Position(np.radians(47.01), np.radians(8.01), 410.0), "radar", azimuth_sigma_rad=0.05)
DECODER = LookoutDecoder("f", SENSOR, ORIGIN)


def looks(*lines: object) -> Decoded:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    return merged(feed(DECODER, [Frame(7, "f", T0, text.encode())])[1])


def test_polar_with_its_own_sigmas() -> None:
    row = {"range_m": 1200, "azimuth_deg": -90, "range_sigma_m": 5, "azimuth_sigma_deg": 1.5}
    (scan,) = looks({"time": T0 / 1e9, "detections": [row, {"range_m": 50.5, "azimuth_deg": 10}]}).scans
    assert (scan.sensor, scan.space, scan.scan_ns) == ("mic", Space.RANGE_AZIMUTH, T0)
    assert scan.z == pytest.approx(np.array([[1200.0, 1.5 * np.pi], [50.5, np.radians(10)]]))
    assert scan.R[0] == pytest.approx(np.diag([25.0, np.radians(1.5) ** 2]))
    assert scan.R[1] == pytest.approx(np.diag([900.0, 0.0025]))
    assert scan.frame_seq.tolist() == [7, 7]


def test_radar_cross_sections_are_kept_where_they_are_said() -> None:
    rows = [{"range_m": 1200, "azimuth_deg": 90, "rcs_dbsm": -17.5}, {"range_m": 50, "azimuth_deg": 10}]
    (scan,) = looks({"time": T0 / 1e9, "detections": rows}).scans
    assert scan.rcs_dbsm is not None
    assert scan.rcs_dbsm.tolist() == [-17.5, RCS_UNSAID]
    wrong = {"range_m": 1200, "azimuth_deg": 90, "rcs_dbsm": 400}
    assert list(faults([looks(wrong)])) == ["rcs_dbsm: not a number from -100 to 100"]


def test_micro_doppler_is_kept_where_it_is_said() -> None:
    rows = [{"azimuth_deg": 9, "blades": 1}, {"azimuth_deg": 10, "micro_doppler_mps": 35.5}, {"azimuth_deg": 11}]
    (scan,) = looks({"detections": rows}).scans
    assert scan.micro is not None
    assert scan.micro.tolist() == [[1.0, MICRO_UNSAID], [MICRO_UNSAID, 35.5], [MICRO_UNSAID, MICRO_UNSAID]]
    (silent,) = looks({"azimuth_deg": 9}).scans
    assert silent.micro is None
    assert list(faults([looks({"azimuth_deg": 9, "blades": 2})])) == ["blades: not a number from 0 to 1"]


def test_what_a_sensor_takes_its_targets_for() -> None:
    rows = [{"azimuth_deg": 9, "kinds": {"multirotor": 0.7, "bird": 0.2}}, {"azimuth_deg": 10}]
    (scan,) = looks({"detections": rows}).scans
    assert scan.declared is not None
    assert scan.declared.tolist() == [[0.0, 0.7, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0], [0.0] * 8]
    (rounded,) = looks({"azimuth_deg": 9, "kinds": {"ship": 0.667, "ground": 0.334}}).scans
    assert rounded.declared is not None
    assert rounded.declared.sum() == pytest.approx(1.0)
    (silent,) = looks({"azimuth_deg": 9, "kinds": {}}).scans
    assert silent.declared is None


def test_the_plots_of_a_rotation_have_their_own_times() -> None:
    rows = [{"range_m": 1200, "azimuth_deg": 90, "time": T0 / 1e9 - 0.75}, {"range_m": 50, "azimuth_deg": 359}]
    (scan,) = looks({"time": T0 / 1e9, "detections": rows}).scans
    assert scan.scan_ns == T0
    assert scan.time_ns[0] == pytest.approx(T0 - 750_000_000, abs=1000)  # seconds as a float
    assert scan.time_ns[1] == T0
    (later,) = looks({"time": T0 / 1e9, "detections": [{"azimuth_deg": 1, "range_m": 9, "time": T0 / 1e9 + 2}]}).scans
    assert later.scan_ns == later.time_ns[0] > T0 + 1_999_999_000  # a scan ends after what it saw
    far = {"time": T0 / 1e9, "detections": [{"azimuth_deg": 1, "range_m": 9, "time": T0 / 1e9 - 100}]}
    assert list(faults([looks(far)])) == ["time: a detection more than a minute from its look"]


def test_positions_are_placed_in_the_sites_frame() -> None:
    (scan,) = looks({"latitude_deg": 47.01, "longitude_deg": 8.02, "height_m": 520, "sigma_m": 8}).scans
    assert (scan.space, scan.scan_ns) == (Space.POSITION_3D, T0)
    place = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    back = np.array(enu_to_geodetic(place, scan.z))[:, 0]
    assert back == pytest.approx([np.radians(47.01), np.radians(8.02), 520.0])
    assert scan.R[0] == pytest.approx(np.diag([64.0] * 3))
    (flat,) = looks({"latitude_deg": 47.01, "longitude_deg": 8.02}).scans
    assert flat.space is Space.POSITION_2D


def test_directions_come_under_a_name_that_the_tracker_passes_over() -> None:
    d = looks({"azimuth_deg": 90}, {"azimuth_deg": 90, "elevation_deg": 5})
    assert [(s.sensor, s.space) for s in d.scans] == [
        ("mic", Space.AZIMUTH),
        ("mic", Space.AZIMUTH_ELEVATION),
    ]


def test_an_empty_look_is_about_what_was_measured_last() -> None:
    d = looks({"detections": []}, {"range_m": 1, "azimuth_deg": 1, "range_rate_mps": -3}, {"detections": []})
    assert [(len(s), s.space) for s in d.scans] == [(n, Space.RANGE_AZIMUTH_RANGE_RATE) for n in (1, 0)]
    assert list(faults([d])) == ["detections: an empty list before the first detection does not say what is measured"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense\n", "not JSON"),
        ("[]\n", "not a JSON object"),
        ({"azimut_deg": 3}, "unknown key; did you mean azimuth_deg?"),
        ({"colour": 3}, "unknown key"),
        ({"detections": [], "azimuth": 3}, "unknown key; did you mean azimuth_deg?"),
        ({"azimuth_deg": "east"}, "azimuth_deg: not a number from -360 to 360"),
        ({"azimuth_deg": 3, "range_m": -1}, "range_m: not a number from 0 to 1e+06"),
        ({"azimuth_deg": 3, "azimuth_sigma_deg": 0}, "azimuth_sigma_deg: not a number from 0.0001 to 180"),
        ({"range_m": 3}, "azimuth_deg: is missing"),
        ({"latitude_deg": 3}, "a position needs latitude_deg and longitude_deg, and no range or direction"),
        ({"time": "noon", "azimuth_deg": 3}, "time: neither seconds since 1970 nor ISO 8601 with an offset such as Z"),
        ({"time": "2024-07-03T09:46:42", "azimuth_deg": 3}, "time: neither seconds since 1970"),
        ({"azimuth_deg": 3, "kinds": "bird"}, 'kinds: not an object such as {"bird": 0.7}'),
        ({"azimuth_deg": 3, "kinds": {"birb": 1}}, "kinds: no such kind; did you mean bird?"),
        ({"azimuth_deg": 3, "kinds": {"Zebra": 1}}, "kinds: write unknown, multirotor, fixed_wing_drone, bird"),
        ({"azimuth_deg": 3, "kinds": {"bird": 1.1}}, "kinds: a probability is not a number from 0 to 1"),
        ({"azimuth_deg": 3, "kinds": {"bird": 0.6, "ship": 0.6}}, "kinds: the probabilities add up to more than 1"),
        ({"detections": 3}, "detections: not a list of at most 2000"),
        ({"detections": [3]}, "detections: one is not an object"),
        (
            {"detections": [{"azimuth_deg": 3}, {"azimuth_deg": 3, "range_m": 3}]},
            "detections: not all measure the same",
        ),
    ],
)
def test_every_mistake_names_its_key(line: object, reason: str) -> None:
    d = looks(line)
    assert d.scans == ()
    ((told, count),) = faults([d]).items()
    assert told.startswith(reason)
    assert count == 1


def test_the_examples_of_the_page_are_read() -> None:
    """Every JSON line that docs/sensors.md shows is one look."""
    page = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text()
    shown = re.findall(r'^(\{"(?:time|azimuth|range|latitude).*\})$', page, re.MULTILINE)
    assert len(shown) >= 4
    assert len(looks(*(line + "\n" for line in shown)).scans) == len(shown)
