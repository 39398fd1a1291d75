"""Routes of an organisation's rules for the HL7 messages that it receives."""

from fastapi import APIRouter

from api.auth.route_guard import require_scope
from api.batch_scoring.mapping.mapping_file import list_mapping_faults
from api.dependencies import CatalogueDep, RequestContextDep
from api.http.errors.error_responses import error_responses
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.inbound.rules import MessageRules, parse_stored_rules
from api.problems import FieldError, Problem
from api.store.deliveries import message_rules
from api.store.transaction import Transaction
from scoring.catalogue import Catalogue, UnknownRulebookError

router = APIRouter(
    prefix="/v1/organisation/message-rules",
    tags=["administration"],
    route_class=require_scope("organisation:admin"),
)


@router.get("", summary="Read the message rules")
def read_message_rules(context: RequestContextDep, version: EntityTagDep) -> MessageRules:
    """Read what is done with HL7 messages from the hospital, in the order of the rules."""
    with context.transaction() as work:
        rules = _load(work)
        work.audit("read", "message_rules")
    version.tag(rules)
    return rules


@router.put("", responses=error_responses(412), summary="Replace the message rules")
def replace_message_rules(
    rules: MessageRules,
    context: RequestContextDep,
    version: PreconditionDep,
    rulebooks: CatalogueDep,
) -> MessageRules:
    """Replace all rules; they apply from the next message."""
    if errors := _find_faults(rules, rulebooks):
        raise Problem("invalid_request", errors=errors)
    with context.transaction() as work:
        version.check(work, lambda: _load(work))
        message_rules.replace_message_rules(work, rules.model_dump_json(exclude_none=True))
        work.audit("administer", "message_rules")
    version.tag(rules)
    return rules


def _load(work: Transaction) -> MessageRules:
    return parse_stored_rules(message_rules.load_message_rules(work))


def _find_faults(rules: MessageRules, rulebooks: Catalogue) -> list[FieldError]:
    """Return the rules that name unknown instruments, rulebooks, questions or options."""
    errors = []
    for number, rule in enumerate(rules.rules):
        name = rule.answers.rulebook if rule.answers else rule.instrument
        place = "answers/rulebook" if rule.answers else "instrument"
        try:
            loaded = rulebooks.find_active(name)
        except UnknownRulebookError:
            errors.append(_build_fault(number, place, "must be an active instrument"))
            continue
        if rule.answers is not None:
            faults = list_mapping_faults(rule.answers, loaded)
            errors += [_build_fault(number, "answers", fault) for fault in faults]
    return errors


def _build_fault(number: int, place: str, detail: str) -> FieldError:
    return FieldError(pointer=f"/rules/{number}/{place}", code="wrong_value", detail=detail)
