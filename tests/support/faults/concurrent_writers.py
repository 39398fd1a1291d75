"""Writers that create screenings over HTTP until stopped, and record the responses."""

import http.client
import json
import threading
import uuid
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from support.builders import request


class RequestRecord(NamedTuple):
    """One request with its idempotency key and response."""

    key: str | None
    reference: str
    status: int
    retry_after: str | None
    body: dict


class Writers:
    """Threads that write, each with a connection of its own."""

    def __init__(self, address: str, token: str, count: int = 16) -> None:
        self.written: list[RequestRecord] = []
        self.broken: list[tuple[str | None, str]] = []
        self._where = urlsplit(address)
        self._token = token
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(count)
        ]

    def __enter__(self) -> Self:
        for _thread in self._threads:
            _thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for _thread in self._threads:
            _thread.join(timeout=30)

    @property
    def created_screenings(self) -> list[RequestRecord]:
        """The requests that were answered with 201."""
        return [
            request_record for request_record in list(self.written) if request_record.status == 201
        ]

    def _write(self, number: int) -> None:
        connection = self._connection()
        while not self._stop.is_set():
            key = str(uuid.uuid4()) if number % 2 else None
            reference = f"MRN-{uuid.uuid4()}"
            try:
                self.written.append(post(connection, self._token, reference, key))
            except (OSError, http.client.HTTPException):
                self.broken.append((key, reference))
                connection.close()
                connection = self._connection()
                self._stop.wait(0.05)
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._where.hostname, self._where.port, timeout=30)


def post(
    connection: http.client.HTTPConnection, token: str, reference: str, key: str | None = None
) -> RequestRecord:
    """Create one screening of a small instrument."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    body = json.dumps(request(reference, "phq4"))
    connection.request("POST", "/v1/screenings", body, headers)
    answer = connection.getresponse()
    retry = answer.getheader("Retry-After")
    return RequestRecord(key, reference, answer.status, retry, json.loads(answer.read()))


def ask(address: str, token: str, path: str) -> tuple[int, dict]:
    """Status and JSON of a GET."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
