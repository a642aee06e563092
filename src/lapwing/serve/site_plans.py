"""[[plan]] of the site file: a map of the site's own, shown over the base map and served from this machine only.

Every plan states the SHA-256 of its file, so that the site file in a piece of evidence says which plan was shown.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from lapwing.serve.plan_files import Content, PlanFileError, geojson, pmtiles
from lapwing.serve.site_sensors import FORBID, Name

PLANS_MAX = 16
GEOJSON_BYTES_MAX = 8 << 20
PMTILES_BYTES_MAX = 512 << 20
CHUNK_BYTES = 1 << 20
Credit = Annotated[str, Field(max_length=200)]


class PlanEntry(BaseModel):
    """[[plan]]: one file."""

    model_config = FORBID
    name: Name
    file: Annotated[str, Field(min_length=1, max_length=1000)]
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    credit: Credit = ""
    label: Annotated[str, Field(max_length=64)] = "name"


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it can be shown. `sha256`, `size_bytes` and `changed_ns` are of the file when it was read."""

    name: str
    slug: str  # in addresses
    path: Path
    content: Content
    credit: str
    label: str  # the property that names a feature, "" = none
    sha256: str
    size_bytes: int
    changed_ns: int

    def unchanged(self) -> bool:
        """Whether the file still has the size and time that it had when it was read."""
        try:
            stat = self.path.stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (self.size_bytes, self.changed_ns)


def slug(name: str) -> str:
    """A name as a word of an address: "Apron 2 (north)" is "apron-2-north"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "plan"


def checked(entries: list[PlanEntry]) -> None:
    """Raises ValueError where two plans cannot be told apart, or are too many."""
    if len(entries) > PLANS_MAX:
        raise ValueError(f"{len(entries)} plans; there may be {PLANS_MAX}")
    slugs = [slug(p.name) for p in entries]
    double = [p.name for p in entries if slugs.count(slug(p.name)) > 1]
    if double:
        raise ValueError(f"plans {double[0]!r} and {double[1]!r} have the same word in addresses; rename one")


def plan_of(entry: PlanEntry, folder: Path) -> Plan:
    """The plan, read and examined; its path is relative to the site file's folder. Raises PlanFileError with a
    sentence."""
    path = (folder / entry.file).resolve()
    content, sha256, stat = read(path)
    if not entry.sha256:
        raise PlanFileError(f"'sha256' is missing: evidence must say which plan was shown; write sha256 = \"{sha256}\"")
    if entry.sha256 != sha256:
        raise PlanFileError(f"{path.name} is another file than stated: its sha256 is {sha256}")
    credit = entry.credit or content.credit
    seen = (stat.st_size, stat.st_mtime_ns)
    return Plan(entry.name, slug(entry.name), path, content, credit, entry.label, sha256, *seen)


def read(path: Path) -> tuple[Content, str, os.stat_result]:
    """What a plan's file holds, its SHA-256, and its size and time. Raises PlanFileError."""
    suffix = path.suffix.lower()
    if suffix == ".gpkg":
        raise PlanFileError(f"{path.name}: a GeoPackage is made a plan by: lapwing basemap add SITE {path.name}")
    if suffix not in (".geojson", ".json", ".pmtiles"):
        raise PlanFileError(f"{path.name}: a plan is a .geojson or a .pmtiles file")
    tiles = suffix == ".pmtiles"
    limit = PMTILES_BYTES_MAX if tiles else GEOJSON_BYTES_MAX
    if not path.is_file():
        raise PlanFileError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_size > limit:
                raise PlanFileError(f"{path.name} has {stat.st_size >> 20} MiB; at most {limit >> 20} are read")
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            file.seek(0)
            content = pmtiles(file, stat.st_size) if tiles else geojson(file.read(limit + 1))
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}") from None
    return content, digest.hexdigest(), stat


def plans_of(entries: list[PlanEntry], folder: Path) -> tuple[Plan, ...]:
    """All plans of a site file. Raises PlanFileError."""
    return tuple(plan_of(entry, folder) for entry in entries)


def unfit(plan: PlanEntry, folder: Path) -> str:
    """Why a plan cannot be shown, or nothing."""
    try:
        plan_of(plan, folder)
    except PlanFileError as error:
        return str(error)
    return ""
