"""What generated requests must know to be good ones; schemathesis loads this file."""

import re
from uuid import uuid4

import schemathesis

NAME = re.compile(r'[!#-~][ !#-~]*|"[ !#-~]+"')


@schemathesis.hook
def before_call(context, case, kwargs):  # noqa: ARG001 - the hook's own signature
    """Give each request a name of its own, and no cursor that no list gave.

    A name used twice for different bodies is refused, and so is a made-up cursor: rules between
    requests, which no schema can say. `test_idempotency.py` and `test_screenings.py` hold them.
    """
    name = (case.headers or {}).get("Idempotency-Key")
    if isinstance(name, str) and len(name) <= 257 and NAME.fullmatch(name):
        case.headers["Idempotency-Key"] = str(uuid4())
    for carrier in (case.query, case.body):
        if isinstance(carrier, dict) and isinstance(carrier.get("cursor"), str):
            del carrier["cursor"]
