"""What a feed will do, for a person: what is read, from where, and who else could read it or speak instead."""

from lapwing.records import FeedConfig
from lapwing.serve.catalogue import DECODERS
from lapwing.serve.guard import is_loopback

PLAIN = {
    "tcp": "connects to {where}",
    "listen": "takes one sender at a time that connects to {where}",
    "udp": "datagrams to {where}",
    "http": "http://{where}{path}, asked every second",
    "poll": "{path}, looked at every second",
    "file": "the recording {path}",
    "stdin": "standard input",
    "mqtt": "topic {path} of the broker {where}, in clear",
    "mqtts": "topic {path} of the broker {where}, with TLS",
    "post": "POST to http://{where}/looks",
    "sapient": "nodes connect to {where}",
    "sapient-peer": "connects to the middleware {where}",
    "gpsd": "the gpsd at {where}",
    "serial": "the line {path} at {port} baud, read only",
    "bluetooth": "this machine's Bluetooth {path}",
}


def explain(config: FeedConfig) -> str:
    """One line."""
    where = f"{config.host}:{config.port}"
    how = PLAIN[config.transport].format(where=where, path=config.path, port=config.port).rstrip()
    sensor = f", detections of {config.sensor!r}" if config.sensor else ""
    parts = [f"{DECODERS[config.decoder][0]}{sensor}: {how}", *_doubts(config)]
    return "; ".join([*parts, f"an alarm when quiet for {config.quiet_s_max:g} s"])


def _doubts(config: FeedConfig) -> list[str]:
    """Who could listen in, or speak instead."""
    here = is_loopback(config.host)
    if config.transport == "mqtt" and config.secret and not here:
        return ["the password CAN BE READ on the way: write mqtts://"]
    if config.transport == "post":
        return [
            "this machine only" if here else "for who shows the token, which CAN BE READ on the way without a proxy"
        ]
    if config.transport == "listen" and not here:
        return ["ANYBODY who reaches it can be the sender"]
    if config.transport == "sapient" and not here:
        if config.tls is None:
            return ["ANYBODY who reaches it can be a node, in clear"]
        named = "each whom its certificate names" if config.tls.certified else "nodes with a certificate only"
        return ["with TLS, " + (named if config.tls.authority else "ANYBODY can be a node")]
    return ["with TLS" if config.tls else "in clear"] if config.transport == "sapient-peer" and not here else []
