"""The decoder that a site names for a feed."""

from collections.abc import Mapping
from typing import Any

from lapwing.decode.asterix import AsterixDecoder
from lapwing.decode.avr import AvrDecoder
from lapwing.decode.beast import BeastDecoder
from lapwing.decode.blah2 import Blah2Decoder
from lapwing.decode.dronescout import DroneScoutDecoder
from lapwing.decode.lookouts import LookoutDecoder
from lapwing.decode.mavlink import MavlinkDecoder
from lapwing.decode.nmea import NmeaDecoder
from lapwing.decode.protocol import Decoder
from lapwing.decode.readsb import ReadsbDecoder
from lapwing.decode.remoteid import RemoteIdDecoder
from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.sbs import SbsDecoder
from lapwing.decode.trace import TraceDecoder
from lapwing.records import FeedConfig, Priority, SensorConfig

DECODERS: tuple[str, ...] = (
    "beast",
    "avr",
    "sbs",
    "readsb",
    "trace",
    "nmea",
    "asterix",
    "remoteid",
    "dronescout",
    "mavlink",
    "json",
    "sapient",
    "blah2",
)


def make(config: FeedConfig, sensors: Mapping[str, SensorConfig]) -> Decoder[Any]:
    """The decoder for one feed. Raises ValueError naming a decoder or sensor that does not exist.

    A Mode S recording with a start (`start_ns`) is timed by its own counter, everything else by reception."""
    clock = "counter" if config.start_ns else "received"
    match config.decoder:
        case "beast":
            return BeastDecoder(config.feed, config.receiver, clock, config.start_ns)
        case "avr":
            return AvrDecoder(config.feed, config.receiver, clock, config.start_ns)
        case "sbs":
            return SbsDecoder(config.feed)
        case "readsb":
            return ReadsbDecoder(config.feed)
        case "trace":
            return TraceDecoder(config.feed)
        case "nmea":
            return NmeaDecoder(config.feed)
        case "json":
            if config.sensor not in sensors:
                raise ValueError(f"feed {config.feed!r} names a sensor that does not exist: {config.sensor!r}")
            sensor = sensors[config.sensor]
            return LookoutDecoder(config.feed, sensor, config.origin or sensor.position)
        case "sapient":
            if config.sensor not in sensors:
                raise ValueError(f"feed {config.feed!r} names a sensor that does not exist: {config.sensor!r}")
            origin = config.origin or sensors[config.sensor].position
            most = None if config.alerts == "none" else Priority[config.alerts.upper()]
            return SapientDecoder(config.feed, tuple(sensors.values()), config.sensor, origin, most)
        case "blah2":
            if config.sensor not in sensors:
                raise ValueError(f"feed {config.feed!r} names a sensor that does not exist: {config.sensor!r}")
            return Blah2Decoder(config.feed, sensors[config.sensor], config.carrier_hz)
        case "remoteid":
            return RemoteIdDecoder(config.feed)
        case "dronescout":
            return DroneScoutDecoder(config.feed)
        case "mavlink":
            return MavlinkDecoder(config.feed)
        case "asterix":
            if config.sensor and config.sensor not in sensors:
                raise ValueError(f"feed {config.feed!r} names a sensor that does not exist: {config.sensor!r}")
            return AsterixDecoder(config.feed, sensors.get(config.sensor), config.radar)
    raise ValueError(f"feed {config.feed!r} names a decoder that does not exist: {config.decoder!r}")
