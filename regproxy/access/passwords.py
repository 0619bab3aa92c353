"""Passwords as hashes: scrypt with a salt of its own for each, and the parameters beside it.

A check takes some tens of milliseconds and 16 MiB on purpose: call it in a thread. One of a user who is not there takes as long.
"""

import hmac
from base64 import b64decode, b64encode
from hashlib import scrypt
from secrets import token_bytes

LOG_N, R, P = 14, 8, 1
_MEMORY = 64 << 20
_LENGTH = 32
SHORTEST, LONGEST = 8, 1024
"""Of a password: what is longer costs time to read, and is no better."""


def hashed(password: str) -> str:
    """Hash a password, to be kept. Slow."""
    salt = token_bytes(16)
    return _written(LOG_N, R, P, salt, _derive(password, salt, LOG_N, R, P))


def is_right(password: str, kept: str) -> bool:
    """Whether it is the one that was hashed. Slow, whatever is given."""
    good = len(password) <= LONGEST
    parts = (kept or NOBODY).split("$")
    log_n, r, p = (int(part) for part in parts[1:4])
    derived = _derive(password if good else "", b64decode(parts[4]), log_n, r, p)
    return hmac.compare_digest(derived, b64decode(parts[5])) and good and bool(kept)


def _derive(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return scrypt(password.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=_LENGTH)


def _written(log_n: int, r: int, p: int, salt: bytes, derived: bytes) -> str:
    return "$".join(("scrypt", str(log_n), str(r), str(p), b64encode(salt).decode(), b64encode(derived).decode()))


NOBODY = _written(LOG_N, R, P, bytes(16), bytes(_LENGTH))
"""What the password of somebody without one is compared with: no password hashes to it."""
