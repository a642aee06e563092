"""The key that signs evidence (Ed25519, RFC 8032), and how a public key is named: by the SHA-256 of its 32 bytes.

It lies in the configuration folder of whoever runs Lapwing, not with the journal: a copied journal must not carry it.
Refuses keys that others can read, and keys of another kind.
"""

import hashlib
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PEM_BYTES_MAX = 10_000


class KeyTrouble(Exception):
    """A key that cannot be used; the message is one sentence for a person."""


def default_path() -> Path:
    """Where the key lies when nobody says otherwise."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "lapwing" / "evidence_key.pem"


def signing_key(path: Path) -> tuple[Ed25519PrivateKey, bool]:
    """The key in a file, and whether it was made just now because there was none. Raises KeyTrouble."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path), False
    except OSError as error:
        raise KeyTrouble(f"the key {path} cannot be made: {error.strerror}") from error
    key = Ed25519PrivateKey.generate()
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    return key, True


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise KeyTrouble(f"others can read the key {path} (mode {mode & 0o777:o}); chmod 600 it, or make a new one")
        key = load_pem_private_key(_small(path), None)
    except OSError as error:
        raise KeyTrouble(f"the key {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyTrouble(f"{path} is no private key in PEM without a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyTrouble(f"{path} is no Ed25519 key")
    return key


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PEM_BYTES_MAX)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes that everybody may know."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_pem(public: bytes) -> bytes:
    """The same for other tools."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public: bytes) -> str:
    """The name of a public key: 64 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()


def expected_fingerprint(wanted: str) -> str:
    """The fingerprint that a person means: itself, or a public key's file. Raises KeyTrouble."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", wanted):
        return wanted.lower()
    try:
        key = load_pem_public_key(_small(Path(wanted)))
    except OSError as error:
        raise KeyTrouble(f"the public key {wanted} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyTrouble(f"{wanted} is no public key in PEM and no fingerprint of 64 digits") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyTrouble(f"{wanted} is no Ed25519 key")
    return fingerprint(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key's owner signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
