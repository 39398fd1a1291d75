"""Processes that lay documents out: bounded in time and memory, told nothing, replaced."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.problems import Problem
from api.rendering import MEMORY, Renderer, _Process
from reports.blocks import Document, Letters, paragraph

PDF = b"%PDF-"


def document(text: str = "short", times: int = 1) -> Document:
    return Document(
        language="en",
        title="T",
        lead="l",
        description="d",
        letters=Letters(),
        who="",
        what="",
        mark="",
        page_of=("", ""),
        made_at="2026-11-24T00:00:00Z",
        blocks=tuple(paragraph(text) for _ in range(times)),
    )


@pytest.fixture
def renderer():
    made = Renderer(1, 1, 2.0)
    yield made
    made.close()


def test_equal_documents_give_equal_bytes_in_every_process():
    made = set()
    for _ in range(2):
        renderer = Renderer(1, 0, 30)
        made.add(renderer.render(document()))
        renderer.close()
    assert len(made) == 1
    assert made.pop().startswith(PDF)


def test_what_takes_too_long_is_stopped_and_the_next_is_made(renderer):
    renderer.render(document())
    with pytest.raises(Problem) as stopped:
        renderer.render(document("word " * 2_000, 400))
    assert stopped.value.code == "report_stopped"
    assert stopped.value.headers["Retry-After"]
    assert renderer.render(document()).startswith(PDF)


def test_a_process_that_was_killed_is_replaced(renderer):
    renderer.render(document())
    process = renderer._idle.get()
    process._process.kill()
    process._process.wait()
    renderer._idle.put(process)
    with pytest.raises(Problem):
        renderer.render(document())
    assert renderer.render(document()).startswith(PDF)


def test_what_takes_too_much_memory_ends_its_process_only():
    renderer = Renderer(1, 0, 20.0, memory=400 * 1024 * 1024)
    try:
        with pytest.raises(Problem) as stopped:
            renderer.render(document("word " * 4_000, 400))
        assert stopped.value.code == "report_stopped"
        assert renderer.render(document()).startswith(PDF)
    finally:
        renderer.close()


def test_no_setting_of_the_service_reaches_a_process(monkeypatch):
    monkeypatch.setenv("NOCISCREEN_KEY_FILE", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    process = _Process(MEMORY)
    with open(f"/proc/{process._process.pid}/environ", "rb") as file:  # noqa: PTH123 - no such path
        inherited = file.read()
    process.kill()
    assert b"secret" not in inherited
    assert b"NOCISCREEN" not in inherited


@pytest.mark.parametrize(
    "tried",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "open('/tmp/written', 'w')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork()",
        "import os; os.system('true')",
    ],
)
def test_a_process_may_reach_nothing(tried):
    program = f"from reports import worker; worker._bound({MEMORY})\n{tried}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], check=False, capture_output=True, text=True
    )
    assert "PermissionError" in done.stderr


def test_many_at_once_are_made_or_refused_and_none_is_lost():
    renderer = Renderer(2, 2, 20.0)

    def attempt(number: int) -> str:
        try:
            return renderer.render(document(f"number {number}"))[:5].decode()
        except Problem as problem:
            return problem.code

    try:
        with ThreadPoolExecutor(12) as threads:
            outcomes = list(threads.map(attempt, range(12)))
    finally:
        renderer.close()
    assert set(outcomes) <= {"%PDF-", "too_many"}
    assert outcomes.count("%PDF-") >= 4


def test_a_process_ends_when_its_service_does():
    process = _Process(MEMORY)
    process._process.stdin.close()
    assert process._process.wait(timeout=10) == 0
    process._process.stdout.close()
