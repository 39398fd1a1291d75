"""The main job with a client by openapi-python-client: token, score, store, read, report."""

import json
import os
from pathlib import Path

from openapi_python_client_made.api.authentication import create_token
from openapi_python_client_made.api.score import score
from openapi_python_client_made.api.screenings import (
    create_screening,
    read_report_as,
    read_screening,
)
from openapi_python_client_made.client import AuthenticatedClient, Client
from openapi_python_client_made.models import (
    CreateTokenBody,
    NociplasticIntakeV2,
    NociplasticStorableIntakeV2,
)

SERVICE = os.environ["CONTRACT_SERVICE"]
INTAKE = json.loads(Path(os.environ["CONTRACT_INTAKE"]).read_text())

form = CreateTokenBody.from_dict(json.loads(os.environ["CONTRACT_TOKEN_FORM"]))
token = create_token.sync(client=Client(base_url=SERVICE), body=form).access_token
client = AuthenticatedClient(base_url=SERVICE, token=token)
scored = score.sync(client=client, body=NociplasticIntakeV2.from_dict(INTAKE))
patient = {"patient": {"reference": "MADE-1"}}
screening = create_screening.sync(
    client=client, body=NociplasticStorableIntakeV2.from_dict(INTAKE | patient)
)
screening_read = read_screening.sync(screening.id, client=client)
report = read_report_as.sync_detailed(screening.id, "pdf", client=client)
assert scored.to_dict() == screening_read.assessment.to_dict()
assert report.content.startswith(b"%PDF")
print(screening_read.assessment.status)
