"""Errors of the store. They know nothing of HTTP; the edge maps each to one problem.

StoreError
    NotFoundError                the client: the organisation has no such record
    ConflictError                the client: the request contradicts a stored record
        LegalHoldError           the client: release the legal hold first
    GrantError                   the client: give only what it has itself
    IdempotencyKeyReusedError    the client: send another request under another key
    InvalidCursorError           the client: send a cursor that a list returned
    TooManyAttemptsError         the client: wait `retry_after` seconds
    QuotaExceededError           the client: wait, erase something, or ask the operator for more
    UnavailableError             the operator: the database or a key does not work
"""


class StoreError(Exception):
    """An error of the store: a sentence without patient data, and when to try again."""

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(detail or type(self).__name__)
        self.detail = detail
        self.retry_after = retry_after
        """The seconds to wait, or None if trying again would not help."""


class NotFoundError(StoreError):
    """The organisation has no such record, or it is no longer open."""


class ConflictError(StoreError):
    """The request contradicts a stored record; `detail` says how."""


class LegalHoldError(ConflictError):
    """A legal hold prevents the erasure."""


class GrantError(StoreError):
    """The actor would give a scope that it lacks, or a limit above its own; `field` names it."""

    def __init__(self, detail: str | None = None, field: str = "scopes") -> None:
        super().__init__(detail)
        self.field = field


class IdempotencyKeyReusedError(StoreError):
    """The idempotency key was used for another request."""


class InvalidCursorError(StoreError):
    """The cursor was not returned by a list of this organisation."""


class TooManyAttemptsError(StoreError):
    """Too many failed logins: the next attempt must wait."""


class QuotaExceededError(StoreError):
    """The organisation would store more than its quota; `detail` says of what."""


class UnavailableError(StoreError):
    """The database does not work, or a key that it needs is missing."""
