"""Canaries: nothing that a request contains appears in logs, metrics, traces or error responses.

The one exception: an error says by its plain name which member of the sender's was one too many.
"""

import base64
import contextlib
import http.client
import itertools
import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import pytest
from support import builders
from support.faults.failing_storage import prepared
from support.servers.postgres import Postgres
from support.servers.processes import serving
from support.servers.span_collector import running_span_collector

from api.store.database.engine import connect_sqlite
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_key_ring

FORM = "application/x-www-form-urlencoded"


class Birds:
    """Sends canaries and remembers every error response."""

    def __init__(self, address: str, token: str) -> None:
        self.released, self.names = [token], []
        self.told: list[str] = []
        self.statuses: set[int] = set()
        self._where, self._token, self._count = urlsplit(address), token, itertools.count()

    def new(self) -> str:
        """A word that stands nowhere else."""
        self.released.append(f"Kanarie{next(self._count):04d}x")
        return self.released[-1]

    def name(self) -> str:
        """A canary as the name of a member."""
        self.names.append(self.new())
        return self.names[-1]

    def send(self, method: str, path: str, body=None, kind="application/json", **headers: str):
        """Send it, a canary in a header too; the JSON that came back."""
        words = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        headers_sent = {name.replace("_", "-"): value for name, value in headers.items()}
        headers_sent = {
            "Authorization": f"Bearer {self._token}",
            "X-Trace": self.new(),
        } | headers_sent
        if words is not None:
            headers_sent["Content-Type"] = kind
        connection = http.client.HTTPConnection(self._where.hostname, self._where.port, timeout=60)
        connection.request(method, path, words, headers_sent)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        self.statuses.add(answer.status)
        if answer.status >= 400:
            self.told.append(text + str(answer.getheaders()))
            return {}
        return json.loads(text) if text.startswith("{") else {}

    def fly(self) -> None:
        """Canaries in every field that takes words, in what is taken and in what is refused."""
        new, send = self.new, self.send
        intake = builders.request(new(), "red_flag", name=new(), system=new(), encounter=new())
        intake |= {"note": new(), "clinician": {"reference": new()}}
        screening = send("POST", "/v1/screenings", intake, Idempotency_Key=new())
        here = f"/v1/screenings/{screening.get('id', '6f6f6f6f-0000-4000-8000-00000000dead')}"
        send("GET", here, If_None_Match=new())
        send("POST", f"{here}/amendments", intake | {"note": new(), self.name(): new()})
        send("POST", f"{here}/amendments", intake | {"note": new()}, Idempotency_Key=new())
        send("POST", f"{here}/acknowledgements", {"practitioner": new(), "done": new()})
        send("POST", f"{here}/entered-in-error", {"reason": new()})
        send("POST", f"{here}/entered-in-error", {"reason": new()})
        send("GET", f"/v1/screenings?patient={new()}&rulebook={new()}&status={new()}")
        send("GET", f"/v1/screenings?cursor={new()}")
        send("GET", f"/v1/screenings?{new()}={new()}")
        send("GET", f"/v1/screenings/{new()}")
        send("POST", "/v1/screenings/search", {"patient": new(), self.name(): 1})
        send("POST", "/v1/patients/holds", {"reference": new(), "reason": new()})
        send("POST", "/v1/patients/export", {"reference": new(), "system": new()})
        send("DELETE", "/v1/patients", {"reference": new()})
        send("DELETE", f"/v1/patients/holds/{new()}")
        send("PATCH", "/v1/organisation", {"name": new()})
        client = send("POST", "/v1/clients", {"name": new(), "scopes": ["score"]}).get("id", new())
        for credential in ("secrets", "api-keys"):
            credential_response = send(
                "POST", f"/v1/clients/{client}/{credential}", {"scopes": ["score"]}
            )
            self.released += [
                credential_response[name]
                for name in ("secret", "api_key")
                if name in credential_response
            ]
        send("POST", f"/v1/clients/{client}/keys", {"jwk": {"kty": new(), "kid": new()}})
        send("POST", "/v1/practitioners", {"reference": new(), "name": new()})
        send("POST", "/v1/screenings", f'{{"{new()}": {new()}')
        send("POST", "/v1/screenings", intake | {"answers": {self.name(): new(), "age": new()}})
        send("POST", "/v1/score", intake | {"rulebook": new()}, Idempotency_Key=new() + "é")
        self._sign_in()
        self._answer_under_a_link()
        send(new(), f"/{new()}")
        send("GET", here, Authorization=f"Bearer {new()}")
        send("GET", here, Authorization=f"Bearer {new()}.{new()}.{new()}")
        send("GET", here, Authorization=new(), X_API_Key=f"nsk_{new()}_{new()}")

    def _sign_in(self) -> None:
        new, where = self.new, "/v1/oauth/token"
        basic = base64.b64encode(f"{new()}:{new()}".encode()).decode()
        self.released.append(basic)
        for form in (
            {"client_id": new(), "client_secret": new()},
            {"client_assertion": new(), "client_assertion_type": new()},
            {"scope": new(), new(): new()},
        ):
            headers_sent = urlencode({"grant_type": "client_credentials"} | form)
            self.send("POST", where, headers_sent, FORM, Authorization=f"Basic {basic}")
            self.send("POST", where, urlencode(form | {"grant_type": new()}), FORM)

    def _answer_under_a_link(self) -> None:
        new, send = self.new, self.send
        words = {"consent": {"en": new()}, "privacy": {"en": new()}}
        send("PUT", "/v1/organisation/forms", words)
        link = send("POST", "/v1/links", {"patient": {"reference": new(), "name": new()}})
        secret = link.get("url", new()).rpartition("/")[2]
        self.released.append(secret)
        send("POST", "/v1/links", {"patient": {"reference": new()}, "rulebook": new()})
        for path in (
            f"/intake/{secret}",
            f"/kiosk/{secret}",
            f"/intake/{new()}",
            f"/kiosk/{new()}",
        ):
            send("GET", f"{path}?language={new()}", Cookie=f"nociscreen_kiosk={new()}")
            send("POST", f"{path}/1", urlencode({"token": new(), "q0": new()}), FORM)
        send("POST", f"/intake/{secret}", f"token={new()}", FORM, Origin=f"https://{new()}")

    def seen_in(self, text: str) -> list[str]:
        """Return the canaries that a text repeats, in any spelling."""
        return [
            canary for canary in self.released if canary in text or quote(canary, safe="") in text
        ]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path, tmp_path_factory):
    """Settings of a store of its own, and how it is taken away."""
    if request.param == "sqlite":
        settings = builders.build_store_settings(tmp_path)
        yield settings, locked(settings)
        return
    cluster = Postgres(tmp_path_factory.mktemp("own"))
    yield builders.build_store_settings(tmp_path, cluster.url(cluster.database())), away(cluster)
    cluster.stop("immediate")


@contextlib.contextmanager
def locked(settings) -> Iterator[None]:
    path = settings.database_file
    other = connect_sqlite(path, load_file_key(path, open_key_ring(settings)))
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextlib.contextmanager
def away(cluster: Postgres) -> Iterator[None]:
    cluster.stop("immediate")
    yield
    cluster.start()


def test_no_request_content_appears_in_logs_metrics_traces_or_errors(place, tmp_path):
    settings, without_it = place
    token = prepared(settings)
    log = tmp_path / "log"
    with (
        running_span_collector() as collector,
        serving(settings, log, NOCISCREEN_TRACES_URL=collector.url) as service,
    ):
        birds = Birds(service.address, token)
        birds.fly()
        assert {200, 201, 400, 401, 404, 409, 422} <= birds.statuses
        with without_it:
            body = builders.request(birds.new(), name=birds.new()) | {"note": birds.new()}
            birds.send("POST", "/v1/screenings", body, Idempotency_Key=birds.new())
            birds.send("GET", f"/v1/screenings?patient={birds.new()}")
            birds.send("GET", f"/health/ready?{birds.new()}")
        assert 503 in birds.statuses
        assert 500 not in birds.statuses
        with urllib.request.urlopen(f"{service.address}/metrics") as answer:  # noqa: S310 - our own
            metrics = answer.read().decode()
        service.process.terminate()
        output = service.process.stdout.read() + log.read_text()
    assert re.search(r'"status": 503', output)
    assert {"POST /v1/screenings", "POST /v1/oauth/token"} <= {it.name for it in collector.spans}
    assert birds.seen_in(output + metrics + str(collector.exports)) == []
    for text in birds.told:
        assert set(birds.seen_in(text)) <= set(birds.names)
    for text in (output, metrics, *birds.told):
        assert settings.key_ring_file.read_text().strip().partition(":")[2] not in text
