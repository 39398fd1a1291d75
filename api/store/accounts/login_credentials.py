"""Signing in: what practitioners prove themselves by, chosen when they are invited."""

import unicodedata
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hashed
from api.security.totp import new_recovery_codes, new_totp, plain_code, step_of
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
_NOBODYS = new_totp()


class Proof(NamedTuple):
    """Whose name it is, and the hash of the password that goes with it; None for nobody's."""

    organisation: str
    practitioner: str
    password_hash: str | None


class Chosen(NamedTuple):
    """What is signed in with from now on, and the half minute whose code was shown for it."""

    name: str
    password_hash: str
    totp: str
    step: int


def named(store: Store, name: str) -> Proof | None:
    """Whose name it is; None for nobody's, and for whoever is shut out."""
    with store.glance() as session:
        row = session.execute(
            select(
                col(SignInRow.organisation_id),
                col(SignInRow.practitioner_id),
                col(SignInRow.password_hash),
            )
            .join(PractitionerRow, *_is_of(SignInRow))
            .join(OrganisationRow, col(OrganisationRow.id) == col(SignInRow.organisation_id))
            .where(col(SignInRow.name_sha256) == name_hash(name), *_let_in())
        ).one_or_none()
    return None if row is None else Proof(*row)


def identified(store: Store, issuer: str, subject: str) -> tuple[str, str] | None:
    """The organisation and the practitioner that an identity provider means; None for nobody."""
    with store.glance() as session:
        row = session.execute(
            select(col(IdentityRow.organisation_id), col(IdentityRow.practitioner_id))
            .join(PractitionerRow, *_is_of(IdentityRow))
            .join(OrganisationRow, col(OrganisationRow.id) == col(IdentityRow.organisation_id))
            .where(col(IdentityRow.subject_sha256) == _subject(issuer, subject), *_let_in())
        ).one_or_none()
    return None if row is None else (row[0], row[1])


def is_second_factor(work: Transaction, practitioner: str, code: str) -> bool:
    """Whether the code is right, now and for the first time; used up if so.

    Of a practitioner whom nobody knows it is found by the same work to be wrong.
    """
    row = work.session.execute(select(SignInRow).where(*_of(work, SignInRow, practitioner)))
    found = row.scalar_one_or_none()
    totp = _NOBODYS
    if found is not None:
        totp = work.open(found.key_id, TABLE, "totp", practitioner, found.totp).decode()
    step = step_of(totp, code)
    if step is None or found is None:
        return _is_recovery_code(work, practitioner, code)
    done: Any = work.session.execute(
        update(SignInRow)
        .where(*_of(work, SignInRow, practitioner), col(SignInRow.last_step) < step)
        .values(last_step=step)
    )
    return bool(done.rowcount)


def choose(work: Transaction, practitioner: str, chosen: Chosen) -> tuple[str, ...]:
    """What is signed in with from now on; the recovery codes, shown this once.

    What was chosen before goes. Raises Problem `conflict` for a name that is taken.
    """
    forget(work, practitioner)
    row = {
        "organisation_id": work.organisation,
        "practitioner_id": practitioner,
        "name_sha256": name_hash(chosen.name),
        "password_hash": chosen.password_hash,
        "changed_at": work.now,
        "last_step": chosen.step,
        "key_id": work.key_id,
        "totp": work.seal(TABLE, "totp", practitioner, chosen.totp.encode()),
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(SignInRow).values(**row))
    except IntegrityError:
        raise Problem("conflict", "Somebody signs in by that name already.") from None
    codes = new_recovery_codes()
    for each in codes:
        values = {"practitioner_id": practitioner, "sha256": hashed(plain_code(each))}
        work.session.put(
            RecoveryCodeRow, {"organisation_id": work.organisation, "used_at": None} | values
        )
    return codes


def link(work: Transaction, practitioner: str, issuer: str, subject: str) -> None:
    """From now on the identity provider's word for them is enough. Raises Problem `conflict`."""
    work.session.execute(delete(IdentityRow).where(*_of(work, IdentityRow, practitioner)))
    try:
        with work.session.begin_nested():
            work.session.execute(
                insert(IdentityRow).values(
                    organisation_id=work.organisation,
                    practitioner_id=practitioner,
                    subject_sha256=_subject(issuer, subject),
                    linked_at=work.now,
                )
            )
    except IntegrityError:
        raise Problem("conflict", "That identity belongs to somebody already.") from None


def anybody(session: Session) -> bool:
    """Whether anybody has chosen what to sign in with."""
    chosen = select(col(SignInRow.practitioner_id)).limit(1)
    linked = select(col(IdentityRow.practitioner_id)).limit(1)
    return any(session.execute(each).first() is not None for each in (chosen, linked))


def password_hash(store: Store, organisation: str, practitioner: str) -> str | None:
    """What is kept of the practitioner's password; None for who signs in otherwise."""
    with store.glance() as session:
        return session.execute(
            select(col(SignInRow.password_hash)).where(
                col(SignInRow.organisation_id) == organisation,
                col(SignInRow.practitioner_id) == practitioner,
            )
        ).scalar_one_or_none()


def change_password(work: Transaction, practitioner: str, hashed_anew: str) -> None:
    """This password is good from now on, and no other; name and codes stay."""
    work.session.execute(
        update(SignInRow)
        .where(*_of(work, SignInRow, practitioner))
        .values(password_hash=hashed_anew, changed_at=work.now)
    )


def forget(work: Transaction, practitioner: str) -> None:
    """Nothing of what they signed in with is good any more."""
    for table in (SignInRow, RecoveryCodeRow, IdentityRow):
        work.session.execute(delete(table).where(*_of(work, table, practitioner)))


def name_hash(name: str) -> str:
    """What a name is found by: capitals and spaces around it make no other name."""
    return hashed(unicodedata.normalize("NFKC", name.strip()).casefold())


def _is_recovery_code(work: Transaction, practitioner: str, code: str) -> bool:
    done: Any = work.session.execute(
        update(RecoveryCodeRow)
        .where(
            *_of(work, RecoveryCodeRow, practitioner),
            col(RecoveryCodeRow.sha256) == hashed(plain_code(code)),
            col(RecoveryCodeRow.used_at).is_(None),
        )
        .values(used_at=work.now)
    )
    return bool(done.rowcount)


def _subject(issuer: str, subject: str) -> str:
    return hashed(f"{issuer}\x1f{subject}")


def _is_of(table: Any) -> tuple[Any]:
    return (
        (col(PractitionerRow.organisation_id) == table.organisation_id)
        & (col(PractitionerRow.id) == table.practitioner_id),
    )


def _let_in() -> tuple[Any, ...]:
    return col(PractitionerRow.active), col(OrganisationRow.active)


def _of(work: Transaction, table: Any, practitioner: str) -> tuple[Any, ...]:
    return table.organisation_id == work.organisation, table.practitioner_id == practitioner
