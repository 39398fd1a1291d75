"""Parses and encodes acknowledgements (ACK).

RefusedMessageError    the sender must act; the message names the field, never its content
"""

from datetime import datetime
from typing import Literal, NamedTuple

from api.hl7v2.fields import (
    ENCODING_CHARACTERS,
    build_segment,
    derive_identifier,
    escape_text,
    format_timestamp,
)
from api.hl7v2.parser import Hl7Message, UnreadableMessageError, parse_hl7_message

AcknowledgementVerdict = Literal["accepted", "error", "refused"]
_VERDICTS: dict[str, AcknowledgementVerdict] = {
    "AA": "accepted",
    "CA": "accepted",
    "AE": "error",
    "CE": "error",
    "AR": "refused",
    "CR": "refused",
}


class AckMessage(NamedTuple):
    """A receiver's verdict on the message with this control id."""

    verdict: AcknowledgementVerdict
    code: str
    control_id: str


class Hl7ErrorDetail(NamedTuple):
    """The content of an ERR segment: code and text of table 0357, and a diagnostic message."""

    code: str
    code_text: str
    detail: str


class RefusedMessageError(ValueError):
    """The message cannot be applied; `reason` is for the log and the audit alone."""

    def __init__(self, reason: str, error_detail: Hl7ErrorDetail) -> None:
        super().__init__(error_detail.detail)
        self.reason, self.error_detail = reason, error_detail


def parse_acknowledgement(answer: bytes) -> AckMessage:
    """Parse an acknowledgement. Raises UnreadableMessageError."""
    message = parse_hl7_message(answer)
    msa = message.find_segment("MSA")
    code = message.read_component(msa, 1)
    if code not in _VERDICTS:
        raise UnreadableMessageError("MSA-1: expected AA, AE, AR, CA, CE or CR")
    return AckMessage(_VERDICTS[code], code, message.read_component(msa, 2))


def encode_acknowledgement(
    message: Hl7Message | None,
    created_at: datetime,
    code: Literal["AA", "AE", "AR"],
    error_detail: Hl7ErrorDetail | None = None,
) -> bytes:
    """Encode the acknowledgement of a message, or of an unreadable one, without patient data."""
    header: tuple[str, ...] = message.find_segment("MSH") if message else ("MSH",)

    def read_header_component(number: int, component: int = 1) -> str:
        try:
            return escape_text(message.read_component(header, number, component)) if message else ""
        except UnreadableMessageError:
            return ""

    control_id, trigger_event = read_header_component(10), read_header_component(9, 2)
    fields = {
        2: ENCODING_CHARACTERS,
        3: read_header_component(5) or "NOCISCREEN",
        4: read_header_component(6),
        5: read_header_component(3),
        6: read_header_component(4),
        7: format_timestamp(created_at),
        9: f"ACK^{trigger_event}^ACK" if trigger_event else "ACK",
        10: derive_identifier(f"{control_id} {created_at.isoformat()}", 20),
        11: read_header_component(11) or "P",
        12: "2.5.1",
        18: "UNICODE UTF-8",
    }
    lines = [build_segment("MSH", fields), build_segment("MSA", {1: code, 2: control_id})]
    if error_detail is not None:
        error_code = f"{error_detail.code}^{escape_text(error_detail.code_text)}^HL70357"
        lines.append(
            build_segment("ERR", {3: error_code, 4: "E", 8: escape_text(error_detail.detail)})
        )
    return ("\r".join(lines) + "\r").encode()
