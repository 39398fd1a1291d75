"""The second factor: codes of the moment (RFC 6238), and codes for when the device is lost."""

import re
import secrets
import time
from hmac import compare_digest

import pyotp

STEP_SECONDS = 30
CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SPACE = re.compile(r"[\s-]+")


def new_totp() -> str:
    """A new secret, in base 32, for an app that makes codes of it."""
    return pyotp.random_base32()


def totp_address(totp: str, name: str, issuer: str) -> str:
    """What an app reads out of a QR code to take the secret."""
    return pyotp.TOTP(totp).provisioning_uri(name=name, issuer_name=issuer)


def step_of(totp: str, code: str) -> int | None:
    """The half minute that the code is of, now or just before or after; None for no such."""
    given, now = plain_code(code), int(time.time()) // STEP_SECONDS
    right = pyotp.TOTP(totp)
    for step in (now, now - 1, now + 1):
        if compare_digest(right.at(step * STEP_SECONDS).encode(), given.encode()):
            return step
    return None


def new_recovery_codes() -> tuple[str, ...]:
    """Codes of about 50 random bits, each good once."""
    return tuple(
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(2))
        for _ in range(CODES)
    )


def plain_code(code: str) -> str:
    """A code as it is compared: no spaces, no hyphens, small letters."""
    return _SPACE.sub("", code[:40]).lower()
