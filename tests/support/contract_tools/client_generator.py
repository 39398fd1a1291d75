"""The main job with a client by openapi-generator: token, score, store, read, report."""

import json
import os
from pathlib import Path

from openapi_generator_made import ApiClient, Configuration
from openapi_generator_made.api import AuthenticationApi, ScoreApi, ScreeningsApi
from openapi_generator_made.models import (
    Intake,
    NociplasticIntakeV2,
    NociplasticStorableIntakeV2,
    StorableIntake,
)

SERVICE = os.environ["CONTRACT_SERVICE"]
INTAKE = json.loads(Path(os.environ["CONTRACT_INTAKE"]).read_text())

configuration = Configuration(host=SERVICE)
with ApiClient(configuration) as client:
    form = json.loads(os.environ["CONTRACT_TOKEN_FORM"])
    configuration.access_token = AuthenticationApi(client).create_token(**form).access_token
    scored = ScoreApi(client).score(Intake(NociplasticIntakeV2.from_dict(INTAKE)))
    body = NociplasticStorableIntakeV2.from_dict(INTAKE | {"patient": {"reference": "MADE-2"}})
    screening = ScreeningsApi(client).create_screening(StorableIntake(body))
    screening_read = ScreeningsApi(client).read_screening(screening.id)
    report = ScreeningsApi(client).read_report(screening.id)
    assert scored.to_dict() == screening_read.assessment.to_dict()
    assert bytes(report).startswith(b"%PDF")
    print(screening_read.assessment.status)
