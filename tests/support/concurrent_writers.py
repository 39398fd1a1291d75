"""Writers that keep screenings over HTTP until told to stop, and remember what was answered."""

import http.client
import json
import threading
import uuid
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from support.builders import request


class Written(NamedTuple):
    """One request, the key that named it, and the answer that came back."""

    key: str | None
    reference: str
    status: int
    retry_after: str | None
    body: dict


class Writers:
    """So many threads, each with a connection of its own."""

    def __init__(self, address: str, token: str, count: int = 16) -> None:
        self.written: list[Written] = []
        self.broken: list[tuple[str | None, str]] = []
        self._where = urlsplit(address)
        self._token = token
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(count)
        ]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(timeout=30)

    @property
    def kept(self) -> list[Written]:
        """What was answered 201."""
        return [each for each in list(self.written) if each.status == 201]

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
) -> Written:
    """Keep one screening of a small instrument."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    body = json.dumps(request(reference, "phq4"))
    connection.request("POST", "/v1/screenings", body, headers)
    answer = connection.getresponse()
    retry = answer.getheader("Retry-After")
    return Written(key, reference, answer.status, retry, json.loads(answer.read()))


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
