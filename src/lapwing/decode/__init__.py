"""Bytes to claims and detections. Sans-IO: no decoder has heard of sockets, files or clocks.

Hostile bytes are data: a decoder raises nothing, hangs on nothing, keeps bounded state, and counts as a `Fault`
what it refuses. Chunk boundaries carry no meaning: any split of the same bytes gives the same rows.
"""

from lapwing.decode.protocol import Decoder

__all__ = ["Decoder"]
