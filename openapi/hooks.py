"""What JSON Schema cannot say to schemathesis: decimal answers have at most two decimals."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_: Any, body: Any) -> Any:
    """The body with its decimal answers at two decimals."""
    answers = body.get("answers") if isinstance(body, dict) else None
    if isinstance(answers, dict):
        for name, answer in answers.items():
            if isinstance(answer, float):
                answers[name] = round(answer, 2)
    return body
