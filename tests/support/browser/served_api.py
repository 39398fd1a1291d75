"""A client's call to the served API, beside the browser."""

import httpx2
from support.builders import Clinic


def fetch_content(base_url: str, clinic: Clinic, path: str) -> bytes:
    """Return the response to the clinic's client."""
    grant = {"grant_type": "client_credentials", "client_id": clinic.client,
             "client_secret": clinic.secret}  # fmt: skip
    with httpx2.Client(base_url=base_url, timeout=60) as client:
        token = client.post("/v1/oauth/token", data=grant).json()["access_token"]
        response = client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        return response.content
