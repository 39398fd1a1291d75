"""A bare FastAPI route: validates the body as `/v1/score` does, returns constant bytes."""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI, Response

from api.intakes.models import intake_union
from scoring.catalogue import load_catalogue

Intake: Any = Annotated[intake_union(load_catalogue().list_active()), Body()]
CONTENT = b"x" * int(sys.argv[2])
app = FastAPI()


@app.post("/v1/score")
def constant(_: Intake) -> Response:
    return Response(CONTENT, media_type="application/json")


uvicorn.run(app, port=int(sys.argv[1]), http="httptools", access_log=False, log_level="warning")
