"""What a site file will do, in words: for `lapwing check` and for who changes the file on the page."""

from pathlib import Path

from lapwing.records import Site
from lapwing.serve.feed_words import explain
from lapwing.serve.outputs.entries import secret
from lapwing.serve.site import SiteFile


def missing(entry: SiteFile, site: Site, folder: Path) -> list[str]:
    """Secrets of feeds, links and the database that the site names and that are not there: it would not start.
    `folder`: of the site file."""
    out = []
    others = [("[history]", entry.history.password), *((f"site link {k.name!r}", k.token) for k in entry.site_link)]
    for where, reference in others:
        try:
            secret(reference, folder)
        except OSError as error:
            out.append(f"{where}: {error}")
    for feed in site.feeds:
        try:
            secret(feed.secret, Path())
        except OSError as error:
            out.append(f"feed {feed.feed!r}: {error}")
    return out


def words(entry: SiteFile, site: Site) -> list[str]:
    """One line a feed and output, and one about the page."""
    out = [f"feed {feed.feed!r}: {explain(feed)}" for feed in site.feeds]
    out += [f"output {output.name!r}: {output.explain()}" for output in entry.output]
    for plan in entry.plan:
        out.append(f"plan {plan.name!r}: {plan.file}, served from this machine only, shown to who sees the page")
    out += [f"site link {link.name!r}: {link.explain()}" for link in entry.site_link]
    if entry.history.postgres:
        out.append(f"history: {entry.history.explain()}")
    return [*out, f"page: {entry.web.explain()}"]
