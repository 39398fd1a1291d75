"""Admits requests: every limit by address, by link, by client and by organisation is here.

A right credential is looked up first and is never refused for what others at its address did:
limits by address count failures alone. The advice page of a patient has no limit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fastapi import Request

from api.auth.services import Services, find_services
from api.http.middleware import RATE_LIMITS
from api.http.rate_limit import WINDOW_SECONDS, Allowance, read_network_key
from api.problems import Problem, TooManyRequestsProblem
from api.store.accounts.callers import Caller
from api.store.accounts.quotas import find_effective_quotas
from reports.blocks import Document

_REQUESTS = "Your organisation has sent all requests of its quota for this minute."
_RENDER_SECONDS = "Your organisation has used its quota of seconds for rendering reports."
_UPLOADS = "Your organisation is sending as many batches at once as it may."


class Limit(NamedTuple):
    """How often something may happen in a minute, counted separately from every other limit."""

    purpose: str
    per_minute: int


WRONG_LINKS = Limit("wrong link", 30)
WRONG_INVITATIONS = Limit("wrong invitation", 30)
FAILED_LOGINS = Limit("sign-in failure", 30)
FAILED_TOKENS = Limit("token failure", 600)
FAILED_TOKENS_OF_CLIENT = Limit("token failure of client", 60)
UNKNOWN_REPORTS = Limit("verify", 60)
LOGINS_AT_PROVIDER = Limit("provider", 30)
FORMS_AFTER_SESSION = Limit("keep a form", 10)
LINK_REQUESTS = Limit("link", 240)
INVITATION_ATTEMPTS = Limit("choosing", 10)


def count_for_network(request: Request, limit: Limit, name: str | None = None) -> None:
    """Count an event of the request's network, or of this name in it. Raises `too_many`."""
    network = read_network_key(request)
    _take(request, limit, network if name is None else f"{network} {name}")


def check_network(request: Request, limit: Limit) -> None:
    """Raise as `count_for_network` would, but count nothing."""
    limiter = find_services(request).rate_limiter
    limiter.check(f"{limit.purpose} {read_network_key(request)}", limit.per_minute)


def count_for_id(request: Request, limit: Limit, id_: str) -> None:
    """Count an event of one link or invitation, from any network. Raises `too_many`."""
    _take(request, limit, id_)


def _take(request: Request, limit: Limit, name: str) -> None:
    find_services(request).rate_limiter.take(f"{limit.purpose} {name}", limit.per_minute)


def admit_caller(request: Request, caller: Caller) -> None:
    """Count a request of the caller and of its organisation, and note what both have left.

    Raises Problem `too_many` for the caller, `quota_exceeded` for the organisation.
    """
    services = find_services(request)
    limiter, settings = services.rate_limiter, services.settings
    own_limit = caller.requests_per_minute or settings.client_requests_per_minute
    quota = find_effective_quotas(caller.quotas, settings).requests_per_minute
    bucket = f"requests {caller.organisation}"
    try:
        with _as_client_limit(own_limit):
            limiter.take(caller.client, own_limit)
        with _as_quota(_REQUESTS):
            limiter.take(bucket, quota)
    finally:
        allowances = {
            "client": limiter.read(caller.client, own_limit),
            "organisation": limiter.read(bucket, quota),
        }
        setattr(request.state, RATE_LIMITS, tuple(_build_headers(allowances)))


def _build_headers(allowances: dict[str, Allowance]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers of draft-ietf-httpapi-ratelimit-headers-11."""
    policies = (
        f'"{name}";q={allowance.quota};w={WINDOW_SECONDS}' for name, allowance in allowances.items()
    )
    limits = (
        f'"{name}";r={allowance.remaining};t={allowance.reset_seconds}'
        for name, allowance in allowances.items()
    )
    yield b"ratelimit-policy", ", ".join(policies).encode()
    yield b"ratelimit", ", ".join(limits).encode()


class MeteredRenderer:
    """Renders for one organisation within its quota of seconds a minute."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._renderer, self._limiter = services.renderer, services.rate_limiter
        self.workers = self._renderer.workers
        self._bucket = f"render {caller.organisation}"
        self._quota = find_effective_quotas(caller.quotas, services.settings).render_seconds

    def render(self, document: Document, meter: Callable[[float], None] = lambda _: None) -> bytes:
        """Return the PDF of the document. Raises Problem `quota_exceeded` before it renders."""
        with _as_quota(_RENDER_SECONDS):
            self._limiter.check(self._bucket, self._quota)

        def charge(seconds: float) -> None:
            self._limiter.charge(self._bucket, self._quota, seconds)
            meter(seconds)

        return self._renderer.render(document, charge)

    def close(self) -> None:
        """Do nothing: the shared renderer stays open."""


@contextmanager
def hold_upload(request: Request, caller: Caller) -> Iterator[None]:
    """Hold one of the organisation's places for uploads. Raises Problem `quota_exceeded`.

    Call it on the event loop alone: it has no lock.
    """
    services = find_services(request)
    uploads = services.uploads
    if uploads[caller.organisation] >= services.settings.organisation_uploads:
        raise Problem("quota_exceeded", _UPLOADS, headers={"Retry-After": "5"})
    uploads[caller.organisation] += 1
    try:
        yield
    finally:
        uploads[caller.organisation] -= 1
        uploads += {}  # drops the organisations without an upload


@contextmanager
def _as_client_limit(per_minute: int) -> Iterator[None]:
    try:
        yield
    except TooManyRequestsProblem as problem:
        detail = f"Your client's limit of {per_minute} requests a minute is used up."
        limit = {"limit": per_minute}
        raise Problem("too_many", detail, headers=problem.headers, extensions=limit) from None


@contextmanager
def _as_quota(detail: str) -> Iterator[None]:
    try:
        yield
    except TooManyRequestsProblem as problem:
        raise Problem("quota_exceeded", detail, headers=problem.headers) from None
