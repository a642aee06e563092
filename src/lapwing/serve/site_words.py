"""What a site file will do, in words: for `lapwing check` and for who changes the file on the page."""

from pathlib import Path

from lapwing.records import Site
from lapwing.serve.feed_words import explain
from lapwing.serve.outputs.entries import secret
from lapwing.serve.site import SiteFile


def missing(site: Site) -> list[str]:
    """Secrets of feeds that the site names and that are not there: it would not start."""
    out = []
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
    return [*out, f"page: {entry.web.explain()}"]
