"""A stream or a set of documents per decoder, made here or from the recording that every developer has."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.decode import remoteid_samples, sapient_samples
from tests.decode.helpers import T0, beast_of, real_lines

from lapwing import decode
from lapwing.records import FeedConfig, Position, SensorConfig

SENSOR = SensorConfig("radar", Position(0.8, 0.1, 200.0), "radar")
AIVDM = (
    b"!AIVDM,1,1,,B,15NBj>PP1gG>1PVKTDTUJOv00<0M,0*09\r\n"
    b"!AIVDM,2,1,6,A,53@o0E000001Q0CG37U8u<Tp4q@D00000000000018330400000000000000,0*63\r\n"
    b"# a comment\r\n"
    b"!AIVDM,2,2,6,A,00000000008,2*2A\r\n"
    b"\\s:rORBCOMM104,q:u,c:1418172113,T:2014-12-10 00.41.53*55\\!AIVDM,1,1,,B,13F?Vv700<DJuLEtvep`iToV0<00,0*78\r\n"
    b"!AIVDM,1,1,,B,,0*25\r\n$PGHP,1,2008,5,9,0,0,0,10,338,2,,1,09*17\r\n"
    b"!AIVDM,1,1,,A,403Ovl@000Htt<tSF0l4Q@100`Pq,0*28\r\n"
)
SBS = (
    b"MSG,3,1,1,4CA2D6,1,2024/01/01,00:00:00.000,2024/01/01,00:00:00.000,,37000,,,51.45735,-1.02826,,,0,0,0,0\r\n"
    b"MSG,4,1,1,4CA2D6,1,2024/01/01,00:00:00.000,2024/01/01,00:00:00.000,,,420,179,,,-64,,,,,\r\n"
    b"MSG,1,1,1,4CA2D6,1,2024/01/01,00:00:00.000,2024/01/01,00:00:00.000,RYR1427 ,,,,,,,,,,,\r\n"
    b"MSG,6,1,1,4CA2D6,1,2024/01/01,00:00:00.000,2024/01/01,00:00:00.000,,36950,,,,,,7700,0,0,0,0\r\nSTA,,5,1,4CA2D6\r\n"
)
LOOKS = (
    b'{"time": 1720000000.5, "detections": [{"range_m": 1200, "azimuth_deg": 45, "range_sigma_m": 5}]}\n'
    b'{"time": "2024-07-03T09:46:42Z", "detections": []}\n{"azimuth_deg": 90.5, "elevation_deg": 3}\n'
    b'{"azimuth_deg": 91.5, "elevation_deg": 3, "kinds": {"multirotor": 0.7, "bird": 0.2}}\n'
    b'{"latitude_deg": 45.8, "longitude_deg": 5.7, "height_m": 250, "sigma_m": 20}\n{"azimut_deg": 3}\n'
)


@cache
def hexes() -> tuple[str, ...]:
    """Some hundred real frames from the middle of the flight, short ones cut to seven bytes."""
    chosen = [frame for _, frame in real_lines()[26_000:26_400]]
    return tuple(frame[:14] if int(frame[:2], 16) >> 3 < 16 else frame for frame in chosen)


def aircraft_json(now: float = 1_720_000_000.0) -> bytes:
    one = {
        "hex": "4ca2d6", "type": "adsb_icao", "flight": "RYR1427 ", "alt_baro": 37000, "alt_geom": 37500, "gs": 420.5,
        "track": 179.2, "baro_rate": -64, "squawk": "7700", "category": "A3", "lat": 51.45, "lon": -1.02, "nic": 8,
        "rc": 186, "version": 2, "nac_p": 9, "nac_v": 1, "sil": 3, "gva": 2, "sda": 2, "nic_baro": 1, "seen": 0.4,
        "seen_pos": 1.2, "emergency": "general", "true_heading": 181.0, "rssi": -12.5,
    }  # fmt: skip
    two = {"hex": "~2a1b3c", "type": "tisb_other", "alt_baro": "ground", "version": 0, "nac_p": 8, "seen": 3}
    return json.dumps({"now": now, "messages": 1, "aircraft": [one, two]}).encode()


def trace_json() -> bytes:
    details = {
        "type": "adsb_icao",
        "flight": "DAL1812 ",
        "nic": 8,
        "nac_p": 10,
        "version": 2,
        "sil": 3,
        "squawk": "4637",
    }
    points = [
        [0.0, 16.77, -88.03, 32000, 478.6, 327.8, 0, 0, details, "adsb_icao", 33825, 32, 280, 0.5],
        [8.96, 16.79, -88.04, "ground", 12.0, 336.8, 5, 64, None, "adsb_icao", None, None, None, None],
        [16.0, 16.80, -88.05, None, None, None, 12, -64, None, "mlat"],
    ]
    return json.dumps({"icao": "ac671b", "r": "N899DN", "t": "B739", "timestamp": 1.7e9, "trace": points}).encode()


def tod(time_ns: int) -> bytes:
    return (time_ns % 86_400_000_000_000 * 128 // 1_000_000_000).to_bytes(3, "big")


def block(category: int, *records: bytes) -> bytes:
    body = b"".join(records)
    return bytes([category]) + (len(body) + 3).to_bytes(2, "big") + body


def plot(
    time_ns: int, rho: int, theta: int, address: int | None = None, rate: int | None = None, kind: int = 0xA0
) -> bytes:
    """A CAT048 record: 010, 140, 020, 040, 070, 090 and, when given, 220 and 120."""
    octets = [0b11111100, 0, 0]
    tail = b""
    if address is not None:
        octets[1] |= 0b10000000
        tail += address.to_bytes(3, "big")
    if rate is not None:
        octets[2] |= 0b00000100
        tail += b"\x80" + (rate & 0x3FF).to_bytes(2, "big")
    used = 3 if octets[2] else 2 if octets[1] else 1
    fspec = bytes(octet | (1 if i + 1 < used else 0) for i, octet in enumerate(octets[:used]))
    body = b"\x19\xc9" + tod(time_ns) + bytes([kind]) + rho.to_bytes(2, "big") + theta.to_bytes(2, "big")
    return fspec + body + b"\x0f\xc0" + (1400).to_bytes(2, "big") + tail


def marker(time_ns: int, kind: int = 1, sector: int = 0) -> bytes:
    """A CAT034 record: 010, 000, 030, 020."""
    return b"\xf0" + b"\x19\xc9" + bytes([kind]) + tod(time_ns) + bytes([sector])


def asterix_datagrams() -> list[bytes]:
    """Two turns and an empty one."""
    s = 1_000_000_000
    return [
        block(48, plot(T0 + s, 2560, 0x4000, 0x4CA2D6, -20), plot(T0 + 2 * s, 5120, 0x8000, None, 30)),
        block(34, marker(T0 + 4 * s)),
        block(48, plot(T0 + 5 * s, 2570, 0x4010, 0x4CA2D6)) + block(34, marker(T0 + 8 * s)),
        block(34, marker(T0 + 12 * s)),
    ]


BLAH2 = (
    b'{"timestamp":1720000000123,"delay":[12.5,3.0],"doppler":[-40.5,120.0],"snr":[14.2,20.1]}'
    b'{"timestamp":1720000000,"delay":[],"doppler":[],"snr":[]}\n{"timestamp":1720000001,"delay":[1],"doppler":[]}'
)
STREAMS: dict[str, Callable[[], bytes]] = {
    "beast": lambda: beast_of(list(hexes())),
    "avr": lambda: "".join(f"*{h};\n" if i % 2 else f"@{i * 12_000:012X}{h};" for i, h in enumerate(hexes())).encode(),
    "nmea": lambda: AIVDM,
    "sbs": lambda: SBS,
    "remoteid": remoteid_samples.capture,
    "json": lambda: LOOKS,
    "blah2": lambda: BLAH2,
    "dronescout": remoteid_samples.dronescout,
    "mavlink": remoteid_samples.mavlink,
}
DOCUMENTS: dict[str, Callable[[], list[bytes]]] = {
    "readsb": lambda: [aircraft_json(), aircraft_json(1_720_000_005.0)],
    "trace": lambda: [trace_json()],
    "asterix": asterix_datagrams,
    "sapient": sapient_samples.talk,
}


def decoder(name: str) -> Any:
    receiver = Position(0.855, 0.045, 100.0)
    config = FeedConfig(
        "f", name, "file", receiver=receiver, sensor="radar" if name in ("asterix", "json", "sapient", "blah2") else ""
    )
    return decode.make(config, {"radar": SENSOR})
