"""Sends deliveries over MLLP and reads their acknowledgements, one connection per message.

So an acknowledgement of an earlier message can't be mistaken for this one's.
"""

from api.deliveries.attempt_result import Sent, failed
from api.hl7v2.acknowledgement import acknowledgement
from api.hl7v2.mllp_framing import FrameError, Frames, framed
from api.hl7v2.parser import UnreadableError
from api.outbound.allowlist import Target, allowance, target
from api.outbound.connection import Line, Way, connected
from api.outbound.errors import OutgoingError

_MAX_ACKNOWLEDGEMENT_BYTES = 256 * 1024
SCHEMES = ("mllps", "mllp")


def over_mllp(content: bytes, control_id: str, address: str, policy: Way) -> Sent:
    """Send the message and return the result; plain MLLP only goes to hosts allowed as private."""
    try:
        receiver = _resolve_target(address, policy)
        with connected(receiver.place, policy, tls=receiver.scheme == "mllps") as connection:
            connection.send(framed(content))
            return _receive_acknowledgement(connection, control_id)
    except OutgoingError as error:
        return failed(error)


def _resolve_target(address: str, policy: Way) -> Target:
    receiver = target(address, SCHEMES)
    if receiver.scheme == "mllp" and not allowance(receiver.place, policy.allowed).private:
        raise OutgoingError("not_allowed")
    return receiver


def _receive_acknowledgement(connection: Line, control_id: str) -> Sent:
    frames = Frames(_MAX_ACKNOWLEDGEMENT_BYTES)
    while True:
        chunk = connection.receive()
        if not chunk:
            return Sent("no_response", "half" if frames.half else "cut_off")
        try:
            messages = frames.feed(chunk)
        except FrameError:
            return Sent("no_response", "unreadable")
        if messages:
            return _classify_acknowledgement(messages[0], control_id)


def _classify_acknowledgement(reply: bytes, control_id: str) -> Sent:
    try:
        parsed = acknowledgement(reply)
    except UnreadableError:
        return Sent("no_response", "unreadable", reply=reply)
    if parsed.control_id != control_id:
        return Sent("no_response", "wrong_control_id", parsed.code, reply)
    match parsed.verdict:
        case "accepted":
            return Sent("delivered", "accepted", parsed.code, reply)
        case "error":
            return Sent("transient_failure", "error", parsed.code, reply)
        case "refused":
            return Sent("permanent_failure", "refused", parsed.code, reply)
