"""An organisation of strangers, each of whose hosts is a tarpit, with calls under way to all."""

import asyncio
import json
import time
from pathlib import Path
from typing import NamedTuple

from api.security.scopes import SCOPES
from bench.service import INTAKE, build_request, run_command
from bench.tarpits import Tarpit

DELIVERIES = 6
ROWS = 200
ISSUER = "https://issuer.example"
PUBLIC_URL = "https://screening.example"
SETUP_SECONDS = 120.0
"""How long one answer may take, and the batch, before strangers call."""
TOKEN = ("token", "--minutes", "15")

Tarpits = dict[str, Tarpit]


class Strangers(NamedTuple):
    """An organisation whose hosts are tarpits, and its client."""

    organisation: str
    client: str
    tarpits: Tarpits

    def address(self, name: str) -> str:
        """Return the URL of a tarpit."""
        return f"http://127.0.0.1:{self.tarpits[name].port}"


def add_strangers(environment: dict[str, str], folder: Path, tarpits: Tarpits) -> Strangers:
    organisation = json.loads(run_command(environment, "admin", "organisation", "add", "X"))["id"]
    own = ("--organisation", organisation)
    for tarpit in tarpits.values():
        run_command(environment, "admin", "allowed-host", "add", f"127.0.0.1:{tarpit.port}", *own,
                    "--private")  # fmt: skip
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    new_client = json.loads(run_command(environment, "admin", "client", "add", "X", *own, *scopes))
    strangers = Strangers(organisation, new_client["client_id"], tarpits)

    def add_issuer(issuer: str, terms: dict, *words: str) -> None:
        file = folder / "terms.json"
        file.write_text(json.dumps(terms))
        run_command(environment, "admin", "issuer", "add", issuer, str(file), *own, *words)

    keys = {"key_set_url": f"{strangers.address('key set of an issuer')}/jwks"}
    add_issuer(ISSUER, keys | {"scopes": ["score"]}, "--audience", "X")
    add_issuer(strangers.address("EHR that launches"), keys | {"client_id": "nociscreen"})
    return strangers


def enqueue_calls(environment: dict[str, str], port: int, strangers: Strangers) -> None:
    """Have deliveries, those of a batch among them, e-mails and text messages under way."""
    token = run_command(environment, *TOKEN, "--client", strangers.client)

    def send(path: str, body: dict | bytes, kind: str = "application/json") -> dict:
        return asyncio.run(_send(port, build_request(path, token, body, kind)))

    def read(path: str) -> dict:
        request = build_request(path, token, b"").replace(b"POST", b"GET", 1)
        return asyncio.run(_send(port, request))

    key_set = {"url": f"{strangers.address('key set of a client')}/jwks"}
    request = build_request(f"/v1/clients/{strangers.client}/key-set", token, key_set)
    asyncio.run(_send(port, request.replace(b"POST", b"PUT", 1)))

    def add_destination(profile: str, name: str, address: str) -> str:
        new = {"name": name, "profile": profile, "address": address}
        return str(send("/v1/destinations", new)["id"])

    receivers = [
        add_destination("generic-webhook", "webhook", f"{strangers.address('webhook')}/"),
        add_destination("generic-fhir", "FHIR", f"{strangers.address('FHIR server')}/fhir"),
        add_destination(
            "generic-v2", "MLLP", f"mllp://127.0.0.1:{strangers.tarpits['MLLP receiver'].port}"
        ),
    ]
    subscription = _build_subscription(f"{strangers.address('FHIR Subscription')}/")
    send("/fhir/Subscription", subscription, "application/fhir+json")
    for number in range(DELIVERIES):
        patient = {"reference": f"MRN-{number}"}
        screening = send("/v1/screenings", INTAKE | {"patient": patient})["id"]
        for receiver in receivers:
            send(f"/v1/screenings/{screening}/deliveries", {"destination": receiver})
        for recipient in ({"medium": "email", "address": f"p{number}@x.example"},
                          {"medium": "sms", "address": f"+44770090012{number}"}):  # fmt: skip
            send("/v1/links", {"patient": patient, "send_to": recipient})
    rows = b"patient_reference,age_years\n" + b"MRN-9,44\n" * ROWS
    batch = send("/v1/batches", rows, "text/csv")
    give_up_at = time.monotonic() + SETUP_SECONDS
    while (state := read(batch["links"]["self"])["state"]) != "done":
        if time.monotonic() > give_up_at or state == "cancelled":
            raise RuntimeError(f"the batch of the strangers is still {state}")
        time.sleep(0.2)
    hook = add_destination("generic-webhook", "rows", f"{strangers.address('webhook of a batch')}/")
    send(batch["links"]["reports"], {"destination": hook})


def _build_subscription(endpoint: str) -> dict:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "screenings",
        "criteria": f"{PUBLIC_URL}/fhir/SubscriptionTopic/screening-stored",
        "channel": {
            "type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json",
        },
    }  # fmt: skip


async def _send(port: int, request: bytes) -> dict:
    async with asyncio.timeout(SETUP_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(head.decode())
        length = next(line for line in head.lower().split(b"\r\n") if b"content-length" in line)
        answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
        writer.close()
        return answer


def build_tarpits() -> Tarpits:
    return {
        "identity provider": Tarpit(),
        "key set of a client": Tarpit(),
        "key set of an issuer": Tarpit(),
        "EHR that launches": Tarpit(),
        "webhook": Tarpit(drips=True),
        "webhook of a batch": Tarpit(),
        "FHIR server": Tarpit(drips=True),
        "FHIR Subscription": Tarpit(greets=True),
        "MLLP receiver": Tarpit(),
        "mail server": Tarpit(),
        "SMS gateway": Tarpit(drips=True),
    }


def build_settings(folder: Path, tarpits: Tarpits) -> dict[str, str]:
    gateway = folder / "gateway.toml"
    gateway.write_text(
        f'url = "http://127.0.0.1:{tarpits["SMS gateway"].port}/"\nprivate_network = true\n'
        'body = \'{"to": "{to}", "text": "{text}"}\'\n'
    )
    return {
        "NOCISCREEN_PUBLIC_URL": PUBLIC_URL,
        "NOCISCREEN_OIDC_ISSUER": f"http://127.0.0.1:{tarpits['identity provider'].port}",
        "NOCISCREEN_OIDC_CLIENT_ID": "nociscreen",
        "NOCISCREEN_TRUSTED_PROXIES": "127.0.0.1",
        "NOCISCREEN_SMTP_HOST": "127.0.0.1",
        "NOCISCREEN_SMTP_PORT": str(tarpits["mail server"].port),
        "NOCISCREEN_SMTP_TLS": "none",
        "NOCISCREEN_SMTP_SENDER": "desk@clinic.example",
        "NOCISCREEN_SMS_GATEWAY_FILE": str(gateway),
    }
