"""What SAPIENT nodes declare their targets to be, in our kinds: never more than was said."""

import math

import numpy as np
import pytest
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0

from lapwing.decode import sapient_objects
from lapwing.decode.encode_sapient import TAXONOMY
from lapwing.decode.sapient import BAD_KINDS, BAD_OBJECT, SapientDecoder
from lapwing.decode.sapient_kinds import kinds_of
from lapwing.engine.plan import make_plan
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.records import MICRO_UNSAID, RCS_UNSAID, UNSAID, Decoded, Frame, Kind, Position, SensorConfig
from lapwing.serve.site import parse

PLACE = Position(0.8, 0.1, 100.0)
SENSOR = SensorConfig("radar", PLACE, "radar")


def report(*types, time_ns=T0 + s.S, azimuth=45.0):
    """A detection whose classification is (type, confidence or None, *(sub-class, confidence or None))."""
    out = s.bearing(azimuth, time_ns, range=1200.0)
    for name, p, *subs in types:
        one = out.detection_report.classification.add(type=name)
        if p is not None:
            one.confidence = p
        for sub, q in subs:
            inner = one.sub_class.add(type=sub, level=1)
            if q is not None:
                inner.confidence = q
    return out


def read(*types):
    return kinds_of(report(*types).detection_report.classification)


M, F, B, A, H, G, S, U = (
    Kind.MULTIROTOR, Kind.FIXED_WING_DRONE, Kind.BIRD, Kind.AIRCRAFT, Kind.HELICOPTER, Kind.GROUND, Kind.SHIP,
    Kind.UNKNOWN,
)  # fmt: skip
AIR = ("Air vehicle", 0.8)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([], {}),
        ([AIR], {M: 0.2, F: 0.2, A: 0.2, H: 0.2}),
        ([(*AIR, ("UAV rotary wing", 0.6))], {M: 0.65, F: 0.05, A: 0.05, H: 0.05}),  # the rest may be any of them
        ([(*AIR, ("UAV rotary wing", 0.9))], {M: 0.74, F: 0.02, A: 0.02, H: 0.02}),  # more than its type: conditional
        ([(*AIR, ("UAV rotary wing", None))], {M: 0.8}),
        ([(*AIR, ("UAV rotary wing", None), ("UAV fixed wing", None))], {M: 0.2, F: 0.2, A: 0.2, H: 0.2}),
        ([(*AIR, ("Balloon", 0.8))], {M: 0.2, F: 0.2, A: 0.2, H: 0.2}),
        ([(*AIR, ("Manned  FIXED wing", 0.8))], {A: 0.8}),
        ([("Animal", 0.5, ("Bird", 0.5)), ("Air vehicle", 0.5, ("UAV fixed wing", 0.5))], {B: 0.5, F: 0.5}),
        ([("Animal", 0.6)], {B: 0.3, U: 0.3}),
        ([("Human", 0.8, ("Male", 0.6))], {G: 0.4, U: 0.4}),
        ([("Sea vessel", None)], {S: 1.0}),
        ([("Sea vessel", None), ("Land vehicle", 0.3)], {G: 0.3}),
        ([("EM transmitter", 0.9, ("UAV transmitter", 0.8))], {M: 0.4, F: 0.4}),
        ([("EM transmitter", 0.9, ("Radar", 0.9))], {}),  # says what it sends, not what it is
        ([("Wizardry", 1.0)], {}),
        ([("Sea vessel", 0.9), ("Land vehicle", 0.9)], {S: 0.5, G: 0.5}),  # adds up to more than all
    ],
)
def test_what_is_said_and_no_more(types, expected):
    told = np.array(read(*types))
    assert told == pytest.approx([expected.get(k, 0.0) for k in Kind], abs=1e-6)


def test_our_own_words_come_back_as_they_were_meant():
    for kind, (name, sub) in TAXONOMY.items():
        told = np.array(read((name, 0.75, *([(sub, 0.75)] if sub else []))))
        assert int(told.argmax()) == kind
        assert told[kind] == pytest.approx(0.75)


@pytest.mark.parametrize("p", [math.nan, math.inf, -0.1, 1.5])
def test_confidences_that_are_none(p):
    assert read(("Animal", p)) is None
    assert read(("Animal", 0.5, ("Bird", p))) is None


def test_many_types_are_not_all_read():
    assert read(*[("Wizardry", 0.0)] * 32, ("Sea vessel", 1.0)) == UNSAID
    assert sum(read(*[("Sea vessel", 1.0)] * 10_000)) == pytest.approx(1.0)


def decoded(*messages) -> Decoded:
    decoder = SapientDecoder("f", (SENSOR,), "radar", PLACE)
    data = s.frame(s.registration(), *messages, s.status(T0 + 9 * s.S))
    return decoder.decode(decoder.start(), [Frame(1, "f", T0, data)])[1]


def test_a_scan_has_the_kinds_of_its_rows_or_none():
    told = decoded(report(("Sea vessel", 0.9)), report(azimuth=46.0), report(time_ns=T0 + 2 * s.S))
    first, second = told.scans
    assert first.declared.tolist() == [[0, 0, 0, 0, 0, 0, pytest.approx(0.9), 0], [0] * 8]
    assert second.declared is None


def test_a_confidence_that_is_none_costs_the_kind_and_not_the_detection():
    told = decoded(report(("Sea vessel", 7.0)), report(("Sea vessel", 0.9), azimuth=46.0))
    assert [f.reason for f in told.faults] == [BAD_KINDS]
    assert told.scans[0].declared[:, S].tolist() == [0.0, pytest.approx(0.9)]


SITE = """
name = "t"
origin = {latitude_deg = 45.8, longitude_deg = 5.7, height_m = 100}
feed = [{name = "f", decoder = "sapient", from = "sapient://127.0.0.1:5020", sensor = "radar"}]
[[sensor]]
name = "radar"
at = {latitude_deg = 45.8, longitude_deg = 5.7, height_m = 100}
period_s = 1
p_detect = 0.95
clutter_per_scan = 0.1
class_reliability = %s
"""


def believed(classification, reliability=0.8, reports=20):
    """The probability of a bird, of a target that a node reported that often."""
    site = parse(SITE % reliability).site(None)
    plan = make_plan(site)
    state, picture = start(plan), None
    talk = [s.frame(s.registration())]
    for i in range(1, reports + 1):
        at = T0 + i * s.S
        one = s.bearing(45.0 + 0.2 * i, at, range=1200.0 + 5.0 * i, elevation=3.0)
        one.detection_report.classification.extend(report(*classification).detection_report.classification)
        talk.append(s.frame(one))
    for tick, data in enumerate(talk, 1):
        now = T0 + tick * s.S
        state, picture = step(state, [Frame(tick, "f", now, data)], tick, now, plan)
    (p,) = picture.classes.probability[picture.tracks.existence > 0.9]
    return p[Kind.BIRD]


def test_what_a_node_declares_reaches_the_picture_and_only_as_far_as_it_is_believed():
    silent = believed([])
    said = believed([("Animal", 1.0, ("Bird", 1.0))])
    odds = (said / (1 - said)) / (silent / (1 - silent))
    assert odds == pytest.approx((0.8 + 0.2 / 8) / (0.2 / 8), rel=1e-6)  # all it may ever be worth
    assert believed([("Animal", 1.0, ("Bird", 1.0))], reports=40) > 0.9
    assert believed([("Animal", 1.0, ("Bird", 1.0))], reliability=0.0) == pytest.approx(silent, rel=1e-9)
    against = believed([("Air vehicle", 1.0, ("UAV rotary wing", 1.0))])
    assert against < silent


def told_of(one, *pairs):
    """The report with object_info of these types and values."""
    for name, value in pairs:
        one.detection_report.object_info.add(type=name, value=value)
    return one


def test_radar_cross_section_and_micro_doppler_of_a_node():
    first = told_of(report(), ("RCS", "-18.5"), ("Micro-Doppler", "40"), ("Blades", "yes"), ("Colour", "red"))
    second = told_of(report(azimuth=46.0), ("blades", "0.25"))
    (scan, plain) = decoded(first, second, report(time_ns=T0 + 2 * s.S)).scans
    assert scan.rcs_dbsm.tolist() == [-18.5, RCS_UNSAID]
    assert scan.micro.tolist() == [[1.0, 40.0], [0.25, MICRO_UNSAID]]
    assert plain.rcs_dbsm is None
    assert plain.micro is None


@pytest.mark.parametrize("value", ["", "nan", "inf", "-1", "1e9", "often", "9" * 4_000])
def test_what_cannot_be_read_costs_the_word_and_not_the_detection(value):
    out = decoded(told_of(report(), ("micro_doppler", value), ("rcs", "-10")))
    assert [f.reason for f in out.faults] == [BAD_OBJECT]
    assert out.scans[0].rcs_dbsm.tolist() == [-10.0]
    assert out.scans[0].micro.tolist() == [[MICRO_UNSAID, MICRO_UNSAID]]


def test_only_so_many_words_are_read():
    many = [("colour", "red")] * sapient_objects.MANY
    assert sapient_objects.said_of(told_of(report(), *many, ("rcs", "-10")).detection_report.object_info) == (
        sapient_objects.NOTHING,
        True,
    )
