"""A bare FastAPI route: validates the body as `/v1/score` does, returns constant bytes."""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Response

from api.intakes.models import any_intake
from scoring.catalogue import catalogue

Intake: Any = Annotated[any_intake(catalogue().scored()), Body()]
CONTENT = b"x" * int(sys.argv[2])
app = FastAPI()


@app.post("/v1/score")
def constant(_: Intake) -> Response:
    return Response(CONTENT, media_type="application/json")


uvicorn.run(app, port=int(sys.argv[1]), http="httptools", access_log=False, log_level="warning")
