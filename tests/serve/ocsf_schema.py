"""What OCSF says of class 8001, Drone Flights Activity, as far as events of ours use it, and a check against it.

Written down by hand from the public schema (github.com/ocsf/ocsf-schema; read 2026-11-27): events/base_event.json,
events/unmanned_systems/{unmanned_systems,drone_flights_activity}.json, dictionary.json, and of objects/: metadata,
product, user, location, aircraft, unmanned_aerial_system, network_endpoint. The same in versions 1.4.0 to 1.7.0 for
what is here.
Attributes that profiles add (cloud, osint) are required only of events that name the profile; ours name none.
"""

TEXT, INTEGER, NUMBER = (str,), (int,), (int, float)
CAPTIONS = {
    "activity_id": ("activity_name", {0: "Unknown", 1: "Capture", 2: "Record", 99: "Other"}),
    "severity_id": (
        "severity",
        {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other"},
    ),
    "status_id": (
        "status",
        {
            1: "Undeclared", 2: "Ground", 3: "Airborne", 4: "Emergency", 5: "Remote ID System Failure", 6: "Reserved",
        },
    ),
    "category_uid": ("category_name", {8: "Unmanned Systems"}),
    "class_uid": ("class_name", {8001: "Drone Flights Activity"}),
}  # fmt: skip
AIRCRAFT_TYPES = {
    0: "Unknown/Undeclared", 1: "Airplane", 2: "Helicopter", 3: "Gyroplane", 4: "Hybrid Lift", 5: "Ornithopter",
    6: "Glider", 7: "Kite", 8: "Free Balloon", 9: "Captive Balloon", 10: "Airship", 11: "Free Fall/Parachute",
    12: "Rocket", 13: "Tethered Powered Aircraft", 14: "Ground Obstacle", 99: "Other",
}  # fmt: skip
USER_TYPES = {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 99: "Other"}

# name: (required, at least one of these, attributes with their types, captions of enums)
OBJECTS = {
    "event": (
        {
            "activity_id", "category_uid", "class_uid", "dst_endpoint", "metadata", "severity_id", "time", "type_uid",
            "unmanned_aerial_system", "unmanned_system_operator",
        },
        {"src_endpoint", "unmanned_aerial_system", "unmanned_system_operator", "unmanned_system_operating_area"},
        {
            "activity_id": INTEGER, "activity_name": TEXT, "category_uid": INTEGER, "category_name": TEXT,
            "class_uid": INTEGER, "class_name": TEXT, "type_uid": INTEGER, "time": INTEGER, "severity_id": INTEGER,
            "severity": TEXT, "status_id": INTEGER, "status": TEXT, "message": TEXT, "metadata": "metadata",
            "dst_endpoint": "network_endpoint", "unmanned_aerial_system": "unmanned_aerial_system",
            "unmanned_system_operator": "user",
        },
        CAPTIONS,
    ),
    "metadata": (
        {"product", "version"}, set(), {"product": "product", "version": TEXT, "correlation_uid": TEXT}, {},
    ),
    "product": (set(), {"name", "uid"}, {"name": TEXT, "vendor_name": TEXT, "version": TEXT}, {}),
    "user": (
        set(), {"account", "name", "uid"}, {"name": TEXT, "type_id": INTEGER, "type": TEXT},
        {"type_id": ("type", USER_TYPES)},
    ),
    "network_endpoint": (
        set(),
        {
            "ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name", "domain",
        },
        {"name": TEXT, "svc_name": TEXT},
        {},
    ),
    "unmanned_aerial_system": (
        set(),
        {"name", "serial_number", "uid", "uid_alt"},
        {
            "name": TEXT, "uid": TEXT, "type_id": INTEGER, "type": TEXT, "location": "location", "speed": TEXT,
            "track_direction": TEXT, "vertical_speed": TEXT,
        },
        {"type_id": ("type", AIRCRAFT_TYPES)},
    ),
    "location": (
        set(),
        {"city", "country", "postal_code", "region"},
        {"country": TEXT, "lat": NUMBER, "long": NUMBER, "geodetic_altitude": TEXT},
        {},
    ),
}  # fmt: skip


def mistakes(told, name="event"):
    """What is wrong with an event, or with an object of it, in words; nothing when all is right."""
    required, one_of, types, enums = OBJECTS[name]
    found = [f"{name}: {key} is missing" for key in sorted(required - set(told))]
    if one_of and not one_of & set(told):
        found.append(f"{name}: has none of {sorted(one_of)}")
    for key, value in told.items():
        kind = types.get(key)
        if kind is None:
            found.append(f"{name}: {key} is not in the schema")
        elif isinstance(kind, str):
            found += mistakes(value, kind) if isinstance(value, dict) else [f"{name}: {key} is no object"]
        elif not isinstance(value, kind) or isinstance(value, bool) or value == "":
            found.append(f"{name}: {key} is {value!r}")
    for key, (sibling, captions) in enums.items():
        if key in told and (told[key] not in captions or told.get(sibling) != captions[told[key]]):
            found.append(f"{name}: {key} {told[key]!r} is not called {told.get(sibling)!r}")
    if name == "event" and told.get("type_uid") != told.get("class_uid", 0) * 100 + told.get("activity_id", 0):
        found.append("event: type_uid is not class_uid * 100 + activity_id")
    return found
