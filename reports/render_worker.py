"""The worker: a program that lays out one document after another and can be killed at any moment.

Standard input brings a document as JSON, standard output takes its PDF, each after its length in
four bytes. It may not reach the network, write a file, start a program or read anything but this
package and the libraries, and it may use only so much memory: what breaks these bounds ends the
worker and nothing else.
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

LENGTH = struct.Struct(">I")
MOST_BYTES = 16 * 1024 * 1024
_FORBIDDEN = {
    *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime"),
}
_READING = {"open": 0, "os.listdir": 0, "os.scandir": 0, "os.walk": 0}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FOLDERS = tuple(
    f"{os.path.realpath(each)}{os.sep}"
    for each in (
        str(Path(__file__).parent),
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)
"""Where a worker may read: this package with its fonts and templates, and the libraries."""


def main() -> None:
    """Bound yourself, say that you are ready, then serve until the input ends."""
    memory = int(sys.argv[1])
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    from reports.blocks import Document
    from reports.pdf.render import render

    render(_warm())
    _bound(memory)
    gc.freeze()
    send(target, b"")
    while (asked := receive(source)) is not None:
        send(target, render(Document.model_validate_json(asked)))
        gc.collect()


def _warm() -> "Document":
    """A document that has the libraries read what they read only once."""
    from reports.blocks import Document, Letters, paragraph

    logo = base64.b64encode(
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    )
    return Document(
        language="en",
        title="-",
        lead="-",
        description="-",
        letters=Letters(name="-", logo=logo.decode(), logo_type="image/svg+xml"),
        who="-",
        what="-",
        mark="",
        page_of=("", ""),
        made_at="2026-01-01T00:00:00Z",
        blocks=(paragraph("-"),),
        attached="{}",
        attached_as="-",
    )


def send(target: BinaryIO, content: bytes) -> None:
    """Write the content after its length."""
    target.write(LENGTH.pack(len(content)) + content)
    target.flush()


def receive(source: BinaryIO) -> bytes | None:
    """The next content; None at the end."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return source.read(LENGTH.unpack(head)[0])


def _bound(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(_refuse)


def _refuse(event: str, given: tuple[object, ...]) -> None:
    """Refuse what no layout needs. A hook stays for the life of the process."""
    if event in _FORBIDDEN or (event in _READING and not _may_read(given[0])):
        raise PermissionError(event)
    if event == "open" and isinstance(given[2], int) and given[2] & _WRITING:
        raise PermissionError(event)


def _may_read(place: object) -> bool:
    """Whether it lies where a worker may read; what is open already is a number."""
    if isinstance(place, int):
        return True
    if not isinstance(place, str | bytes | os.PathLike):
        return False
    return f"{os.path.realpath(os.fsdecode(place))}{os.sep}".startswith(_FOLDERS)


if __name__ == "__main__":
    main()
