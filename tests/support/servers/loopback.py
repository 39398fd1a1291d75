"""The services of the tests behind real servers on this computer, for `make attack`.

With TEST_LOOPBACK=1 each caller of a service in this process speaks HTTP over a socket to the
server that the program starts, with its protocol, deadlines and limits.
"""

import os
from threading import Event, Thread
from weakref import WeakKeyDictionary

import httpx2

from api.http.server import HttpServer, bind_sockets, build_server_config
from api.main import Service

IS_LOOPBACK = os.environ.get("TEST_LOOPBACK") == "1"
HOST = "127.0.0.1"
PATIENCE_SECONDS = 60
_PORTS: WeakKeyDictionary[Service, int] = WeakKeyDictionary()


class LoopbackTransport(httpx2.HTTPTransport):
    """Sends each request to one port of this computer and keeps its `Host` header."""

    def __init__(self, port: int) -> None:
        super().__init__(limits=httpx2.Limits(max_keepalive_connections=0))
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(scheme="http", host=HOST, port=self._port),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )


class LoopbackClient(httpx2.Client):
    """A caller of the server behind which a service runs; it starts the server if need be."""

    def __init__(self, service: Service, headers: dict[str, str]) -> None:
        super().__init__(
            base_url="http://testserver",
            headers={"user-agent": "testclient"} | headers,
            transport=LoopbackTransport(_find_port(service)),
            follow_redirects=True,
            timeout=PATIENCE_SECONDS,
        )
        self.app = service


def _find_port(service: Service) -> int:
    if service not in _PORTS:
        services = service.services
        config = build_server_config(service, services.settings, services.metrics, HOST, 0)
        is_listening = Event()
        server = HttpServer(config, lambda _: is_listening.set())
        sockets = bind_sockets(HOST, 0)
        Thread(target=server.run, args=[sockets], daemon=True).start()
        assert is_listening.wait(PATIENCE_SECONDS)
        _PORTS[service] = sockets[0].getsockname()[1]
    return _PORTS[service]
