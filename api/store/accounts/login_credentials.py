"""Login credentials of practitioners: name, password, second factor, OpenID identity."""

import unicodedata
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hash_secret
from api.security.totp import (
    find_matching_step,
    generate_recovery_codes,
    generate_totp_secret,
    normalise_code,
)
from api.store.database.tables import (
    IdentityRow,
    OrganisationRow,
    PractitionerRow,
    RecoveryCodeRow,
    SignInRow,
)
from api.store.store import Store
from api.store.transaction import Transaction

TABLE = "sign_in"
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
    with store.read_all_organisations() as session:
        row = session.execute(
            select(
                col(SignInRow.organisation_id),
                col(SignInRow.practitioner_id),
                col(SignInRow.password_hash),
            )
            .join(PractitionerRow, *_join_practitioner(SignInRow))
            .join(OrganisationRow, col(OrganisationRow.id) == col(SignInRow.organisation_id))
            .where(col(SignInRow.name_sha256) == hash_login_name(name), *_require_active())
        ).one_or_none()
    return None if row is None else StoredLogin(*row)


def look_up_identity(store: Store, issuer: str, subject: str) -> tuple[str, str] | None:
    """Return the ids of organisation and practitioner of an OpenID identity, or None."""
    with store.read_all_organisations() as session:
        row = session.execute(
            select(col(IdentityRow.organisation_id), col(IdentityRow.practitioner_id))
            .join(PractitionerRow, *_join_practitioner(IdentityRow))
            .join(OrganisationRow, col(OrganisationRow.id) == col(IdentityRow.organisation_id))
            .where(
                col(IdentityRow.subject_sha256) == _hash_subject(issuer, subject),
                *_require_active(),
            )
        ).one_or_none()
    return None if row is None else (row[0], row[1])


def use_second_factor(work: Transaction, practitioner: str, code: str) -> bool:
    """Check a TOTP or recovery code and mark it as used; False if it is wrong or used.

    An unknown practitioner takes the same time, so that the response reveals nothing.
    """
    row = work.session.execute(
        select(SignInRow).where(*_match_rows(work, SignInRow, practitioner))
    ).scalar_one_or_none()
    totp = _DUMMY_TOTP
    if row is not None:
        totp = work.decrypt_field(row.key_id, TABLE, "totp", practitioner, row.totp).decode()
    step = find_matching_step(totp, code)
    if step is None or row is None:
        return _use_recovery_code(work, practitioner, code)
    result: Any = work.session.execute(
        update(SignInRow)
        .where(*_match_rows(work, SignInRow, practitioner), col(SignInRow.last_step) < step)
        .values(last_step=step)
    )
    return bool(result.rowcount)


def set_credentials(
    work: Transaction, practitioner: str, credentials: NewCredentials
) -> tuple[str, ...]:
    """Replace the practitioner's credentials; return new recovery codes in clear text, once.

    Raises Problem `conflict` if the login name is taken.
    """
    delete_credentials(work, practitioner)
    row = {
        "organisation_id": work.organisation,
        "practitioner_id": practitioner,
        "name_sha256": hash_login_name(credentials.name),
        "password_hash": credentials.password_hash,
        "changed_at": work.now,
        "last_step": credentials.time_step,
        "key_id": work.current_key_id,
        "totp": work.encrypt_field(TABLE, "totp", practitioner, credentials.totp_secret.encode()),
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(SignInRow).values(**row))
    except IntegrityError:
        raise Problem("conflict", "Somebody signs in by that name already.") from None
    codes = generate_recovery_codes()
    for code in codes:
        values = {"practitioner_id": practitioner, "sha256": hash_secret(normalise_code(code))}
        work.session.insert_row(
            RecoveryCodeRow, {"organisation_id": work.organisation, "used_at": None} | values
        )
    return codes


def link_identity(work: Transaction, practitioner: str, issuer: str, subject: str) -> None:
    """Link an OpenID identity, in place of an earlier one. Raises Problem `conflict`."""
    work.session.execute(delete(IdentityRow).where(*_match_rows(work, IdentityRow, practitioner)))
    try:
        with work.session.begin_nested():
            work.session.execute(
                insert(IdentityRow).values(
                    organisation_id=work.organisation,
                    practitioner_id=practitioner,
                    subject_sha256=_hash_subject(issuer, subject),
                    linked_at=work.now,
                )
            )
    except IntegrityError:
        raise Problem("conflict", "That identity belongs to somebody already.") from None


def has_any_login(session: Session) -> bool:
    """Return whether any practitioner of the service can log in."""
    passwords = select(col(SignInRow.practitioner_id)).limit(1)
    identities = select(col(IdentityRow.practitioner_id)).limit(1)
    return any(session.execute(query).first() is not None for query in (passwords, identities))


def read_password_hash(store: Store, organisation: str, practitioner: str) -> str | None:
    """Return the practitioner's password hash; None without a password login."""
    with store.read_all_organisations() as session:
        return session.execute(
            select(col(SignInRow.password_hash)).where(
                col(SignInRow.organisation_id) == organisation,
                col(SignInRow.practitioner_id) == practitioner,
            )
        ).scalar_one_or_none()


def update_password(work: Transaction, practitioner: str, new_password_hash: str) -> None:
    """Replace the password hash; login name, second factor and recovery codes stay."""
    work.session.execute(
        update(SignInRow)
        .where(*_match_rows(work, SignInRow, practitioner))
        .values(password_hash=new_password_hash, changed_at=work.now)
    )


def delete_credentials(work: Transaction, practitioner: str) -> None:
    """Delete all login credentials of the practitioner."""
    for table in (SignInRow, RecoveryCodeRow, IdentityRow):
        work.session.execute(delete(table).where(*_match_rows(work, table, practitioner)))


def hash_login_name(name: str) -> str:
    """Return the hash that a login name is found by; ignores case and surrounding spaces."""
    return hash_secret(unicodedata.normalize("NFKC", name.strip()).casefold())


def _use_recovery_code(work: Transaction, practitioner: str, code: str) -> bool:
    result: Any = work.session.execute(
        update(RecoveryCodeRow)
        .where(
            *_match_rows(work, RecoveryCodeRow, practitioner),
            col(RecoveryCodeRow.sha256) == hash_secret(normalise_code(code)),
            col(RecoveryCodeRow.used_at).is_(None),
        )
        .values(used_at=work.now)
    )
    return bool(result.rowcount)


def _hash_subject(issuer: str, subject: str) -> str:
    return hash_secret(f"{issuer}\x1f{subject}")


def _join_practitioner(table: Any) -> tuple[Any]:
    return (
        (col(PractitionerRow.organisation_id) == table.organisation_id)
        & (col(PractitionerRow.id) == table.practitioner_id),
    )


def _require_active() -> tuple[Any, ...]:
    return col(PractitionerRow.active), col(OrganisationRow.active)


def _match_rows(work: Transaction, table: Any, practitioner: str) -> tuple[Any, ...]:
    return table.organisation_id == work.organisation, table.practitioner_id == practitioner
