"""Structured logging: one JSON object per line on standard error, without request content.

Exceptions are logged by class and stack frames, since messages and notes may contain patient data.
Of library log records only uvicorn's constant messages are kept; of all others, the code location.
"""

import errno
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
MAX_FRAMES = 40
MAX_CHAINED_EXCEPTIONS = 10
_CONSTANT_MESSAGE_LOGGER = "uvicorn.error"
_log = structlog.get_logger("nociscreen")


def configure_logging() -> None:
    """Log events, warnings and uncaught exceptions to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_request_id,
            remove_exception_messages,
            structlog.processors.JSONRenderer(default=lambda value: type(value).__name__),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = LibraryLogHandler(logging.WARNING)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda failure: _log_error(failure.exc_value)
    threading.excepthook = lambda failure: _log_error(failure.exc_value)


@contextmanager
def suppress_logging() -> Iterator[None]:
    """Suppress our own log events in the block; the caller reports errors itself."""
    previous_config = structlog.get_config()
    structlog.configure(processors=[_drop_event], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**previous_config)


def _drop_event(_: WrappedLogger, __: str, ___: EventDict) -> EventDict:
    raise structlog.DropEvent


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the id of the current request, if any."""
    if (request_id := REQUEST_ID.get()) is not None:
        event.setdefault("request_id", request_id)
    return event


def remove_exception_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace exception information by classes and stack frames."""
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["exception"] = describe_exception(error)
    return event


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """Describe an exception and its causes, outermost first, without messages, notes or locals."""
    chain: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending and len(chain) < MAX_CHAINED_EXCEPTIONS:
        current = pending.pop(0)
        if current is None or any(current is link for link in chain):
            continue
        chain.append(current)
        is_suppressed = current.__suppress_context__
        pending.append(current.__cause__ or (None if is_suppressed else current.__context__))
        if isinstance(current, BaseExceptionGroup):
            pending.extend(current.exceptions)
    return [_describe_one(link) for link in chain]


def _describe_one(error: BaseException) -> dict[str, Any]:
    error_class = type(error)
    entry: dict[str, Any] = {"class": f"{error_class.__module__}.{error_class.__qualname__}"}
    if isinstance(error, OSError) and error.errno is not None:
        entry["errno"] = errno.errorcode.get(error.errno, "unknown")
    return entry | {"frames": _list_frames(error.__traceback__)}


def _list_frames(traceback: TracebackType | None) -> list[str]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{_shorten_path(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-MAX_FRAMES:]


def _shorten_path(filename: str) -> str:
    """Return the path relative to its import folder, or `?` if it is not a module."""
    path = Path(filename)
    if path.suffix != ".py":
        return "?"
    folders = [folder for folder in map(Path, filter(None, sys.path)) if folder in path.parents]
    if not folders:
        return path.name
    return str(path.relative_to(max(folders, key=lambda folder: len(folder.parts))))


class LibraryLogHandler(logging.Handler):
    """Logs library records in our own format."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's code location, and its message if that is a constant."""
        message: object = record.msg
        is_exception = isinstance(message, BaseException)
        constant = record.name == _CONSTANT_MESSAGE_LOGGER and isinstance(record.msg, str)
        _log.log(
            record.levelno,
            record.msg.strip() if constant else "library_log",
            logger=record.name,
            place=f"{_shorten_path(record.pathname)}:{record.lineno} {record.funcName}",
            exc_info=record.exc_info or (record.msg if is_exception else None),
        )


def _log_warning(  # noqa: PLR0913, PLR0917 - the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    place = f"{_shorten_path(filename)}:{lineno}"
    _log.warning("python_warning", category=category.__name__, place=place)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        _log_error(error)


def _log_error(error: BaseException | None) -> None:
    _log.error("uncaught_exception", exc_info=error)
