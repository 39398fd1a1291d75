"""Rendering processes: bounded in time and memory, without secrets, replaced after a failure."""

import base64
import io
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pikepdf
import pypdfium2
import pytest

from api.documents.render_pool import MAX_MEMORY_BYTES, RendererPool
from api.problems import Problem
from api.processes.child_process import ChildProcess
from reports.blocks import Document, Drawing, PrintedLetterhead, paragraph

PDF = b"%PDF-"

RESTRICTED = f"""from reports import render_worker
render_worker.restrict_process({MAX_MEMORY_BYTES})"""


def document(text: str = "short", times: int = 1) -> Document:
    return Document(
        language="en",
        title="T",
        lead="l",
        description="d",
        letterhead=PrintedLetterhead(),
        patient_line="",
        rulebook_line="",
        warning="",
        page_number_texts=("", ""),
        created_at="2026-11-24T00:00:00Z",
        blocks=tuple(paragraph(text) for _ in range(times)),
    )


@pytest.fixture
def renderer():
    pool = RendererPool(1, 1, 2.0)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared_renderer():
    """A process for the tests that leave it as it was, or have it replaced."""
    pool = RendererPool(1, 0, 30.0)
    yield pool
    pool.close()


def test_equal_documents_give_equal_bytes_in_every_process(shared_renderer):
    first = shared_renderer.render(document())
    process = shared_renderer._idle.get()
    process.kill()
    shared_renderer._idle.put(None)
    assert shared_renderer.render(document()) == first
    assert first.startswith(PDF)


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
    renderer = RendererPool(1, 0, 20.0, memory=240 * 1024 * 1024)
    try:
        with pytest.raises(Problem) as stopped:
            renderer.render(document("w", 100_000))
        assert stopped.value.code == "report_stopped"
        assert renderer.render(document()).startswith(PDF)
    finally:
        renderer.close()


def test_no_setting_of_the_service_reaches_a_process(monkeypatch):
    monkeypatch.setenv("NOCISCREEN_KEY_FILE", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    process = ChildProcess("reports.render_worker", MAX_MEMORY_BYTES)
    with open(f"/proc/{process._process.pid}/environ", "rb") as file:  # noqa: PTH123 - no such path
        inherited = file.read()
    process.kill()
    assert b"secret" not in inherited
    assert b"NOCISCREEN" not in inherited


FORBIDDEN_ATTEMPTS = (
    "import socket; socket.create_connection(('127.0.0.1', 9))",
    "import socket; socket.getaddrinfo('localhost', 80)",
    "import socket; socket.socket()",
    "import urllib.request as u; u.urlopen('file:///etc/hostname')",
    "import urllib.request as u; u.urlopen('http://127.0.0.1:9/')",
    "open('/tmp/written', 'w')",
    "import os; os.open('/tmp/written', os.O_CREAT | os.O_WRONLY)",
    "import os; os.remove('/tmp/written')",
    "open('/etc/hostname')",
    "open(b'/etc/hostname')",
    "open('/proc/self/environ')",
    "import os; os.open('/etc/hostname', os.O_RDONLY)",
    "import os; os.listdir('/')",
    "import os; os.scandir('.')",
    "open(render_worker.__file__.replace('render_worker.py', '../pyproject.toml'))",
    "open(render_worker.__file__.replace('render_worker.py', '../api/settings.py'))",
    "import subprocess; subprocess.run(['true'])",
    "import os; os.fork()",
    "import os; os.system('true')",
)


def test_a_process_may_reach_nothing():
    """Every attempt is made by one restricted process, which prints those that raise nothing else.

    One that ends the process, or goes on in another, leaves no list that can be read.
    """
    program = f"""{RESTRICTED}
import json
outcomes = {{}}
for attempt in {FORBIDDEN_ATTEMPTS!r}:
    try:
        exec(attempt)
        outcomes[attempt] = "succeeded"
    except BaseException as error:
        outcomes[attempt] = type(error).__name__
print(json.dumps(outcomes))"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", program], check=False, capture_output=True, text=True
    )
    assert json.loads(process.stdout) == dict.fromkeys(FORBIDDEN_ATTEMPTS, "PermissionError")


def test_what_a_layout_needs_may_be_read():
    program = f"""{RESTRICTED}
open(render_worker.__file__.replace('render_worker.py', 'templates/report.css')).close()
import colorsys, fontTools.merge"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", program], check=False, capture_output=True, text=True
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.fixture
def requests_received():
    """What a server on loopback was asked for, and its address."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield paths, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


HOSTILE = {
    "a logo": lambda at: {"letterhead": letters(f'<image href="{at}" width="9" height="9"/>')},
    "a logo's style": lambda at: {"letterhead": letters(f"<style>@import '{at}';</style>")},
    "a logo's fill": lambda at: {"letterhead": letters(f'<rect width="9" fill="url({at})"/>')},
    "a drawing": lambda at: {"blocks": (drawing(f'<image href="{at}" width="9" height="9"/>'),)},
    "a drawing's use": lambda at: {"blocks": (drawing(f'<use href="{at}#a"/>'),)},
    "a text": lambda at: {"blocks": (paragraph(f'<img src="{at}"/><link href="{at}"/>'),)},
    "the foot": lambda at: {
        "rulebook_line": f'"; }} @import "{at}"; @page {{ background: url({at})'
    },
    "the mark": lambda at: {"warning": f'</style><link rel="attachment" href="{at}"/>'},
}


def letters(shapes: str) -> PrintedLetterhead:
    logo = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{shapes}</svg>'
    encoded = base64.b64encode(logo.encode()).decode()
    return PrintedLetterhead(name="Clinic", logo=encoded, logo_type="image/svg+xml")


def drawing(shapes: str) -> Drawing:
    return Drawing(role="scale", alt_text="w", svg=f'<svg viewBox="0 0 9 9">{shapes}</svg>')


@pytest.mark.parametrize("place", HOSTILE)
def test_no_reference_in_a_document_is_fetched_or_read(
    place, requests_received, tmp_path, shared_renderer
):
    paths, address = requests_received
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>Zaphod-4711</text></svg>')
    for at in (f"{address}/x.svg", secret.as_uri(), str(secret)):
        with suppress(Problem):
            pdf = shared_renderer.render(document().model_copy(update=HOSTILE[place](at)))
            with pikepdf.open(io.BytesIO(pdf)) as pool:
                assert list(pool.attachments) == []
            assert "Zaphod-4711" not in words(pdf)
    assert shared_renderer.render(document()).startswith(PDF)
    assert paths == []


def words(pdf: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


def test_the_fetcher_alone_does_not_hold_it(requests_received):
    """The second barrier: a page rendered with WeasyPrint's own fetcher in a restricted process."""
    paths, address = requests_received
    program = f"""import sys, weasyprint
from reports import render_worker
from reports.pdf import render
render.render_pdf(render_worker._build_warm_up_document())
render_worker.restrict_process({MAX_MEMORY_BYTES})
page = '<img src="{address}/a.png"><img src="file:///etc/hostname">'
page += '<link rel=attachment href="file:///etc/hostname"><link rel=stylesheet href="{address}/b">'
made = weasyprint.HTML(string=page).write_pdf()
sys.stdout.buffer.write(made)"""
    process = subprocess.run(
        [sys.executable, "-I", "-c", program], check=False, capture_output=True
    )
    assert paths == []
    if process.returncode == 0:
        with pikepdf.open(io.BytesIO(process.stdout)) as pool:
            assert list(pool.attachments) == []
    else:
        assert b"PermissionError" in process.stderr


def test_many_at_once_are_made_or_refused_and_none_is_lost():
    renderer = RendererPool(2, 2, 20.0)

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
    process = ChildProcess("reports.render_worker", MAX_MEMORY_BYTES)
    process._process.stdin.close()
    assert process._process.wait(timeout=10) == 0
    process._process.stdout.close()
