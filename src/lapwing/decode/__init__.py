"""Bytes to claims and detections. Sans-IO: no decoder has heard of sockets, files or clocks.

Hostile bytes are data: a decoder raises nothing, hangs on nothing, keeps bounded state, and counts as a `Fault`
what it refuses. Chunk boundaries carry no meaning: any split of the same bytes gives the same rows.
"""

from lapwing.decode.asterix import AsterixDecoder
from lapwing.decode.avr import AvrDecoder
from lapwing.decode.beast import BeastDecoder
from lapwing.decode.dronescout import DroneScoutDecoder
from lapwing.decode.lookouts import LookoutDecoder
from lapwing.decode.make import DECODERS, make
from lapwing.decode.nmea import NmeaDecoder
from lapwing.decode.protocol import Decoder
from lapwing.decode.readsb import ReadsbDecoder
from lapwing.decode.remoteid import RemoteIdDecoder
from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.sbs import SbsDecoder
from lapwing.decode.trace import TraceDecoder

__all__ = [
    "DECODERS",
    "AsterixDecoder",
    "AvrDecoder",
    "BeastDecoder",
    "Decoder",
    "DroneScoutDecoder",
    "LookoutDecoder",
    "NmeaDecoder",
    "ReadsbDecoder",
    "RemoteIdDecoder",
    "SapientDecoder",
    "SbsDecoder",
    "TraceDecoder",
    "make",
]
