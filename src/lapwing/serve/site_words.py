"""What a site file will do, in words: for `lapwing check` and for who changes the file on the page."""

from lapwing.records import Site
from lapwing.serve.feed_words import explain
from lapwing.serve.site import SiteFile


def words(entry: SiteFile, site: Site) -> list[str]:
    """One line a feed and output, and one about the page."""
    out = [f"feed {feed.feed!r}: {explain(feed)}" for feed in site.feeds]
    out += [f"output {output.name!r}: {output.explain()}" for output in entry.output]
    return [*out, f"page: {entry.web.explain()}"]
