"""[[output]] tables: one model per kind, each a frozen, checked description of one output.

Secrets never stand in a site file (it is kept with the journal): they are `env:NAME` or `file:PATH`.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from lapwing.serve.guard import is_loopback

FORBID = ConfigDict(extra="forbid", frozen=True)
OutputName = Annotated[str, Field(pattern=r"^\w[\w ().,:'/&+-]{0,63}$")]
PeriodS = Annotated[float, Field(ge=0.2, le=3600)]
Octet = Annotated[int, Field(ge=0, le=255)]
UUID4 = r"^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})?$"
PriorityWord = Literal["critical", "high", "medium", "low"]


def _secret_reference(value: str) -> str:
    if value and not (value.startswith(("env:", "file:")) and value.split(":", 1)[1]):
        raise ValueError("a secret is 'env:NAME' (environment variable) or 'file:PATH' (its first line)")
    return value


SecretReference = Annotated[str, AfterValidator(_secret_reference), Field(repr=False)]


def secret(reference: str, folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The secret itself. Raises OSError when it is not there."""
    if not reference:
        return ""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in environment:
            raise OSError(f"the environment variable {name} is not set")
        return environment[name]
    try:
        return (folder / name).read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, IndexError, UnicodeDecodeError):
        raise OSError(f"the file {folder / name} is not there, or holds no secret in its first line") from None


def address(to: str, schemes: Mapping[str, int], form: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, path and query) of an address; `schemes` has default ports, 0 = must be named.
    Raises ValueError."""
    parts = urlsplit(to)
    try:
        port = parts.port or schemes.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if parts.scheme not in schemes or not parts.hostname or not 0 < port < 65_536:
        raise ValueError(f"{to!r} is not an address for this; write {form}")
    if parts.username or parts.password:
        raise ValueError("a name or password does not belong into an address; use 'user' and 'password'")
    return parts.scheme, parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class Tls(BaseModel):
    """How the other side is known, and how we are."""

    model_config = FORBID
    ca: str = ""  # file with the authority's certificate; default: the system's authorities
    certificate: str = ""  # our own, for servers that ask for one
    key: str = ""
    server_name: str = ""  # that the other side's certificate must bear, when it is not the host's

    def context(self, folder: Path) -> ssl.SSLContext:
        """Raises OSError (SSLError is one) when a file is missing or no certificate."""
        context = ssl.create_default_context(cafile=str(folder / self.ca) if self.ca else None)
        if self.certificate:
            context.load_cert_chain(folder / self.certificate, str(folder / self.key) if self.key else None)
        return context


class Output(Tls):
    """What every output has."""

    name: OutputName
    to: str
    recorded: bool = False  # also when the site plays recordings
    idle: ClassVar[tuple[str, ...]] = ()  # keys of TLS that this kind has no use for
    schemes: ClassVar[Mapping[str, int]] = {}  # of `to`, with their default ports; 0 = must be named
    form: ClassVar[str] = ""  # what `to` looks like, for a person

    @field_validator("to")
    @classmethod
    def _reachable(cls, value: str) -> str:
        address(value, cls.schemes, cls.form)
        return value

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        for key in self.idle:
            if getattr(self, key):
                raise ValueError(f"{key!r} does nothing for this kind of output; leave it out")
        return self

    def parts(self) -> tuple[str, str, int, str]:
        """(scheme, host, port, path and query) of where to."""
        return address(self.to, self.schemes, self.form)

    def explain(self) -> str:
        """What it will do, for a person."""
        raise AssertionError  # every kind says its own

    def refusal(self) -> str:
        """Why it must not be started, "" = it may. Not a mistake of form: a journal keeps site files of former times,
        which must still be read."""
        return ""


class CotOutput(Output):
    """kind = "cot": Cursor on Target events."""

    kind: Literal["cot"]
    schemes: ClassVar[Mapping[str, int]] = {"tcp": 8087, "tls": 8089, "udp": 6969}
    form: ClassVar[str] = "tcp://HOST:8087, tls://HOST:8089 or udp://GROUP:6969"
    period_s: PeriodS = 2.0
    what: list[Literal["tracks", "claims", "alarms", "regions", "sensors", "zones"]] = [
        "tracks", "claims", "alarms", "regions", "sensors", "zones",
    ]  # fmt: skip
    hops: Octet = 1  # of multicast
    interface: str = ""  # local address whose network gets the multicast

    def explain(self) -> str:
        """What it will do, for a person."""
        return f"{', '.join(self.what)} as Cursor on Target to {self.to}, every {self.period_s:g} s"


class AsterixOutput(Output):
    """kind = "asterix": CAT062 system tracks and CAT065 service messages in UDP datagrams."""

    kind: Literal["asterix"]
    idle: ClassVar[tuple[str, ...]] = ("ca", "certificate", "key", "server_name")
    schemes: ClassVar[Mapping[str, int]] = {"udp": 0}
    form: ClassVar[str] = "udp://HOST:PORT (a multicast group or one receiver)"
    sac: Octet
    sic: Octet
    period_s: PeriodS = 4.0
    hops: Octet = 1
    interface: str = ""

    def explain(self) -> str:
        """What it will do, for a person."""
        return f"tracks as ASTERIX CAT062 of {self.sac}/{self.sic} to {self.to}, every {self.period_s:g} s"


class SbsOutput(Output):
    """kind = "sbs": BaseStation lines to whoever connects."""

    kind: Literal["sbs"]
    idle: ClassVar[tuple[str, ...]] = ("ca", "certificate", "key", "server_name")
    schemes: ClassVar[Mapping[str, int]] = {"listen": 30003}
    form: ClassVar[str] = "listen://127.0.0.1:30003 (an address of this machine)"
    period_s: PeriodS = 1.0

    def explain(self) -> str:
        """What it will do, for a person."""
        open_to = (
            "this machine only" if is_loopback(self.parts()[1]) else "ANYBODY who reaches it: there is no password"
        )
        return f"aircraft as BaseStation lines to readers of {self.to}, every {self.period_s:g} s; open to {open_to}"


class SapientOutput(Output):
    """kind = "sapient": a fusion node of a parent, BSI Flex 335 v2.0."""

    kind: Literal["sapient"]
    schemes: ClassVar[Mapping[str, int]] = {"tcp": 0, "tls": 0}
    form: ClassVar[str] = "tcp://HOST:PORT or tls://HOST:PORT of the parent"
    period_s: PeriodS = 1.0  # between two reports of one track
    status_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    reports_per_s: Annotated[float, Field(ge=1, le=10_000)] = 100.0  # of tracks, at most
    node_id: Annotated[str, Field(pattern=UUID4)] = ""

    def explain(self) -> str:
        """What it will do, for a person."""
        what = f"tracks every {self.period_s:g} s (at most {self.reports_per_s:g} reports a second) and alarms"
        return f"{what} as a SAPIENT fusion node of {self.to}"
