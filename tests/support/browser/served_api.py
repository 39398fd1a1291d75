"""A program's call to the served API, beside the browser."""

import httpx2
from support.builders import Clinic


def asked(address: str, clinic: Clinic, path: str) -> bytes:
    """What the clinic's client is answered."""
    grant = {"grant_type": "client_credentials", "client_id": clinic.client,
             "client_secret": clinic.secret}  # fmt: skip
    with httpx2.Client(base_url=address, timeout=60) as client:
        token = client.post("/v1/oauth/token", data=grant).json()["access_token"]
        answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer.content
