"""Logs: JSON whoever speaks, and never a word of what was sent."""

import json
import subprocess
import sys

import pytest

from api.observability.structured_logging import describe_exception

CANARY = "Zaphod Beeblebrox 4711"
BEGIN = f"""
import asyncio, logging, sys, threading, warnings
import structlog
from api.observability.structured_logging import REQUEST_ID, configure
configure()
canary = {CANARY!r}
"""


def logged(program: str) -> list[dict]:
    """What a program logs; nothing of the canary."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=False
    )
    assert "Zaphod" not in done.stderr + done.stdout
    assert done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    return lines


def raised(act) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it is
        act()
    return caught.value


def test_an_exception_is_told_by_its_classes_and_frames():
    def act():
        try:
            int(CANARY)
        except ValueError as error:
            error.add_note(CANARY)
            raise LookupError(CANARY) from error

    outer, inner = describe_exception(raised(act))
    assert (outer["class"], inner["class"]) == ("builtins.LookupError", "builtins.ValueError")
    assert outer["frames"][-1].startswith("test_logs.py:") or "tests/api" in outer["frames"][-1]
    assert outer["frames"][-1].endswith(" act")
    assert "Zaphod" not in json.dumps([outer, inner])


def test_the_fault_of_a_system_call_is_told_by_its_name_and_not_by_its_file():
    (one,) = describe_exception(raised(lambda: open(f"/{CANARY}")))  # noqa: PTH123, SIM115 - it is to fail
    assert one["errno"] == "ENOENT"
    assert "Zaphod" not in json.dumps(one)


def test_a_group_tells_each_of_its_exceptions():
    def act():
        raise ExceptionGroup(CANARY, [ValueError(CANARY), OSError(CANARY)])

    assert [one["class"] for one in describe_exception(raised(act))] == [
        "builtins.ExceptionGroup",
        "builtins.ValueError",
        "builtins.OSError",
    ]


def test_a_chain_without_end_is_cut():
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert len(describe_exception(one)) == 2
    last = ValueError()
    for _ in range(50):
        following = ValueError()
        following.__cause__, last = last, following
    assert len(describe_exception(last)) == 10


def test_our_own_lines_carry_the_request_and_the_frames():
    (line,) = logged(
        "REQUEST_ID.set('abc')\n"
        "try: int(canary)\n"
        "except ValueError: structlog.get_logger().exception('failed')"
    )
    assert (line["event"], line["level"], line["request_id"]) == ("failed", "error", "abc")
    assert line["exception"] == [
        {"class": "builtins.ValueError", "frames": ["?:8 <module>"]},
    ]


def test_what_cannot_be_json_is_named_by_its_class():
    (line,) = logged("structlog.get_logger().info('x', it={canary}, error=ValueError(canary))")
    assert (line["it"], line["error"]) == ("set", "ValueError")


def test_of_a_library_only_the_place_is_told():
    lines = logged(
        "logging.getLogger('sqlalchemy').warning('%s', canary)\n"
        "logging.getLogger('asyncio').error(canary, exc_info=ValueError(canary))\n"
        "logging.warning(canary)\n"
        "logging.getLogger('x').info(canary)"
    )
    assert [line["event"] for line in lines] == ["library"] * 3
    assert [line["logger"] for line in lines] == ["sqlalchemy", "asyncio", "root"]
    assert lines[1]["exception"][0]["class"] == "builtins.ValueError"


def test_the_servers_sentences_are_kept_without_what_they_were_given():
    first, second, third = logged(
        "log = logging.getLogger('uvicorn.error')\n"
        "log.error('Exception in ASGI application\\n', exc_info=ValueError(canary))\n"
        "log.error('ASGI callable should return None, but returned %s.', canary)\n"
        "log.error(OSError(98, canary))"
    )
    assert first["event"] == "Exception in ASGI application"
    assert first["exception"][0]["class"] == "builtins.ValueError"
    assert second["event"] == "ASGI callable should return None, but returned %s."
    assert third["exception"][0]["errno"] == "EADDRINUSE"


def test_a_warning_is_told_by_its_category():
    (line,) = logged("warnings.warn(canary, UserWarning)")
    assert (line["event"], line["category"]) == ("warned", "UserWarning")


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
def test_what_nobody_catches_is_told_in_the_same_way(program):
    lines = logged(program)
    assert [line["exception"][0]["class"] for line in lines] == ["builtins.ValueError"]
