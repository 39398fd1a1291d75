"""Hospitals with their own issuer or EHR, with keys and tokens made by another library."""

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
from schemas.organisations.issuer import Issuer, IssuerTerms

KEY_PARAMETERS: dict[str, dict[str, Any]] = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    **{name: {"kty": "RSA", "size": 2048} for name in ("RS256", "RS384", "RS512")},
}


class Signer:
    """Signs tokens with its key. RSA keys are costly: all signers of an algorithm share one."""

    _rsa_keys: dict[str, JWK] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, algorithm: str = "ES384", kid: str = "k1") -> None:
        self.algorithm, self.kid = algorithm, kid
        self.key = self._rsa_keys.get(algorithm) or JWK.generate(**KEY_PARAMETERS[algorithm])
        if algorithm.startswith("RS"):
            self._rsa_keys[algorithm] = self.key

    def export_jwk(self, **members: Any) -> dict[str, Any]:
        """Return the public key; a member that is None is left out."""
        return _drop_none(self.key.export_public(as_dict=True) | {"kid": self.kid} | members)

    def sign_token(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a signed token; a header member that is None is left out."""
        full_header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | header
        token = JWT(header=_drop_none(full_header), claims=claims)
        token.make_signed_token(self.key)
        return str(token.serialize())


class Hospital(Signer):
    """An issuer that a clinic trusts."""

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
            terms.setdefault("keys", [self.export_jwk()])
        self.issuer: Issuer = do(
            store, clinic, issuers.add_issuer, kind, self.name, audience, IssuerTerms(**terms)
        )

    def build_claims(self, **claims: Any) -> dict[str, Any]:
        """Return the claims of a token; a claim that is None is left out."""
        now = int(time.time())
        default_claims = {
            "iss": self.name,
            "aud": self.audience,
            "sub": "an-EHR",
            "iat": now,
            "exp": now + 240,
            "jti": str(uuid4()),
        }
        return _drop_none(default_claims | claims)


class JwksServer:
    """A server of a JWK set on loopback. `body`, if set, is sent instead of the keys."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.body: Any = None
        self.headers = {"Cache-Control": "max-age=300"}
        self.status = 200
        self.fetch_count = 0
        self.url = ""
        self.host_port = HostPort("127.0.0.1", 0)


@contextmanager
def running_jwks_server() -> Iterator[JwksServer]:
    """Serve a JWK set until the block ends."""
    jwks_server = JwksServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jwks_server.fetch_count += 1
            document = {"keys": jwks_server.keys} if jwks_server.body is None else jwks_server.body
            body = json.dumps(document).encode()
            self.send_response(jwks_server.status)
            for name, value in {**jwks_server.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        jwks_server.host_port = HostPort("127.0.0.1", server.server_port)
        jwks_server.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        yield jwks_server
        server.shutdown()
        thread.join()


def allow_host(store: Store, clinic: Clinic, host_port: HostPort) -> None:
    """Allow the clinic's connections to a private host."""
    do(store, clinic, allowed_hosts.add_allowed_host, host_port, private=True)


def _drop_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
