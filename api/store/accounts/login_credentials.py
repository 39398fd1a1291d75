"""Login credentials of practitioners: name, password, second factor, OpenID identity."""

import unicodedata
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.client_secrets import hash_secret
from api.security.totp import (
    find_matching_step,
    generate_recovery_codes,
    generate_totp_secret,
    normalise_code,
)
from api.store.accounts.practitioners import select_of_active_practitioners
from api.store.database.tables import IdentityRow, RecoveryCodeRow, SignInRow
from api.store.errors import ConflictError
from api.store.store import Store
from api.store.transaction import Transaction

_DUMMY_TOTP = generate_totp_secret()


class StoredLogin(NamedTuple):
    """A login name's practitioner and password hash; no hash for an unknown name."""

    organisation: str
    practitioner: str
    password_hash: str | None


class NewCredentials(NamedTuple):
    """New login credentials, and the TOTP time step of the code that confirmed them."""

    name: str
    password_hash: str
    totp_secret: str
    time_step: int


def look_up_login(store: Store, name: str) -> StoredLogin | None:
    """Return the login of this name; None if it is unknown or inactive."""
    query = select_of_active_practitioners(
        SignInRow,
        col(SignInRow.organisation_id),
        col(SignInRow.practitioner_id),
        col(SignInRow.password_hash),
    )
    row = store.look_up(query.where(col(SignInRow.name_sha256) == hash_login_name(name)))
    return None if row is None else StoredLogin(*row)


def look_up_identity(store: Store, issuer: str, subject: str) -> tuple[str, str] | None:
    """Return the ids of organisation and practitioner of an OpenID identity, or None."""
    query = select_of_active_practitioners(
        IdentityRow, col(IdentityRow.organisation_id), col(IdentityRow.practitioner_id)
    )
    is_subject = col(IdentityRow.subject_sha256) == _hash_subject(issuer, subject)
    row = store.look_up(query.where(is_subject))
    return None if row is None else (row[0], row[1])


def use_second_factor(work: Transaction, practitioner: str, code: str) -> bool:
    """Use a TOTP or recovery code; False, in the same time for all, if it is wrong or used."""
    row = work.find(SignInRow, col(SignInRow.practitioner_id) == practitioner)
    totp = _DUMMY_TOTP if row is None else work.decrypt_column(row, "totp").decode()
    step = find_matching_step(totp, code)
    if step is None or row is None:
        return _use_recovery_code(work, practitioner, code)
    is_practitioner = col(SignInRow.practitioner_id) == practitioner
    is_later = col(SignInRow.last_step) < step
    return bool(work.update(SignInRow, {"last_step": step}, is_practitioner, is_later))


def set_credentials(
    work: Transaction, practitioner: str, credentials: NewCredentials
) -> tuple[str, ...]:
    """Replace the credentials; return new recovery codes, once. Raises ConflictError."""
    deleted_kinds = _delete_rows(work, practitioner)
    row = {
        "practitioner_id": practitioner,
        "name_sha256": hash_login_name(credentials.name),
        "password_hash": credentials.password_hash,
        "changed_at": work.now,
        "last_step": credentials.time_step,
    }
    conflict = ConflictError("This login name is already in use.")
    work.insert_unique(SignInRow, row, conflict, totp=credentials.totp_secret.encode())
    codes = generate_recovery_codes()
    for code in codes:
        code_hash = hash_secret(normalise_code(code))
        work.insert(RecoveryCodeRow, {"practitioner_id": practitioner, "sha256": code_hash})
    _withdraw(work, practitioner, deleted_kinds)
    return codes


def set_identity(work: Transaction, practitioner: str, issuer: str, subject: str) -> None:
    """Replace the credentials by an OpenID identity. Raises ConflictError."""
    deleted_kinds = _delete_rows(work, practitioner)
    row = {
        "practitioner_id": practitioner,
        "subject_sha256": _hash_subject(issuer, subject),
        "linked_at": work.now,
    }
    conflict = ConflictError("This identity is already linked to another practitioner.")
    work.insert_unique(IdentityRow, row, conflict)
    _withdraw(work, practitioner, deleted_kinds)


def add_identity(work: Transaction, practitioner: str, issuer: str, subject: str) -> None:
    """Link an OpenID identity as a further login. Raises ConflictError if there is one already."""
    row = {
        "practitioner_id": practitioner,
        "subject_sha256": _hash_subject(issuer, subject),
        "linked_at": work.now,
    }
    work.insert_unique(IdentityRow, row, ConflictError("One of the two is already linked."))


def has_any_login(session: Session) -> bool:
    """Return whether any practitioner of the service can log in."""
    passwords = select(col(SignInRow.practitioner_id)).limit(1)
    identities = select(col(IdentityRow.practitioner_id)).limit(1)
    return any(session.execute(query).first() is not None for query in (passwords, identities))


def read_password_hash(store: Store, organisation: str, practitioner: str) -> str | None:
    """Return the practitioner's password hash; None without a password login."""
    row = store.look_up(
        select(col(SignInRow.password_hash)).where(
            col(SignInRow.organisation_id) == organisation,
            col(SignInRow.practitioner_id) == practitioner,
        )
    )
    return None if row is None else str(row.password_hash)


def update_password(work: Transaction, practitioner: str, new_password_hash: str) -> None:
    """Replace the password hash; login name, second factor and recovery codes stay."""
    values = {"password_hash": new_password_hash, "changed_at": work.now}
    work.update(SignInRow, values, col(SignInRow.practitioner_id) == practitioner)
    work.withdraw("login", practitioner)


def hash_login_name(name: str) -> str:
    """Return the hash that a login name is found by; ignores case and surrounding spaces."""
    return hash_secret(unicodedata.normalize("NFKC", name.strip()).casefold())


def _use_recovery_code(work: Transaction, practitioner: str, code: str) -> bool:
    code_hash = hash_secret(normalise_code(code))
    was_unused = work.update(
        RecoveryCodeRow,
        {"used_at": work.now},
        col(RecoveryCodeRow.practitioner_id) == practitioner,
        col(RecoveryCodeRow.sha256) == code_hash,
        col(RecoveryCodeRow.used_at).is_(None),
    )
    if was_unused:
        work.withdraw("recovery_code", f"{practitioner} {code_hash}")
    return bool(was_unused)


def _delete_rows(work: Transaction, practitioner: str) -> list[str]:
    """Delete all credentials of the practitioner; return the kinds of withdrawal that this is."""
    work.delete(RecoveryCodeRow, col(RecoveryCodeRow.practitioner_id) == practitioner)
    return [
        kind
        for kind, table in (("login", SignInRow), ("identity", IdentityRow))
        if work.delete(table, col(table.practitioner_id) == practitioner)
    ]


def _withdraw(work: Transaction, practitioner: str, kinds: list[str]) -> None:
    for kind in kinds:
        work.withdraw(kind, practitioner)


def _hash_subject(issuer: str, subject: str) -> str:
    return hash_secret(f"{issuer}\x1f{subject}")
