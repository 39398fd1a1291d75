"""Logs: what happened comes in, one JSON object a line goes out on standard error.

No line repeats what was sent. An exception is told by its class and its frames: its message and its
notes may hold a value. Of what libraries log, only uvicorn's own constant sentences are kept; of
all else the place in the code.
"""

import errno
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
FRAMES = 40
CHAIN = 10
_CONSTANT = "uvicorn.error"
_log = structlog.get_logger("nociscreen")


def configure() -> None:
    """Send all that is logged, warned of or raised in vain to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            with_request_id,
            without_messages,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[Foreign(logging.WARNING)], level=logging.WARNING, force=True)
    warnings.showwarning = _warned
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda given: _lost(given.exc_value)
    threading.excepthook = lambda given: _lost(given.exc_value)


@contextmanager
def silenced() -> Iterator[None]:
    """Log nothing of ours in the block, where whoever calls tells its trouble in one line."""
    before = structlog.get_config()
    structlog.configure(processors=[_dropped], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def _dropped(_: WrappedLogger, __: str, ___: EventDict) -> EventDict:
    raise structlog.DropEvent


def with_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the request under way, where there is one."""
    if (request_id := REQUEST_ID.get()) is not None:
        event.setdefault("request_id", request_id)
    return event


def without_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Tell an exception by classes and frames alone."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if given is True:
        given = sys.exc_info()
    raised = given[1] if isinstance(given, tuple) else given
    if isinstance(raised, BaseException):
        event["exception"] = told(raised)
    return event


def told(raised: BaseException) -> list[dict[str, Any]]:
    """The exception and what led to it, outermost first, without messages, notes and locals."""
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [raised]
    while waiting and len(chain) < CHAIN:
        each = waiting.pop(0)
        if each is None or any(each is known for known in chain):
            continue
        chain.append(each)
        hidden = each.__suppress_context__
        waiting.append(each.__cause__ or (None if hidden else each.__context__))
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
    return [_told_alone(each) for each in chain]


def _told_alone(raised: BaseException) -> dict[str, Any]:
    kind = type(raised)
    one: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if isinstance(raised, OSError) and raised.errno is not None:
        one["errno"] = errno.errorcode.get(raised.errno, "unknown")
    return one | {"frames": _frames(raised.__traceback__)}


def _frames(traceback: TracebackType | None) -> list[str]:
    """File, line and function, the innermost last."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{_relative(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-FRAMES:]


def _relative(file: str) -> str:
    """The file below the folder that it is imported from; no name that is not a module's."""
    path = Path(file)
    if path.suffix != ".py":
        return "?"
    folders = [folder for folder in map(Path, filter(None, sys.path)) if folder in path.parents]
    if not folders:
        return path.name
    return str(path.relative_to(max(folders, key=lambda folder: len(folder.parts))))


class Foreign(logging.Handler):
    """Tells what libraries log in the shape of our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record: where it comes from and, where it is a constant, what it says."""
        constant = record.name == _CONSTANT and isinstance(record.msg, str)
        _log.log(
            record.levelno,
            record.msg.strip() if constant else "library",
            logger=record.name,
            place=f"{_relative(record.pathname)}:{record.lineno} {record.funcName}",
            exc_info=record.exc_info or (record.msg if _is_raised(record.msg) else None),
        )


def _is_raised(given: object) -> bool:
    return isinstance(given, BaseException)


def _warned(  # noqa: PLR0913, PLR0917 - the library's own
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    _log.warning("warned", category=category.__name__, place=f"{_relative(filename)}:{lineno}")


def _uncaught(
    kind: type[BaseException], raised: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, raised, traceback)
    else:
        _lost(raised)


def _lost(raised: BaseException | None) -> None:
    _log.error("failed", exc_info=raised)


def _json(event: EventDict, **_: object) -> str:
    return json.dumps(event, default=lambda value: type(value).__name__)
