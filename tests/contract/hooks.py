"""What generated requests must know to be good ones; schemathesis loads this file."""

import os
import re
from datetime import date
from uuid import uuid4

import schemathesis

NAME = re.compile(r'[!#-~][ !#-~]*|"[ !#-~]+"')


@schemathesis.hook
def before_call(context, case, kwargs):  # noqa: ARG001 - the hook's own signature
    """Give each request a name of its own, days that were, no made-up cursor, and no own client.

    A name used twice for different bodies is refused, and so is a made-up cursor: rules between
    requests, which no schema can say, nor what day it is. `test_idempotency_route.py` and
    `test_screenings_route.py` hold them. And who changes the client that it calls by soon calls no
    more: `test_scopes.py`.
    """
    if (case.path_parameters or {}).get("client") == os.environ["NOCISCREEN_FUZZ_CLIENT"]:
        case.path_parameters["client"] = f"c-{uuid4()}"
    name = (case.headers or {}).get("Idempotency-Key")
    if isinstance(name, str) and len(name) <= 257 and NAME.fullmatch(name):
        case.headers["Idempotency-Key"] = str(uuid4())
    for body in case.body if isinstance(case.body, list) else [case.body]:
        _let_days_be_past(body)
    for carrier in (case.query, case.body):
        for cursor in ("cursor", "before"):
            if isinstance(carrier, dict) and isinstance(carrier.get(cursor), str):
                del carrier[cursor]


def _let_days_be_past(body):
    """Replace each valid day by one in the past; other texts stay."""
    for carrier, name, day in (
        (body, "answered_on", "2020-02-29"),
        (body.get("patient") if isinstance(body, dict) else None, "birth_date", "1950-06-01"),
    ):
        if isinstance(carrier, dict) and _is_day(carrier.get(name)):
            carrier[name] = day


def _is_day(value):
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
