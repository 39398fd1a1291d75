"""An identity provider of our own on loopback: it says what a test wants it to say."""

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


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class IdentityProvider:
    """Authorises whoever comes, as `subject`; `says` changes claims, `header` the header."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.subject = "auth0|grace"
        self.says: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.issuer = ""
        self.asked: dict[str, str] = {}
        self.signs = self.private
        self.described: dict[str, Any] = {}
        self.body = b""

    def description(self) -> dict[str, Any]:
        here = self.issuer
        return {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "jwks_uri": f"{here}/keys",
        } | self.described

    def keys(self) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        n, e = (x.to_bytes((x.bit_length() + 7) // 8, "big") for x in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "kid": "k1", "use": "sig", "n": b64(n), "e": b64(e)}]}

    def authorize(self, address: str) -> str:
        """What the browser is sent back to, once the person has said yes."""
        self.asked = dict(parse_qsl(urlsplit(address).query))
        return f"{self.asked['redirect_uri']}?code=c1&state={self.asked['state']}"

    def token(self, sent: dict[str, str]) -> dict[str, Any] | None:
        challenge = b64(hashlib.sha256(sent["code_verifier"].encode()).digest())
        proved = challenge == self.asked["code_challenge"] and sent["code"] == "c1"
        if not proved or sent.get("client_secret") != "s3cret":
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": sent["client_id"], "iat": now,
                  "exp": now + 300, "nonce": self.asked["nonce"], "at_hash": "x"}  # fmt: skip
        header = {"alg": "RS256", "kid": "k1", "typ": "JWT"} | self.header
        parts = [header, {k: v for k, v in (claims | self.says).items() if v is not None}]
        text = ".".join(b64(json.dumps(each).encode()) for each in parts)
        signature = self.signs.issue(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"id_token": f"{text}.{b64(signature)}", "token_type": "Bearer"}


@contextmanager
def identity_provider():
    """One that listens until the block ends."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            told = {"/.well-known/openid-configuration": provider.description,
                    "/keys": provider.keys}[path]()  # fmt: skip
            self.answer(told)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(provider.token({k: v[0] for k, v in parse_qs(body).items()}))

        def answer(self, told: Any) -> None:
            body = provider.body or json.dumps(told).encode()
            self.send_response(200 if told else 400)
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
