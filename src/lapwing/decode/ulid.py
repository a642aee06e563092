"""ULIDs that say the same at every start: 48 bits of a time in milliseconds, then 80 bits of a digest of a text.

The form: 26 characters of Crockford's base 32, upper case, the first at most 7 (github.com/ulid/spec). A true ULID ends
in random bits; ours end in a digest, so that the same thing has the same name after a restart, without a memory.
"""

import hashlib

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MILLISECONDS_MAX = (1 << 48) - 1


def ulid(time_ns: int, text: str) -> str:
    """The ULID of what `text` names and began at `time_ns` (UTC, not negative)."""
    tail = hashlib.blake2b(text.encode(), digest_size=10).digest()
    number = min(max(time_ns, 0) // 10**6, MILLISECONDS_MAX) << 80 | int.from_bytes(tail, "big")
    return "".join(DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
