"""Settings of a deployment, read from variables named `NOCISCREEN_<NAME>` and one TOML file."""

import os
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    AliasGenerator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.notification import EmailAddress

OWN_PATHS = frozenset(
    {
        *("cds-services", "closed", "desk", "docs", "fhir", "health", "intake", "invitation"),
        *("kiosk", "launch", "metrics", "openapi.json", "problems", "sign-in", "sign-out"),
        *("static", "v1", ".well-known"),
    }
)
"""The first steps of the service's own paths."""
_PREFIX = "NOCISCREEN_"
_FILE_VARIABLE = "NOCISCREEN_SETTINGS_FILE"
_OLD_NAMES = {
    "jwks_timeout_seconds": "key_set_seconds",
    "cds_hooks_origins": "hooks_origins",
    "max_body_bytes": "body_bytes",
    "max_header_bytes": "header_bytes",
    "response_timeout_seconds": "send_seconds",
    "max_connections": "connections",
    "max_concurrent_requests": "concurrent_requests",
    "max_batch_bytes": "batch_bytes",
    "max_batch_rows": "batch_rows",
    "max_batch_reports": "batch_reports",
    "batch_attempts": "batch_tries",
    "worker_timeout_seconds": "worker_lost_seconds",
    "delivery_enabled": "deliver",
    "delivery_attempts": "delivery_tries",
    "delivery_error_attempts": "delivery_error_tries",
}
"""The old names of settings, accepted for one more release."""


def _list_variables(name: str) -> AliasChoices:
    names = [name, _OLD_NAMES[name]] if name in _OLD_NAMES else [name]
    return AliasChoices(*(_PREFIX + variable.upper() for variable in names))


class Settings(BaseSettings):
    """Every setting with its default. An unknown keyword argument is an error."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        alias_generator=AliasGenerator(validation_alias=_list_variables),
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    database_url: Annotated[
        SecretStr | None,
        Field(
            validation_alias=AliasChoices("database_url", "DATABASE_URL", "NOCISCREEN_DATABASE_URL")
        ),
    ] = None
    """A PostgreSQL database, also read from `DATABASE_URL`; without it the embedded one is used."""
    backup_database_url: SecretStr | None = None
    """The same PostgreSQL database for `nociscreen backup`, as a role that sees all rows."""
    database_file: Path = Path(".nociscreen/nociscreen.db")
    """The embedded, encrypted SQLite database."""
    key_ring: SecretStr | None = None
    """The keys that wrap all others, as text. On PostgreSQL this or `key_ring_file` is required."""
    key_ring_file: Path = Path(".nociscreen/key-ring")
    """The same keys in a file. For the embedded database the file is created."""
    withdrawals_file: Path | None = None
    """The ledger of withdrawals, which outlasts a restored backup. The embedded database keeps it
    next to the key ring if this is not set. On PostgreSQL there is no ledger unless it is set; then
    every process needs this same file.
    """
    first_client_file: Path = Path(".nociscreen/first-client.json")
    """Where the secret of the first client is written."""
    public_url: Annotated[
        str, Field(pattern=r"^https?://[^/?#\s]+(/[A-Za-z0-9._~-]+)*/*$", max_length=200)
    ] = "http://127.0.0.1:8000"
    """The address that clients use; behind a gateway it may have a path. Client assertions must
    name it. If it is not set, `serve --port N` uses its own address; `worker`, `link` and `admin`
    need it to be set.
    """
    canonical_base: Annotated[
        str | None, Field(pattern=r"^https?://[^/?#\s]+(/[A-Za-z0-9._~-]+)*/*$", max_length=200)
    ] = None
    """What the canonical URLs and code systems of FHIR begin with, in place of the project's own
    base. It is fixed when the database is first used; to keep the URLs of version 1.1, set it to
    their address before the upgrade.
    """
    report_loinc_code: Annotated[str, Field(pattern=r"^\d{1,7}-\d$")] = "75492-9"
    """The LOINC type under which FHIR files reports."""
    report_loinc_display: Annotated[str, Field(min_length=1, max_length=200)] = (
        "Risk assessment and screening note"
    )
    """The display text of that LOINC type."""
    token_algorithm: Literal["ES256", "ES384"] = "ES256"  # noqa: S105 - an algorithm
    """The algorithm that signs access tokens."""
    token_seconds: Annotated[int, Field(ge=30, le=900)] = 300
    """The lifetime of an access token."""
    signing_key_days: Annotated[int, Field(ge=1)] = 30
    """The age at which a new key takes over signing tokens."""
    issuer: Annotated[str, Field(min_length=1, max_length=200)] = "nociscreen"
    """The issuer that access tokens must name."""
    audience: Annotated[str, Field(min_length=1, max_length=200)] = "nociscreen-api"
    """The audience that access tokens must name."""
    jwks_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 3.0
    """How long fetching a JWK set may take."""
    cds_hooks_origins: Annotated[str, Field(max_length=2000, pattern=r"^[^;\r\n'\"]*$")] = ""
    """Origins whose pages may call CDS Hooks, separated by commas."""
    cds_hooks_public_discovery: bool = False
    """Whether `GET /cds-services` needs no token."""
    api_origins: Annotated[str, Field(max_length=2000, pattern=r"^[^;\r\n'\"]*$")] = ""
    """Origins whose pages may call `/fhir` and `/v1`, separated by commas."""
    trusted_proxies: Annotated[str, Field(max_length=2000)] = "127.0.0.1,::1"
    """Addresses or networks whose `X-Forwarded-For` is trusted, separated by commas."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024
    """The largest request body; batch uploads have their own limit."""
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long a request body may take to arrive."""
    max_header_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024
    """The largest request headers."""
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long request headers may take to arrive."""
    response_timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a client may take to read a response."""
    max_connections: Annotated[int, Field(ge=1)] = 1024
    """Open connections. Above it, the connection that has been idle longest is closed."""
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 256
    """Requests at once. Above it the service answers 429."""
    client_requests_per_minute: Annotated[int, Field(ge=1)] = 6000
    """Requests of one client in a minute, unless the client has its own limit."""
    organisation_requests_per_minute: Annotated[int, Field(ge=1)] = 30_000
    """Requests of all clients of an organisation in a minute, counted by each process. This and the
    next three are quotas, unless `nociscreen admin organisation quotas` sets others for one.
    """
    organisation_render_seconds: Annotated[int, Field(ge=1)] = 60
    """Seconds of rendering reports for an organisation's requests in a minute."""
    organisation_batch_bytes: Annotated[int, Field(ge=1024)] = 20 * 1024**3
    """Bytes that the stored batches of an organisation may take: uploads, results and reports."""
    organisation_waiting_rows: Annotated[int, Field(ge=1)] = 5_000_000
    """Rows of an organisation's batches that may wait to be processed."""
    organisation_uploads: Annotated[int, Field(ge=1)] = 4
    """Batch files that an organisation may send at once to one process."""
    render_workers: Annotated[int, Field(ge=1)] = 2
    """Reports rendered at once."""
    render_queue: Annotated[int, Field(ge=0)] = 8
    """Reports waiting to be rendered. Above it the service answers 429."""
    render_seconds: Annotated[float, Field(gt=0)] = 20.0
    """How long rendering one report may take."""
    frame_ancestors: Annotated[str, Field(max_length=2000, pattern=r"^[^;,\r\n']*$")] = ""
    """Sites that may frame the pages, written as in CSP (`https://ehr.example.org`)."""
    max_batch_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024
    """The largest batch file. For Parquet the unpacked size counts too."""
    max_batch_rows: Annotated[int, Field(ge=1)] = 1_000_000
    """The most rows of a batch."""
    max_batch_reports: Annotated[int, Field(ge=1, le=50_000)] = 5_000
    """The most reports that one request may make of a batch."""
    batch_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """How long a batch is kept."""
    batch_chunk_rows: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    """Rows scored in one transaction."""
    batch_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """How often a chunk is tried before its rows are set aside."""
    upload_seconds: Annotated[float, Field(gt=0)] = 900.0
    """How long uploading a batch file may take."""
    job_threads: Annotated[int, Field(ge=0, le=64)] = 2
    """Chunks that this process scores at once; 0 leaves all work to workers."""
    jobs_file: Path = Path(".nociscreen/jobs.db")
    """Embedded database only: the encrypted file in which the workflow engine keeps its state."""
    worker_name: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """A stable name of this process, different for each process that runs; empty: a random name."""
    worker_timeout_seconds: Annotated[float, Field(ge=1)] = 30.0
    """How long a worker may be silent before other workers take over its work."""
    session_idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """How long a practitioner's session lasts without use."""
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """How long a practitioner's session lasts at most."""
    oidc_issuer: Annotated[str, Field(max_length=500, pattern=r"^(https?://[^?#\s]+)?$")] = ""
    """The OpenID Connect provider at which practitioners may log in."""
    oidc_client_id: Annotated[str, Field(max_length=500)] = ""
    """The client id of this service at the OpenID Connect provider."""
    oidc_client_secret: SecretStr | None = None
    """The client secret of this service at the OpenID Connect provider."""
    oidc_name: Annotated[str, Field(max_length=60)] = "single sign-on"
    """The name of the OpenID Connect provider on the login button."""
    oidc_acr_values: Annotated[str, Field(max_length=500, pattern=r"^[\x20-\x7e]*$")] = ""
    """Authentication classes (`acr`), separated by spaces, such as one with a second factor. With
    them the OpenID Connect provider is asked for one, and a login with another is refused."""
    organisation: Annotated[str, Field(max_length=200)] | None = None
    """For `nociscreen report`: the name of the organisation to print."""
    test_organisation: bool = False
    """For `nociscreen report`: mark the report as a test."""
    delivery_enabled: bool = True
    """Whether this process sends deliveries, e-mail and SMS."""
    delivery_workers: Annotated[int, Field(ge=1, le=64)] = 8
    """How many hosts this process sends to at once; one organisation has at most half of them."""
    delivery_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a destination may take to respond."""
    delivery_lease_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long one process has a destination to itself. It must exceed the time that a report and a
    response take together.
    """
    delivery_attempts: Annotated[int, Field(ge=1)] = 30
    """After how many attempts a delivery is parked."""
    delivery_error_attempts: Annotated[int, Field(ge=1)] = 8
    """After how many errors reported by the receiver a delivery is parked."""
    smtp_host: Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9.:-]*$")] = ""
    """The mail server that sends e-mail. Without it no e-mail is sent."""
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    """The port of the mail server: mostly 587 for `starttls` and 465 for `tls`."""
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    """How the connection to the mail server is encrypted. `none` is for a relay without login in
    the same private network.
    """
    smtp_ca_file: Path | None = None
    """CA certificates (PEM) for the mail server, instead of the system's."""
    smtp_user: Annotated[str, Field(max_length=254)] = ""
    """The user to log in as at the mail server; empty for no login."""
    smtp_password: SecretStr | None = None
    """The password of that user."""
    smtp_sender: EmailAddress | None = None
    """The address that e-mail comes from, required with `smtp_host`. Bounces arrive there."""
    sms_gateway_file: Path | None = None
    """A TOML file that describes the HTTP gateway that sends SMS. Without it no SMS is sent."""
    alert_repeat_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    """How often an alert about a red flag is repeated until the red flag is acknowledged."""
    traces_url: Annotated[str, Field(max_length=500, pattern=r"^(https?://[^?#\s]+)?$")] = ""
    """Where traces of requests are sent as OTLP over HTTP, such as
    `http://127.0.0.1:4318/v1/traces`. It needs the extra `traces`. Without it no traces are sent.
    """
    settings_file: Path | None = None
    """A TOML file with settings under the names of this page. Variables override what it says."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then the settings file."""
        del dotenv_settings, file_secret_settings
        names = [value for name, value in os.environ.items() if name.upper() == _FILE_VARIABLE]
        file_values = read_settings_file(names[0]) if names else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, file_values)

    @property
    def ledger_file(self) -> Path | None:
        """The ledger of withdrawals; None on PostgreSQL if no file is set."""
        if self.withdrawals_file is not None or self.database_url is not None:
            return self.withdrawals_file
        neighbour = self.key_ring_file if self.key_ring is None else self.database_file
        return neighbour.with_name(f"{self.database_file.stem}.withdrawals")

    @field_validator("public_url")
    @classmethod
    def check_public_url(cls, url: str) -> str:
        """Drop slashes at the end, and refuse a path that begins like one of the service's own."""
        url = url.rstrip("/")
        if urlsplit(url).path.partition("/")[2].partition("/")[0] in OWN_PATHS:
            raise ValueError("its path must not begin like a path of the service itself")
        return url

    @field_validator("canonical_base")
    @classmethod
    def drop_last_slash(cls, base: str | None) -> str | None:
        """Drop slashes at the end."""
        return base and base.rstrip("/")

    @field_validator("traces_url")
    @classmethod
    def check_traces_packages(cls, url: str) -> str:
        """Refuse to send traces where the packages that send them are not installed."""
        if url and not find_spec("opentelemetry.exporter"):
            raise ValueError("it needs packages: `pip install 'nociscreen[traces]'`")
        return url

    @model_validator(mode="after")
    def check_mail_server(self) -> "Settings":
        """Refuse a mail server without a sender, and a password that would be sent unencrypted."""
        if self.smtp_host and self.smtp_sender is None:
            raise ValueError("NOCISCREEN_SMTP_SENDER must be set with NOCISCREEN_SMTP_HOST")
        if self.smtp_tls == "none" and self.smtp_user:
            raise ValueError("NOCISCREEN_SMTP_USER needs NOCISCREEN_SMTP_TLS `starttls` or `tls`")
        return self


class SettingsFileError(ValueError):
    """The settings file cannot be used; the operator must correct it."""


def read_settings_file(name: str) -> dict[str, Any]:
    """Return the settings of a TOML file. Raises SettingsFileError."""
    try:
        values = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsFileError(f"{_FILE_VARIABLE}: {name}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsFileError(f"{_FILE_VARIABLE}: {name} is not TOML: {error}") from None
    settings = set(Settings.model_fields) - {"settings_file"}
    if unknown := [_describe_unknown(key, settings) for key in sorted(set(values) - settings)]:
        raise SettingsFileError("\n".join(f"{name}: {sentence}" for sentence in unknown))
    return values


def list_unknown_variables(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each variable with our prefix that is not a setting."""
    settings = {_PREFIX + setting.upper() for setting in Settings.model_fields}
    known_names = settings | {_PREFIX + former.upper() for former in _OLD_NAMES.values()}
    for name in sorted(names):
        if name.upper().startswith(_PREFIX) and name.upper() not in known_names:
            yield _describe_unknown(name, settings, name.upper())


def _describe_unknown(name: str, settings: set[str], spelling: str = "") -> str:
    nearest = get_close_matches(spelling or name, sorted(settings), n=1, cutoff=0.0)[0]
    return f"{name} is not a setting; did you mean {nearest}?"
