"""Medplum's own client against a running service."""

import json
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from support.builders import build_store_settings, clinic, fhir_response
from support.interop.fhir_validators import needs_node
from support.servers.processes import serving

from api.security.scopes import SCOPES
from api.store.accounts import clients
from api.store.operations.startup import open_store

CLIENT = Path(__file__).parents[2] / "support" / "interop" / "fhir" / "client.mjs"
pytestmark = needs_node


@pytest.fixture
def results(tmp_path):
    """What the client got back from a service of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = build_store_settings(tmp_path)
    store = open_store(settings)
    owner = clinic(store)
    with store.transaction(owner.actor) as work:
        expires_at = work.now + timedelta(days=1)
        _, key = clients.add_api_key(work, owner.client, SCOPES, expires_at, test=False)
        work.audit("administer")
    store.close()
    base = f"http://127.0.0.1:{port}"
    draft = fhir_response() | {
        "questionnaire": f"{base}/fhir/Questionnaire/phq4",
        "status": "in-progress",
    }
    configuration = json.dumps({"base": f"{base}/", "key": key, "draft": draft})
    with serving(settings, port=port, NOCISCREEN_PUBLIC_URL=base):
        process = subprocess.run(
            ["node", CLIENT],
            input=configuration,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_a_draft_is_completed_patched_found_and_scored(results):
    response_id = results.pop("id")
    assert results == {
        "versions": ["draft-1", "draft-1", "1", "2"],
        "found": [response_id],
        "total": 4,
        "patients": ["MRN-0042"],
        "batch": ["200"],
        "refused": ["QuestionnaireResponse.status"],
    }
