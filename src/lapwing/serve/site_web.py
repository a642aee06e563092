"""The [web] table of a site file: where the picture is served, and to whom."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lapwing.serve.guard import is_loopback


class WebEntry(BaseModel):
    """[web]: where the picture is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8480
    names: list[str] = []  # further host names by which browsers may reach it
    acts: bool | None = None  # whether people may acknowledge and shelve; by default where they log in or it is local
    login: bool = False  # whether everybody must log in
    accounts: str = "accounts.sqlite"  # the file of those who can, beside the site file

    def explain(self) -> str:
        """Who can see and do what, for a person."""
        alone = is_loopback(self.host) and not self.names
        seen = "whoever logs in" if self.login else "whoever uses this machine" if alone else "whoever can reach it"
        out = f"http://{self.host}:{self.port}/ shows the picture to {seen}; "
        out += "people may act about alarms" if self.may_act() else "nobody can act about alarms"
        if self.login and not alone:
            return out + "; passwords travel unencrypted unless a proxy with TLS is in front"
        return out if self.login or alone else out + "; `login = true` would ask who it is"

    def may_act(self) -> bool:
        """Whether people may. Further names are for others: a proxy."""
        return (self.login or (is_loopback(self.host) and not self.names)) if self.acts is None else self.acts
