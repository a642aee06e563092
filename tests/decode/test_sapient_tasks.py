"""Which tasks can be made: only of sensors, only what they advertised, only about watching. Nothing else has code."""

import ast
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from sapient_msg.bsi_flex_335_v2_0.registration_pb2 import Registration
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg_pydantic.bsi_flex_335_v2_0.sapient_message import SapientMessage as Judge
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0

from lapwing.decode.sapient_abilities import WATCHERS, abilities, node_type
from lapwing.decode.sapient_tasks import ADJUSTMENTS, KINDS, LEVELS, REGIONS, NotMade, Order, make
from lapwing.decode.utm import utm_to_geodetic

US = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"
COMMANDS = Registration.CommandType.values()
ADVERTISED = {  # the field of Task.Command -> what must have been advertised
    "request": "REQUEST",
    "detection_threshold": "DETECTION_THRESHOLD",
    "classification_threshold": "CLASSIFICATION_THRESHOLD",
    "detection_report_rate": "DETECTION_REPORT_RATE",
    "mode_change": "MODE_CHANGE",
    "look_at": "LOOK_AT",
}
CORNERS = tuple((float(np.radians(a)), float(np.radians(o))) for a, o in ((47.0, 8.0), (47.1, 8.0), (47.0, 8.1)))
EVERY = [
    *(Order("request", word) for word in ("Registration", "Status", "Start", "Stop", "Reset")),
    *(Order(kind, level) for kind in ADJUSTMENTS for level in LEVELS),
    Order("mode_change", "Night"),
    Order("look_at", azimuth_rad=1.0, elevation_rad=0.1),
    Order("look_at", place=(0.8, 0.14, 500.0)),
    *(Order("region", kind, corners=CORNERS) for kind in REGIONS),
]


def told(types=("CAMERA",), commands=COMMANDS, units="Registration, Status, Start, Stop, Reset", regions=range(1, 6)):
    out = Registration(name="it")
    for kind in types:
        out.node_definition.add(node_type=getattr(Registration, f"NODE_TYPE_{kind}"))
    mode = out.mode_definition.add(mode_name="Night")
    for command in commands:
        mode.task.command.add(type=command, units=units)
    mode.task.region_definition.region_type.extend(regions)
    mode.task.region_definition.region_area.add(location_units=1, location_datum=1)
    return abilities(out)


def made(order: Order, able) -> SapientMessage | None:
    try:
        return make(order, able, s.NODE, US, T0)
    except NotMade as why:
        assert str(why).endswith(".")
        return None


def test_a_camera_that_advertised_everything_takes_every_watching_task_and_each_is_valid() -> None:
    able = told()
    seen = set()
    for order in EVERY:
        message = made(order, able)
        assert message is not None, order
        Judge.from_pb2(message)
        assert (message.node_id, message.destination_id) == (US, s.NODE)
        seen.add(message.task.command.WhichOneof("command") or "region")
    assert seen == {*ADVERTISED, "region"}


@given(
    st.sets(st.sampled_from([node_type(n) for n in Registration.NodeType.values()]), max_size=3),
    st.sets(st.sampled_from(COMMANDS)),
    st.sampled_from(["Registration, Status, Start, Stop, Reset", "Status", "", "Heartbeat"]),
    st.sets(st.integers(0, 5)),
    st.sampled_from(EVERY),
)
def test_nothing_is_made_that_was_not_advertised_or_that_is_no_watching(types, commands, units, regions, order) -> None:
    able = told(types, commands, units, regions)
    message = made(order, able)
    if message is None:
        return
    command = message.task.command.WhichOneof("command")
    assert not set(types) & {"KINETIC", "JAMMER", "CYBER", "LDEW", "RFDEW"}
    assert command in ADVERTISED or (command is None and message.task.region)
    if command is not None:
        assert Registration.CommandType.Value(f"COMMAND_TYPE_{ADVERTISED[command]}") in commands
    if command == "request":
        assert message.task.command.request in units
    if command != "request" or message.task.command.request in ("Start", "Stop", "Reset"):
        assert set(types) <= WATCHERS | {"POINTABLE_NODE"}
    if command == "look_at":
        assert "CAMERA" in types
    assert all(r.type in regions and r.type <= 3 for r in message.task.region)  # none of mobile nodes


@pytest.mark.parametrize("kind", ["KINETIC", "JAMMER", "CYBER", "LDEW", "RFDEW"])
def test_nothing_whatever_is_ordered_of_a_node_that_acts(kind: str) -> None:
    for types in ((kind,), (kind, "CAMERA")):
        assert [made(order, told(types)) for order in EVERY] == [None] * len(EVERY)


@pytest.mark.parametrize("types", ["MOBILE_NODE CAMERA", "POINTABLE_NODE", "FUSION_NODE", "OTHER", "HUMAN"])
def test_others_are_only_asked_who_and_how_they_are(types) -> None:
    taken = [order.value for order in EVERY if made(order, told(types.split())) is not None]
    assert taken == ["Registration", "Status"]


@pytest.mark.parametrize("kind", ["move_to", "patrol", "follow", "engage", "", "MOVE_TO"])
def test_there_is_no_other_kind_of_task(kind: str) -> None:
    with pytest.raises(NotMade, match="There is no task"):
        make(Order(kind, "Start"), told(), s.NODE, US, T0)
    assert not set(KINDS) & {"move_to", "patrol", "follow"}


def test_no_line_of_the_product_touches_what_moves_a_node() -> None:
    """Neither as an attribute, nor as a word that setattr could use; and the parts of a Task are at hand in one module
    only."""
    product = Path(__file__).resolve().parents[2] / "src" / "lapwing"
    makers = set()
    for path in product.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            words = {getattr(node, "attr", None), getattr(node, "arg", None), getattr(node, "id", None)}
            words |= {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()
            assert not words & {"move_to", "patrol", "follow", "follow_object_id"}, path
        makers |= {path.name} if "task_pb2" in path.read_text() else set()
    assert makers == {"sapient_tasks.py"}


@pytest.mark.parametrize(
    ("order", "able", "why"),
    [
        (Order("request", "Start"), told(units="Status"), "advertised the request|did not advertise the request Start"),
        (Order("request", "Fire"), told(units="Fire"), "There is no request"),
        (Order("detection_threshold", "max"), told(), "no level"),
        (Order("mode_change", "Day"), told(), "no mode 'Day'; it has Night"),
        (Order("look_at"), told(), "a place or an azimuth"),
        (Order("look_at", azimuth_rad=0.0), told(("RADAR",)), "Only a camera"),
        (Order("look_at", azimuth_rad=0.0), told(commands=[1]), "did not advertise LOOK_AT; it advertised REQUEST"),
        (Order("region", "ignore", corners=CORNERS), told(regions=[1]), "advertised area_of_interest"),
        (Order("region", "ignore", corners=CORNERS[:2]), told(), "3 to 64 corners"),
        (Order("region", "mobile_node_go_area", corners=CORNERS), told(), "did not advertise regions"),
    ],
)
def test_a_refusal_says_why(order: Order, able, why: str) -> None:
    with pytest.raises(NotMade, match=why):
        make(order, able, s.NODE, US, T0)


def test_a_region_comes_in_the_units_of_the_node() -> None:
    out = Registration()
    out.node_definition.add(node_type=Registration.NODE_TYPE_RADAR)
    task = out.mode_definition.add(mode_name="m").task
    task.region_definition.region_type.append(1)
    area = task.region_definition.region_area.add(location_units=2, location_datum=1)
    order = Order("region", "area_of_interest", corners=CORNERS)
    region = make(order, abilities(out), s.NODE, US, T0).task.region[0]
    assert [(p.y, p.x, p.coordinate_system) for p in region.region_area.location_list.locations] == [
        (a, o, 2) for a, o in CORNERS
    ]
    area.ClearField("location_units")
    area.range_bearing_units = 1
    with pytest.raises(NotMade, match="units that are not spoken"):
        make(order, abilities(out), s.NODE, US, T0)


@pytest.mark.parametrize(("zone", "epsg"), [("", 32632), ("31", 32631), ("33T", 32633), ("nonsense", 32632)])
def test_a_region_in_utm_lies_where_proj_says(zone: str, epsg: int) -> None:
    """In the zone that the node told, else in that of the first corner: all corners in one grid."""
    out = Registration()
    out.node_definition.add(node_type=Registration.NODE_TYPE_RADAR)
    task = out.mode_definition.add(mode_name="m").task
    task.region_definition.region_type.append(1)
    task.region_definition.region_area.add(location_units=5, location_datum=1, zone=zone)
    corners = tuple((math.radians(a), math.radians(o)) for a, o in ((47.0, 9.0), (47.9, 9.1), (48.1, 9.4)))
    message = make(Order("region", "ignore", corners=corners), _ignoring(out), s.NODE, US, T0)
    Judge.from_pb2(message)
    grid = Transformer.from_crs(4326, epsg, always_xy=True)
    for point, (latitude, longitude) in zip(
        message.task.region[0].region_area.location_list.locations, corners, strict=True
    ):
        assert (point.x, point.y) == pytest.approx(grid.transform(*np.degrees([longitude, latitude])), abs=1e-3)
        assert point.utm_zone == f"{epsg % 100}{'U' if latitude > math.radians(48.0) else 'T'}"
        back = utm_to_geodetic(point.utm_zone, point.x, point.y)
        assert back == pytest.approx((latitude, longitude), abs=1e-10)


def _ignoring(told: Registration):
    told.mode_definition[0].task.region_definition.region_type[:] = [2]
    return abilities(told)


def test_a_region_outside_of_its_grid_is_refused() -> None:
    out = Registration()
    out.node_definition.add(node_type=Registration.NODE_TYPE_RADAR)
    task = out.mode_definition.add(mode_name="m").task
    task.region_definition.region_area.add(location_units=5, location_datum=1, zone="1")
    task.region_definition.region_type.append(1)
    with pytest.raises(NotMade, match="too far from UTM zone 1"):
        make(Order("region", "ignore", corners=CORNERS), _ignoring(out), s.NODE, US, T0)
    task.region_definition.region_area[0].zone = ""
    polar = tuple((math.radians(89.0), math.radians(o)) for o in (1.0, 2.0, 3.0))
    with pytest.raises(NotMade, match="no UTM zone so near to a pole"):
        make(Order("region", "ignore", corners=polar), _ignoring(out), s.NODE, US, T0)


def test_a_task_of_ours_can_be_ended() -> None:
    message = make(Order("cancel", "01GGYFBAXGDG7AGAHRZ6XSNY12"), told(), s.NODE, US, T0)
    Judge.from_pb2(message)
    assert (message.task.task_id, message.task.control) == ("01GGYFBAXGDG7AGAHRZ6XSNY12", 2)
    assert message.task.command.WhichOneof("command") is None


def test_two_orders_never_share_a_number() -> None:
    ids = [make(o, told(), s.NODE, US, T0 + k).task.task_id for o, k in itertools.product(EVERY, range(3))]
    assert len(set(ids)) == len(ids)
