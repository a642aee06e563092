"""Expected failures of commands, told to the person at the keyboard in a sentence."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer


class Trouble(Exception):
    """Something that the person at the keyboard can mend; `lines` say what."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def seconds(text: str | None) -> float | None:
    """The seconds in "90s", "15m", "2h". Raises Trouble."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not match or float(match[1]) <= 0:
        raise Trouble(f"--for {text!r} is not a time; write it like 90s, 15m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with expected failures told in a sentence instead of a traceback."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        from lapwing.engine.journal import JournalError
        from lapwing.serve.listening import WebAddressError
        from lapwing.serve.recordings import RecordingError
        from lapwing.serve.site import SiteError

        try:
            command(*args, **kwargs)
        except SiteError as error:
            typer.echo(f"{error}:", err=True)
            for problem in error.problems:
                typer.echo(f"  - {problem}", err=True)
            raise typer.Exit(2) from None
        except Trouble as error:
            for line in error.lines:
                typer.echo(f"lapwing: {line}", err=True)
            raise typer.Exit(2) from None
        except (JournalError, RecordingError, WebAddressError, OSError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            name = getattr(error, "filename", None)
            typer.echo(f"lapwing: {text}{f': {name}' if name else ''}", err=True)
            raise typer.Exit(1) from None

    return guarded
