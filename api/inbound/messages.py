"""Applies an HL7 message and acknowledges it: merges patients, or does what the rules say.

`AA` means that all merges of the message are committed, in one transaction, or wait for a second
person's approval, that the rules were carried out, or that the message concerns nothing here. A
repeated message changes nothing.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from pydantic import ValidationError

from api.hl7v2.acknowledgement import (
    Hl7ErrorDetail,
    RefusedMessageError,
    encode_acknowledgement,
)
from api.hl7v2.batches import join_acknowledgements, split_batch
from api.hl7v2.parser import Hl7Message, UnreadableMessageError, parse_header, parse_hl7_message
from api.hl7v2.patient_merge import NotAMergeError, PatientMerge, parse_merges
from api.http.errors.error_conversion import convert_error
from api.inbound.rule_actions import RuleContext, apply_rules
from api.store import approvals
from api.store.errors import StoreError, UnavailableError
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.patients.patient_lookup import PatientSelector
from api.store.store import Store
from api.store.transaction import Actor
from schemas.patients.patient import KnownPatient, PatientNumber

_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}")
_log = structlog.get_logger("nociscreen")


class AdtContext(NamedTuple):
    """What a message is applied with: the actor is named after the sender in the audit.

    `authorities` maps the names of assigning authorities to identifier systems; the empty name
    stands for numbers without an authority. Without a rule context, only merges are carried out.
    """

    store: Store
    actor: Actor
    authorities: Mapping[str, str]
    denied_requests: DeniedRequestLog
    rule_context: RuleContext | None = None


def apply_content(context: AdtContext, content: bytes) -> bytes:
    """Apply a message, or each message of a batch, and return what acknowledges it."""
    batch = split_batch(content)
    if batch is None:
        return apply_message(context, content)
    return join_acknowledgements(batch, [apply_message(context, it) for it in batch.messages])


def apply_message(context: AdtContext, content: bytes) -> bytes:
    """Apply one message and return its acknowledgement."""
    now = datetime.now(UTC)
    message: Hl7Message | None = None
    try:
        message = parse_hl7_message(content)
        _require_control_id(message)
        _log_message(context, message, _apply(context, message))
    except UnreadableMessageError as error:
        fault = Hl7ErrorDetail("100", "Segment sequence error", str(error))
        return _refuse(context, message or parse_header(content), "unreadable", fault)
    except RefusedMessageError as error:
        return _refuse(context, message, error.reason, error.error_detail)
    except UnavailableError:
        fault = Hl7ErrorDetail("207", "Application internal error", "try again later")
        return encode_acknowledgement(message, now, "AE", fault)
    except StoreError as error:
        problem = convert_error(error)
        fault = Hl7ErrorDetail("204", "Unknown key identifier", problem.detail)
        return _refuse(context, message, problem.code, fault)
    except Exception as error:  # noqa: BLE001 - the sender gets an acknowledgement without details
        _log.error("mllp", error=type(error).__name__)
        fault = Hl7ErrorDetail("207", "Application internal error", "internal error")
        return encode_acknowledgement(message, now, "AE", fault)
    return encode_acknowledgement(message, now, "AA")


def _apply(context: AdtContext, message: Hl7Message) -> str:
    """Merge patients or carry out the rules; return in a word what was done."""
    merges = parse_merges(message, context.authorities)
    if merges:
        _merge_patients(context, merges)
        return "merged"
    if context.rule_context is None:
        return "passed_over"
    store, actor, authorities = context[:3]
    return apply_rules(context.rule_context, store, actor, message, authorities)


def _require_control_id(message: Hl7Message) -> None:
    """Require the control id by which the sender matches the acknowledgement."""
    if not message.read_component(message.find_segment("MSH"), 10):
        raise NotAMergeError(
            Hl7ErrorDetail("101", "Required field missing", "MSH-10: expected a control id")
        )


def _refuse(
    context: AdtContext, message: Hl7Message | None, code: str, fault: Hl7ErrorDetail
) -> bytes:
    """Audit and encode a refusal; without a database there is no audit row."""
    context.denied_requests.record(context.actor, code, is_aggregated=True)
    _log_message(context, message, code, expected=fault.detail)
    return encode_acknowledgement(message, datetime.now(UTC), "AR", fault)


def _log_message(
    context: AdtContext, message: Hl7Message | None, outcome: str, **details: str
) -> None:
    """Log the type of a message and its outcome, and nothing else."""
    header = message.find_segment("MSH") if message else ("MSH",)
    parts: list[str] = []
    with suppress(UnreadableMessageError):
        parts = [message.read_component(header, 9, number) for number in (1, 2)] if message else []
    words = [part for part in parts if _TYPE.fullmatch(part)]
    _log.info(
        "hl7_message", sender=context.actor.id, type="^".join(words), outcome=outcome, **details
    )


def _merge_patients(context: AdtContext, requests: list[PatientMerge]) -> None:
    pairs = [(_build_selector(item.retired), _build_survivor(item.survivor)) for item in requests]
    with context.store.transaction(context.actor) as work:
        counts = [approvals.receive_merge(work, *pair) for pair in pairs]
        work.audit("merge", "patient", count=sum(counts))


def _build_selector(identifier: PatientNumber) -> PatientSelector:
    """Return the selector of a number that may have been stored before rules for its text."""
    for part in filter(None, identifier):
        if len(part) > 200:
            detail = "expected an identifier of at most 200 characters"
            raise NotAMergeError(Hl7ErrorDetail("102", "Data type error", detail))
    return PatientSelector(identifier.reference, identifier.system)


def _build_survivor(identifier: PatientNumber) -> PatientSelector:
    """Return the selector of the number that is stored from now on."""
    selector = _build_selector(identifier)
    try:
        KnownPatient(reference=selector.reference, system=selector.system)
    except ValidationError:
        detail = "expected an identifier without control characters"
        raise NotAMergeError(Hl7ErrorDetail("102", "Data type error", detail)) from None
    return selector
