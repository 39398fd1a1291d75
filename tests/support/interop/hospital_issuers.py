"""Hospitals with an issuer or an EHR of their own: keys and tokens made by another library."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from support.builders import Clinic, do

from api.outbound.allowlist import HostPort
from api.store.accounts import issuers
from api.store.deliveries import allowed_hosts
from api.store.store import Store
from schemas.issuer import Issuer, IssuerTerms

KINDS: dict[str, dict[str, Any]] = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    **{name: {"kty": "RSA", "size": 2048} for name in ("RS256", "RS384", "RS512")},
}


class Signer:
    """A key and what it signs. RSA keys are costly: one is made for all."""

    _made: dict[str, JWK] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, algorithm: str = "ES384", kid: str = "k1") -> None:
        self.algorithm, self.kid = algorithm, kid
        kind = KINDS[algorithm]
        new = kind["kty"] == "EC" or algorithm not in self._made
        self.key = JWK.generate(**kind) if new else self._made[algorithm]
        self._made[algorithm] = self.key

    def jwk(self, **more: Any) -> dict[str, Any]:
        told = self.key.export_public(as_dict=True) | {"kid": self.kid} | more
        return {name: each for name, each in told.items() if each is not None}

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | header
        head = {name: each for name, each in head.items() if each is not None}
        signed = JWT(header=head, claims=claims)
        signed.make_signed_token(self.key)
        return str(signed.serialize())


class Hospital(Signer):
    """An issuer that is entered for a clinic."""

    def __init__(
        self,
        store: Store,
        clinic: Clinic,
        kind: str,
        algorithm: str = "ES384",
        audience: str = "",
        name: str = "",
        **terms: Any,
    ) -> None:
        super().__init__(algorithm)
        self.name = name or f"https://issuer-{uuid4()}.example"
        self.audience = audience
        if "key_set_url" not in terms:
            terms.setdefault("keys", [self.jwk()])
        self.entered: Issuer = do(
            store, clinic, issuers.add_issuer, kind, self.name, audience, IssuerTerms(**terms)
        )

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": self.name,
            "aud": self.audience,
            "sub": "an-EHR",
            "iat": now,
            "exp": now + 240,
            "jti": str(uuid4()),
        } | more
        return {name: each for name, each in told.items() if each is not None}


class Published:
    """A set of keys behind an address on loopback, and how often it was fetched."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.instead: Any = None
        self.headers = {"Cache-Control": "max-age=300"}
        self.status = 200
        self.fetched = 0
        self.url = ""
        self.place = HostPort("127.0.0.1", 0)


@contextmanager
def publishing() -> Iterator[Published]:
    """A server that publishes a set of keys."""
    told = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.fetched += 1
            instead = told.instead is not None
            body = json.dumps(told.instead if instead else {"keys": told.keys}).encode()
            self.send_response(told.status)
            for name, value in {**told.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        told.place = HostPort("127.0.0.1", server.server_port)
        told.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        yield told
        server.shutdown()
        thread.join()


def allow(store: Store, clinic: Clinic, place: HostPort) -> None:
    """Let the clinic's connections go there, though it lies in the house."""
    do(store, clinic, allowed_hosts.add_allowed_host, place, private=True)
