"""Keys of a [[feed]] table that are about one way in only: certificates, a network interface, one radar among many.
Refuses those that would do nothing where they stand."""

from ipaddress import IPv4Address
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from lapwing.serve.feed_tls import FeedTls
from lapwing.serve.sources import is_multicast, split_source

Octet = Annotated[int, Field(ge=0, le=255)]


class Ways(TypedDict):
    """Fields of a FeedConfig."""

    interface: str
    radar: int
    alerts: str
    strict: bool


class FeedWays(FeedTls):
    """The keys."""

    interface: IPv4Address | None = None  # local address on the network where a multicast group is joined
    sac_sic: tuple[Octet, Octet] | None = None  # of `asterix`: the one radar or direction finder that is heeded

    alerts: Literal["none", "low", "medium", "high"] | None = None  # of `sapient`: how urgent a node's may be; low

    strict: bool = False  # of `sapient`: nodes tell all that version 2.0 demands, or are not taken in

    def check_ways(self, source: str, decoder: str, sensor: str) -> None:
        """Raises ValueError for a key that is missing or does nothing."""
        self.check_tls(source)
        transport, host, _, _ = split_source(source)
        if self.interface and not (transport == "udp" and is_multicast(host)):
            raise ValueError("'interface' does nothing here: it is for udp:// with a multicast group")
        if self.sac_sic and not (decoder == "asterix" and sensor):
            raise ValueError("'sac_sic' does nothing here: it is for 'asterix' with a 'sensor'")
        for key in ("alerts", "strict"):
            if getattr(self, key) and decoder != "sapient":
                raise ValueError(f"{key!r} does nothing here: it is for 'sapient'")

    def ways(self) -> Ways:
        """Frozen."""
        radar = -1 if self.sac_sic is None else self.sac_sic[0] << 8 | self.sac_sic[1]
        return {
            "interface": str(self.interface or ""),
            "radar": radar,
            "alerts": self.alerts or "low",
            "strict": self.strict,
        }
