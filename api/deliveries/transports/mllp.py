"""Sends deliveries over MLLP and reads their acknowledgements, one connection per message.

So an acknowledgement of an earlier message can't be mistaken for this one's.
"""

from api.deliveries.attempt_result import AttemptResult, classify_outbound_error
from api.hl7v2.acknowledgement import parse_acknowledgement
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import UnreadableMessageError
from api.outbound.allowlist import TargetUrl, find_allowed_host, parse_target_url
from api.outbound.connection import ConnectionPolicy, DeadlineSocket, open_connection
from api.outbound.errors import OutboundError

_MAX_ACKNOWLEDGEMENT_BYTES = 256 * 1024
MLLP_SCHEMES = ("mllps", "mllp")


def send_over_mllp(
    content: bytes, control_id: str, address: str, policy: ConnectionPolicy
) -> AttemptResult:
    """Send the message and return the result; plain MLLP only goes to hosts allowed as private."""
    try:
        receiver = _resolve_target(address, policy)
        with open_connection(
            receiver.host_port, policy, tls=receiver.scheme == "mllps"
        ) as connection:
            connection.send(frame_message(content))
            return _receive_acknowledgement(connection, control_id)
    except OutboundError as error:
        return classify_outbound_error(error)


def _resolve_target(address: str, policy: ConnectionPolicy) -> TargetUrl:
    receiver = parse_target_url(address, MLLP_SCHEMES)
    if (
        receiver.scheme == "mllp"
        and not find_allowed_host(receiver.host_port, policy.allowed_hosts).is_private_allowed
    ):
        raise OutboundError("not_allowed")
    return receiver


def _receive_acknowledgement(connection: DeadlineSocket, control_id: str) -> AttemptResult:
    frames = FrameDecoder(_MAX_ACKNOWLEDGEMENT_BYTES)
    while True:
        chunk = connection.receive()
        if not chunk:
            return AttemptResult("no_response", "half" if frames.has_partial_frame else "cut_off")
        try:
            messages = frames.feed(chunk)
        except FrameError:
            return AttemptResult("no_response", "unreadable")
        if messages:
            return _classify_acknowledgement(messages[0], control_id)


def _classify_acknowledgement(reply: bytes, control_id: str) -> AttemptResult:
    try:
        parsed = parse_acknowledgement(reply)
    except UnreadableMessageError:
        return AttemptResult("no_response", "unreadable", reply=reply)
    if parsed.control_id != control_id:
        return AttemptResult("no_response", "wrong_control_id", parsed.code, reply)
    match parsed.verdict:
        case "accepted":
            return AttemptResult("delivered", "accepted", parsed.code, reply)
        case "error":
            return AttemptResult("transient_failure", "error", parsed.code, reply)
        case "refused":
            return AttemptResult("permanent_failure", "refused", parsed.code, reply)
