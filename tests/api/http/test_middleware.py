"""The outermost middleware: limits, headers, and no internal detail in any answer."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from support import builders
from support.callers import audited
from support.servers.async_thread import run_aside
from support.servers.loopback import IS_LOOPBACK

from api.http.middleware import RequestMiddleware
from api.http.uvicorn_protocol import _serialise
from api.observability.metrics import Metrics
from api.problems import Problem
from api.settings import Settings

HOST = (b"host", b"x")


def scope(path="/", headers=(HOST,), **other):
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
    } | other


async def receive_nothing():
    raise AssertionError("the body is not read")


async def ask(edge, request_scope) -> tuple[int, dict, bytes]:
    """Status, headers and body of the answer to a request whose body must not be read."""
    messages = []

    async def send(message):
        messages.append(message)

    await edge(request_scope, receive_nothing, send)
    start, *rest = messages
    return start["status"], dict(start["headers"]), b"".join(item["body"] for item in rest)


def answer(app, request_scope, **settings) -> tuple[int, dict, bytes]:
    return run_aside(ask(RequestMiddleware(app, Settings(**settings), Metrics()), request_scope))


fine = PlainTextResponse("fine")


def code(body: bytes) -> str:
    return json.loads(body)["type"].removeprefix("/problems/")


def test_what_is_one_too_many_is_429_at_once_and_the_others_go_on():
    async def story():
        go, started_event = asyncio.Event(), asyncio.Semaphore(0)

        async def slow(*channels):
            started_event.release()
            await go.wait()
            await fine(*channels)

        edge = RequestMiddleware(slow, Settings(max_concurrent_requests=2), Metrics())
        first = [asyncio.ensure_future(ask(edge, scope())) for _ in range(2)]
        await started_event.acquire()
        await started_event.acquire()
        refusal = await ask(edge, scope())
        go.set()
        alive = await ask(edge, scope("/health/live"))
        return refusal, alive, await asyncio.gather(*first), await ask(edge, scope())

    refusal, alive, first, after = run_aside(story())
    status, headers, body = refusal
    assert (status, code(body), headers[b"retry-after"]) == (429, "too_many", b"1")
    assert headers[b"content-type"] == b"application/problem+json"
    assert len(headers[b"x-request-id"]) == 32
    assert [value[0] for value in (alive, *first, after)] == [200] * 4


def test_liveness_is_answered_under_full_load():
    async def story():
        go, started_event = asyncio.Event(), asyncio.Event()

        async def slow(request_scope, *channels):
            if request_scope["path"] != "/health/live":
                started_event.set()
                await go.wait()
            await fine(request_scope, *channels)

        edge = RequestMiddleware(slow, Settings(max_concurrent_requests=1), Metrics())
        first = asyncio.ensure_future(ask(edge, scope()))
        await started_event.wait()
        alive, ready = await ask(edge, scope("/health/live")), await ask(edge, scope())
        go.set()
        await first
        return alive[0], ready[0]

    assert run_aside(story()) == (200, 429)


def test_a_request_that_fails_or_is_dropped_makes_room_for_the_next():
    async def fails(*_):
        raise ValueError

    async def story():
        edge = RequestMiddleware(fails, Settings(max_concurrent_requests=1), Metrics())
        return [(await ask(edge, scope()))[0] for _ in range(3)]

    assert run_aside(story()) == [500] * 3


@pytest.mark.parametrize(
    "hosts", [[], [b"x", b"x"], [b""], [b"a b"], [b"x" * 256], [b"a/b"], [b"a@b"], [b"a,b"]]
)
def test_without_exactly_one_host_a_request_is_400(hosts):
    status, _, body = answer(fine, scope(headers=[(b"host", host) for host in hosts]))
    assert (status, code(body)) == (400, "malformed_request")


@pytest.mark.parametrize("host", [b"x", b"a.b-c_d:8000", b"[::1]:80", b"127.0.0.1", b"x" * 255])
def test_a_host_as_they_are_is_taken(host):
    assert answer(fine, scope(headers=[(b"host", host)]))[0] == 200


def test_100_headers_are_taken_and_101_are_431():
    many = [HOST, *[(b"a", b"b")] * 99]
    assert answer(fine, scope(headers=many))[0] == 200
    status, _, body = answer(fine, scope(headers=[*many, (b"a", b"b")]))
    assert (status, code(body)) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "large",
    [
        {"headers": [HOST, (b"a", b"b" * 1024)]},
        {"query_string": b"b" * 1024},
        {"path": "/" + "b" * 1024},
    ],
)
def test_headers_path_and_query_together_have_a_size(large):
    status, _, body = answer(fine, scope(**large), max_header_bytes=1024)
    assert (status, code(body)) == (431, "headers_too_large")


def test_https_is_demanded_of_browsers_where_it_is_served():
    name = b"strict-transport-security"
    _, plain, _ = answer(fine, scope(), public_url="http://127.0.0.1:8000")
    assert name not in plain
    for app, status in ((fine, 200), (None, 500)):
        code_of_answer, headers, _ = answer(app, scope(), public_url="https://clinic.example")
        assert (code_of_answer, headers[name]) == (status, b"max-age=31536000; includeSubDomains")
    refusal = _serialise(Problem("too_many"), Settings(public_url="https://clinic.example"))
    assert b"\r\n" + name + b": max-age=31536000" in refusal


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "ZAPHOD"])
@pytest.mark.parametrize("path", ["/v1/score", "/health/live", "/metrics", "/problems/x"])
def test_methods_of_which_no_route_knows_are_refused(anonymous, method, path):
    response = anonymous.request(method, path)
    if IS_LOOPBACK and method == "ZAPHOD":
        assert response.status_code == 400  # the parser of HTTP refuses it
        return
    assert response.status_code == 405
    assert response.json()["type"] == "/problems/method_not_allowed"
    assert method not in response.headers["allow"]


def test_head_tells_what_get_tells_without_the_body(client, anonymous):
    for caller, path, status in (
        (client, "/v1/screenings", 200),
        (client, "/v1/rulebooks", 200),
        (client, "/v1/nothing", 404),
        (client, "/v1/score", 405),
        (anonymous, "/v1/screenings", 401),
    ):
        got, head = caller.get(path), caller.head(path)
        assert (got.status_code, head.status_code, head.content) == (status, status, b"")
        for name in ("content-type", "content-length"):
            assert head.headers[name] == got.headers[name], (path, name)


def test_a_read_by_head_is_in_the_audit(kept_service, kept_clinic, kept_client):
    screening_id = kept_client.post("/v1/screenings", json=builders.request()).json()["id"]
    before = len(audited(kept_service, kept_clinic))
    assert kept_client.head(f"/v1/screenings/{screening_id}").status_code == 200
    (row,) = audited(kept_service, kept_clinic)[before:]
    assert (row.action, row.target, row.outcome) == ("read", screening_id, "ok")


def test_a_path_with_a_slash_too_many_leads_nowhere(anonymous):
    response = anonymous.get("/v1/rulebooks/", follow_redirects=False)
    assert response.status_code == 404
    assert "location" not in response.headers


def test_an_answer_that_fails_after_it_began_is_left_unfinished():
    async def half(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    assert answer(half, scope())[::2] == (200, b"")


FAILING = """
import asyncio, sys
from api.observability.structured_logging import configure_logging
configure_logging()
from api.http.middleware import RequestMiddleware
from api.observability.metrics import Metrics
from api.settings import Settings
from starlette.applications import Starlette
from starlette.routing import Route

canary = "Zaphod Beeblebrox 4711"

async def fails(request):
    try:
        int(canary)
    except ValueError as error:
        error.add_note(canary)
        raise LookupError(canary, request.headers["cookie"]) from error

metrics = Metrics()
edge = Starlette(routes=[Route("/x/{y}", fails)])
edge.add_middleware(RequestMiddleware, settings=Settings(), metrics=metrics)

async def send(message):
    print(message)

asyncio.run(edge({
    "type": "http", "method": "GET", "path": "/x/" + canary, "raw_path": canary.encode(),
    "query_string": canary.encode(), "headers": [(b"host", b"x"), (b"cookie", canary.encode())],
}, None, send))
print(metrics.render().decode())
"""


def test_the_text_of_a_failing_route_reaches_no_client():
    process = subprocess.run(
        [sys.executable, "-c", FAILING],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert "Zaphod" not in process.stdout + process.stderr
    assert "/problems/internal" in process.stdout
    assert 'nociscreen_problems_total{code="internal"} 1.0' in process.stdout
    failed, request = map(json.loads, process.stderr.splitlines())
    assert (failed["event"], request["status"]) == ("uncaught_exception", 500)
    assert failed["request_id"] == request["request_id"]
    assert [item["class"] for item in failed["exception"]] == [
        "builtins.LookupError",
        "builtins.ValueError",
    ]
