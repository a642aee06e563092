"""[[output]] tables of the kinds that tell alarms through the outbox."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from lapwing.serve.outputs.entries import Output, PeriodS, PriorityWord, SecretReference, address

HTTP = {"http": 80, "https": 443}
MQTT = {"mqtt": 1883, "mqtts": 8883}
SMTP = {"smtp": 25, "submission": 587, "smtps": 465}
Word = Annotated[str, Field(pattern=r"^[^\s,<>&+#]{1,200}$")]  # no space, comma, mark-up or wildcard


class AlarmOutput(Output):
    """What they have in common."""

    priority: PriorityWord = "low"  # the least urgent that is told
    token: SecretReference = ""

    def explain(self) -> str:
        """What it will do, for a person."""
        kind = str(getattr(self, "kind", ""))
        return f"alarms of priority {self.priority} and above by {kind} to {self.to}, kept until taken"


class HttpOutput(AlarmOutput):
    """Those that POST."""

    @field_validator("to")
    @classmethod
    def _reachable(cls, value: str) -> str:
        address(value, HTTP, "http://HOST/PATH or https://HOST/PATH")
        return value


class WebhookOutput(HttpOutput):
    """kind = "webhook": JSON by POST."""

    kind: Literal["webhook"]


class NtfyOutput(HttpOutput):
    """kind = "ntfy": to a phone by way of an ntfy server."""

    kind: Literal["ntfy"]
    topic: Word


class CapOutput(HttpOutput):
    """kind = "cap": Common Alerting Protocol 1.2 by POST."""

    kind: Literal["cap"]
    sender: Word


class EmailOutput(AlarmOutput):
    """kind = "email"."""

    kind: Literal["email"]
    sender: Word
    recipients: Annotated[list[Word], Field(min_length=1, max_length=50)]
    user: str = ""
    password: SecretReference = ""

    @field_validator("to")
    @classmethod
    def _reachable(cls, value: str) -> str:
        address(value, SMTP, "smtp://HOST, submission://HOST (STARTTLS) or smtps://HOST")
        return value


class MqttOutput(AlarmOutput):
    """kind = "mqtt": alarms and a retained state, with Home Assistant discovery."""

    kind: Literal["mqtt"]
    root: Word = "lapwing"
    discovery: str = "homeassistant"
    period_s: PeriodS = 5.0
    user: str = ""
    password: SecretReference = ""

    @field_validator("to")
    @classmethod
    def _reachable(cls, value: str) -> str:
        address(value, MQTT, "mqtt://HOST:1883 or mqtts://HOST:8883")
        return value
