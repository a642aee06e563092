"""A v1.0 node, run in an environment of its own with sapient-py (its schema's classes clash with ours).

`say` prints its messages as lines of hex; `hear` reads lines of hex and prints what it understands of them as JSON.
"""

import json
import sys

from google.protobuf.json_format import MessageToDict
from sapient_msg.bsi_flex_335_v1_0.registration_pb2 import Registration
from sapient_msg.bsi_flex_335_v1_0.sapient_message_pb2 import SapientMessage

NODE, ULID = "a8654cdf-4328-47de-81fa-c495589e30c9", "01GGYFBAXGDG7AGAHRZ6XSNY12"


def message(seconds):
    out = SapientMessage(node_id=NODE)
    out.timestamp.seconds = seconds
    return out


def registration(seconds, kind=Registration.NODE_TYPE_CAMERA):
    out = message(seconds)
    told = out.registration
    told.node_definition.add(node_type=kind)
    told.icd_version, told.name = "BSI_Flex_335_v1.0", "camera"
    told.status_definition.status_interval.units, told.status_definition.status_interval.value = 4, 5.0
    mode = told.mode_definition.add(mode_name="Night", mode_type=1)
    for kind, units in ((1, "Start, Stop, Status"), (6, "RangeBearing")):  # in v1.0 there may be several tasks
        mode.task.add().command.add(name="a name", type=kind, units=units)
    mode.task[0].region_definition.region_type.append(1)
    return out


def say(seconds):
    status = message(seconds + 1)
    status.status_report.report_id, status.status_report.system, status.status_report.info = ULID, 2, 1
    status.status_report.mode = "Night"
    status.status_report.power.source, status.status_report.power.status = "mains", "fine"
    status.status_report.status.add(status_level=1, status_type="Weather", status_value="rain")
    place = message(seconds + 2)
    where = place.detection_report.location
    where.x, where.y, where.z, where.coordinate_system, where.datum = 8.01, 47.005, 450.0, 1, 1
    where.x_error = 1e-4
    utm = message(seconds + 3)
    where = utm.detection_report.location
    where.x, where.y, where.z, where.coordinate_system, where.datum, where.utm_zone = (
        500_000.0,
        5.2e6,
        450.0,
        5,
        1,
        "32T",
    )
    bearing = message(seconds + 4)
    b = bearing.detection_report.range_bearing
    b.azimuth, b.range, b.coordinate_system, b.datum = 90.0, 2.0, 3, 1
    alert = message(seconds + 5)
    alert.alert.alert_id, alert.alert.description = ULID, "someone is at the fence"
    ack = message(seconds + 6)
    ack.task_ack.task_id, ack.task_ack.task_status, ack.task_ack.reason = ULID, 2, "it rains"
    last = message(seconds + 7)
    last.status_report.report_id, last.status_report.system, last.status_report.info = ULID, 1, 1
    wrong = registration(seconds)
    wrong.registration.status_definition.status_interval.value = 0.0
    jammer = registration(seconds, Registration.NODE_TYPE_JAMMER)
    for one in (registration(seconds), status, place, utm, bearing, alert, ack, last, wrong, jammer):
        print(one.SerializeToString().hex())


def hear():
    for line in sys.stdin:
        told = SapientMessage.FromString(bytes.fromhex(line))
        print(
            json.dumps(MessageToDict(told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
        )


if __name__ == "__main__":
    say(int(sys.argv[2])) if sys.argv[1] == "say" else hear()
