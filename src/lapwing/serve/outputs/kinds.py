"""The kinds of outputs that exist."""

from typing import Annotated

from pydantic import Field

from lapwing.serve.outputs.entries import AsterixOutput, CotOutput, Output, SapientOutput, SbsOutput
from lapwing.serve.outputs.entries_alarms import CapOutput, EmailOutput, MqttOutput, NtfyOutput, WebhookOutput

OutputEntry = Annotated[
    CotOutput
    | AsterixOutput
    | SbsOutput
    | SapientOutput
    | WebhookOutput
    | EmailOutput
    | NtfyOutput
    | MqttOutput
    | CapOutput,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[Output]] = {
    "cot": CotOutput,
    "asterix": AsterixOutput,
    "sbs": SbsOutput,
    "sapient": SapientOutput,
    "webhook": WebhookOutput,
    "email": EmailOutput,
    "ntfy": NtfyOutput,
    "mqtt": MqttOutput,
    "cap": CapOutput,
}
