"""[[output]] tables of the kinds that tell alarms through the outbox."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lapwing.serve.guard import is_loopback
from lapwing.serve.outputs.entries import Output, PeriodS, PriorityWord, SecretReference
from lapwing.serve.outputs.quiet import QuietEntry

HTTP = {"http": 80, "https": 443}
MQTT = {"mqtt": 1883, "mqtts": 8883}
SMTP = {"smtp": 25, "submission": 587, "smtps": 465}
CLEAR = frozenset(("http", "mqtt", "smtp"))  # no TLS
NO_ZONE = "(none)"  # in `zones`: alarms that belong to no zone, such as interference and feeds
Word = Annotated[str, Field(pattern=r"^[^\s,<>&+#]{1,200}$")]  # no space, comma, mark-up or wildcard


class AlarmOutput(Output):
    """What they have in common."""

    priority: PriorityWord = "low"  # the least urgent that is told
    unacknowledged_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0  # only what nobody acknowledged for so long
    zones: Annotated[tuple[str, ...], Field(max_length=100)] = ()  # only alarms of these; NO_ZONE: of none; empty: all
    quiet: QuietEntry | None = None
    digests: ClassVar[bool] = False  # what waited together is told as one message

    def explain(self) -> str:
        """What it will do, for a person."""
        kind = str(getattr(self, "kind", ""))
        told = f"alarms of priority {self.priority} and above by {kind} to {self.to}, kept until taken"
        if self.unacknowledged_s:
            told += f"; only those that nobody has acknowledged for {self.unacknowledged_s:g} s"
        if self.zones:
            told += f"; only of {', '.join(self.zones)}"
        if self.quiet:
            told += f"; {self.quiet.explain()}" + (", and is then told as one message" if self.digests else "")
        return told + ("; its token or password CAN BE READ on the way" if self.tells_secrets() else "")

    def tells_secrets(self) -> bool:
        """Whether a secret leaves this machine without TLS."""
        scheme, host, _, _ = self.parts()
        given = getattr(self, "token", "") or getattr(self, "password", "")
        return bool(given) and scheme in CLEAR and not is_loopback(host)


class HttpOutput(AlarmOutput):
    """Those that POST."""

    token: SecretReference = ""
    schemes: ClassVar[Mapping[str, int]] = HTTP
    form: ClassVar[str] = "http://HOST/PATH or https://HOST/PATH"


class WebhookOutput(HttpOutput):
    """kind = "webhook": JSON by POST."""

    kind: Literal["webhook"]
    digests: ClassVar[bool] = True


class NtfyOutput(HttpOutput):
    """kind = "ntfy": to a phone by way of an ntfy server."""

    kind: Literal["ntfy"]
    digests: ClassVar[bool] = True
    topic: Word


class CapOutput(HttpOutput):
    """kind = "cap": Common Alerting Protocol 1.2 by POST."""

    kind: Literal["cap"]
    sender: Word


class EmailOutput(AlarmOutput):
    """kind = "email"."""

    kind: Literal["email"]
    digests: ClassVar[bool] = True
    idle: ClassVar[tuple[str, ...]] = ("server_name",)
    schemes: ClassVar[Mapping[str, int]] = SMTP
    form: ClassVar[str] = "smtp://HOST, submission://HOST (STARTTLS) or smtps://HOST"
    sender: Word
    recipients: Annotated[list[Word], Field(min_length=1, max_length=50)]
    user: str = ""
    password: SecretReference = ""

    def refusal(self) -> str:
        """A password never goes in clear to another machine."""
        scheme, host, _, _ = self.parts()
        if not self.user or scheme not in CLEAR or is_loopback(host):
            return ""
        return (
            "smtp:// would send the password in clear: write submission:// (STARTTLS) or smtps://, or leave 'user' out"
        )


class MqttOutput(AlarmOutput):
    """kind = "mqtt": alarms and a retained state, with Home Assistant discovery."""

    kind: Literal["mqtt"]
    idle: ClassVar[tuple[str, ...]] = ("server_name",)
    schemes: ClassVar[Mapping[str, int]] = MQTT
    form: ClassVar[str] = "mqtt://HOST:1883 or mqtts://HOST:8883"
    root: Word = "lapwing"
    discovery: str = "homeassistant"
    period_s: PeriodS = 5.0
    user: str = ""
    password: SecretReference = ""
