"""The main job over httpx, with models by datamodel-code-generator: token to report."""

import json
import os
from pathlib import Path

import httpx
from datamodel_code_generator_made import (
    AccessToken,
    Assessment,
    NociplasticStorableIntakeV2,
    ScreeningDetail,
    ScreeningResponse,
    ShortAssessment,
)

INTAKE = json.loads(Path(os.environ["CONTRACT_INTAKE"]).read_text())

with httpx.Client(base_url=os.environ["CONTRACT_SERVICE"]) as service:
    form = json.loads(os.environ["CONTRACT_TOKEN_FORM"])
    answer = service.post("/v1/oauth/token", data=form)
    token = AccessToken.model_validate_json(answer.content).access_token
    service.headers["Authorization"] = f"Bearer {token}"
    scored = Assessment.model_validate_json(service.post("/v1/score", json=INTAKE).content)
    short = service.post("/v1/score", json=INTAKE, headers={"Prefer": "return=minimal"})
    intake = NociplasticStorableIntakeV2.model_validate(
        INTAKE | {"patient": {"reference": "MADE-3"}}
    )
    answer = service.post(
        "/v1/screenings",
        content=intake.model_dump_json(by_alias=True, exclude_none=True),
        headers={"Content-Type": "application/json"},
    )
    screening = ScreeningResponse.model_validate_json(answer.content)
    address = f"/v1/screenings/{screening.id}"
    screening_read = ScreeningDetail.model_validate_json(service.get(address).content)
    report = service.get(f"{address}/report.pdf")
    assert scored == screening_read.assessment
    assert ShortAssessment.model_validate_json(short.content).status.value == scored.status.value
    assert report.content.startswith(b"%PDF")
    print(screening_read.assessment.status.value)
