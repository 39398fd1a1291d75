"""An OpenID Connect provider on loopback whose responses a test can change."""

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def encode_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class IdentityProvider:
    """Authorises every login as `subject`; `claims`, `header` and `discovery` override output."""

    def __init__(self) -> None:
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.subject = "auth0|grace"
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.issuer = ""
        self.authorization_request: dict[str, str] = {}
        self.signing_key = self.private_key
        self.discovery: dict[str, Any] = {}
        self.body = b""

    def build_discovery_document(self) -> dict[str, Any]:
        issuer = self.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
        } | self.discovery

    def build_jwks(self) -> dict[str, Any]:
        numbers = self.private_key.public_key().public_numbers()
        n, e = (x.to_bytes((x.bit_length() + 7) // 8, "big") for x in (numbers.n, numbers.e))
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "kid": "k1",
                    "use": "sig",
                    "n": encode_base64url(n),
                    "e": encode_base64url(e),
                }
            ]
        }

    def authorize(self, url: str) -> str:
        """Return the URL to which the browser returns after the login."""
        self.authorization_request = request = dict(parse_qsl(urlsplit(url).query))
        return f"{request['redirect_uri']}?code=c1&state={request['state']}"

    def build_token_response(self, form: dict[str, str]) -> dict[str, Any] | None:
        challenge = encode_base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        is_verified = (
            challenge == self.authorization_request["code_challenge"] and form["code"] == "c1"
        )
        if not is_verified or form.get("client_secret") != "s3cret":
            return None
        now = int(time.time())
        nonce = self.authorization_request["nonce"]
        claims = {"iss": self.issuer, "sub": self.subject, "aud": form["client_id"], "iat": now,
                  "exp": now + 300, "nonce": nonce, "at_hash": "x"}  # fmt: skip
        header = {"alg": "RS256", "kid": "k1", "typ": "JWT"} | self.header
        parts = [header, {k: v for k, v in (claims | self.claims).items() if v is not None}]
        text = ".".join(encode_base64url(json.dumps(part).encode()) for part in parts)
        signature = self.signing_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"id_token": f"{text}.{encode_base64url(signature)}", "token_type": "Bearer"}


@contextmanager
def open_identity_provider():
    """Yield a provider that listens until the block ends."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            document = {"/.well-known/openid-configuration": provider.build_discovery_document,
                    "/keys": provider.build_jwks}[path]()  # fmt: skip
            self.respond(document)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.respond(
                provider.build_token_response({k: v[0] for k, v in parse_qs(body).items()})
            )

        def respond(self, document: Any) -> None:
            body = provider.body or json.dumps(document).encode()
            self.send_response(200 if document else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
