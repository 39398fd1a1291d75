"""Does what the rules say for a message, in one transaction and once for each control id."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from api.hl7v2.acknowledgement import Hl7ErrorDetail, RefusedMessageError
from api.hl7v2.parser import Hl7Message
from api.hl7v2.patient_details import find_recipient, parse_language, parse_patient
from api.inbound.answer_message import read_screening
from api.inbound.rules import (
    MessageRule,
    find_rule,
    parse_stored_rules,
    read_values,
    split_orders,
)
from api.intakes.urgency import needs_alert
from api.store import idempotency
from api.store.deliveries.message_rules import look_up_message_rules
from api.store.errors import IdempotencyKeyReusedError
from api.store.forms import links
from api.store.forms.links import LinkRequest
from api.store.idempotency import IdempotentResponse
from api.store.notifications import occasions
from api.store.patients.patient_lookup import PatientSelector, list_links_with_drafts
from api.store.screenings import screenings
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from api.web.page_texts import list_languages
from schemas.notification import Medium
from schemas.patients.links import Link
from schemas.patients.patient import KnownPatient
from scoring.catalogue import Catalogue, UnknownRulebookError

_ROUTE = "hl7v2"


class RuleContext(NamedTuple):
    """What rules are carried out with: rulebooks, and how a patient is reached."""

    rulebooks: Catalogue
    public_url: str
    mediums: tuple[Medium, ...]


class _Task(NamedTuple):
    """A rule that applies to an order of a message, and the patient of the order."""

    rule: MessageRule
    order: Hl7Message
    patient: KnownPatient


def apply_rules(
    context: RuleContext,
    store: Store,
    actor: Actor,
    message: Hl7Message,
    authorities: Mapping[str, str],
) -> str:
    """Carry out the rules and return in a word what was done; `passed_over` if no rule applies.

    Raises RefusedMessageError, also for a control id that was used for another message.
    """
    rules = parse_stored_rules(look_up_message_rules(store, actor.organisation))
    tasks = [
        _Task(rule, order, parse_patient(order, authorities))
        for order in split_orders(message)
        if (rule := find_rule(rules, order)) and rule.action != "pass_over"
    ]
    if not tasks:
        return "passed_over"
    outcomes: list[str] = []

    def carry_out() -> IdempotentResponse:
        outcomes.extend(_carry_out(work, context, task) for task in tasks)
        return IdempotentResponse(200, b"")

    with store.transaction(actor) as work:
        try:
            idempotency.run_once(work, _build_request(work, message), carry_out)
        except IdempotencyKeyReusedError:
            detail = "MSH-10: the control id was used for another message"
            raise _refuse("control_id_reused", detail) from None
    return outcomes[0] if outcomes else "repeated"


def _build_request(work: Transaction, message: Hl7Message) -> idempotency.KeyedRequest:
    """Return the message by its sender and control id; it is the same if sent at another time."""
    header = message.find_segment("MSH")
    key = [message.read_component(header, number) for number in (3, 4, 10)]
    content = json.dumps(message.segments[1:]).encode()
    return idempotency.build_keyed_request(work, _ROUTE, json.dumps(key), content)


def _carry_out(work: Transaction, context: RuleContext, task: _Task) -> str:
    match task.rule.action:
        case "make_link":
            return _make_link(work, context, task)
        case "end_link":
            return _end_link(work, task)
        case "update_patient":
            return _update_patient(work, task.patient)
        case _:
            return _store_answers(work, context, task)


def _make_link(work: Transaction, context: RuleContext, task: _Task) -> str:
    """Make a link unless the order has one, and send it if the rule says so."""
    order_sha256 = _hash_order(work, task)
    for link in _list_links(work, order_sha256, task.patient):
        if link.state not in ("revoked", "expired"):
            work.audit("read", "link", link.id)
            return "link_exists"
    rule, languages = task.rule, list_languages()
    try:
        rulebook = context.rulebooks.find_current(rule.instrument).name
    except UnknownRulebookError:
        raise _refuse("unknown_instrument", "the instrument of the rule is not active") from None
    language = rule.language if rule.language in languages else None
    language = language or parse_language(task.order, languages)
    request = LinkRequest(task.patient, rulebook, None, "until_submitted", language)
    link, secret = links.add_link(
        work, request._replace(days=rule.expires_in_days, order_sha256=order_sha256)
    )
    recipient = find_recipient(task.order, context.mediums) if rule.send_to_patient else None
    if recipient is not None:
        occasions.invite_patient(work, link, recipient, f"{context.public_url}/intake/{secret}")
    work.audit("create", "link", link.id)
    return "link_sent" if recipient else "link_made"


def _end_link(work: Transaction, task: _Task) -> str:
    """Revoke the open links of the order; answers that were submitted stay."""
    open_links = [
        link
        for link in _list_links(work, _hash_order(work, task), task.patient)
        if link.state in ("new", "started")
    ]
    for link in open_links:
        links.revoke_link(work, link.id)
        work.audit("revoke", "link", link.id)
    if not open_links:
        work.audit("revoke", "link", count=0)
    return "link_ended" if open_links else "no_open_link"


def _update_patient(work: Transaction, patient: KnownPatient) -> str:
    """Give the patient's open links the name and birth date of the message."""
    selector = PatientSelector(patient.reference, patient.system, patient.system is None)
    changes = patient.model_dump(include={"name", "birth_date"}, exclude_none=True)
    count = 0
    for row, draft in list_links_with_drafts(work, selector):
        if links.derive_state(row, draft, work.now) in ("new", "started"):
            current = links.decrypt_patient(work, row)
            links.reassign_link(work, row, current.model_copy(update=changes))
            count += 1
    work.audit("amend", "link", count=count)
    return "patient_updated" if count else "no_open_link"


def _store_answers(work: Transaction, context: RuleContext, task: _Task) -> str:
    """Score the results of a message and store them, as an intake by `POST /v1/screenings` is."""
    scored = read_screening(context.rulebooks, task.rule, task.order, task.patient)
    screening = screenings.add_screening(work, scored)
    if needs_alert(context.rulebooks, screening):
        occasions.announce_screening(work, screening, is_urgent=True)
    work.audit("create", "screening", screening.id)
    return "screening_stored"


def _hash_order(work: Transaction, task: _Task) -> str:
    """Return the keyed hash of the order, or of the patient where there is no order number."""
    path = task.rule.order_path
    numbers = set(filter(None, read_values(task.order, path))) if path else set()
    if len(numbers) > 1:
        raise _refuse("order_not_certain", f"{path}: expected one number")
    patient = ["patient", task.patient.system, task.patient.reference]
    name = ["order", *numbers] if numbers else patient
    return work.compute_fingerprint(json.dumps([task.rule.instrument, *name]).encode())


def _list_links(work: Transaction, order_sha256: str, patient: KnownPatient) -> list[Link]:
    """Return the links of an order, which must be of this patient."""
    of_order = list(links.list_links_of_order(work, order_sha256))
    number = patient.reference, patient.system
    if any((link.patient.reference, link.patient.system) != number for link in of_order):
        raise _refuse("order_of_another", "the order belongs to another patient")
    return of_order


def _refuse(reason: str, detail: str) -> RefusedMessageError:
    return RefusedMessageError(reason, Hl7ErrorDetail("204", "Unknown key identifier", detail))
