"""The second factor: one-time codes (TOTP, RFC 6238) and recovery codes."""

import re
import secrets
import time
from hmac import compare_digest

import pyotp

STEP_SECONDS = 30
RECOVERY_CODE_COUNT = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SEPARATORS = re.compile(r"[\s-]+")


def generate_totp_secret() -> str:
    """Generate a TOTP secret in base 32, for an authenticator app."""
    return pyotp.random_base32()


def build_provisioning_uri(totp: str, name: str, issuer: str) -> str:
    """Return the provisioning URI that an app reads from a QR code."""
    return pyotp.TOTP(totp).provisioning_uri(name=name, issuer_name=issuer)


def find_matching_step(totp: str, code: str) -> int | None:
    """Return the time step that matches a code: the current, previous or next one, or None."""
    normalised, now = normalise_code(code), int(time.time()) // STEP_SECONDS
    generator = pyotp.TOTP(totp)
    for step in (now, now - 1, now + 1):
        if compare_digest(generator.at(step * STEP_SECONDS).encode(), normalised.encode()):
            return step
    return None


def generate_recovery_codes() -> tuple[str, ...]:
    """Generate single-use codes of about 50 random bits."""
    return tuple(
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(2))
        for _ in range(RECOVERY_CODE_COUNT)
    )


def normalise_code(code: str) -> str:
    """Normalise a code for comparison: no spaces, no hyphens, lower case."""
    return _SEPARATORS.sub("", code[:40]).lower()
