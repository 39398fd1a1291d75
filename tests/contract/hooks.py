"""What generated requests must know to be good ones; schemathesis loads this file."""

import os
import re
from uuid import uuid4

import schemathesis

NAME = re.compile(r'[!#-~][ !#-~]*|"[ !#-~]+"')


@schemathesis.hook
def before_call(context, case, kwargs):  # noqa: ARG001 - the hook's own signature
    """Give each request a name of its own, no cursor that no list gave, and no own client.

    A name used twice for different bodies is refused, and so is a made-up cursor: rules between
    requests, which no schema can say. `test_idempotency_route.py` and `test_screenings_route.py`
    hold them. And who changes the client that it calls by soon calls no more: `test_scopes.py`.
    """
    if (case.path_parameters or {}).get("client") == os.environ["NOCISCREEN_FUZZ_CLIENT"]:
        case.path_parameters["client"] = f"c-{uuid4()}"
    name = (case.headers or {}).get("Idempotency-Key")
    if isinstance(name, str) and len(name) <= 257 and NAME.fullmatch(name):
        case.headers["Idempotency-Key"] = str(uuid4())
    for carrier in (case.query, case.body):
        for cursor in ("cursor", "before"):
            if isinstance(carrier, dict) and isinstance(carrier.get(cursor), str):
                del carrier[cursor]
