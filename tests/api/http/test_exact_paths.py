"""Busy operations: found without a search, and answered without a thread where nothing blocks."""

import asyncio
import re

import anyio.to_thread
import httpx2
import pytest

from api.http.exact_paths import find_first_match
from api.main import BUSY_OPERATIONS


def refuse(path):
    raise LookupError(path)


def test_the_busiest_operations_are_found_without_a_search(service, client, intake, monkeypatch):
    monkeypatch.setattr(service.router.middleware_stack, "_find_router", refuse)
    answers = {
        (method, path): client.request(method, path, json=intake if method == "POST" else None)
        for method, path in BUSY_OPERATIONS
    }
    assert {answer.status_code for answer in answers.values()} == {200, 201}
    other_calls = (("POST", "/health/live"), ("GET", "/health/live/"), ("GET", "/v1/screenings"))
    assert [client.request(*other).status_code for other in other_calls] == [500] * 3


def list_operations(routes):
    """List each method of each route with a path that it has."""
    return [
        (method, re.sub(r"{[^}]*}", "nociplastic", route.path))
        for route in routes
        if hasattr(route, "path")
        for method in sorted(getattr(route, "methods", None) or {"GET"})
    ]


def test_the_routes_that_begin_as_a_path_answer_it_as_all_routes_would(service):
    routes = service.router.routes
    operations = list_operations(routes)
    answering = [
        find_first_match(service.router.middleware_stack.list_candidates(path), method, path)
        for method, path in operations
    ]
    assert len(operations) > 200
    assert answering == [find_first_match(routes, method, path) for method, path in operations]


def test_a_path_tries_few_routes(service):
    candidates = service.router.middleware_stack.list_candidates("/cds-services/nociplastic")
    assert len(candidates) < len(service.router.routes) / 10


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/screenings/1/2/3", "/", "//"])
def test_a_path_without_a_route_is_not_found(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/health/live", "/v1/score"])
def test_what_cannot_block_is_answered_while_every_thread_is_taken(service, token, intake, path):
    async def answer():
        transport = httpx2.ASGITransport(service)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as client:
            body = {"json": intake} if path == "/v1/score" else {}
            method = "POST" if body else "GET"
            await client.request(method, path, **body)  # reads the signing keys
            threads = anyio.to_thread.current_default_thread_limiter()
            for _ in range(int(threads.total_tokens)):
                await threads.acquire_on_behalf_of(object())
            async with asyncio.timeout(20):
                response = await client.request(method, path, **body)
        return response.status_code

    assert asyncio.run(answer()) == 200
