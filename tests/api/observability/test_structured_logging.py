"""Logs: JSON from every source, without content of requests or exceptions."""

import json
import re
import subprocess
import sys

import pytest

from api.observability.structured_logging import describe_exception

CANARY = "Zaphod Beeblebrox 4711"
BEGIN = f"""
import asyncio, logging, sys, threading, warnings
import structlog
from api.observability.structured_logging import REQUEST_ID, configure_logging
configure_logging()
canary = {CANARY!r}
"""


def run_and_read_log(program: str) -> list[dict]:
    """Return the log of a program, which must not contain the canary."""
    process = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=False
    )
    assert "Zaphod" not in process.stderr + process.stdout
    assert process.stdout == ""
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    return lines


def catch_exception(act) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - of any class
        act()
    return caught.value


def test_an_exception_is_logged_by_its_classes_and_frames():
    def act():
        try:
            int(CANARY)
        except ValueError as error:
            error.add_note(CANARY)
            raise LookupError(CANARY) from error

    outer, inner = describe_exception(catch_exception(act))
    assert (outer["class"], inner["class"]) == ("builtins.LookupError", "builtins.ValueError")
    assert re.fullmatch(r"\S*test_structured_logging\.py:\d+ act", outer["frames"][-1])
    assert "Zaphod" not in json.dumps([outer, inner])


def test_a_system_error_is_logged_by_its_name_without_the_file():
    (entry,) = describe_exception(catch_exception(lambda: open(f"/{CANARY}")))  # noqa: PTH123, SIM115 - it is to fail
    assert entry["errno"] == "ENOENT"
    assert "Zaphod" not in json.dumps(entry)


def test_a_group_is_logged_with_each_of_its_exceptions():
    def act():
        raise ExceptionGroup(CANARY, [ValueError(CANARY), OSError(CANARY)])

    assert [entry["class"] for entry in describe_exception(catch_exception(act))] == [
        "builtins.ExceptionGroup",
        "builtins.ValueError",
        "builtins.OSError",
    ]


def test_a_cyclic_or_long_chain_is_truncated():
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert len(describe_exception(first)) == 2
    last = ValueError()
    for _ in range(50):
        following = ValueError()
        following.__cause__, last = last, following
    assert len(describe_exception(last)) == 10


def test_our_own_events_have_the_request_id_and_the_frames():
    (line,) = run_and_read_log(
        "REQUEST_ID.set('abc')\n"
        "try: int(canary)\n"
        "except ValueError: structlog.get_logger().exception('failed')"
    )
    assert (line["event"], line["level"], line["request_id"]) == ("failed", "error", "abc")
    assert line["exception"] == [
        {"class": "builtins.ValueError", "frames": ["?:8 <module>"]},
    ]


def test_a_value_that_is_no_json_is_logged_by_its_class():
    (line,) = run_and_read_log(
        "structlog.get_logger().info('x', it={canary}, error=ValueError(canary))"
    )
    assert (line["it"], line["error"]) == ("set", "ValueError")


def test_of_a_library_record_only_the_code_location_is_logged():
    lines = run_and_read_log(
        "logging.getLogger('sqlalchemy').warning('%s', canary)\n"
        "logging.getLogger('asyncio').error(canary, exc_info=ValueError(canary))\n"
        "logging.warning(canary)\n"
        "logging.getLogger('x').info(canary)"
    )
    assert [line["event"] for line in lines] == ["library_log"] * 3
    assert [line["logger"] for line in lines] == ["sqlalchemy", "asyncio", "root"]
    assert lines[1]["exception"][0]["class"] == "builtins.ValueError"


def test_constant_messages_of_the_server_are_logged_without_arguments():
    first, second, third = run_and_read_log(
        "log = logging.getLogger('uvicorn.error')\n"
        "log.error('Exception in ASGI application\\n', exc_info=ValueError(canary))\n"
        "log.error('ASGI callable should return None, but returned %s.', canary)\n"
        "log.error(OSError(98, canary))"
    )
    assert first["event"] == "Exception in ASGI application"
    assert first["exception"][0]["class"] == "builtins.ValueError"
    assert second["event"] == "ASGI callable should return None, but returned %s."
    assert third["exception"][0]["errno"] == "EADDRINUSE"


def test_a_warning_is_logged_by_its_category():
    (line,) = run_and_read_log("warnings.warn(canary, UserWarning)")
    assert (line["event"], line["category"]) == ("python_warning", "UserWarning")


@pytest.mark.parametrize(
    "program",
    [
        "raise ValueError(canary)",
        "t = threading.Thread(target=lambda: int(canary)); t.start(); t.join()",
        "class X:\n    def __del__(self): raise ValueError(canary)\nX()",
        """
async def f():
    asyncio.get_running_loop().call_soon(int, canary)
    await asyncio.sleep(0)
asyncio.run(f())
""",
        """
async def f():
    task = asyncio.ensure_future(g())
    await asyncio.sleep(0)
async def g():
    int(canary)
asyncio.run(f())
""",
    ],
)
def test_an_uncaught_exception_is_logged_in_the_same_way(program):
    lines = run_and_read_log(program)
    assert [line["exception"][0]["class"] for line in lines] == ["builtins.ValueError"]
