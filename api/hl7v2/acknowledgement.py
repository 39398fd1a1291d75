"""Parses and encodes acknowledgements (ACK)."""

from datetime import datetime
from typing import Literal, NamedTuple

from api.hl7v2.fields import ENCODING, escaped, instant, number_of, segment
from api.hl7v2.parser import Message, UnreadableError, read

Verdict = Literal["accepted", "error", "refused"]
_VERDICTS: dict[str, Verdict] = {
    "AA": "accepted",
    "CA": "accepted",
    "AE": "error",
    "CE": "error",
    "AR": "refused",
    "CR": "refused",
}


class Acknowledgement(NamedTuple):
    """A receiver's verdict on the message with this control id."""

    verdict: Verdict
    code: str
    control_id: str


class Fault(NamedTuple):
    """The content of an ERR segment: code and text of table 0357, and a diagnostic message."""

    code: str
    text: str
    detail: str


def acknowledgement(answer: bytes) -> Acknowledgement:
    """Parse an acknowledgement. Raises UnreadableError."""
    message = read(answer)
    msa = message.first("MSA")
    code = message.word(msa, 1)
    if code not in _VERDICTS:
        raise UnreadableError("MSA-1: expected AA, AE, AR, CA, CE or CR")
    return Acknowledgement(_VERDICTS[code], code, message.word(msa, 2))


def acknowledging(
    message: Message | None,
    at: datetime,
    code: Literal["AA", "AE", "AR"],
    fault: Fault | None = None,
) -> bytes:
    """Encode the acknowledgement of a message, or of an unreadable one, without patient data."""
    header: tuple[str, ...] = message.first("MSH") if message else ("MSH",)

    def read_header_component(number: int, component: int = 1) -> str:
        try:
            return escaped(message.word(header, number, component)) if message else ""
        except UnreadableError:
            return ""

    control_id, trigger_event = read_header_component(10), read_header_component(9, 2)
    fields = {
        2: ENCODING,
        3: read_header_component(5) or "NOCISCREEN",
        4: read_header_component(6),
        5: read_header_component(3),
        6: read_header_component(4),
        7: instant(at),
        9: f"ACK^{trigger_event}^ACK" if trigger_event else "ACK",
        10: number_of(f"{control_id} {at.isoformat()}", 20),
        11: read_header_component(11) or "P",
        12: "2.5.1",
        18: "UNICODE UTF-8",
    }
    lines = [segment("MSH", fields), segment("MSA", {1: code, 2: control_id})]
    if fault is not None:
        error_code = f"{fault.code}^{escaped(fault.text)}^HL70357"
        lines.append(segment("ERR", {3: error_code, 4: "E", 8: escaped(fault.detail)}))
    return ("\r".join(lines) + "\r").encode()
