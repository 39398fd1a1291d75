"""The worker: a program that lays out one document after another and can be killed at any moment.

Standard input brings a document as JSON, standard output takes its PDF, each after its length in
four bytes. It may not reach the network, write a file or start a program, and it may use only so
much memory: what breaks these bounds ends the worker and nothing else.
"""

import gc
import os
import resource
import struct
import sys
from typing import BinaryIO

LENGTH = struct.Struct(">I")
MOST_BYTES = 16 * 1024 * 1024
_FORBIDDEN = {
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"),
}


def main() -> None:
    """Bound yourself, say that you are ready, then serve until the input ends."""
    memory = int(sys.argv[1])
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    from reports.blocks import Document
    from reports.pdf import render

    _bound(memory)
    gc.freeze()
    send(target, b"")
    while (asked := receive(source)) is not None:
        send(target, render(Document.model_validate_json(asked)))
        gc.collect()


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
    if event in _FORBIDDEN:
        raise PermissionError(event)
    if event == "open" and isinstance(given[1], str) and set(given[1]) & set("wax+"):
        raise PermissionError(event)


if __name__ == "__main__":
    main()
