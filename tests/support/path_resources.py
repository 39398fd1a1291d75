"""One real resource of a clinic for each parameter of a path."""

import re
from typing import Any
from uuid import uuid4

from starlette.testclient import TestClient
from support.batch_files import complete_batch, rows, work
from support.builders import request

from api.outbound.allowlist import HostPort
from api.security.keys import generate_signing_key
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.deliveries import allowed_hosts, subscriptions
from api.store.deliveries.destinations import DestinationSecrets
from schemas.organisations.delivery import SubscriptionTerms

KEY_SET = {"url": "https://ehr.example/jwks.json"}
SYSTEM = "urn:oid:1.2.3"
MAPPING = {
    "name": "own",
    "toml": """source = "own"
rulebook = "phq4@1.0.0"
patient = "number"
row = "number"
[[question]]
id = "phq4_nervous"
column = "nervous"
""",
}
UNKNOWN = {
    "patient": "6f6f6f6f-0000-4000-8000-00000000dead",
    "screening": "6f6f6f6f-0000-4000-8000-00000000dead",
    "batch": "6f6f6f6f-0000-4000-8000-00000000dead",
    "reports": "6f6f6f6f-0000-4000-8000-00000000dead",
    "approval": "6f6f6f6f-0000-4000-8000-00000000dead",
    "hold": "6f6f6f6f-0000-4000-8000-00000000dead",
    "client": "c-6f6f6f6f-0000-4000-8000-00000000dead",
    "secret": "6f6f6f6f-0000-4000-8000-00000000dead",
    "practitioner": "p-6f6f6f6f-0000-4000-8000-00000000dead",
    "key": "00000000deaddead",
    "kid": "of-nobody",
    "link": "6f6f6f6f-0000-4000-8000-00000000dead",
    "mapping": "of-nobody@1",
    "destination": "d-6f6f6f6f-0000-4000-8000-00000000dead",
    "delivery": "6f6f6f6f-0000-4000-8000-00000000dead",
    "export": "6f6f6f6f-0000-4000-8000-00000000dead",
    "export_file": "6f6f6f6f-0000-4000-8000-00000000dead.Observation",
    "subscription": "6f6f6f6f-0000-4000-8000-00000000dead",
}
"""Ids of the right form that nothing has."""

SENDING = ("/deliveries", "/deliveries/preview", "/reports")
"""How a path ends whose body names a destination."""

ONE_OF_EACH = (
    "client", "delivery", "hold", "link", "mapping", "patient", "practitioner", "screening",
    "subscription",
)  # fmt: skip
"""What a path without parameters gets one of."""

NOBODYS = {"suffix": "pdf", "sha256": "0" * 64, "number": "1", "form": "phq4"}
"""Values of path parameters that do not belong to any organisation."""


def things_of(client: TestClient, path: str = "/v1/batches") -> dict[str, str]:
    """New things that this caller made, by the parameter that names each.

    A path with parameters gets the things that it names and those that belong to them; a path
    without gets one of each, a batch only where the path is about batches, since it takes long.
    """
    names = set(parameters_of(path))
    wanted_names = names or set(ONE_OF_EACH)
    things: dict[str, str] = {}
    if "/batches" in path:
        things |= _batch(client)
    if wanted_names & {"export", "export_file"}:
        things |= _export(client, path)
    if "mapping" in wanted_names:
        things["mapping"] = create_resource(client, "/v1/mappings", MAPPING)["id"]
    if "client" in wanted_names:
        things |= _client(client)
    if wanted_names & {"screening", "delivery", "patient"}:
        body = request("MRN-0042", "red_flag", system=SYSTEM)
        things["screening"] = create_resource(client, "/v1/screenings", body)["id"]
    if "hold" in wanted_names:
        hold = {"reference": "held", "reason": "a court"}
        things["hold"] = create_resource(client, "/v1/patients/holds", hold)["id"]
    makers = {
        "link": _link,
        "patient": _patient,
        "practitioner": _practitioner,
        "subscription": _subscription,
    }
    things |= {name: makers[name](client) for name in wanted_names & makers.keys()}
    if "delivery" in wanted_names:
        things["delivery"] = given_up(client, things["screening"])
    if not names or wanted_names & {"destination", "delivery"} or path.endswith(SENDING):
        things["destination"] = destination(client)["id"]
    if "approval" in wanted_names:
        things["approval"] = _approval(client, path)
    return things


def _client(client: TestClient) -> dict[str, str]:
    """Another client of the organisation, with one credential of each kind."""
    owner = create_resource(client, "/v1/clients", {"name": "Tablet", "scopes": ["score"]})["id"]
    here = f"/v1/clients/{owner}"
    jwk = public_jwk() | {"kid": f"key-{owner[-8:]}"}
    assert client.put(f"{here}/key-set", json=KEY_SET).status_code == 200
    return {
        "client": owner,
        "secret": create_resource(client, f"{here}/secrets")["id"],
        "kid": create_resource(client, f"{here}/keys", {"jwk": jwk})["kid"],
        "key": create_resource(client, f"{here}/api-keys", {"scopes": ["score"]})["id"],
    }


def _approval(client: TestClient, path: str) -> str:
    """A request that waits for a second person, whom the organisation requires from now on."""
    client.patch("/v1/organisation", json={"second_approval": True})
    if path.startswith("/v1/patients"):
        waiting = client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
    else:
        waiting = client.post("/v1/clients", json={"name": "Tablet", "scopes": ["score"]})
    return waiting.json()["id"]


def _practitioner(client: TestClient) -> str:
    person = {"reference": f"of {uuid4()}", "name": "Dr Grace Example", "scopes": ["score"]}
    return create_resource(client, "/v1/practitioners", person)["id"]


def _batch(client: TestClient) -> dict[str, str]:
    batch = complete_batch(client, rows(2, patient_reference="MRN-0042"))
    print_job = client.post(batch["links"]["reports"], json={"format": "txt"}).json()["id"]
    work(client.app)
    return {"batch": batch["id"], "reports": print_job}


def _patient(client: TestClient) -> str:
    """The patient of the screenings above."""
    number = {"identifier": f"{SYSTEM}|MRN-0042"}
    bundle = client.get("/fhir/Patient", params=number).json()
    return bundle["entry"][0]["resource"]["id"]


def _link(client: TestClient) -> str:
    patient = {"reference": "MRN-0042", "system": SYSTEM}
    return create_resource(client, "/v1/links", {"patient": patient})["id"]


def _subscription(client: TestClient) -> str:
    """A FHIR Subscription, as stored after its handshake."""
    number, store = str(uuid4()), client.app.services.store
    own = client.get("/v1/organisation").json()["id"]
    terms = SubscriptionTerms(topic="red-flag")
    secrets = DestinationSecrets(address="https://ehr.example/notify", subscription=terms)
    with store.transaction(OPERATOR_ACTOR._replace(organisation=own)) as work:
        subscriptions.add_subscription(work, number, secrets)
        work.audit("administer", "destination")
    return number


def _export(client: TestClient, path: str) -> dict[str, str]:
    """A FHIR export of one screening: finished where its files are read."""
    create_resource(client, "/v1/screenings", request("MRN-0042", system=SYSTEM))
    export = client.get("/fhir/$export").headers["content-location"].rpartition("/")[2]
    if "export_file" not in path:
        return {"export": export}
    work(client.app)
    return {"export_file": f"{export}.Observation"}


def destination(client: TestClient) -> dict:
    """A destination at a place that is allowed."""
    store = client.app.services.store
    own = client.get("/v1/organisation").json()["id"]
    with store.transaction(OPERATOR_ACTOR._replace(organisation=own)) as work:
        allowed_hosts.add_allowed_host(work, HostPort("ehr.example", 443), private=False)
        allowed_hosts.add_allowed_host(work, HostPort("ehr.example", 2575), private=False)
        work.audit("administer", "place")
    destination = {"name": "EHR", "profile": "generic-v2", "address": "mllps://ehr.example:2575"}
    by_url = {"document": {"how": "url"}}
    return create_resource(client, "/v1/destinations", destination | {"options": by_url})


def given_up(client: TestClient, screening: str) -> str:
    """A delivery that was cancelled."""
    to = {"destination": destination(client)["id"]}
    made_id = create_resource(client, f"/v1/screenings/{screening}/deliveries", to)["id"]
    assert client.post(f"/v1/deliveries/{made_id}/cancel").status_code == 200
    return made_id


def fill_body(body: Any, things: dict[str, str]) -> Any:
    """The body with the caller's own destination, where it names one."""
    if isinstance(body, dict) and "destination" in body:
        return body | {"destination": things["destination"]}
    return body


def create_resource(
    client: TestClient, path: str, body: dict | None = None, **headers: str
) -> dict:
    """What a POST made."""
    response = client.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    return response.json()


def public_jwk(algorithm: str = "ES256") -> dict[str, str]:
    """A new public key, as a client registers it."""
    jwk = generate_signing_key(algorithm).to_public_jwk()
    return {name: jwk[name] for name in ("kty", "crv", "x", "y")}


def addressed(path: str, things: dict[str, str]) -> str:
    """The path with a thing for each of its parameters; KeyError where there is no such thing."""
    return re.sub(r"\{(\w+)\}", lambda match: (_nobodys(path) | things)[match[1]], path)


def _nobodys(path: str) -> dict[str, str]:
    return NOBODYS | ({"suffix": "csv"} if "/batches/" in path else {})


def parameters_of(path: str) -> list[str]:
    """The parameters of a path."""
    return [item for item in re.findall(r"\{(\w+)\}", path) if item not in NOBODYS]
