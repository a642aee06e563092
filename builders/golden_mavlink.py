"""Golden MAVLink frames: OPEN_DRONE_ID messages as pymavlink packs them, with the fields that it was given.

    python -m venv .oracle && .oracle/bin/pip install pymavlink==2.4.49
    .oracle/bin/python builders/golden_mavlink.py > tests/golden/mavlink_odid.json

pymavlink is LGPL and only an oracle here. One frame is signed; a HEARTBEAT and a
frame of version 1 are there to be passed over.
"""

import json
import os
from typing import Any

os.environ["MAVLINK20"] = "1"
from pymavlink.dialects.v20 import common as m  # type: ignore[import-not-found]

ID = [0x41, 0x42, 0x10, 0x20, 0x30, 0x40, *[0] * 14]
NOBODY = [0] * 20
SERIAL = b"1581F45T7228N00D1234".ljust(20, b"\0")


def pad(data: bytes, n: int) -> list[int]:
    """Filled up with zeros."""
    return list(data.ljust(n, b"\0"))


def location(latitude: int, longitude: int, **more: float) -> tuple[Any, dict[str, Any]]:
    """A LOCATION and its fields."""
    fields: dict[str, Any] = {
        "target_system": 0, "target_component": 0, "id_or_mac": ID, "status": 2, "direction": 27_050,
        "speed_horizontal": 1_234, "speed_vertical": -150, "latitude": latitude, "longitude": longitude,
        "altitude_barometric": 131.5, "altitude_geodetic": 182.5, "height_reference": 0, "height": 62.0,
        "horizontal_accuracy": 10, "vertical_accuracy": 4, "barometer_accuracy": 3, "speed_accuracy": 3,
        "timestamp": 1_834.5, "timestamp_accuracy": 2,
    } | more  # fmt: skip
    return m.MAVLink_open_drone_id_location_message(**fields), fields


def main() -> None:
    """Print them."""
    link = m.MAVLink(None, srcSystem=37, srcComponent=236)
    basic = {
        "target_system": 0,
        "target_component": 0,
        "id_or_mac": ID,
        "id_type": 1,
        "ua_type": 2,
        "uas_id": list(SERIAL),
    }
    system = {
        "target_system": 0, "target_component": 0, "id_or_mac": ID, "operator_location_type": 1,
        "classification_type": 1, "operator_latitude": 522_500_000, "operator_longitude": 39_000_000, "area_count": 1,
        "area_radius": 0, "area_ceiling": -1000.0, "area_floor": -1000.0, "category_eu": 1, "class_eu": 2,
        "operator_altitude_geo": 44.0, "timestamp": 12_345,
    }  # fmt: skip
    words = {
        "target_system": 0,
        "target_component": 0,
        "id_or_mac": ID,
        "description_type": 0,
        "description": b"Survey of the dike",
    }
    operator = {
        "target_system": 0,
        "target_component": 0,
        "id_or_mac": ID,
        "operator_id_type": 0,
        "operator_id": b"FIN87astrdge12k8",
    }
    raw = bytes([0x02, 0x12]) + SERIAL + bytes(3)
    raw2 = (
        bytes([0x42])
        + bytes([0x04])
        + (521_000_000).to_bytes(4, "little")
        + (40_000_000).to_bytes(4, "little")
        + bytes(15)
    )
    pack = {
        "target_system": 0, "target_component": 0, "id_or_mac": NOBODY, "single_message_size": 25, "msg_pack_size": 2,
        "messages": pad(raw + raw2, 225),
    }  # fmt: skip
    first, first_fields = location(522_612_345, 39_087_654)
    unknown: dict[str, float] = {"direction": 36_100, "speed_horizontal": 25_500, "speed_vertical": 6_300}
    unknown |= {"altitude_barometric": -1000.0, "altitude_geodetic": -1000.0, "height": -1000.0}
    nowhere, nowhere_fields = location(0, 0, **unknown)
    given = [
        ("HEARTBEAT", m.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), {}),
        ("BASIC_ID", m.MAVLink_open_drone_id_basic_id_message(**basic), basic),
        ("LOCATION", first, first_fields),
        ("SYSTEM", m.MAVLink_open_drone_id_system_message(**system), system),
        ("SELF_ID", m.MAVLink_open_drone_id_self_id_message(**words), words),
        ("OPERATOR_ID", m.MAVLink_open_drone_id_operator_id_message(**operator), operator),
        ("LOCATION", nowhere, nowhere_fields),
        ("MESSAGE_PACK", m.MAVLink_open_drone_id_message_pack_message(**pack), pack),
    ]
    out = []
    for k, (name, message, fields) in enumerate(given):
        link.seq = (254 + k) % 256
        if k == 3:
            link.signing.sign_outgoing, link.signing.secret_key, link.signing.link_id = True, bytes(32), 1
        out.append({"message": name, "frame": message.pack(link).hex(), "fields": plain(fields)})
        link.signing.sign_outgoing = False
    old = m.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3).pack(link, force_mavlink1=True)
    out.insert(1, {"message": "HEARTBEAT of version 1", "frame": old.hex(), "fields": {}})
    print(json.dumps(out, indent=1))


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """For JSON."""
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in fields.items()}


main()
