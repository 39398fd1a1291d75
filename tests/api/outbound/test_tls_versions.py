"""Which versions of TLS outgoing connections offer, and which the MLLP listener accepts."""

import socket
import ssl
import struct

import pytest
from support.interop.loopback_servers import issue_server_certificate

from api.inbound.adt_listener import build_tls_context
from api.outbound.allowlist import HostPort
from api.outbound.connection import DeadlineSocket, TlsCredentials, start_tls
from api.outbound.errors import OutboundError

SUPPORTED_VERSIONS = 43
TLS_1_2, TLS_1_3 = 0x0303, 0x0304


def read_offered_versions(hello: bytes) -> list[int]:
    """Return the versions that a ClientHello offers (RFC 8446, section 4.2.1)."""
    position = 5 + 4 + 2 + 32  # record, handshake, version, random
    for length_format in ("B", ">H", "B"):  # session id, cipher suites, compression
        (length,) = struct.unpack_from(length_format, hello, position)
        position += struct.calcsize(length_format) + length
    position += 2
    while position < len(hello):
        kind, length = struct.unpack_from(">HH", hello, position)
        if kind == SUPPORTED_VERSIONS:
            return list(struct.unpack_from(f">{hello[position + 4] // 2}H", hello, position + 5))
        position += 4 + length
    return []


def test_tls_1_2_and_1_3_are_offered_and_no_older_one():
    client, server = socket.socketpair()
    connection = DeadlineSocket(client)
    with server:
        server.shutdown(socket.SHUT_WR)
        with pytest.raises(OutboundError, match="tls_failed"):
            start_tls(connection, HostPort("ehr.example", 443), TlsCredentials())
        connection.socket.close()
        assert read_offered_versions(server.recv(1 << 14)) == [TLS_1_3, TLS_1_2]


def test_the_listener_accepts_none_before_1_2(tmp_path):
    issue_server_certificate(tmp_path)
    context = build_tls_context(next(tmp_path.glob("*.pem")), None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.maximum_version in {ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.MAXIMUM_SUPPORTED}
