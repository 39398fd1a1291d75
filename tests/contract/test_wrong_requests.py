"""Requests that engineers really get wrong, each with the answer that says what to do instead.

The corpus is one JSON object a line: what is wrong, the request, and the status, code, detail and
errors of the answer. `<names>` stand for ids and credentials of this run.
"""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest
import time_machine
from support.builders import EXAMPLES, clinic, token
from support.callers import bearing
from support.path_resources import create_resource

CORPUS = Path(__file__).parent / "wrong_requests"
CASES = [
    json.loads(line)
    for file in sorted(CORPUS.glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
]
LIBRARY_TEXT = re.compile(
    "String should|Input should|Tuple|List should|pattern '|unable to parse|valid integer"
)
SHOWN_HEADERS = ("allow", "www-authenticate")


@pytest.fixture(scope="module")
def placeholders(service):
    """What the placeholders of the corpus stand for."""
    owner = clinic(service.services.store, "Corpus clinic")
    tokens = service.services.access_tokens
    key = service.services.store.signing_keys.find_current_key()
    of_owner = {"client": owner.client, "organisation": owner.organisation}
    with time_machine.travel("2020-01-01T10:00:00Z", tick=False):
        expired = tokens.issue(key, scopes=["score"], **of_owner)
    caller = bearing(service, token(service.services.store, tokens, owner))
    intake = load_intake("widespread_pain")
    screening_id = create_resource(
        caller, "/v1/screenings", intake, **{"Idempotency-Key": "kept-1"}
    )["id"]
    practitioner = {"reference": "GP-1", "name": "Dr A. Example", "scopes": ["screenings:read"]}
    narrow, slow = (
        create_resource(caller, "/v1/clients", {"name": name, "scopes": ["score"]})["id"]
        for name in ("Narrow", "Slow")
    )
    assert caller.patch(f"/v1/clients/{slow}", json={"requests_per_minute": 3}).status_code == 200
    key = {"scopes": ["score"], "expires_in_days": 1}
    credentials = f"{owner.client}:{owner.secret}".encode()
    return {
        "<client_id>": owner.client,
        "<client_secret>": owner.secret,
        "<basic>": base64.b64encode(credentials).decode(),
        "<kept>": screening_id,
        "<KEPT>": screening_id.upper(),
        "<client>": narrow,
        "<unique>": "GP-2",
        "<practitioner>": create_resource(caller, "/v1/practitioners", practitioner)["id"],
        "<score_key>": create_resource(caller, f"/v1/clients/{narrow}/api-keys", key)["text"],
        "<slow_key>": create_resource(caller, f"/v1/clients/{slow}/api-keys", key)["text"],
        "<expired>": expired,
        "<token>": token(service.services.store, tokens, owner),
    }


def load_intake(name):
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    return intake | {"patient": {"reference": "MRN-0042"}}


def fill(text, placeholders):
    for name, value in placeholders.items():
        text = text.replace(name, value)
    return text


def build_body(case, placeholders):
    body = case.get("body")
    if body is None or isinstance(body, str):
        return body if body is None else fill(body, placeholders).encode()
    value = load_intake(body["from"])
    for place, member in body.get("set", {}).items():
        *steps, last = place.split(".")
        inner = value
        for step in steps:
            inner = inner[step]
        inner[last] = member
    for name in body.get("drop", ()):
        del value[name]
    value = value[body["only"]] if "only" in body else value
    text = json.dumps(value, ensure_ascii=False) + " " * body.get("spaces", 0)
    encoding = body.get("encoding", "utf-8")
    return gzip.compress(text.encode()) if encoding == "gzip" else text.encode(encoding)


def send(service, case, placeholders):
    headers = {"Content-Type": "application/json"} if "body" in case else {}
    if case.get("auth") != "none":
        headers["Authorization"] = f"Bearer {placeholders['<token>']}"
    for name, value in case.get("headers", {}).items():
        headers[name] = "x" * value if isinstance(value, int) else fill(value, placeholders)
    caller = bearing(service)
    for _ in range(case.get("repeat", 1)):
        response = caller.request(
            case["method"], fill(case["path"], placeholders), headers=headers,
            content=build_body(case, placeholders),
        )  # fmt: skip
    return response


def describe(response, placeholders):
    """Return what the corpus says about an answer."""
    answer = {"status": response.status_code}
    answer |= {name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers}
    if response.status_code < 400:
        return answer
    body = response.json()
    if body.get("resourceType") == "OperationOutcome":
        issues = [[issue["code"], issue["details"]["text"]] for issue in body["issue"]]
        return answer | {"issues": issues}
    if "error" in body:
        return answer | {name: body[name] for name in ("error", "error_description")}
    assert body["request_id"] == response.headers["x-request-id"]
    answer["code"] = body["type"].removeprefix("/problems/")
    answer |= {name: body[name] for name in ("detail", "scope", "limit") if name in body}
    if "errors" in body:
        answer["errors"] = [list(error.values()) for error in body["errors"]]
    return json.loads(json.dumps(answer).replace(placeholders["<kept>"], "<kept>"))


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_a_wrong_request_is_told_what_to_do(case, service, placeholders):
    answer = describe(send(service, case, placeholders), placeholders)
    assert answer == case["answer"]
    errors = answer.get("errors", [])
    assert len({tuple(error) for error in errors}) == len(errors)
    assert not LIBRARY_TEXT.search(json.dumps(answer))


def test_the_corpus_is_whole():
    assert len(CASES) == 98
    assert len({case["what"] for case in CASES}) == 98
