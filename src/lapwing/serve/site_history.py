"""The [history] table of a site file: a PostgreSQL database that keeps the past besides this machine."""

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lapwing.serve.outputs.entries import SecretReference
from lapwing.serve.postgres_link import usable

SECRETS = {"password", "sslpassword"}
WRITE = "write postgresql://USER@HOST:PORT/DATABASE"


class HistoryEntry(BaseModel):
    """[history]: where the past is kept besides the journal's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    postgres: str = ""  # postgresql://USER@HOST:PORT/DATABASE; "": nowhere else
    password: SecretReference = ""
    every_s: Annotated[float, Field(ge=1, le=3600)] = 5.0

    @field_validator("postgres")
    @classmethod
    def _without_secrets(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            told = parts.password is not None or SECRETS & {name.lower() for name in parse_qs(parts.query, True)}
        except ValueError:
            raise ValueError(f"it is no address; {WRITE}") from None
        if told or "@" in parts.path + parts.fragment:  # a password with a / or a # in it
            raise ValueError("the password does not stand in it: password = 'file:PATH' or 'env:NAME'")
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
            raise ValueError(f"it is no database; {WRITE}")  # what stands there is not repeated: it may hold a secret
        return value

    def shown(self) -> str:
        """Where, without anything that could be a secret."""
        parts = urlsplit(self.postgres)
        host = parse_qs(parts.query).get("host", [""])[0] or parts.hostname or "this machine"
        return f"{host}{parts.path}"

    def refusal(self) -> str:
        """Why it cannot be used here, or ""."""
        return usable() if self.postgres else ""

    def explain(self) -> str:
        """What it will do, in words."""
        return (
            f"paths, alarms, what people did, versions of this file and names of accounts are copied to PostgreSQL on "
            f"{self.shown()} every {self.every_s:g} s; what is older than the history here is read from there"
        )
