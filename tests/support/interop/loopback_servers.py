"""Servers on loopback for what goes out: sockets that say what a test wants, plain or by TLS."""

import datetime as dt
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.outbound.allowlist import AllowedHost, HostPort


@contextmanager
def listening(serve: Callable[[socket.socket], None], context=None) -> Iterator[HostPort]:
    """A server whose every connection is served by this, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                secured = context.wrap_socket(connection, server_side=True) if context else None
                with suppress(OSError), secured or connection as line:
                    serve(line)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield HostPort("127.0.0.1", server.getsockname()[1])
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=5)


def in_the_house(place: HostPort) -> tuple[AllowedHost, ...]:
    """The place, allowed as private."""
    return (AllowedHost(place, True),)


def answering(content: bytes) -> Callable[[socket.socket], None]:
    """Reads a whole request, and says this: who leaves bytes unread resets the line at its end."""

    def serve(line: socket.socket) -> None:
        read = b""
        while b"\r\n\r\n" not in read:
            read += line.recv(65536)
        head, _, body = read.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        while len(body) < int(length[1] if length else 0):
            body += line.recv(65536)
        line.sendall(content)

    return serve


def certified(folder: Path, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, str]:
    """A server's side of TLS under this name, and what proves it, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alt = x509.IPAddress(__import__("ipaddress").ip_address(name))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([alt]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .issue(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, pem.decode()
