"""Quiet hours of an alarm output: what is less urgent waits until they are over. Critical never waits.

By this machine's clock, in the site's local time, because it is about people's sleep. Summer time is the time zone's.
"""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lapwing.records import Priority
from lapwing.serve.outputs.outbox import News

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class QuietEntry(BaseModel):
    """quiet = { from = "22:00", to = "06:00", timezone = "Europe/Oslo", below = "high" }."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    begin: Annotated[Clock, Field(alias="from")]
    to: Clock
    timezone: str = "UTC"
    below: Literal["critical", "high", "medium"] = "high"  # what is less urgent than this waits

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError):
            raise ValueError("there is no such time zone on this machine; write it like Europe/Oslo") from None
        return value

    @model_validator(mode="after")
    def _some_time(self) -> "QuietEntry":
        if self.begin == self.to:
            raise ValueError("quiet hours that begin when they end would be none, or all")
        return self

    def until_ns(self, now_ns: int) -> int:
        """When the quiet hours that are now will be over; 0 when there are none now."""
        zone = ZoneInfo(self.timezone)
        local = datetime.fromtimestamp(now_ns // 10**9, zone)
        now, begin, end = (f"{local:%H:%M}", self.begin, self.to)
        quiet = begin <= now < end if begin < end else now >= begin or now < end
        if not quiet:
            return 0
        day = local.date() + timedelta(days=now >= end)
        over = round(datetime.combine(day, time.fromisoformat(end), zone).timestamp()) * 10**9
        return max(over, now_ns)  # where the clock is put back, the hour is over when it strikes first

    def explain(self) -> str:
        """For a person."""
        return (
            f"from {self.begin} to {self.to} ({self.timezone}) what is below {self.below} waits until they are over; "
            "critical always goes at once"
        )


def held(quiet: QuietEntry | None, news: News, now_ns: int) -> News:
    """The news, marked with the time until which it waits."""
    if quiet is None or news.event == "test" or Priority[news.priority.upper()] <= Priority[quiet.below.upper()]:
        return news
    return replace(news, held_ns=quiet.until_ns(now_ns))
