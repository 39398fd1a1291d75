"""Acknowledgements: what a receiver says of a message, read and written."""

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
    """A verdict on the message that has this control id."""

    verdict: Verdict
    code: str
    control_id: str


class Fault(NamedTuple):
    """Why a message was not taken: a code of table 0357 with its text, and a sentence."""

    code: str
    text: str
    detail: str


def acknowledgement(answer: bytes) -> Acknowledgement:
    """What an answer says. Raises UnreadableError."""
    message = read(answer)
    said = message.first("MSA")
    code = message.word(said, 1)
    if code not in _VERDICTS:
        raise UnreadableError("MSA-1: expected AA, AE, AR, CA, CE or CR")
    return Acknowledgement(_VERDICTS[code], code, message.word(said, 2))


def acknowledging(
    told: Message | None, at: datetime, code: Literal["AA", "AE", "AR"], fault: Fault | None = None
) -> bytes:
    """The answer to a message, or to what could not be read. It tells nothing of a patient."""
    header: tuple[str, ...] = told.first("MSH") if told else ("MSH",)

    def word(number: int, component: int = 1) -> str:
        try:
            return escaped(told.word(header, number, component)) if told else ""
        except UnreadableError:
            return ""

    control_id, event = word(10), word(9, 2)
    fields = {
        2: ENCODING,
        3: word(5) or "NOCISCREEN",
        4: word(6),
        5: word(3),
        6: word(4),
        7: instant(at),
        9: f"ACK^{event}^ACK" if event else "ACK",
        10: number_of(f"{control_id} {at.isoformat()}", 20),
        11: word(11) or "P",
        12: "2.5.1",
        18: "UNICODE UTF-8",
    }
    lines = [segment("MSH", fields), segment("MSA", {1: code, 2: control_id})]
    if fault is not None:
        kind = f"{fault.code}^{escaped(fault.text)}^HL70357"
        lines.append(segment("ERR", {3: kind, 4: "E", 8: escaped(fault.detail)}))
    return ("\r".join(lines) + "\r").encode()
