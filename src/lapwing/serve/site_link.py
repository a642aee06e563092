"""The [[site_link]] table of a site file: another Lapwing whose picture is shown beside this one's."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from lapwing.serve.guard import is_loopback
from lapwing.serve.outputs.entries import SecretReference, Tls, address

FORM = "http://HOST:PORT or https://HOST:PORT"
PORTS = {"http": 80, "https": 443}


class SiteLinkEntry(Tls):
    """[[site_link]]: where the other server is, how we are known there, and how its symbols look here."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    to: str
    token: SecretReference = ""
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] = "#d5b8ff"

    @field_validator("to")
    @classmethod
    def _server(cls, value: str) -> str:
        if address(value, PORTS, FORM)[3] != "/":
            raise ValueError(f"{value!r} is more than a server; write {FORM}")
        return value

    @property
    def host(self) -> str:
        """Where the other server is."""
        return address(self.to, PORTS, FORM)[1]

    def live(self) -> str:
        """The address of its live picture."""
        scheme, host, port, _ = address(self.to, PORTS, FORM)
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if scheme == 'https' else 'ws'}://{host}:{port}/v1/live?stride=5"

    def tls(self, folder: Path) -> ssl.SSLContext | None:
        """How its certificate is checked; None without TLS. Raises OSError."""
        return self.context(folder) if self.to.startswith("https:") else None

    def explain(self) -> str:
        """What it will do, in words."""
        out = f"the picture of {self.to} is shown beside this one, never mixed with it"
        if self.token and self.to.startswith("http:") and not is_loopback(self.host):
            out += "; its token CAN BE READ on the way"
        return out
