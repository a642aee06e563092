"""AIS as a receiver sends it: position report (type 1) and static data (type 5) in AIVDM sentences.

Field layout: ITU-R M.1371 as summarised in public decoder documentation; armouring six bits to a character.
"""

SIX = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_ !\"#$%&'()*+,-./0123456789:;<=>?"


class Bits:
    """A growing bit string."""

    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, width: int) -> "Bits":
        """Append an unsigned or two's complement number."""
        self.text += format(value & ((1 << width) - 1), f"0{width}b")
        return self

    def say(self, words: str, length: int) -> "Bits":
        """Append six-bit text."""
        for c in words.upper().ljust(length, "@")[:length]:
            self.put(SIX.index(c) if c in SIX else SIX.index(" "), 6)
        return self

    def armoured(self) -> tuple[str, int]:
        """Payload characters and the number of fill bits."""
        fill = -len(self.text) % 6
        bits = self.text + "0" * fill
        values = (int(bits[i : i + 6], 2) for i in range(0, len(bits), 6))
        return "".join(chr(v + 48 if v < 40 else v + 56) for v in values), fill


def report(
    mmsi: int, lat_deg: float | None, lon_deg: float | None, speed_mps: float, course_deg: float, second: int
) -> Bits:
    """Type 1. No position = the codes for "not available" (latitude 91, longitude 181, speed 102.3)."""
    known = lat_deg is not None and lon_deg is not None
    bits = Bits().put(1, 6).put(0, 2).put(mmsi, 30).put(0, 4).put(-128, 8)
    bits.put(min(round(speed_mps / 0.514444 * 10), 1022) if known else 1023, 10).put(1 if known else 0, 1)
    bits.put(round((lon_deg if lon_deg is not None else 181.0) * 600_000), 28)
    bits.put(round((lat_deg if lat_deg is not None else 91.0) * 600_000), 27)
    bits.put(round(course_deg * 10) % 3600 if known else 3600, 12).put(round(course_deg) % 360, 9)
    return bits.put(second if known else 63, 6).put(0, 2).put(0, 3).put(0, 1).put(0, 19)


def static(mmsi: int, name: str) -> Bits:
    """Type 5: name, cargo ship, 120 m by 20 m."""
    bits = Bits().put(5, 6).put(0, 2).put(mmsi, 30).put(0, 2).put(0, 30).say("LPW01", 7).say(name, 20).put(70, 8)
    bits.put(60, 9).put(60, 9).put(10, 6).put(10, 6).put(1, 4).put(0, 4).put(0, 5).put(24, 5).put(60, 6).put(70, 8)
    return bits.say("HARBOUR", 20).put(0, 1).put(0, 1)


def sentences(bits: Bits, sequence: int) -> bytes:
    """AIVDM lines, split when longer than 56 characters."""
    payload, fill = bits.armoured()
    parts = [payload[i : i + 56] for i in range(0, len(payload), 56)]
    out = b""
    for i, part in enumerate(parts, start=1):
        ident = str(sequence % 10) if len(parts) > 1 else ""
        body = f"AIVDM,{len(parts)},{i},{ident},A,{part},{fill if i == len(parts) else 0}"
        check = 0
        for c in body:
            check ^= ord(c)
        out += f"!{body}*{check:02X}\r\n".encode()
    return out
