"""Settings of a deployment, read from environment variables named `NOCISCREEN_<NAME>`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting with its default. An unknown keyword argument is an error."""

    model_config = SettingsConfigDict(env_prefix="NOCISCREEN_", frozen=True, extra="forbid")

    database_url: Annotated[
        SecretStr | None,
        Field(
            validation_alias=AliasChoices("database_url", "DATABASE_URL", "NOCISCREEN_DATABASE_URL")
        ),
    ] = None
    database_file: Path = Path(".nociscreen/nociscreen.db")
    key_ring: SecretStr | None = None
    key_ring_file: Path = Path(".nociscreen/key-ring")
    first_client_file: Path = Path(".nociscreen/first-client.json")
    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+$")] = "http://127.0.0.1:8000"
    report_loinc_code: Annotated[str, Field(pattern=r"^\d{1,7}-\d$")] = "75492-9"
    report_loinc_display: Annotated[str, Field(min_length=1, max_length=200)] = (
        "Risk assessment and screening note"
    )
    token_algorithm: Literal["ES256", "ES384"] = "ES256"  # noqa: S105 - an algorithm
    token_seconds: Annotated[int, Field(ge=30, le=900)] = 300
    signing_key_days: Annotated[int, Field(ge=1)] = 30
    issuer: Annotated[str, Field(min_length=1, max_length=200)] = "nociscreen"
    audience: Annotated[str, Field(min_length=1, max_length=200)] = "nociscreen-api"
    key_set_seconds: Annotated[float, Field(gt=0, le=30)] = 3.0
    hooks_origins: Annotated[str, Field(max_length=2000, pattern=r"^[^;\r\n'\"]*$")] = ""
    trusted_proxies: Annotated[str, Field(max_length=2000)] = "127.0.0.1,::1"
    body_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    header_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    send_seconds: Annotated[float, Field(gt=0)] = 30.0
    connections: Annotated[int, Field(ge=1)] = 1024
    concurrent_requests: Annotated[int, Field(ge=1)] = 256
    client_requests_per_minute: Annotated[int, Field(ge=1)] = 6000
    render_workers: Annotated[int, Field(ge=1)] = 2
    render_queue: Annotated[int, Field(ge=0)] = 8
    render_seconds: Annotated[float, Field(gt=0)] = 20.0
    frame_ancestors: Annotated[str, Field(max_length=2000, pattern=r"^[^;,\r\n']*$")] = ""
    batch_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024
    batch_rows: Annotated[int, Field(ge=1)] = 1_000_000
    batch_reports: Annotated[int, Field(ge=1, le=50_000)] = 5_000
    batch_days: Annotated[int, Field(ge=1, le=3650)] = 7
    batch_chunk_rows: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    batch_tries: Annotated[int, Field(ge=1, le=100)] = 5
    upload_seconds: Annotated[float, Field(gt=0)] = 900.0
    job_threads: Annotated[int, Field(ge=0, le=64)] = 2
    jobs_file: Path = Path(".nociscreen/jobs.db")
    worker_name: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    worker_lost_seconds: Annotated[float, Field(ge=1)] = 30.0
    session_idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    oidc_issuer: Annotated[str, Field(max_length=500, pattern=r"^(https?://[^?#\s]+)?$")] = ""
    oidc_client_id: Annotated[str, Field(max_length=500)] = ""
    oidc_client_secret: SecretStr | None = None
    oidc_name: Annotated[str, Field(max_length=60)] = "single sign-on"
    organisation: Annotated[str, Field(max_length=200)] | None = None
    test_organisation: bool = False
    deliver: bool = True
    delivery_workers: Annotated[int, Field(ge=1, le=64)] = 4
    delivery_seconds: Annotated[float, Field(gt=0)] = 30.0
    delivery_lease_seconds: Annotated[float, Field(gt=0)] = 120.0
    delivery_tries: Annotated[int, Field(ge=1)] = 30
    delivery_error_tries: Annotated[int, Field(ge=1)] = 8
