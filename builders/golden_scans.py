"""Golden values of what sensors detect: SAPIENT v2.0 and v1.0, blah2, JSON lines; and of a COURAGEOUS document.

Run `python -m builders.golden_scans` from the project's folder, in its environment. SAPIENT messages are made and read
back by sapient-py's classes in an environment of their own; v2.0 messages must also please sapient-pydantic. Places
become the site's east, north, up by PROJ, not by our geodesy. blah2 and JSON lines have no independent reader: their
values are written by hand from the published formats. Writes tests/golden/FORMAT.json.
"""

import math
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from builders.oracles import T0, ask, case, write

S = 1_000_000_000
DEGREE, LIGHT_MPS = math.pi / 180.0, 299_792_458.0
ORIGIN = (47.0, 8.0, 400.0)  # latitude, longitude in degrees, height above the ellipsoid
SIGMA_M, SIGMA_RAD = 50.0, 0.002  # the site's sensor, where a message does not say
NODE, ULID = "a8654cdf-4328-47de-81fa-c495589e30c9", "01GGYFBAXGDG7AGAHRZ6XSNY12"
ROUND_TRIP = """
import json, sys
from importlib import import_module
from google.protobuf.json_format import MessageToDict, ParseDict
version, given = json.load(sys.stdin)
kind = import_module(f"sapient_msg.bsi_flex_335_v{version}_0.sapient_message_pb2").SapientMessage
out = []
for one in given:
    raw = ParseDict(one, kind()).SerializeToString()
    out.append([raw.hex(), MessageToDict(kind.FromString(raw), preserving_proto_field_name=True)])
print(json.dumps(out))
"""


def enu_m(latitude_deg: float, longitude_deg: float, height_m: float) -> list[float]:
    """East, north, up of the origin in metres, by PROJ."""
    from pyproj import Transformer

    latitude, longitude, height = ORIGIN
    pipeline = (
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lat_0={latitude} +lon_0={longitude} +h_0={height}"
    )
    return list(Transformer.from_pipeline(pipeline).transform(longitude_deg, latitude_deg, height_m))


def message(seconds: int, **content: Any) -> dict[str, Any]:
    """A message of the node, `seconds` after the start, as protobuf's JSON."""
    moment = datetime.fromtimestamp(T0 // S + seconds, UTC)
    return {"timestamp": moment.isoformat().replace("+00:00", "Z"), "node_id": NODE, **content}


def detection(seconds: int, **place: Any) -> dict[str, Any]:
    """A detection report."""
    return message(seconds, detection_report={"report_id": ULID, "object_id": ULID, **place})


def registration(version: int) -> dict[str, Any]:
    """A radar that says what the standard demands of it."""
    kind = {"location_units": "LOCATION_COORDINATE_SYSTEM_LAT_LNG_DEG_M", "location_datum": "LOCATION_DATUM_WGS84_E"}
    task = {
        "concurrent_tasks": 1,
        "region_definition": {"region_type": ["REGION_TYPE_AREA_OF_INTEREST"], "region_area": [kind]},
    }
    detected = {"location_type": kind}
    mode = {
        "mode_name": "Default",
        "mode_type": "MODE_TYPE_PERMANENT",
        "settle_time": {"units": "TIME_UNITS_SECONDS", "value": 1.0},
        "detection_definition": [detected] if version == 2 else detected,
        "task": task if version == 2 else [task],
    }
    told: dict[str, Any] = {
        "node_definition": [{"node_type": "NODE_TYPE_RADAR"}],
        "icd_version": f"BSI Flex 335 v{version}.0",
        "name": "radar",
        "capabilities": [{"category": "radar", "type": "range", "value": "10", "units": "km"}],
        "status_definition": {"status_interval": {"units": "TIME_UNITS_SECONDS", "value": 5.0}},
        "mode_definition": [mode],
    }
    if version == 2:
        told["config_data"] = [{"manufacturer": "Lapwing", "model": "golden"}]
    return message(0, registration=told)


def sapient_messages(version: int) -> list[dict[str, Any]]:
    """One detection a second, each in another coordinate system; the last second has two."""
    m, e = "LOCATION_COORDINATE_SYSTEM_", "LOCATION_DATUM_WGS84_"
    b = "RANGE_BEARING_COORDINATE_SYSTEM_"
    true = {"datum": "RANGE_BEARING_DATUM_TRUE"}
    places = [
        {
            "x": 8.01,
            "y": 47.005,
            "z": 450.0,
            "x_error": 1e-4,
            "y_error": 2e-4,
            "z_error": 12.0,
            "coordinate_system": m + "LAT_LNG_DEG_M",
            "datum": e + "E",
        },
        {"x": 8.02 * DEGREE, "y": 46.99 * DEGREE, "coordinate_system": m + "LAT_LNG_RAD_M", "datum": e + "E"},
        {
            "x": 500_000.0,
            "y": 5_205_000.0,
            "z": 500.0,
            "x_error": 5.0,
            "y_error": 7.0,
            "utm_zone": "32T",
            "coordinate_system": m + "UTM_M",
            "datum": e + "E",
        },
    ]
    bearings = [
        {
            "azimuth": 91.5,
            "elevation": 10.0,
            "range": 2000.0,
            "range_error": 7.0,
            "azimuth_error": 0.5,
            "coordinate_system": b + "DEGREES_M",
            **true,
        },
        {"azimuth": 1.25, "range": 3000.0, "coordinate_system": b + "RADIANS_M", **true},
        {"azimuth": 359.0, "range": 1.5, "coordinate_system": b + "DEGREES_KM", **true},
        {"azimuth": 6.0, "elevation": 0.2, "coordinate_system": b + "RADIANS_KM", **true},
    ]
    out = [registration(version)]
    out += [detection(k + 1, location=place) for k, place in enumerate(places)]
    out += [detection(k + 4, range_bearing=place) for k, place in enumerate(bearings)]
    out.append(detection(7, range_bearing=bearings[-1] | {"azimuth": 0.5}))
    status = {"report_id": ULID, "system": "SYSTEM_OK", "info": "INFO_NEW", "mode": "Default"}
    return [*out, message(20, status_report=status)]


def scan_of(told: dict[str, Any]) -> tuple[str, list[float], list[float]]:
    """The space of a detection report as it was read back, what is measured, and the standard deviations."""
    if "location" in told:
        place = told["location"]
        x, y, z = place["x"], place["y"], place.get("z")
        errors = [place.get(f"{axis}_error") for axis in "xyz"]
        if place["coordinate_system"].endswith("UTM_M"):
            from pyproj import Transformer

            x, y = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
        else:
            unit = DEGREE if place["coordinate_system"].endswith("DEG_M") else 1.0
            x, y = x * unit / DEGREE, y * unit / DEGREE
            metres = (6_371_000.0 * unit * math.cos(y * DEGREE), 6_371_000.0 * unit)
            errors[:2] = [None if e is None else e * m for e, m in zip(errors[:2], metres, strict=True)]
        d = 2 if z is None else 3
        where = enu_m(y, x, ORIGIN[2] if z is None else z)[:d]
        return f"POSITION_{d}D", where, [SIGMA_M if e is None else e for e in errors[:d]]
    bearing = told["range_bearing"]
    angle = DEGREE if "DEGREES" in bearing["coordinate_system"] else 1.0
    metre = 1000.0 if bearing["coordinate_system"].endswith("KM") else 1.0
    parts = (("range", metre, SIGMA_M), ("azimuth", angle, SIGMA_RAD), ("elevation", angle, SIGMA_RAD))
    said = [(name, unit, sigma) for name, unit, sigma in parts if name in bearing]
    sigmas = [bearing[f"{n}_error"] * unit if f"{n}_error" in bearing else sigma for n, unit, sigma in said]
    return "_".join(n.upper() for n, _, _ in said), [bearing[n] * unit for n, unit, _ in said], sigmas


def sapient(version: int) -> None:
    """Every coordinate system of the standard, one frame a message."""
    raws = ask(["sapient-py==0.1.0"], ROUND_TRIP, [version, sapient_messages(version)])
    if version == 2:
        from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
        from sapient_msg_pydantic.bsi_flex_335_v2_0.sapient_message import SapientMessage as Judge

        for raw, _ in raws:
            Judge.from_pb2(SapientMessage.FromString(bytes.fromhex(raw)))
    found = []
    for _, told in raws:
        if "detection_report" in told:
            space, z, sigma = scan_of(told["detection_report"])
            found.append((told["timestamp"], space, z, sigma))
    scans = []
    for (stamp, space), group in groupby(found, lambda row: (row[0], row[1])):
        rows = list(group)
        scans.append(
            {
                "sensor": "radar",
                "space": space,
                "scan_ns": utc_ns(stamp),
                "z": [r[2] for r in rows],
                "sigma": [r[3] for r in rows],
            }
        )
    frames = [bytes.fromhex(raw) for raw, _ in raws]
    framed = [len(raw).to_bytes(4, "little") + raw for raw in frames]
    judge = " and accepted by sapient-pydantic 0.1.0" if version == 2 else ""
    about = {
        "decoder": "sapient",
        "bytes_by": f"sapient-py 0.1.0, v{version}.0{judge}",
        "values_by": "sapient-py 0.1.0; places by PROJ",
        "by_hand": "errors in degrees to metres on a sphere of 6,371 km; the site's errors where none is told",
    }
    write(f"sapient_v{version}", about, [case("every coordinate system", framed, scans=scans)])


def utc_ns(stamp: str) -> int:
    """Nanoseconds since 1970 of a whole second in ISO 8601."""
    return round(datetime.fromisoformat(stamp).timestamp()) * S


def blah2() -> None:
    """Two versions of its detection JSON: milliseconds and seconds. Delay in km, Doppler in Hz; carrier 204.64 MHz."""
    wavelength_m = LIGHT_MPS / 204.64e6
    lines = (
        b'{"timestamp":1720000000123,"delay":[12.5,3.25],"doppler":[-40.5,120.0],"snr":[14.2,20.1]}',
        b'{"timestamp":1720000001,"delay":[0.0],"doppler":[0.25],"snr":[9.0]}',
        b'{"timestamp":1720000002,"delay":[],"doppler":[],"snr":[]}',
    )
    z: tuple[list[list[float]], ...] = (
        [[12_500.0, 40.5 * wavelength_m], [3_250.0, -120.0 * wavelength_m]],
        [[0.0, -0.25 * wavelength_m]],
        [],
    )
    times = (1_720_000_000_123_000_000, 1_720_000_001 * S, 1_720_000_002 * S)
    scans = [
        {"sensor": "radar", "space": "BISTATIC", "scan_ns": t, "z": rows} for t, rows in zip(times, z, strict=True)
    ]
    about = {
        "decoder": "blah2",
        "bytes_by": "hand, in the form that its source writes",
        "values_by": "hand: delay times 1000, Doppler times minus the wavelength (a growing range lowers the tone)",
    }
    write("blah2", about, [case("milliseconds, seconds, nothing", list(lines), scans=scans)])


def json_lines() -> None:
    """The intake of docs/sensors.md; the format is ours, so the values are what its page says."""
    lines = [
        (
            b'{"time": 1720000000.5, "detections": [{"range_m": 1200, "azimuth_deg": 45, "range_sigma_m": 5}]}',
            "RANGE_AZIMUTH",
            T0 + S // 2,
            [[1200.0, 45.0 * DEGREE]],
            [[5.0, SIGMA_RAD]],
        ),
        (b'{"time": "2024-07-03T09:46:42Z", "detections": []}', "RANGE_AZIMUTH", T0 + 2 * S, [], []),
        (
            b'{"time": 1720000003, "azimuth_deg": -90, "elevation_deg": 3, "azimuth_sigma_deg": 2}',
            "AZIMUTH_ELEVATION",
            T0 + 3 * S,
            [[270.0 * DEGREE, 3.0 * DEGREE]],
            [[2.0 * DEGREE, SIGMA_RAD]],
        ),
        (
            (
                b'{"time": "2024-07-03T11:46:44+02:00", "latitude_deg": 47.005, "longitude_deg": 8.01, "height_m": 450,'
                b' "sigma_m": 20, "height_sigma_m": 30}'
            ),
            "POSITION_3D",
            T0 + 4 * S,
            [enu_m(47.005, 8.01, 450.0)],
            [[20.0, 20.0, 30.0]],
        ),
        (
            b'{"time": 1720000005, "latitude_deg": 46.99, "longitude_deg": 7.98}',
            "POSITION_2D",
            T0 + 5 * S,
            [enu_m(46.99, 7.98, ORIGIN[2])[:2]],
            [[SIGMA_M, SIGMA_M]],
        ),
    ]
    scans = [
        {"sensor": "radar", "space": space, "scan_ns": at, "z": z, "sigma": sigma} for _, space, at, z, sigma in lines
    ]
    about = {"decoder": "json", "bytes_by": "hand, after docs/sensors.md", "values_by": "hand; places by PROJ"}
    write("json_lines", about, [case("every kind of place", [line + b"\n" for line, *_ in lines], scans=scans)])


def courageous() -> None:
    """A trial's document by hand after the format's description; east, north, up of the system's place by PROJ."""
    stand = {"lat": ORIGIN[0], "lon": ORIGIN[1], "height_amsl": ORIGIN[2]}
    places = [
        ({"$type": "Position3d", "lat": 47.01, "lon": 8.02, "height_amsl": 460.0}, enu_m(47.01, 8.02, 460.0)),
        ({"$type": "Position2d", "lat": 47.011, "lon": 8.021}, [*enu_m(47.011, 8.021, ORIGIN[2])[:2], None]),
        (
            {"$type": "BearingElevationDistance", "bearing": 60.0, "elevation": 30.0, "distance": 1000.0},
            [1000.0 * math.cos(30 * DEGREE) * math.sin(60 * DEGREE), 1000.0 * math.cos(30 * DEGREE) * 0.5, 500.0],
        ),
    ]
    records = [
        {
            "record_number": k + 1,
            "time": T0 // 10**6 + 1000 * k,
            "classification": "UAV",
            "identification": "",
            "alarm": {"active": True, "certainty": 0.75},
            "location": place,
            "velocity": {"east": 3.0, "north": -4.0, "up": 0.5},
        }
        for k, (place, _) in enumerate(places)
    ]
    document = {
        "version": "0.4.1",
        "vendor_name": "nobody",
        "system_name": "golden",
        "static_cuas_location": stand,
        "detection": [],
        "tracks": [{"uas_id": 7, "name": "seven", "records": records}],
    }
    about = {
        "bytes_by": "hand, after the format's public description (no schema file of 0.4.1 could be had)",
        "values_by": "hand; places by PROJ",
        "by_hand": "all: no independent reader is published",
    }
    write(
        "courageous",
        about,
        [{"document": document, "times_ns": [T0 + k * S for k in range(3)], "enu_m": [where for _, where in places]}],
    )


if __name__ == "__main__":
    sapient(2)
    sapient(1)
    blah2()
    json_lines()
    courageous()
