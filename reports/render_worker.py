"""Render PDFs in a sandboxed child process that can be killed at any moment.

The worker reads documents as JSON from standard input and writes PDFs to standard output; each
message is preceded by its length in four bytes. It can't use the network, write files, start
programs or read files outside this package and the libraries, and its memory is limited. Breaking
a limit ends the worker, not the service.
"""

import base64
import gc
import os
import resource
import struct
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from reports.blocks import Document

LENGTH_PREFIX = struct.Struct(">I")
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_FORBIDDEN_EVENTS = {
    *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime"),
}
_READ_EVENTS = {"open", "os.listdir", "os.scandir", "os.walk"}
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_READABLE_FOLDERS = tuple(
    f"{os.path.realpath(folder)}{os.sep}"
    for folder in (
        str(Path(__file__).parent),
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)
"""Folders the worker may read: this package with its fonts and templates, and the libraries."""


def main() -> None:
    """Apply the limits, signal readiness with an empty message, then serve until the input ends."""
    memory = int(sys.argv[1])
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    from reports.blocks import Document
    from reports.pdf.render import render_pdf

    render_pdf(_build_warm_up_document())
    restrict_process(memory)
    gc.freeze()
    write_message(target, b"")
    while (request := read_message(source)) is not None:
        write_message(target, render_pdf(Document.model_validate_json(request)))
        gc.collect()


def _build_warm_up_document() -> "Document":
    """Return a document whose rendering makes the libraries load everything they load once."""
    from reports.blocks import Document, PrintedLetterhead, paragraph

    logo = base64.b64encode(
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    )
    return Document(
        language="en",
        title="-",
        lead="-",
        description="-",
        letterhead=PrintedLetterhead(name="-", logo=logo.decode(), logo_type="image/svg+xml"),
        patient_line="-",
        rulebook_line="-",
        warning="",
        page_number_texts=("", ""),
        created_at="2026-01-01T00:00:00Z",
        blocks=(paragraph("-"),),
        attachment="{}",
        attachment_description="-",
    )


def write_message(target: BinaryIO, content: bytes) -> None:
    """Write the content, preceded by its length."""
    target.write(LENGTH_PREFIX.pack(len(content)) + content)
    target.flush()


def read_message(source: BinaryIO) -> bytes | None:
    """Return the next content, or None at the end of the input."""
    prefix = source.read(LENGTH_PREFIX.size)
    if len(prefix) < LENGTH_PREFIX.size:
        return None
    return source.read(LENGTH_PREFIX.unpack(prefix)[0])


def restrict_process(memory: int) -> None:
    """Limit this process to `memory` bytes and to reading what a worker needs, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    """Raise PermissionError for an event that no layout needs. An audit hook can't be removed."""
    if event in _FORBIDDEN_EVENTS or (event in _READ_EVENTS and not _may_read(arguments[0])):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITE_FLAGS:
        raise PermissionError(event)


def _may_read(path: object) -> bool:
    """Return whether the worker may read the path; an integer is a file that is already open."""
    if isinstance(path, int):
        return True
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return f"{os.path.realpath(os.fsdecode(path))}{os.sep}".startswith(_READABLE_FOLDERS)


if __name__ == "__main__":
    main()
