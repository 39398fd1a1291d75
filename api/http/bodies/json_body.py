"""Reads JSON strictly, and names the fault as a problem; the command line reads intakes so, too."""

from typing import Any

from api.problems import FieldError, Problem
from api.security.strict_json import MAX_MEMBERS, StrictJsonError, decode_json


def parse_json(body: bytes, max_members: int = MAX_MEMBERS) -> Any:
    """Return the JSON value of the body. Raises Problem `malformed_json`."""
    try:
        return decode_json(body, max_members)
    except StrictJsonError as error:
        fault = FieldError(pointer=error.pointer, code=error.code, detail=error.detail)
        raise Problem("malformed_json", errors=[fault]) from None
