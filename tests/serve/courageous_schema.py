"""The facts of the COURAGEOUS format, schema 0.4.1, as a JSON schema (draft 7), stricter than the published one.

Written from the format's public description (COURAGEOUS-isf/format): members, which are compulsory, ranges, that a
location is told by `$type`. Stricter: members that the format does not know are refused, and angles have ranges.
"""

NUMBER = {"type": "number"}
LAT, LON = {"type": "number", "minimum": -90, "maximum": 90}, {"type": "number", "minimum": -180, "maximum": 180}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
TEXT = {"type": "string"}


def thing(compulsory, optional=None):
    """An object with these members and no others."""
    properties = {**compulsory, **{k: {"anyOf": [v, {"type": "null"}]} for k, v in (optional or {}).items()}}
    return {
        "type": "object",
        "required": list(compulsory),
        "properties": properties,
        "additionalProperties": False,
    }


def tagged(name, **members):
    return thing({"$type": {"const": name}, **members})


PLACE = {"lat": LAT, "lon": LON, "height_amsl": NUMBER}
BEARING, ELEVATION = {"type": "number", "minimum": 0, "maximum": 360}, {"type": "number", "minimum": -90, "maximum": 90}
LOCATION = {
    "oneOf": [
        tagged("Position2d", lat=LAT, lon=LON),
        tagged("Position3d", **PLACE),
        tagged("Bearing", bearing=BEARING),
        tagged("BearingElevation", bearing=BEARING, elevation=ELEVATION),
        tagged("BearingElevationDistance", bearing=BEARING, elevation=ELEVATION, distance=NUMBER),
    ]
}
ALARM = thing({"active": {"type": "boolean"}, "certainty": {"type": "number", "minimum": 0, "maximum": 1}})
COMMON = {"time": WHOLE, "record_number": WHOLE, "classification": {"enum": ["Unknown", "UAV", "GCS", "Other"]}}
MORE = {"identification": TEXT, "velocity": thing(dict.fromkeys(("east", "north", "up"), NUMBER))}
MORE |= {"cuas_location": thing(PLACE)}
TRACKING = thing({**COMMON, "alarm": ALARM, "location": LOCATION}, MORE)
DETECTION = thing(COMMON, {**MORE, "alarm": ALARM, "location": LOCATION})
SETS = {"name": TEXT, "uav_home_location": thing(PLACE)}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **thing(
        {
            "version": {"const": "0.4.1"},
            "vendor_name": TEXT,
            "system_name": TEXT,
            "static_cuas_location": thing(PLACE),
            "detection": {
                "type": "array",
                "items": thing({"records": {"type": "array", "items": DETECTION}}, {**SETS, "uas_id": WHOLE}),
            },
            "tracks": {
                "type": "array",
                "items": thing({"uas_id": WHOLE, "records": {"type": "array", "items": TRACKING}}, SETS),
            },
        }
    ),
}
