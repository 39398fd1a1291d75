"""MLLP: a message to a receiver, and what it acknowledges; one connection for one message.

So no acknowledgement of an earlier message can be taken for this one's.
"""

from api.deliveries.attempt_result import Sent, failed
from api.hl7v2.acknowledgement import acknowledgement
from api.hl7v2.mllp_framing import FrameError, Frames, framed
from api.hl7v2.parser import UnreadableError
from api.outbound.allowlist import Target, allowance, target
from api.outbound.connection import Line, Way, connected
from api.outbound.errors import OutgoingError

_MOST_BYTES = 256 * 1024
SCHEMES = ("mllps", "mllp")


def over_mllp(content: bytes, control_id: str, address: str, way: Way) -> Sent:
    """How it ended. Plain MLLP goes to what is allowed as private alone."""
    try:
        where = _target(address, way)
        with connected(where.place, way, tls=where.scheme == "mllps") as line:
            line.send(framed(content))
            return _answered(line, control_id)
    except OutgoingError as error:
        return failed(error)


def _target(address: str, way: Way) -> Target:
    where = target(address, SCHEMES)
    if where.scheme == "mllp" and not allowance(where.place, way.allowed).private:
        raise OutgoingError("not_allowed")
    return where


def _answered(line: Line, control_id: str) -> Sent:
    frames = Frames(_MOST_BYTES)
    while True:
        some = line.receive()
        if not some:
            return Sent("again", "half" if frames.half else "cut_off")
        try:
            found = frames.feed(some)
        except FrameError:
            return Sent("again", "unreadable")
        if found:
            return _judged(found[0], control_id)


def _judged(answer: bytes, control_id: str) -> Sent:
    try:
        said = acknowledgement(answer)
    except UnreadableError:
        return Sent("again", "unreadable", reply=answer)
    if said.control_id != control_id:
        return Sent("again", "wrong_control_id", said.code, answer)
    match said.verdict:
        case "accepted":
            return Sent("delivered", "accepted", said.code, answer)
        case "error":
            return Sent("error", "error", said.code, answer)
        case "refused":
            return Sent("never", "refused", said.code, answer)
