"""A small EHR on loopback that launches SMART apps: discovery, authorization, token, Patient."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from support.interop.hospital_issuers import Signer

from api.outbound.allowlist import HostPort

CLIENT_ID = "nociscreen-at-the-EHR"
SYSTEM = "urn:oid:1.2.3"


class EhrStandIn(Signer):
    """An EHR in which a practitioner has a chart open. Every attribute may be changed by a test."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()
        self.url, self.host_port = "", HostPort("127.0.0.1", 0)

    def reset(self) -> None:
        """Return to the responses of an EHR that does all right."""
        self.subject = "practitioner-7"
        self.patient: dict[str, Any] = {
            "resourceType": "Patient",
            "id": "p1",
            "identifier": [{"system": SYSTEM, "value": "N-1"}, {"system": "urn:x", "value": "9"}],
            "name": [{"family": "Test", "given": ["Pat"]}],
            "birthDate": "1982-05-01",
        }
        self.claims: dict[str, Any] = {}
        self.token: dict[str, Any] = {"patient": "p1"}
        self.discovery: dict[str, Any] = {}
        self.status = 200
        self.authorization: dict[str, str] = {}
        self.redemption_count = 0

    @property
    def fhir_url(self) -> str:
        """The address of its FHIR resources: the `iss` of a launch."""
        return f"{self.url}/fhir"

    def answer_get(self, path: str, query: str, authorization: str) -> tuple[int, Any]:
        """Return status and content of a page or resource; text is where to go next."""
        match path:
            case "/fhir/.well-known/smart-configuration":
                endpoints = {"issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
                             "token_endpoint": f"{self.url}/token",
                             "capabilities": ["permission-v2"]}  # fmt: skip
                return self.status, endpoints | self.discovery
            case "/jwks":
                return 200, {"keys": [self.export_jwk()]}
            case "/authorize":
                self.authorization = dict(parse_qsl(query))
                state = self.authorization["state"]
                back = urlencode({"code": "c0de", "state": state})
                return 303, f"{self.authorization['redirect_uri']}?{back}"
            case "/fhir/Patient/p1" if authorization == "Bearer an-access-token":
                return 200, self.patient
        return 404, {}

    def answer_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Redeem the code of the launch, with the verifier of its challenge alone."""
        self.redemption_count += 1
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        request = self.authorization
        is_right = (form["code"], form["client_id"], form["redirect_uri"]) == (
            "c0de", CLIENT_ID, request["redirect_uri"])  # fmt: skip
        if not is_right or challenge != request["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": self.subject, "iat": now,
                  "exp": now + 300, "nonce": request["nonce"],
                  "fhirUser": f"{self.fhir_url}/Practitioner/7"}  # fmt: skip
        id_token = self.sign_token(claims | self.claims)
        return 200, {"access_token": "an-access-token", "token_type": "Bearer",
                     "id_token": id_token} | self.token  # fmt: skip


@contextmanager
def running_ehr() -> Iterator[EhrStandIn]:
    """Serve the EHR until the block ends. Its page `/chart` shows the app in a frame."""
    ehr = EhrStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            if target.path == "/chart":
                app = parse_qs(target.query)["app"][0]
                launch = urlencode({"iss": ehr.fhir_url, "launch": "l-1"})
                address = f"{app}/launch?{launch}".replace("&", "&amp;")
                page = f"<!doctype html><title>Chart</title><iframe id=app src='{address}'>"
                self._send(200, page.encode(), "text/html")
                return
            authorization = self.headers.get("Authorization", "")
            status, content = ehr.answer_get(target.path, target.query, authorization)
            if isinstance(content, str):
                self._send(status, b"", "text/plain", Location=content)
            else:
                self._send(status, json.dumps(content).encode(), "application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, content = ehr.answer_token(dict(parse_qsl(body)))
            self._send(status, json.dumps(content).encode(), "application/json")

        def _send(self, status: int, body: bytes, media_type: str, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": media_type, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        ehr.host_port = HostPort("127.0.0.1", server.server_port)
        ehr.url = f"http://127.0.0.1:{server.server_port}"
        yield ehr
        server.shutdown()
        thread.join()
