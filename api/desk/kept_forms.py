"""Keep what a practitioner submitted when it cannot be saved, and give it back to them alone.

A form holds a sealed note of its owner: who filled it in, in which session and on which page. So it
can be kept when it is submitted after the session has ended, and shown once its owner signs in.
"""

import json
from typing import Any, NamedTuple

from fastapi import Request

from api.auth.services import find_services
from api.security.aead import InvalidCiphertextError, RandomNonceCipher
from api.security.base64url import decode_base64url, encode_base64url
from api.store.accounts import kept_forms
from api.store.key_ring import KeyRing
from api.store.transaction import Actor
from api.web.csrf import CSRF_FIELD, find_csrf_tokens
from api.web.page_route import FormFields, read_field
from schemas.organisations.sign_in import PractitionerSession

OWNER_FIELD = "owner"
KEPT_PARAMETER = "kept"
_PURPOSE = b"owner of a form"


class FormOwner(NamedTuple):
    """Who a form was made for, in which session, and its page."""

    organisation: str
    practitioner: str
    session: str
    page: str


def seal_owner(request: Request, signed_in: PractitionerSession, page: str) -> str:
    """Return the sealed note of the owner of a form on this page."""
    owner = FormOwner(signed_in.organisation, signed_in.practitioner.id, signed_in.session, page)
    return seal_note(request, _PURPOSE, owner)


def read_owner(request: Request, fields: FormFields) -> FormOwner | None:
    """Return the owner of a submitted form; None unless its note and its token are genuine."""
    content = open_note(request, _PURPOSE, read_field(fields, OWNER_FIELD))
    if content is None:
        return None
    owner = FormOwner(*content)
    token = read_field(fields, CSRF_FIELD)
    is_valid = find_csrf_tokens(request).is_valid(token, build_csrf_binding(owner.session))
    return owner if is_valid else None


def build_csrf_binding(session: str) -> str:
    """Return what the tokens of the forms of a session are bound to."""
    return f"desk {session}"


def keep_form(
    request: Request, actor: Actor, owner: FormOwner, fields: FormFields, *, is_after_session: bool
) -> str:
    """Store a form for its owner and return its id. Raises NotFoundError without that person."""
    kept_fields = {k: v for k, v in fields.items() if k not in {CSRF_FIELD, OWNER_FIELD}}
    with find_services(request).store.transaction(actor) as work:
        form_id = kept_forms.keep_form(
            work, owner.practitioner, owner.page, kept_fields, is_after_session=is_after_session
        )
        work.audit("create", "kept_form", form_id)
    return form_id


def build_kept_url(page: str, form_id: str) -> str:
    """Return the address at which the page shows a kept form."""
    return f"{page}{'&' if '?' in page else '?'}{KEPT_PARAMETER}={form_id}"


def seal_note(request: Request, purpose: bytes, content: Any) -> str:
    """Return content that JSON can hold, encrypted for a field or a cookie."""
    cipher = RandomNonceCipher(_find_ring(request).derive_keys(purpose)[0])
    return encode_base64url(cipher.encrypt(json.dumps(content).encode(), purpose))


def open_note(request: Request, purpose: bytes, note: str) -> Any:
    """Return the content of a sealed note; None unless it is genuine."""
    try:
        encrypted = decode_base64url(note)
    except ValueError:
        return None
    for key in _find_ring(request).derive_keys(purpose):
        try:
            return json.loads(RandomNonceCipher(key).decrypt(encrypted, purpose))
        except InvalidCiphertextError:
            continue
    return None


def _find_ring(request: Request) -> KeyRing:
    return find_services(request).store.key_ring
