"""The key file: one signing key for a service that has no store yet."""

import os
from pathlib import Path

from api.security.access import AccessTokens, Principal
from api.security.signatures import SigningKey, new_signing_key


class Keys:
    """The tokens of one key."""

    def __init__(self, private_pem: bytes, issuer: str, audience: str) -> None:
        self._key = SigningKey("file", "ES256", private_pem)
        trusted = {"file": self._key.verifying()}
        self._tokens = AccessTokens(issuer, audience, trusted.get)

    def sign(self, client: str, scopes: list[str], life_seconds: int = 300) -> str:
        """A token for the client."""
        return self._tokens.sign(
            self._key,
            client=client,
            organisation="local",
            scopes=scopes,
            life_seconds=life_seconds,
        )

    def verify(self, token: str) -> Principal:
        """The client that the token proves."""
        return self._tokens.verify(token)


def read_keys(file: Path, issuer: str, audience: str) -> Keys:
    """The keys in the file; a new one is made, readable by its owner only, where there is none."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as out:
            out.write(new_signing_key("ES256").private_pem)
    return Keys(file.read_bytes(), issuer, audience)
