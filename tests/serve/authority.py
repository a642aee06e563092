"""A certificate authority that lives as long as a test: it signs for `localhost` and 127.0.0.1."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Its files: ca.pem, and the server's certificate and key."""

    folder: Path

    @property
    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context


def authority(folder: Path, names: tuple[str, ...] = ("localhost",), ca: str = "ca.pem") -> Authority:
    folder.mkdir(exist_ok=True)
    root, leaf = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    issuer = _name("Lapwing test authority")
    top = _begun(issuer, issuer, root).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(*[False] * 5, True, True, False, False)  # signs certificates and lists
    top = top.add_extension(usage, critical=True)
    own = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    (folder / ca).write_bytes(top.add_extension(own, critical=False).sign(root, SHA256()).public_bytes(Encoding.PEM))
    known = [*(x509.DNSName(n) for n in names), x509.IPAddress(ip_address("127.0.0.1"))]
    made = _begun(_name(names[0]), issuer, leaf).add_extension(x509.SubjectAlternativeName(known), critical=False)
    of_root = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    made = made.add_extension(of_root, critical=False)
    (folder / "server.pem").write_bytes(made.sign(root, SHA256()).public_bytes(Encoding.PEM))
    key = leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(key)
    return Authority(folder)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
