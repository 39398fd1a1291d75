"""Lists what is unsafe about a deployment, in one sentence for each point."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from api.forms.link_urls import find_link_reach
from api.http.networks import is_loopback
from api.settings import Settings

_VERIFYING_SSL_MODES = (["verify-ca"], ["verify-full"])


def list_deployment_warnings(settings: Settings, host: str) -> Iterator[str]:
    """Yield what is unsafe when the service listens on this host with these settings."""
    is_public = not is_loopback(host)
    has_public_url = "public_url" in settings.model_fields_set
    if has_public_url and find_link_reach(settings.public_url) == "unencrypted":
        yield (
            "NOCISCREEN_PUBLIC_URL begins with http: - passwords and answers of patients cross "
            "the network unencrypted; put a proxy with TLS in front and set an https address"
        )
    if is_public and not has_public_url:
        yield (
            f"--host {host} is reachable from other computers without TLS, and "
            "NOCISCREEN_PUBLIC_URL is not set: cookies are sent unencrypted; put a proxy with TLS "
            "in front and set its https address"
        )
    trusted_proxies = [proxy.strip() for proxy in settings.trusted_proxies.split(",")]
    if "*" in trusted_proxies:
        yield (
            "NOCISCREEN_TRUSTED_PROXIES is *: every caller can claim any address, so limits by "
            "address limit nobody; name the proxy's address"
        )
    elif is_public and all(map(is_loopback, filter(None, trusted_proxies))):
        yield (
            f"--host {host} is reachable from other computers, but no proxy beyond this computer "
            "is trusted: behind one, all callers share its address; set "
            "NOCISCREEN_TRUSTED_PROXIES to the proxy's address"
        )
    yield from _list_database_warnings(settings)


def _list_database_warnings(settings: Settings) -> Iterator[str]:
    if settings.database_url is None:
        return
    url = urlsplit(settings.database_url.get_secret_value())
    is_verified = parse_qs(url.query).get("sslmode") in _VERIFYING_SSL_MODES
    if url.hostname and not is_loopback(url.hostname) and not is_verified:
        yield f"DATABASE_URL: {url.hostname} is not verified; add sslmode=verify-full"
    if settings.ledger_file is None:
        yield (
            "NOCISCREEN_WITHDRAWALS_FILE is not set: a restored backup brings back revoked keys "
            "and erased patients; set it to a file that every process reaches"
        )
