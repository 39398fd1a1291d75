"""The rules that say what is done with an HL7 message, and which rule applies to it.

The first rule that fits a message applies. A message that no rule fits is accepted and passed over.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from api.batch_scoring.mapping.mapping_file import ImportMapping
from api.hl7v2.parser import Hl7Message
from schemas.base import FrozenModel, Many
from schemas.patients.links import Language
from schemas.text import accept_stored_text

MAX_RULES = 50
RuleAction = Literal["make_link", "end_link", "update_patient", "store_answers", "pass_over"]
MessageType = Annotated[str, Field(pattern=r"^[A-Z]{3}\^[A-Z0-9]{3}$", examples=["ORM^O01"])]
FieldPath = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9]{2}-[1-9][0-9]?(\.[1-9][0-9]?)?$", examples=["OBR-4.1"]),
]
FieldValue = Annotated[str, Field(max_length=200)]
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})-(\d+)(?:\.(\d+))?")
_ORDER_PATHS = {"ORM": "ORC-2", "OML": "ORC-2", "OMG": "ORC-2", "SIU": "SCH-1", "ADT": "PV1-19"}
"""The field with the number of the order, appointment or visit, by kind of message."""


class MessageRule(FrozenModel):
    """What is done with messages of one type."""

    message: MessageType = Field(description="The type in MSH-9: code and event.")
    when: dict[FieldPath, Annotated[Many[FieldValue], Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict,
        max_length=10,
        description="Fields that must hold one of these values; component 1 unless named.",
    )
    action: RuleAction = Field(
        description="`make_link`: makes a link for the patient, once for each order. `end_link`: "
        "revokes the open link of the order. `update_patient`: gives open links the patient's name "
        "and birth date. `store_answers`: stores the results as an intake. `pass_over`: accepts "
        "the message and does nothing."
    )
    order: FieldPath | None = Field(
        default=None,
        description="The field with the number of the order. Default: ORC-2 in orders, SCH-1 in "
        "appointments, PV1-19 in ADT; without a number there, the patient's number is used.",
    )
    instrument: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] = Field(
        default="nociplastic", description="The instrument of the link."
    )
    language: Language | None = Field(
        default=None, description="The language of the link. Default: PID-15, else the browser's."
    )
    expires_in_days: Annotated[int, Field(ge=1, le=90)] = 14
    send_to_patient: bool = Field(
        default=False,
        description="Whether the link is sent to the e-mail address or mobile number in PID-13 or "
        "PID-40. Otherwise the desk hands it over.",
    )
    answers: ImportMapping | None = Field(
        default=None,
        description="For `store_answers`: which result (the code in OBX-3 as `column`) answers "
        "which question, as in a mapping file.",
    )

    @model_validator(mode="after")
    def _check_answers(self) -> "MessageRule":
        if (self.action == "store_answers") != (self.answers is not None):
            raise ValueError("answers: required for store_answers, and only there")
        return self

    @property
    def order_path(self) -> str | None:
        """The field with the number of the order, if there is one."""
        return self.order or _ORDER_PATHS.get(self.message[:3])


class MessageRules(FrozenModel):
    """The rules of an organisation, in the order in which they are tried."""

    rules: Annotated[Many[MessageRule], Field(max_length=MAX_RULES)] = ()


def parse_stored_rules(content: str | None) -> MessageRules:
    """Return the rules in a stored text, also those that would be refused today; else no rules."""
    with accept_stored_text():
        return MessageRules.model_validate_json(content or "{}", strict=False)


def find_rule(rules: MessageRules, message: Hl7Message) -> MessageRule | None:
    """Return the first rule that fits the message, or None."""
    header = message.find_segment("MSH")
    event = message.read_component(header, 9, 2)
    event = event or message.read_component(message.find_segment("EVN"), 1)
    message_type = f"{message.read_component(header, 9)}^{event}"
    return next(
        (
            rule
            for rule in rules.rules
            if rule.message == message_type
            and all(set(read_values(message, path)) & {*rule.when[path]} for path in rule.when)
        ),
        None,
    )


def read_values(message: Hl7Message, path: str) -> list[str]:
    """Return the values at a path (`OBR-4.1`) in all segments of that name and repetitions."""
    match: Any = _PATH.fullmatch(path)
    number, component = int(match[2]), int(match[3] or 1)
    return [
        message.unescape(components[component - 1]).strip(" ")
        for segment in message.list_segments(match[1])
        for components in message.read_repetitions(segment, number)
        if component <= len(components)
    ]


def split_orders(message: Hl7Message) -> list[Hl7Message]:
    """Return a message for each order (ORC) with what precedes the first; else the message."""
    starts = [number for number, line in enumerate(message.segments) if line[0] == "ORC"]
    if not starts:
        return [message]
    ends = [*starts[1:], len(message.segments)]
    head = message.segments[: starts[0]]
    return [
        message._replace(segments=head + message.segments[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]
