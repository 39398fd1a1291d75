"""Sends deliveries over MLLP and reads their acknowledgements, one connection per message.

So an acknowledgement of an earlier message can't be mistaken for this one's.
"""

from api.deliveries.attempt_result import AttemptResult, classify_outbound_error
from api.hl7v2.acknowledgement import parse_acknowledgement
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import UnreadableMessageError
from api.outbound.allowlist import parse_target_url
from api.outbound.connection import ConnectionPolicy, DeadlineSocket, open_connection
from api.outbound.errors import OutboundError

_MAX_ACKNOWLEDGEMENT_BYTES = 256 * 1024
MLLP_SCHEMES = ("mllps", "mllp")


def send_over_mllp(
    content: bytes, control_id: str, address: str, policy: ConnectionPolicy
) -> AttemptResult:
    """Send the message and return the result; plain MLLP only goes to hosts allowed as private."""
    try:
        with open_connection(parse_target_url(address, MLLP_SCHEMES), policy) as connection:
            connection.send(frame_message(content))
            return _receive_acknowledgement(connection, control_id)
    except OutboundError as error:
        return classify_outbound_error(error)


def _receive_acknowledgement(connection: DeadlineSocket, control_id: str) -> AttemptResult:
    frames = FrameDecoder(_MAX_ACKNOWLEDGEMENT_BYTES)
    while True:
        chunk = connection.receive()
        if not chunk:
            is_partial = frames.has_partial_frame
            outcome = "incomplete_frame" if is_partial else "connection_lost"
            return AttemptResult("no_response", outcome)
        try:
            messages = frames.feed(chunk)
        except FrameError:
            return AttemptResult("no_response", "unreadable")
        if messages:
            return _classify_acknowledgement(messages[0], control_id)


def _classify_acknowledgement(reply: bytes, control_id: str) -> AttemptResult:
    try:
        acknowledgement = parse_acknowledgement(reply)
    except UnreadableMessageError:
        return AttemptResult("no_response", "unreadable", reply=reply)
    if acknowledgement.control_id != control_id:
        return AttemptResult("no_response", "wrong_control_id", acknowledgement.code, reply)
    match acknowledgement.verdict:
        case "accepted":
            return AttemptResult("delivered", "accepted", acknowledgement.code, reply)
        case "error":
            return AttemptResult("transient_failure", "error", acknowledgement.code, reply)
        case "refused":
            return AttemptResult("permanent_failure", "refused", acknowledgement.code, reply)
