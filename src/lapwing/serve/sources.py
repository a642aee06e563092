"""Where a feed's bytes come from: what stands behind `from`."""

import contextlib
import re
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TRANSPORTS = (
    *("tcp", "listen", "udp", "file", "package", "poll", "http", "stdin", "sapient", "sapient-peer"),
    *("mqtt", "mqtts", "post", "gpsd", "serial", "bluetooth", "sapient+tls", "sapient-peer+tls"),
)
RATES_BAUD = (4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
PORTS = {"http": 80, "mqtt": 1883, "mqtts": 8883, "gpsd": 2947}


def split_source(source: str) -> tuple[str, str, int, str]:
    """(transport, host, port, path) of a feed's `from`; "+tls" is no part of the transport. Raises ValueError with the
    forms that are allowed."""
    forms = (
        "write tcp://HOST:PORT, listen://HOST:PORT, udp://HOST:PORT, http://HOST/PATH, sapient://HOST:PORT,"
        " sapient-peer://HOST:PORT, sapient+tls://HOST:PORT, sapient-peer+tls://HOST:PORT, mqtt://HOST/TOPIC,"
        " post://HOST:PORT, gpsd://HOST, file:PATH, poll:PATH,"
        " serial:/dev/ttyUSB0?baud=38400, bluetooth: or stdin:"
    )
    parts = urlsplit(source)
    if parts.scheme not in TRANSPORTS:
        raise ValueError(f"{source!r} is not a source; {forms}")
    if parts.scheme == "stdin":
        return "stdin", "", 0, ""
    if parts.scheme == "bluetooth":
        adapter = source.split(":", 1)[1].removeprefix("//")
        if adapter and not re.fullmatch(r"hci\d{1,3}", adapter):
            raise ValueError(f"{source!r}: write bluetooth: or bluetooth:hci0")
        return "bluetooth", "", 0, adapter
    if parts.scheme == "serial":
        rate = parse_qs(parts.query, keep_blank_values=True).get("baud", ["38400"])[0] if parts.query else "38400"
        if not parts.path.startswith("/") or rate not in map(str, RATES_BAUD):
            rates = ", ".join(map(str, RATES_BAUD))
            raise ValueError(f"{source!r}: write serial:/dev/ttyUSB0?baud=38400; rates are {rates}")
        return "serial", "", int(rate), parts.path
    if parts.scheme in ("file", "package", "poll"):
        path = source.split(":", 1)[1].removeprefix("//")
        if not path:
            raise ValueError(f"{source!r} names no file; {forms}")
        return parts.scheme, "", 0, path
    try:
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not parts.hostname or not 0 < port < 65_536 or (parse_qs(parts.fragment) and parts.scheme[:4] != "mqtt"):
        raise ValueError(f"{source!r} needs a host and a port from 1 to 65535; {forms}")
    if parts.username or parts.password:
        raise ValueError(f"{parts.scheme}://...: a name or password does not belong into an address; {forms}")
    if parts.scheme in ("mqtt", "mqtts"):
        topic = source.split("://", 1)[1].partition("/")[2]  # its wildcards, # and +, mean nothing to a URL
        if not topic:
            raise ValueError(f"{source!r} names no topic; {forms}")
        return parts.scheme, parts.hostname, port, topic
    transport = parts.scheme.removesuffix("+tls")
    return transport, parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_multicast(host: str) -> bool:
    """Whether it is the address of a group."""
    with contextlib.suppress(ValueError):
        return ip_address(host).is_multicast
    return False


def packaged(path: str) -> str:
    """The file `NAME/rest` inside an installed package, which is not imported; as given when there is none."""
    name, _, rest = path.partition("/")
    spec = find_spec(name) if name.isidentifier() else None
    roots = list(spec.submodule_search_locations or ()) if spec else []
    return str(Path(roots[0]) / rest) if roots else path
