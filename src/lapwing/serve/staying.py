"""A site that runs, and starts again when its file was changed on the page. A file that does not start is put back."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lapwing.engine.journal import JournalError
from lapwing.serve.listening import WebAddressError
from lapwing.serve.operate import Summary, Wish, operate
from lapwing.serve.site import SiteError, SiteFile, essence, examined
from lapwing.serve.site_words import missing, words
from lapwing.serve.versions import VersionError, Versions
from lapwing.serve.web_config import ConfigDesk

log = logging.getLogger("lapwing")


def stay(site: Path, wish_of: Callable[[SiteFile], Wish]) -> Summary:
    """Run the site until told to stop; the summary of the last run. Raises SiteError, JournalError, WebAddressError."""
    good = ""  # the text that ran last
    while True:
        text, desk = _read(site), None
        up = [False]

        def on_url(url: str, up: list[bool] = up) -> None:
            up[0] = True
            log.info("live picture: %s", url)

        try:
            entry, frozen = examined(text, site)
            desk = _desk(site) if entry.web.configure else None
            summary = operate(entry, text, frozen, replace(wish_of(entry), config=desk), on_url=on_url)
        except (SiteError, JournalError, WebAddressError, OSError) as error:
            if not good or good == text or up[0]:
                raise
            _put_back(site, good, error)
            continue
        finally:
            if desk is not None:
                desk.versions.close()
        if desk is None or not desk.again.is_set():
            return summary
        good = text


def _read(site: Path) -> str:
    try:
        return site.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SiteError(str(site), ["not UTF-8 text"]) from None
    except OSError as error:
        raise SiteError(str(site), [f"cannot be read: {error.strerror}"]) from None


def _desk(site: Path) -> ConfigDesk:
    """Raises JournalError where versions cannot be kept."""

    def examine(text: str) -> tuple[list[str], list[str]]:
        try:
            entry, frozen = examined(text, site)
        except SiteError as error:
            return list(error.problems), []
        if lacking := missing(entry, frozen, site.parent):
            return lacking, []
        told = words(entry, frozen)
        if essence(text) != essence(running.text):
            told.append("the journal so far is moved aside when it starts: kept, but no longer in this page's past")
        return [], told

    try:
        versions = Versions(site)
        running = versions.now()
    except VersionError as error:
        raise JournalError(str(error)) from error
    return ConfigDesk(versions, examine, running.number)


def _put_back(site: Path, good: str, error: Exception) -> None:
    """The text that ran last, as a version that says why."""
    versions = Versions(site)
    try:
        now = versions.now()
        why = "; ".join(error.problems) if isinstance(error, SiteError) else str(error)
        log.error("version %d did not start, the one before is put back: %s", now.number, why)
        versions.save(good, now.number, "", f"put back: version {now.number} did not start: {why}"[:1000])
    finally:
        versions.close()
