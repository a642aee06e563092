"""What can be plugged in: every decoder and every kind of output, each with an example that `lapwing check` accepts."""

DECODERS: dict[str, tuple[str, str]] = {
    "beast": ("Mode S and ADS-B, binary (readsb, dump1090)", 'from = "tcp://127.0.0.1:30005"'),
    "avr": ("Mode S and ADS-B, text lines", 'from = "tcp://127.0.0.1:30002"'),
    "sbs": ("BaseStation lines", 'from = "tcp://127.0.0.1:30003"'),
    "readsb": ("readsb's aircraft.json, polled", 'from = "http://127.0.0.1:8080/data/aircraft.json"'),
    "trace": ("readsb trace files", 'from = "poll:trace_full_abcdef.json"'),
    "nmea": ("AIS of ships (AIVDM)", 'from = "udp://0.0.0.0:10110"        # or "gpsd://127.0.0.1", "tcp://HOST:PORT"'),
    "asterix": ("ASTERIX 010 020 021 034 048 062 065 205", 'from = "udp://239.1.2.3:8600"\nsensor = "Radar"'),
    "remoteid": (
        "Remote ID, radio captures (pcap)",
        'from = "listen://0.0.0.0:9001"        # or "stdin:", "bluetooth:"',
    ),
    "mavlink": ("Remote ID, MAVLink OPEN_DRONE_ID messages", 'from = "udp://0.0.0.0:14550"'),
    "dronescout": ("Remote ID, DroneScout receivers", 'from = "mqtt://broker.example/dronescout/1"'),
    "json": ("your own sensor, JSON lines", 'from = "post://127.0.0.1:8490"\nsensor = "Radar"'),
    "sapient": (
        "SAPIENT edge nodes (BSI Flex 335)",
        'from = "sapient://0.0.0.0:5020"        # or "sapient+tls://", "sapient-peer://"\nsensor = "Radar"',
    ),
    "blah2": ("the passive radar blah2", 'from = "http://radar.example:3000/api/detection"\nsensor = "Radar"'),
}
OUTPUTS: dict[str, tuple[str, str]] = {
    "cot": ("Cursor on Target (TAK)", 'to = "tcp://tak.example:8087"'),
    "asterix": ("ASTERIX CAT062 and 065", 'to = "udp://239.255.0.62:8600"\nsac = 25\nsic = 7'),
    "sbs": ("BaseStation lines to readers that connect", 'to = "listen://127.0.0.1:30003"'),
    "sapient": ("SAPIENT, a fusion node of a parent", 'to = "tcp://parent.example:5020"'),
    "webhook": ("alarms as JSON by POST", 'to = "https://example.org/alarms"'),
    "email": (
        "alarms by mail",
        'to = "submission://mail.example:587"\nsender = "lapwing@example.org"\nrecipients = ["duty@example.org"]',
    ),
    "ntfy": ("alarms to phones", 'to = "https://ntfy.example/"\ntopic = "tower-alarms"'),
    "mqtt": (
        "alarms and state to a broker, Home Assistant",
        'to = "mqtt://broker.example:1883"\nroot = "lapwing/tower"',
    ),
    "cap": ("alarms as CAP 1.2 by POST", 'to = "https://agency.example/cap"\nsender = "lapwing@example.org"'),
}


def feed(decoder: str) -> str:
    """A [[feed]] table."""
    return f'[[feed]]\nname = "{decoder} example"\ndecoder = "{decoder}"\n{DECODERS[decoder][1]}\n'


def output(kind: str) -> str:
    """An [[output]] table."""
    return f'[[output]]\nname = "{kind} example"\nkind = "{kind}"\n{OUTPUTS[kind][1]}\n'


def listing(only: str = "") -> str:
    """All of them, or those named `only`."""
    parts = []
    for title, table, example in (("feeds", DECODERS, feed), ("outputs", OUTPUTS, output)):
        chosen = [name for name in table if only in ("", name)]
        if chosen:
            parts.append(f"# {title}")
            parts += [f"\n# {name}: {table[name][0]}\n{example(name).rstrip()}" for name in chosen]
            parts.append("")
    return "\n".join(parts)
