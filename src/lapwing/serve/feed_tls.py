"""Certificates of feeds: what a [[feed]] table says of them, and the TLS contexts made of it.

Who listens shows its certificate, and asks the others for theirs where it is told an authority. Who connects checks the
other side's certificate and name always. Refuses keys that would do nothing: a site must not look safer than it is.
"""

import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lapwing.records import TlsConfig

log = logging.getLogger("lapwing.feeds")
CONNECTS = ("mqtts", "sapient-peer+tls")
LISTENS = ("sapient+tls",)
HANDSHAKE_S = 10.0


class FeedTls(BaseModel):
    """The keys of a [[feed]] table that are about TLS."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    ca: str = ""  # file with the certificate of who vouches for the other side
    certificate: str = ""  # our own
    key: str = ""
    server_name: str = ""  # that the other side's certificate must bear, when it is not the host's
    certified: bool = False  # of sapient+tls: the certificate of a node must name its node_id

    def check_tls(self, source: str) -> None:
        """Raises ValueError for a key that is missing, or would do nothing."""
        scheme = source.partition(":")[0]
        useless = [k for k in FeedTls.model_fields if getattr(self, k) and scheme not in (*CONNECTS, *LISTENS)]
        if useless:
            schemes = ", ".join(f"{s}://" for s in (*LISTENS, *CONNECTS))
            raise ValueError(f"{useless[0]!r} does nothing for {scheme}: TLS is spoken by {schemes}")
        if scheme in LISTENS and not self.certificate:
            raise ValueError(f"{scheme}:// listens: it needs 'certificate' and 'key' to show to those who connect")
        if scheme in LISTENS and self.server_name:
            raise ValueError(f"'server_name' does nothing for {scheme}: here we are the server")
        if self.certified and not (scheme in LISTENS and self.ca):
            raise ValueError(f"'certified' does nothing here: it needs {LISTENS[0]}:// with 'ca'")
        if self.key and not self.certificate:
            raise ValueError("'key' needs 'certificate'")

    def tls_config(self, source: str, folder: Path) -> TlsConfig | None:
        """Frozen, relative paths made absolute; None where the feed speaks in clear."""
        if source.partition(":")[0] not in (*CONNECTS, *LISTENS):
            return None
        ca, certificate, key = (
            str((folder / name).resolve()) if name else "" for name in (self.ca, self.certificate, self.key)
        )
        return TlsConfig(ca, certificate, key, self.server_name, self.certified)


def connecting(tls: TlsConfig) -> ssl.SSLContext:
    """For who connects. Reads files. Raises OSError (SSLError is one) when one is missing or no certificate."""
    context = ssl.create_default_context(cafile=tls.authority or None)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    return context


def listening(tls: TlsConfig) -> ssl.SSLContext:
    """For who listens: with an authority, nobody without a certificate of it comes in. Raises as `connecting`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.authority or None)
    context.load_cert_chain(tls.certificate, tls.key or None)
    if tls.authority:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Certificates:
    """The context for who listens. Its files are looked at for every connection and read again when they have changed;
    while the new ones cannot be used, the old ones stay."""

    def __init__(self, feed: str, tls: TlsConfig) -> None:
        """Reads files. Raises OSError."""
        self._feed, self._tls = feed, tls
        self._stamps, self._context = _stamps(tls), listening(tls)

    def context(self) -> ssl.SSLContext:
        """As the files are now. Reads files."""
        stamps = _stamps(self._tls)
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = listening(self._tls)
                log.info("feed %s: the certificate files were read again", self._feed)
            except OSError as error:
                log.warning("feed %s: the new certificate files cannot be used, the old stay: %s", self._feed, error)
        return self._context


def _stamps(tls: TlsConfig) -> tuple[tuple[int, int], ...]:
    """When each file was changed, and its length; zeros where there is none."""
    out = []
    for path in (tls.authority, tls.certificate, tls.key):
        try:
            found = Path(path).stat() if path else None
        except OSError:
            found = None
        out.append((found.st_mtime_ns, found.st_size) if found else (0, 0))
    return tuple(out)


def names_in(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Whom a checked certificate (`getpeercert`) names, in lower case: its common names, DNS names and URIs; of
    urn:uuid: the UUID."""
    told = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    told += [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")]
    return frozenset(name.lower().removeprefix("urn:uuid:") for name in told)


def unusable(tls: TlsConfig | None, *, listens: bool) -> str:
    """Why these files cannot be used, "" when they can."""
    if tls is None:
        return ""
    for path in (tls.authority, tls.certificate, tls.key):
        if path and not Path(path).is_file():
            return f"there is no file {path}"
    try:
        (listening if listens else connecting)(tls)
    except OSError as error:
        return f"the certificate files cannot be used: {getattr(error, 'reason', None) or error.strerror or error}"
    return ""
