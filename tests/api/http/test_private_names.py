"""The names of uvicorn that our protocol uses without being documented still exist.

If one fails after an update, read api/http/uvicorn_protocol.py again before the version in
pyproject.toml changes.
"""

import asyncio
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from api.http.uvicorn_protocol import BoundedConnection

OVERRIDDEN = sorted(
    name
    for name, value in vars(BoundedConnection).items()
    if inspect.isfunction(value) and not name.startswith("_") and name != "end_response"
)

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
DEPENDENCIES = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["dependencies"]


@pytest.fixture
def protocol():
    """A protocol of uvicorn without a connection."""
    loop = asyncio.new_event_loop()
    config = uvicorn.Config(lambda *_: None, http="httptools", ws="none", lifespan="off")
    config.load()
    yield HttpToolsProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    loop.close()


def test_the_version_is_pinned_exactly():
    (pin,) = [line for line in DEPENDENCIES if line.startswith("uvicorn==")]
    assert pin == f"uvicorn=={version('uvicorn')}"


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_method_that_ours_overrides_has_the_same_parameters(name):
    original = inspect.signature(getattr(HttpToolsProtocol, name)).parameters
    assert list(inspect.signature(getattr(BoundedConnection, name)).parameters) == list(original)


def test_the_protocol_has_the_attributes_that_ours_reads(protocol):
    assert {"connections", "cycle", "pipeline", "loop", "server_state", "transport", "flow"} <= (
        vars(protocol).keys()
    )
    assert hasattr(protocol.server_state, "total_requests")
    assert callable(FlowControl.resume_reading)


def test_a_cycle_has_the_attributes_that_ours_reads_and_sets():
    parameters = inspect.signature(RequestResponseCycle.__init__).parameters
    assert {"transport", "flow", "message_event"} <= parameters.keys()
    source = inspect.getsource(RequestResponseCycle)
    for name in ("disconnected", "response_started", "response_complete", "more_body"):
        assert f"self.{name} = " in source
    assert "self.transport.close()" in source


def test_status_lines_are_bytes_by_code():
    assert STATUS_LINE[400] == b"HTTP/1.1 400 Bad Request\r\n"


def test_a_server_keeps_its_listeners():
    assert "self.servers" in inspect.getsource(uvicorn.Server)
    assert inspect.iscoroutinefunction(uvicorn.Server.startup)
