"""Servers on loopback for outbound connections, plain or with TLS."""

import datetime as dt
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.outbound.allowlist import AllowedHost, HostPort

PATIENCE_SECONDS = 60


@contextmanager
def running_server(
    serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[HostPort]:
    """Run a server that passes each connection to `serve`, in its own thread."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept_connections() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(
                        target=secure_and_serve, args=(connection,), daemon=True
                    ).start()

        def secure_and_serve(plain: socket.socket) -> None:
            with suppress(OSError), plain:
                secured = context.wrap_socket(plain, server_side=True) if context else None
                with suppress(OSError), secured or plain as connection:
                    serve(connection)

        thread = threading.Thread(target=accept_connections, daemon=True)
        thread.start()
        yield HostPort("127.0.0.1", server.getsockname()[1])
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=5)


def allow_private(host_port: HostPort) -> tuple[AllowedHost, ...]:
    """Return an allowlist with this host alone, allowed as private."""
    return (AllowedHost(host_port, True),)


def read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a whole HTTP request: its head and its body."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += connection.recv(65536)
    head, _, body = content.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    while len(body) < int(length[1] if length else 0):
        body += connection.recv(65536)
    return head, body


def respond_with(response: bytes) -> Callable[[socket.socket], None]:
    """Return a server that reads the whole request, as unread bytes would reset the connection."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response)

    return serve


def drip_after(beginning: bytes) -> Callable[[socket.socket], None]:
    """Return a server that sends `beginning`, then one byte every 50 ms without end."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    return serve


class Tarpit:
    """Accepts connections, counts them, and says nothing until it may end."""

    def __init__(self) -> None:
        self.connections = 0
        self.is_reached = threading.Event()
        self.may_end = threading.Event()

    def serve(self, _connection: socket.socket) -> None:
        """Hold a connection."""
        self.connections += 1
        self.is_reached.set()
        self.may_end.wait(PATIENCE_SECONDS)


def issue_server_certificate(
    folder: Path, name: str = "127.0.0.1", common_name: str | None = None
) -> tuple[ssl.SSLContext, str]:
    """Return a server's TLS context with a certificate for this address, and the CA as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
    address = x509.IPAddress(ip_address(name))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
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
